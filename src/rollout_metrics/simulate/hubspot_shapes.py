"""HubSpot's objects: properties as of an instant, their history newest first and not for ever, what merging and archiving leave behind."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import RLock
from typing import Any

import msgspec

from rollout_metrics.domain.time import SECOND, Instant, instant
from rollout_metrics.simulate.cast import HUBSPOT, ROUTER_APP, SALES
from rollout_metrics.simulate.draft import Case, Save
from rollout_metrics.simulate.stories.leads import CLOSED_STAGES, PIPELINE, STAGES
from rollout_metrics.simulate.wire import milliseconds_text
from rollout_metrics.simulate.world import World

VERSIONS_KEPT = 20
MERGED_IDS = "hs_merged_object_ids"
PROPERTIES = (
    "hs_object_id",
    "hs_createdate",
    "hs_lastmodifieddate",
    "hs_lead_name",
    "hs_pipeline",
    "hs_pipeline_stage",
    "hubspot_owner_id",
    "lead_tier",
    "routing_mode",
    "contact_channel",
    "correction_reason",
    "lead_score",
    MERGED_IDS,
)
_DEFAULTS = ("hs_createdate", "hs_lastmodifieddate", "hs_object_id")


class Record(msgspec.Struct, frozen=True):
    """An object as of an instant."""

    id: str
    archived: bool
    created_at: Instant
    changed_at: Instant
    properties: dict[str, str | None]
    saves: tuple[Save, ...]
    merges: tuple[tuple[Instant, str], ...]

    def body(self, wanted: list[str], *, history: list[str] | None = None) -> dict[str, Any]:
        """The object's JSON with the wanted properties, and the history of some."""
        found: dict[str, Any] = {
            "id": self.id,
            "properties": {name: self.properties.get(name) for name in (*_DEFAULTS, *wanted)},
            "createdAt": milliseconds_text(self.created_at),
            "updatedAt": milliseconds_text(self.changed_at),
            "archived": self.archived,
        }
        if self.archived:
            found["archivedAt"] = milliseconds_text(self.changed_at)
        if history:
            found["propertiesWithHistory"] = {name: self.history(name) for name in history}
        return found

    def history(self, name: str) -> list[dict[str, Any]]:
        """The versions of a property that are still known, newest first."""
        if name == MERGED_IDS:
            ids = [number for _, number in self.merges]
            entries = [_version(";".join(ids[: place + 1]), at, "MERGE_OBJECTS", None) for place, (at, _) in enumerate(self.merges)]
        else:
            entries = [_version(str(f.after), save.at, save.via, save.actor) for save in self.saves for f in save.fields if f.name == name]
        return entries[::-1][:VERSIONS_KEPT]


def _version(value: str, at: Instant, source: str, actor: int | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"value": value, "timestamp": milliseconds_text(at), "sourceType": source, "sourceId": None, "sourceLabel": None}
    if actor in SALES:
        entry |= {"sourceId": f"userId:{actor}", "updatedByUserId": actor}
    elif actor == ROUTER_APP:
        entry |= {"sourceId": str(actor), "sourceLabel": "Lead Router"}
    elif source == "AUTOMATION_PLATFORM":
        entry["sourceId"] = f"enrollmentId:{actor};actionExecutionIndex:0"
    elif actor is not None:
        entry["sourceId"] = str(actor)
    return entry


class Records:
    """All objects of the company, as of any instant."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._merges: dict[int, list[tuple[Instant, int]]] = {}
        self._seen = 0
        self._indexed: tuple[str, Instant, list[Record]] = ("", -1, [])
        self._lock = RLock()

    def live(self, kind: str, at: Instant) -> Iterator[Record]:
        """Objects that exist at `at`."""
        return (record for record in self._all(kind, at) if not record.archived)

    def indexed(self, kind: str, at: Instant) -> list[Record]:
        """What a search can find at `at`: the index is built anew every second."""
        at = at // SECOND * SECOND
        known_kind, known_at, records = self._indexed
        if (known_kind, known_at) != (kind, at):
            records = list(self.live(kind, at))
            self._indexed = (kind, at, records)
        return records

    def archived(self, kind: str, at: Instant) -> Iterator[Record]:
        """Objects that were archived by `at`."""
        return (record for record in self._all(kind, at) if record.archived)

    def get(self, kind: str, number: str, at: Instant) -> Record | None:
        """An object by its id, or by the id of one that was merged into it."""
        self._learn(at)
        case = self._world.case(int(number)) if number.isdigit() else None
        if case is None or case.system != HUBSPOT or case.kind != kind or case.saves[0].at > at:
            return None
        ending = _ending(case, at)
        if ending is not None and ending.startswith("merged:"):
            return self.get(kind, ending.removeprefix("merged:"), at)
        return self._record(case, at, archived=ending is not None)

    def _all(self, kind: str, at: Instant) -> Iterator[Record]:
        self._learn(at)
        for case in self._world.cases(at, system=HUBSPOT):
            if case.kind == kind:
                ending = _ending(case, at)
                if ending is None or ending == "deleted":
                    yield self._record(case, at, archived=ending is not None)

    def _learn(self, at: Instant) -> None:
        """Note which objects were merged into which."""
        count = len(self._world.lines(HUBSPOT, at))
        if count == self._seen:
            return
        with self._lock:
            merges: dict[int, list[tuple[Instant, int]]] = {}
            for line in self._world.lines(HUBSPOT, at):
                case, save = self._world.save(line)
                if save.ending is not None and save.ending.startswith("merged:"):
                    merges.setdefault(int(save.ending.removeprefix("merged:")), []).append((save.at, case.id))
            self._merges, self._seen = merges, count

    def _record(self, case: Case, at: Instant, *, archived: bool) -> Record:
        saves = case.saves[: bisect_right(case.saves, at, key=_at)]
        merges = tuple((when, str(number)) for when, number in self._merges.get(case.id, ()) if when <= at)
        changed_at = max(saves[-1].at, merges[-1][0] if merges else 0)
        properties: dict[str, str | None] = {str(f.name): str(f.after) for save in saves for f in save.fields}
        properties |= {"hs_object_id": str(case.id), "hs_createdate": milliseconds_text(saves[0].at), "hs_lastmodifieddate": milliseconds_text(changed_at)}
        if merges:
            properties[MERGED_IDS] = ";".join(number for _, number in merges)
        return Record(str(case.id), archived, saves[0].at, changed_at, properties, saves, merges)


def _ending(case: Case, at: Instant) -> str | None:
    last = case.saves[-1]
    return last.ending if last.at <= at else None


def _at(save: Save) -> Instant:
    return save.at


def pipelines() -> list[dict[str, Any]]:
    """The one pipeline of leads."""
    states = ("NEW", "IN_PROGRESS", "IN_PROGRESS", "QUALIFIED", "UNQUALIFIED")
    stages = [
        {
            "id": number,
            "label": label,
            "displayOrder": place,
            "archived": False,
            "metadata": {"isClosed": "true" if number in CLOSED_STAGES else "false", "leadState": states[place]},
        }
        for place, (number, label) in enumerate(STAGES.items())
    ]
    return [{"id": PIPELINE, "label": "Lead pipeline", "displayOrder": 0, "archived": False, "stages": stages}]


def number_of(value: str) -> float | None:
    """A number, or a time as epoch milliseconds; None for what is neither."""
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return instant(datetime.fromisoformat(value).astimezone(UTC)) / 1000
    except ValueError:
        return None
