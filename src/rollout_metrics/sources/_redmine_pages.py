"""Redmine's pages as they come: the shapes that are decoded, and how lists of issues and of booked time are read."""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

from rollout_metrics.collect.http import Answer, Api, decode
from rollout_metrics.collect.paging import Slice, moving, offsets, time_of
from rollout_metrics.collect.records import Listing
from rollout_metrics.collect.source import Window
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.time import DAY, SECOND, Instant, format_instant

R = TypeVar("R")

PER_PAGE = 50
"""Issues of a page: each costs a request of its own."""


class Ref(msgspec.Struct, gc=False):
    """Another record."""

    id: int


class Custom(msgspec.Struct, gc=False):
    """A custom field with its value now."""

    id: int
    value: str | list[str] | None = None
    multiple: bool = False


class Detail(msgspec.Struct, gc=False):
    """A change of one field, by its id or name."""

    property: str
    name: str
    old_value: str | None = None
    new_value: str | None = None


class Journal(msgspec.Struct, gc=False):
    """One update of an issue."""

    id: int
    created_on: str
    user: Ref | None = None
    notes: str | None = None
    private_notes: bool = False
    updated_on: str | None = None
    details: list[Detail] = []


class Issue(msgspec.Struct, gc=False, kw_only=True):
    """An issue as it is now, with its journals."""

    id: int
    project: Ref
    tracker: Ref
    status: Ref
    priority: Ref
    author: Ref | None = None
    assigned_to: Ref | None = None
    category: Ref | None = None
    fixed_version: Ref | None = None
    parent: Ref | None = None
    subject: str | None = None
    description: str | None = None
    start_date: str | None = None
    due_date: str | None = None
    done_ratio: int | None = None
    estimated_hours: float | None = None
    is_private: bool | None = None
    custom_fields: list[Custom] = []
    created_on: str
    journals: list[Journal] = []


class Entry(msgspec.Struct, gc=False):
    """Time that was booked."""

    id: int
    hours: float
    created_on: str
    updated_on: str
    issue: Ref | None = None
    user: Ref | None = None


class Changed(msgspec.Struct, gc=False):
    """An issue as it is listed."""

    id: int
    updated_on: Any = None


class Listed(msgspec.Struct, Generic[R]):
    """A page of issues."""

    issues: list[R]
    total_count: int


class _Whole(msgspec.Struct):
    issue: msgspec.Raw


class _Status(msgspec.Struct, gc=False):
    id: int
    is_closed: bool = False


class _Statuses(msgspec.Struct):
    issue_statuses: list[_Status]


class _Entries(msgspec.Struct):
    time_entries: list[msgspec.Raw]
    total_count: int


NONE = msgspec.Raw(b"null")


class Kept(msgspec.Struct, omit_defaults=True):
    """What is told by itself: an issue with the statuses that were closing ones then, or time that was booked."""

    issue: msgspec.Raw = NONE
    closing: list[str] = []
    entry: msgspec.Raw = NONE

    @property
    def name(self) -> str:
        """What it is called in messages."""
        what, raw = ("issue", self.issue) if self.entry == NONE else ("time entry", self.entry)
        try:
            return f"{what} {msgspec.json.decode(raw, type=Ref).id}"
        except msgspec.DecodeError:
            return f"{what} without an id"


LISTED: Listing[Listed[Changed], Changed] = Listing(Listed, Changed, "issue", "issues")
ISSUE = msgspec.json.Decoder(Issue)
ENTRY = msgspec.json.Decoder(Entry)
KEPT = msgspec.json.Decoder(Kept)
_WHOLE = msgspec.json.Decoder(_Whole)
_STATUSES = msgspec.json.Decoder(_Statuses)
_ENTRIES = msgspec.json.Decoder(_Entries)


def closing_statuses(api: Api) -> list[str]:
    """The ids of the statuses that close."""
    return sorted(str(status.id) for status in decode(api.get("/issue_statuses.json"), _STATUSES).issue_statuses if status.is_closed)


def booked(api: Api, window: Window) -> Iterator[tuple[list[msgspec.Raw], Answer]]:
    """Time that was booked for the window's days."""
    asked = {"from": _day(window.start - DAY), "to": _day(window.end + DAY), "limit": 100}
    pages = offsets(api, "/time_entries.json", asked, _ENTRIES, parameter="offset", records=lambda page: page.time_entries, total=lambda page: page.total_count)
    return ((page.time_entries, answer) for page, answer in pages)


def updated(api: Api, window: Window) -> Iterator[tuple[list[tuple[Changed, Instant]], Slice[Changed]]]:
    """Issues by their time of update."""

    def ask(since: Instant, place: int | None) -> Slice[Changed]:
        # without status_id=* closed issues would be left out
        offset = place or 0
        asked = {"status_id": "*", "updated_on": f">={format_instant(since)}", "sort": "updated_on,id", "limit": PER_PAGE, "offset": offset}
        answer = api.get("/issues.json", asked)
        page, rejected = LISTED.read(answer, lambda raw: msgspec.json.encode(Kept(raw)))
        count, left = len(page.issues) + len(rejected), page.total_count - offset
        if count < min(PER_PAGE, left):
            raise PayloadError(f"{answer.where} holds {count} of {left} issues: the page was cut short without saying so")
        if max((at for one in page.issues if (at := time_of(one.updated_on)) is not None), default=since) < since:
            raise PayloadError(f"{answer.where} holds issues updated before {format_instant(since)}: the condition on the time of update is being ignored")
        return Slice(page.issues, answer, offset + count if 0 < count < left else None, rejected)

    start = window.start // SECOND * SECOND
    return moving(ask, start, window.end, key=lambda one: one.id, changed_at=lambda one: time_of(one.updated_on))


def whole(answer: Answer) -> msgspec.Raw:
    """The issue of an answer."""
    return decode(answer, _WHOLE).issue


def _day(at: Instant) -> str:
    return format_instant(at)[:10]
