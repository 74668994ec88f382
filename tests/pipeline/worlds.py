"""Small companies with a real store each: events are landed, refreshed at instants of the test's choosing, and the bytes compared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from builders import T0, ev
from histories import VALUES, history_of
from rollout_metrics.catalog import Family
from rollout_metrics.config.load import Configuration, loads
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, Instant, Span
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.publish.exposition import Renderer
from rollout_metrics.publish.self_metrics import SelfMetrics
from rollout_metrics.publish.snapshot import Board
from rollout_metrics.store import Store, open_store
from servers import Postgres

DESK, RUNTIME = "desk", "runtime"
APART = frozenset(("agent_rollout_corrections_to_settled",))
"""Families that tell of the order in which things became known."""

DECIDES: list[Any] = [
    "set:priority",
    {"action": "set:stage", "progress": [["new", "open", "done"], ["open", "pending"]]},
    {"action": "set:tags", "type": "multi"},
    {"action": "set:note", "type": "text", "reversible": False},
    "comment:public",
    "close",
    "refund",
]
SHORT = {
    "settle_after": "2h",
    "settle_after_approval": "5h",
    "expire_after": "9h",
    "reversal_window": "4h",
    "cohort_age": "3h",
    "drop_after": "5h",
    "glance_seconds": "1h",
    "windows": ["3h", "1d", "7d"],
}


def settings(**more: Any) -> dict[str, Any]:
    """Two workflows told apart by team: `w`, whose level follows its agent's first event, and `v`, in shadow until noon."""
    return {
        "sources": {name: {"kind": "events", "paths": f"{name}.jsonl"} for name in (DESK, RUNTIME)},
        "privacy": {"min_operators": 1},
        "workflows": [
            {
                "name": "w",
                "sources": [DESK, RUNTIME],
                "scope": {"team": ["a"]},
                "agents": ["bot"],
                "decides": DECIDES,
                "levels": [{"level": "low_risk_autonomous"}],
                "authority": [{"automatic": ["set:priority", "comment:public"], "approval": ["refund"], "forbidden": ["close"]}],
                "reason_attribute": "reason",
                "error_categories": ["tone"],
                "escalation": {"attributes": ["group"], "to": ["tier2"], "paths": {"tone": {"owner": "x", "target": "1h", "next_step": "call"}}},
                "bypass": {"markers": {"group": ["tier2"]}, "agent_silence": "1h", "agent_grace": "10m"},
                **SHORT,
            },
            {
                "name": "v",
                "sources": [DESK],
                "scope": {"team": ["b"]},
                "agents": ["other-bot"],
                "decides": ["set:priority", "close"],
                "levels": [{"level": "shadow", "since": "2026-01-01T00:00:00Z"}, {"level": "assisted", "since": "2026-03-02T13:00:00Z"}],
                "bypass": {"agent_silence": "1h"},
                **SHORT,
            },
        ],
        **more,
    }


def configured(options: Mapping[str, Any], folder: Path) -> Configuration:
    """A configuration whose relative paths lie in a folder."""
    return loads(yaml.safe_dump(dict(options), sort_keys=False), {"KEY": "a key of thirty-two characters !!"}, file=str(folder / "rollout-metrics.yaml"))


class Place:
    """Where stores are made on SQLite, from a template that has the schema already."""

    def __init__(self, folder: Path, template: bytes) -> None:
        self.folder = folder
        self._template = template
        self._numbers = count()

    def new(self) -> str:
        """The URL of an empty database."""
        path = self.folder / f"store-{next(self._numbers)}.db"
        path.write_bytes(self._template)
        return f"sqlite:///{path}"

    def take_back(self, url: str) -> None:
        """Nobody needs this database any more."""
        path = Path(url.removeprefix("sqlite:///"))
        for file in (path, *path.parent.glob(path.name + "-*")):
            file.unlink()


class PostgresPlace(Place):
    """The same on a real PostgreSQL."""

    def __init__(self, server: Postgres) -> None:
        self._server = server

    def new(self) -> str:
        """The URL of an empty database."""
        return self._server.new_database()

    def take_back(self, url: str) -> None:
        """Nobody needs this database any more."""
        self._server.take_back(url)


class Desk:
    """A pipeline on a store of its own, with a clock that the test sets."""

    def __init__(self, configuration: Configuration, url: str, now: Instant = T0 + 2 * DAY) -> None:
        self.configuration = configuration
        self.url = url
        self.now = now
        self.store: Store
        self.pipeline: Pipeline
        self.board = Board()
        self.metrics = SelfMetrics("1")
        self._open()

    def _open(self) -> None:
        self.store = open_store(self.url, clock=lambda: self.now)
        self.pipeline = Pipeline(self.configuration, self.store, lambda: self.now, self.board, self.metrics)

    def restart(self, configuration: Configuration | None = None) -> None:
        """Leave everything as it is and begin again, as after a kill."""
        self.store.close()
        self.configuration = configuration or self.configuration
        self._open()

    def land(self, events: Sequence[Event], source: str = DESK) -> None:
        """Store a batch."""
        self.store.land(source, [self.pipeline.pseudonyms.event(event) for event in events], (), None)

    def read_up_to(self, at: Instant, *sources: str) -> None:
        """Say that sources have been read up to an instant: all of them, or those named."""
        for source in sources or self.configuration.sources:
            self.store.land(source, [], (), {"watermark": at, "partial": False})

    def families(self) -> list[Family]:
        """The figures as they are now."""
        found = self.pipeline.families()
        assert found is not None
        return found

    def figures_at(self, at: Instant, behind: Span = 0) -> bytes:
        """The figures once all sources have been read up to an instant, the runtime to one before it."""
        self.read_up_to(at, DESK)
        self.read_up_to(at - behind, RUNTIME)
        return shown(self.families())


def shown(families: Iterable[Family], *apart: str) -> bytes:
    """Families as bytes, without those that depend on the order in which things became known."""
    left_out = APART | frozenset(apart)
    return Renderer().render([family for family in families if family.name not in left_out])[0]


def values(families: Iterable[Family], **labels: str) -> dict[str, float]:
    """`name{labels}` -> value, of series that have these labels; those labels are left out of the key."""
    found = {}
    for family in families:
        for suffix, pairs, value in family.samples:
            given = dict(pairs)
            if labels.items() <= given.items():
                rest = ",".join(f"{k}={v}" for k, v in sorted(given.items()) if k not in labels)
                found[family.name.removeprefix("agent_rollout_") + suffix + (f"{{{rest}}}" if rest else "")] = value
    return found


@contextmanager
def desk(configuration: Configuration, place: Place, now: Instant = T0 + 2 * DAY) -> Iterator[Desk]:
    """A pipeline on a new store."""
    made = Desk(configuration, place.new(), now)
    try:
        yield made
    finally:
        made.store.close()
        place.take_back(made.url)


def events_of_cases(choose: Any, cases: int, size: int = 10) -> list[Event]:
    """Several cases of either workflow or none, half of them as an agent and its operators would have them, half anything at all.

    Some get to know their team later. All happens in the first day.
    """
    made: list[Event] = []
    for number in range(cases):
        if number % 2:
            made += _plausible(choose, number)
            continue
        team = choose(("a", "a", "a", "b", None))
        told = choose((True, True, True, False))
        history = history_of(choose, size=size, first=number * 100)
        created = history[0]
        attributes = {k: v for k, v in created.detail["attributes"].items() if choose((True, True, False))}
        start = ev(
            choose(range(6)) * HOUR // 2,
            "customer-1",
            "created",
            id=created.event_id,
            case=str(number),
            attributes=attributes | ({"team": team} if told else {}),
        )
        rest = [_moved(event, number) for event in history[1:]]
        if not told:
            rest.append(
                ev(choose(range(24)) * HOUR // 2, "rule-1", "changed", "team", team, before=choose((None, team)), id=f"t{number:03d}", case=str(number))
            )
        made += [start, *rest]
    return made


def _plausible(choose: Any, number: int) -> list[Event]:
    """The agent proposes or acts (or is not there), an operator decides, often at the same instant as on other cases, and somebody closes."""
    case, team = str(number), choose(("a", "a", "a", "b"))
    bot = {"a": "bot", "b": "other-bot"}[team]
    operator = choose(("op-1", "op-2", None))
    began = choose((0, 2, 8, 14, 20)) * HOUR
    made = [ev(began, "customer-1", "created", id=f"p{case}-0", case=case, attributes={"team": team, "priority": "low"})]
    decided = began + choose((2, 3)) * HOUR

    def say(at: Instant, actor: str | None, activity: str, *more: Any, **detail: Any) -> None:
        made.append(ev(at, actor, activity, *more, id=f"p{case}-{len(made)}", case=case, kind=None if actor else "operator", **detail))

    acts = choose(("recommended", "approval_requested", "changed", None))
    if acts is not None:
        say(decided - choose((0, 1, 1, 90)) * MINUTE, bot, acts, "priority", "high")
    answer = choose(("approved", "rejected", "same", "other", "comment", "escalate"))
    if answer in ("approved", "rejected"):
        say(decided, operator, answer, action="set:priority")
    elif answer in ("same", "other"):
        say(decided, operator, "changed", "priority", "high" if answer == "same" else "urgent")
    elif answer == "comment":
        say(decided, operator, "commented", value="we will refund you", public=True)
    else:
        say(decided, bot, "escalated", reason=choose(("tone", "odd", None)))
        say(decided + HOUR, operator, "commented", value="looking", public=False)
    if choose((True, False)):
        say(decided + choose((0, 2)) * HOUR, operator, "changed", "priority", choose(("low", "high")))
    if choose((True, True, False)):
        say(decided + 3 * HOUR, choose((operator, "customer-1", bot)), "closed")
    return made


def _moved(event: Event, number: int) -> Event:
    values = {field: getattr(event, field) for field in event.__struct_fields__}
    return Event(**values | {"case_id": str(number)})


__all__ = ["DESK", "RUNTIME", "VALUES", "Desk", "Place", "configured", "desk", "events_of_cases", "settings", "shown", "values"]
