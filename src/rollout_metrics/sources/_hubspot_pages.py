"""HubSpot's pages as they come: the shapes that are decoded, and how lists of records are paged."""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

from rollout_metrics.collect.http import Answer, Api, decode
from rollout_metrics.collect.names import given
from rollout_metrics.collect.paging import tokens
from rollout_metrics.collect.records import Listing, decoded
from rollout_metrics.collect.source import Named, Rejected
from rollout_metrics.collect.story import MILLISECOND
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.time import parse_instant

R = TypeVar("R")

FOUND = 200
"""Records a search page holds at most."""
READ = 50
"""Records read at once with their history."""


class Entry(msgspec.Struct, rename="camel", gc=False):
    """One version of a property, and who made it."""

    timestamp: str
    value: Any = None
    source_type: str | None = None
    source_id: str | None = None
    source_label: str | None = None
    updated_by_user_id: int | None = None


class Record(msgspec.Struct, rename="camel", gc=False):
    """A record with the history of its properties."""

    id: str
    created_at: str
    updated_at: str | None = None
    properties_with_history: dict[str, list[Entry]] = {}


class Archived(msgspec.Struct, rename="camel", gc=False):
    """A deleted record."""

    id: str
    archived_at: str


class Failure(msgspec.Struct):
    """Why records of a batch were not given."""

    category: str | None = None
    message: str | None = None
    context: dict[str, list[str]] | None = None


class _Batch(msgspec.Struct, Generic[R]):
    results: list[R]
    errors: list[Failure] = []


class _Hit(msgspec.Struct, gc=False):
    id: str
    properties: dict[str, Any] = {}

    def changed_at(self, modified: str, end: int) -> int | None:
        """When, in milliseconds; None where that cannot be read: the record itself can be all the same."""
        try:
            at = milliseconds(self.properties.get(modified))
        except (AttributeError, TypeError, ValueError):
            return None
        return at if at < end else None


class _Found(msgspec.Struct):
    total: int
    results: list[msgspec.Raw]


class After(msgspec.Struct):
    """Where a list goes on."""

    after: str


class Paging(msgspec.Struct):
    """Whether it does."""

    next: After | None = None


class ArchivedList(msgspec.Struct):
    """A page of deleted records."""

    results: list[msgspec.Raw]
    paging: Paging | None = None


class _Stage(msgspec.Struct):
    id: str
    label: str = ""
    metadata: dict[str, Any] = {}


class _Pipeline(msgspec.Struct):
    stages: list[_Stage]
    id: str = ""
    label: str = ""


class _Pipelines(msgspec.Struct):
    results: list[_Pipeline]


class _Property(msgspec.Struct, rename="camel"):
    name: str
    label: str = ""
    hubspot_defined: bool = False


class _Properties(msgspec.Struct):
    results: list[_Property]


class _Owner(msgspec.Struct, rename={"user": "userIdIncludingInactive"}, gc=False):
    id: str
    user: int | None = None


class _Owners(msgspec.Struct):
    results: list[_Owner]
    paging: Paging | None = None


class Body(msgspec.Struct, frozen=True):
    """Records of one object type with their history, or archived ones; `closing`: the stages that close; `owners`: which users owners are, where asked for."""

    object: str
    closing: frozenset[str] = frozenset()
    asked: tuple[str, ...] = ()
    records: tuple[Record, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    archived: tuple[Archived, ...] = ()
    owners: dict[str, str] | None = None

    def kept(self, record: msgspec.Raw | bytes) -> bytes:
        """What of a record is kept for another try; of the owners only those that are among it."""
        told = None if self.owners is None else {owner: user for owner, user in self.owners.items() if owner.encode() in bytes(record)}
        return msgspec.json.encode(Kept(self.object, tuple(sorted(self.closing)), msgspec.Raw(bytes(record)), told))


_BATCH: Listing[_Batch[Record], Record] = Listing(_Batch, Record, "record", "results")
RECORD = msgspec.json.Decoder(Record)
_FOUND = msgspec.json.Decoder(_Found)
_HIT = msgspec.json.Decoder(_Hit)
_ARCHIVED_LIST = msgspec.json.Decoder(ArchivedList)
_ARCHIVED = msgspec.json.Decoder(Archived)
_OWNERS = msgspec.json.Decoder(_Owners)
_PROPERTIES = msgspec.json.Decoder(_Properties)
_PIPELINES = msgspec.json.Decoder(_Pipelines)


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of a rejected record is kept for another try."""

    object: str
    closing: tuple[str, ...]
    record: msgspec.Raw
    owners: dict[str, str] | None = None


class _Hits(msgspec.Struct, frozen=True):
    """A page of a search. `whole`: no more are to come."""

    hits: list[_Hit]
    rejected: list[Rejected]
    whole: bool
    where: str


Listed = tuple[list[str], list[Rejected], int]
"""Ids of records, what is no record, and up to when all have been given."""


def changed(api: Api, kind: str, since: int, end: int) -> Iterator[Listed]:
    """The records changed in [since, end) milliseconds.

    The filter moves with each page instead of an offset: no query comes near the vendor's limit of 10,000, and records
    that change while we page cannot push others over a page's edge. One whose time cannot be read leads nowhere: the others of its page do.
    """
    modified = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
    seen: set[str] = set()
    while since < end:
        filters = [_filter(modified, "GTE", since), _filter(modified, "LT", end)]
        found = _search(api, kind, filters, modified, f"changed since {since}")
        stamps = [hit.changed_at(modified, end) for hit in found.hits]
        times = [at for at in stamps if at is not None]
        if times != sorted(times) or (times and times[0] < since):
            raise PayloadError(f"{found.where} is not in order of {modified}: the sort is being ignored")
        if not times and not found.whole:
            raise PayloadError(f"{found.where} has no record whose {modified} can be read, and more are to come: its shape is unknown to this version")
        fresh = [hit.id for hit in found.hits if hit.id not in seen]
        last = times[-1] if times else end
        if found.whole:
            if fresh or found.rejected:
                yield fresh, found.rejected, last
            return
        if last > since:
            yield fresh, found.rejected, last
            seen = {hit.id for hit, at in zip(found.hits, stamps, strict=True) if at in (last, None)}
            since = last
        else:
            yield from _at_once(api, kind, modified, since)
            since, seen = since + 1, set()


def _at_once(api: Api, kind: str, modified: str, at: int) -> Iterator[Listed]:
    """The records that all changed in one millisecond (bulk imports), by ranges of ids."""
    last = 0
    while True:
        filters = [_filter(modified, "EQ", at), _filter("hs_object_id", "GT", last)]
        found = _search(api, kind, filters, "hs_object_id", f"changed at {at} after {last}")
        ids = [int(hit.id) for hit in found.hits]
        if ids != sorted(ids) or (ids and ids[0] <= last) or not (ids or found.whole):
            raise PayloadError(f"{found.where} repeats records: paging runs in a loop and would never end")
        if ids or found.rejected:
            yield [hit.id for hit in found.hits], found.rejected, at
        if found.whole:
            return
        last = ids[-1]


def _search(api: Api, kind: str, filters: list[dict[str, str]], sort: str, label: str) -> _Hits:
    body = {"filterGroups": [{"filters": filters}], "sorts": [sort], "properties": [filters[0]["propertyName"]], "limit": FOUND, "after": "0"}
    answer = api.post(f"/crm/v3/objects/{kind}/search", body, label=label)
    found = decode(answer, _FOUND)
    count = len(found.results)
    if found.total > count and count < FOUND:
        raise PayloadError(f"{answer.where} holds {count} of {found.total} records: the page was cut short without saying so")
    return _Hits(*decoded(found.results, _HIT, f"{answer.where} record", Body(kind).kept), found.total <= count, answer.where)


def _filter(name: str, operator: str, value: int) -> dict[str, str]:
    return {"propertyName": name, "operator": operator, "value": str(value)}


def archived(api: Api, kind: str) -> Iterator[tuple[list[Archived], list[Rejected], str]]:
    """All deleted records of a type, what is none, and where they stand."""
    params = {"archived": "true", "limit": 100, "properties": "hs_object_id"}
    path = f"/crm/v3/objects/{kind}"
    for page, answer in tokens(
        api, path, params, _ARCHIVED_LIST, parameter="after", token=lambda page: following(page.paging), records=lambda page: page.results
    ):
        yield *decoded(page.results, _ARCHIVED, f"{answer.where} record", Body(kind).kept), answer.where


def following(paging: Paging | None) -> str | None:
    """The token of the next page, if there is one."""
    return paging.next.after if paging is not None and paging.next is not None else None


def owner_users(api: Api) -> dict[str, str]:
    """Owner id -> user id, also of people who left; queues are no users and are not among them."""
    users: dict[str, str] = {}
    for archived in ("false", "true"):
        params = {"archived": archived, "limit": 500}
        pages = tokens(api, "/crm/v3/owners", params, _OWNERS, parameter="after", token=lambda page: following(page.paging), records=lambda page: page.results)
        users.update({owner.id: str(owner.user) for page, _ in pages for owner in page.results if owner.user is not None})
    return users


def closing_stages(api: Api, kind: str) -> frozenset[str]:
    """The stages of all pipelines of a type that close."""
    pipelines = decode(api.get(f"/crm/v3/pipelines/{kind}"), _PIPELINES)
    return frozenset(stage.id for pipeline in pipelines.results for stage in pipeline.stages if _closes(stage))


def stage_names(api: Api, kind: str) -> Iterator[Named]:
    """Labels of the pipelines of a type and of their stages."""
    told = given(api, f"/crm/v3/pipelines/{kind}", _PIPELINES)
    for pipeline in told.results if told is not None else ():
        yield Named("pipeline", pipeline.id, pipeline.label)
        yield from (Named("status", stage.id, stage.label) for stage in pipeline.stages)


def own_properties(api: Api, kind: str) -> Iterator[tuple[str, str]]:
    """The properties of a type that the account made for itself, with their labels."""
    told = given(api, f"/crm/v3/properties/{kind}", _PROPERTIES)
    for one in told.results if told is not None else ():
        if not one.hubspot_defined:
            yield one.name, one.label


def batch(answer: Answer, body: Body) -> tuple[list[Record], list[Failure], list[Rejected]]:
    """The records of a batch, what was not given, and what is no record."""
    page, rejected = _BATCH.read(answer, body.kept)
    return page.results, page.errors, rejected


def _closes(stage: _Stage) -> bool:
    """By the stage's own word; deals of old pipelines only say how likely they are: surely won or surely lost."""
    said = stage.metadata.get("isClosed", stage.metadata.get("ticketState") or stage.metadata.get("leadState"))
    if said is None:
        return stage.metadata.get("probability") in ("0.0", "1.0", "0", "1")
    return str(said).lower() in ("true", "closed")


def milliseconds(text: str | None) -> int:
    """An instant as HubSpot counts it."""
    return parse_instant(text or "") // MILLISECOND


def payload_of(kind: str, number: str) -> bytes:
    """What is kept of a record that was not given."""
    return msgspec.json.encode(Kept(kind, (), msgspec.Raw(msgspec.json.encode({"id": number}))))


def lost_id(rejected: Rejected) -> str | None:
    """The id of a rejected record, where its payload has one."""
    try:
        return str(msgspec.json.decode(msgspec.json.decode(rejected.payload, type=Kept).record).get("id"))
    except (msgspec.DecodeError, AttributeError):
        return None
