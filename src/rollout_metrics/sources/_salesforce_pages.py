"""Salesforce as it answers: SOQL pages followed to their true end, and the objects that are read with what belongs to them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from rollout_metrics.collect.http import Answer, Api
from rollout_metrics.collect.paging import followed, whole
from rollout_metrics.domain.errors import PayloadError, RetryLater, TruncatedError
from rollout_metrics.domain.time import SECOND, Instant, format_instant

AT_ONCE = 100
"""Records completed at once."""
READ = 200
"""Records looked up by id at once."""
USER = "005"
"""How ids of users begin."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
LOCATOR_GONE = b"INVALID_QUERY_LOCATOR"


class Kind(msgspec.Struct, frozen=True):
    """An object whose records are cases. `statuses`: the table of its statuses; `said`: the field there by which one closes."""

    prefix: str
    history: str
    parent: str
    status: str
    statuses: str
    said: str
    fields: Mapping[str, str]
    """Field -> attribute."""


KINDS: Mapping[str, Kind] = {
    "Case": Kind(
        "500",
        "CaseHistory",
        "CaseId",
        "Status",
        "CaseStatus",
        "IsClosed",
        {"Status": "status", "Priority": "priority", "OwnerId": "owner", "Origin": "origin", "Type": "type", "Reason": "reason", "IsEscalated": "escalated"}
        | {"RecordTypeId": "record_type"},
    ),
    "Lead": Kind(
        "00Q",
        "LeadHistory",
        "LeadId",
        "Status",
        "LeadStatus",
        "IsConverted",
        {"Status": "status", "OwnerId": "owner", "LeadSource": "origin", "Rating": "rating", "RecordTypeId": "record_type"},
    ),
    "Opportunity": Kind(
        "006",
        "OpportunityFieldHistory",
        "OpportunityId",
        "StageName",
        "OpportunityStage",
        "IsClosed",
        {"StageName": "status", "OwnerId": "owner", "LeadSource": "origin", "Type": "type", "ForecastCategoryName": "forecast", "RecordTypeId": "record_type"},
    ),
}
ALWAYS = ("Id", "CreatedDate", "CreatedById", "LastModifiedById", "SystemModstamp", "IsDeleted")
WHERE_THERE = ("MasterRecordId", "ClosedDate")


class Child(msgspec.Struct, frozen=True):
    """What belongs to cases and may change without them: `parent` names the case, `case` is the field by which to search."""

    fields: tuple[str, ...]
    parent: str
    only: str = ""

    def of(self, name: str, ids: Sequence[str]) -> str:
        """The query for what belongs to these records."""
        return select(self.fields, name, f"{among(self.parent, ids)}{self.only}", order="CreatedDate, Id")

    def changed(self, name: str, start: Instant, end: Instant) -> str:
        """The query for whose children changed."""
        return select(("Id", self.parent), name, f"{between(start, end)}{self.only}", order="SystemModstamp, Id")


COMMENTS: Mapping[str, Child] = {
    "CaseComment": Child(("Id", "ParentId", "IsPublished", "CommentBody", "CreatedById", "CreatedDate", "SystemModstamp"), "ParentId"),
    "EmailMessage": Child(("Id", "ParentId", "Incoming", "TextBody", "CreatedById", "CreatedDate", "SystemModstamp"), "ParentId"),
}
FEED: Mapping[str, Child] = {
    "FeedItem": Child(
        ("Id", "ParentId", "Type", "Visibility", "Body", "CreatedById", "CreatedDate", "SystemModstamp"), "ParentId", " AND Type IN ('TextPost', 'ContentPost')"
    )
}
STEPS: Mapping[str, Child] = {
    "ProcessInstanceStep": Child(
        ("Id", "ProcessInstance.TargetObjectId", "StepStatus", "ActorId", "OriginalActorId", "CreatedDate", "SystemModstamp"), "ProcessInstance.TargetObjectId"
    )
}
WORK_ITEMS: Mapping[str, Child] = {
    "ApprovalWorkItem": Child(
        ("Id", "ApprovalSubmission.RelatedRecordId", "ApprovalSubmission.CreatedById", "Status", "CreatedDate", "LastModifiedById", "LastModifiedDate"),
        "ApprovalSubmission.RelatedRecordId",
    )
}


class History(msgspec.Struct, gc=False):
    """One tracked change."""

    id: str = msgspec.field(name="Id")
    field: str = msgspec.field(name="Field")
    at: str = msgspec.field(name="CreatedDate")
    by: str | None = msgspec.field(name="CreatedById", default=None)
    data_type: str | None = msgspec.field(name="DataType", default=None)
    old: Any = msgspec.field(name="OldValue", default=None)
    new: Any = msgspec.field(name="NewValue", default=None)


class Bundle(msgspec.Struct):
    """A record with all that belongs to it. `users`: what kind of user those are who had to do with it."""

    name: str
    record: dict[str, Any]
    closing: list[str]
    histories: list[History] = []
    children: list[dict[str, Any]] = []
    users: dict[str, str] = {}
    labels: dict[str, str] = {}
    """What statuses are called -> their API names: the history may hold either."""
    tracked: bool = True
    """The history could be read."""
    odd: list[dict[str, Any]] = []
    """Rows of the history that have another shape."""


class Records(msgspec.Struct, rename="camel"):
    """A page of a query's result."""

    records: list[dict[str, Any]]
    done: bool
    total_size: int | None = None
    next_records_url: str | None = None


class Named(msgspec.Struct):
    """An object or a field."""

    name: str


class Objects(msgspec.Struct):
    """The objects that may be read."""

    sobjects: list[Named]


class Described(msgspec.Struct):
    """The fields that may be read."""

    fields: list[Named]


RECORDS = msgspec.json.Decoder(Records)
OBJECTS = msgspec.json.Decoder(Objects)
DESCRIBED = msgspec.json.Decoder(Described)
BUNDLE = msgspec.json.Decoder(Bundle)


def select(fields: Sequence[str], name: str, condition: str, *, order: str = "") -> str:
    """A query in SOQL; names come from here and from the configuration, ids through `among`."""
    ordered = f" ORDER BY {order}" if order else ""
    return f"SELECT {', '.join(fields)} FROM {name} WHERE {condition}{ordered}"  # noqa: S608


def among(field: str, ids: Sequence[str]) -> str:
    """The condition that a field holds one of these ids."""
    return f"{field} IN ({', '.join(repr(one) for one in ids if one.isalnum())})"


def between(start: Instant, end: Instant) -> str:
    """The condition that something changed in [start, end), by whole seconds."""
    first, last = (format_instant(at) for at in (start // SECOND * SECOND, -(-end // SECOND) * SECOND))
    return f"SystemModstamp >= {first} AND SystemModstamp < {last}"


def parent_of(record: Mapping[str, Any], path: str) -> str | None:
    """The id a relationship path leads to."""
    value: Any = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else None


def full_id(short: str) -> str:
    """An id in its 18 characters, whose last three tell which of the others are capitals."""
    if len(short) != 15:
        return short
    bits = (sum(1 << place for place, letter in enumerate(short[start : start + 5]) if letter.isupper()) for start in (0, 5, 10))
    return short + "".join(LETTERS[number] for number in bits)


def soql(api: Api, root: str, query: str, *, deleted: bool = False) -> Iterator[tuple[list[dict[str, Any]], Answer]]:
    """Every page of a query; only `done` ends it. `deleted`: with what is in the recycle bin."""

    def ask(following: str | None) -> Answer:
        if not following:
            return api.get(f"{root}/{'queryAll' if deleted else 'query'}", {"q": query})
        answer = api.get(following, accept=frozenset((400,)))
        if answer.status == 400:
            if LOCATOR_GONE in answer.body:
                raise RetryLater(f"{answer.where}: Salesforce has forgotten how far this query was read: the next sweep goes on from what was landed")
            raise PayloadError(f"400 from {answer.where}")
        return answer

    seen = 0
    for page, answer in followed(ask, RECORDS, records=lambda page: page.records, following=lambda page, _: None if page.done else page.next_records_url):
        seen += len(page.records)
        yield page.records, answer
        if page.done:
            whole(seen, page.total_size, answer.where)
        elif not page.next_records_url:
            raise TruncatedError(f"{answer.where} says there is more but not where: the list was cut short")


def rows(api: Api, root: str, query: str, *, deleted: bool = False) -> list[dict[str, Any]]:
    """The whole result of a query."""
    return [record for records, _ in soql(api, root, query, deleted=deleted) for record in records]
