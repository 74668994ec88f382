"""Redmine: issues with their journals, which are their audit trail, and the time booked on them."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec
from pydantic import Field, SecretStr

from rollout_metrics.collect.http import Answer, Api, Endpoint, basic, decode
from rollout_metrics.collect.names import listing, named
from rollout_metrics.collect.paging import LoopGuard, offsets
from rollout_metrics.collect.reconcile import Reconciled, Roll, batches
from rollout_metrics.collect.source import Coverage, Named, Page, Rejected, Window, why
from rollout_metrics.collect.texts import own_words
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import DAY, MINUTE, SECOND, Instant, Span, format_instant, parse_instant

PER_PAGE = 50
"""Issues of a page: each costs a request of its own."""
LOOKED_UP = 100
"""Issues looked up by id at once."""
GONE = frozenset((403, 404))
ATTRIBUTES: Mapping[str, str] = {
    "status_id": "status",
    "assigned_to_id": "assignee",
    "priority_id": "priority",
    "project_id": "project",
    "tracker_id": "tracker",
    "category_id": "category",
    "fixed_version_id": "target_version",
    "parent_id": "parent",
    "subject": "subject",
    "description": "description",
    "start_date": "start_date",
    "due_date": "due_date",
    "done_ratio": "done_ratio",
    "estimated_hours": "estimated_hours",
    "is_private": "private",
}
"""Canonical names of Redmine's fields as journals name them; custom fields become `custom:<id>`."""

Found = Event | Rejected | Coverage

_Change = tuple[str | None, str | None, str | None]
NO_CHANGE: _Change = (None, None, None)
NOTHING: Mapping[str, Any] = {}


class _Ref(msgspec.Struct, gc=False):
    id: int


class _Custom(msgspec.Struct, gc=False):
    id: int
    value: str | list[str] | None = None
    multiple: bool = False


class _Detail(msgspec.Struct, gc=False):
    property: str
    name: str
    old_value: str | None = None
    new_value: str | None = None


class _Journal(msgspec.Struct, gc=False):
    id: int
    created_on: str
    user: _Ref | None = None
    notes: str | None = None
    private_notes: bool = False
    updated_on: str | None = None
    details: list[_Detail] = []


class _Issue(msgspec.Struct, gc=False, kw_only=True):
    id: int
    project: _Ref
    tracker: _Ref
    status: _Ref
    priority: _Ref
    author: _Ref | None = None
    assigned_to: _Ref | None = None
    category: _Ref | None = None
    fixed_version: _Ref | None = None
    parent: _Ref | None = None
    subject: str | None = None
    description: str | None = None
    start_date: str | None = None
    due_date: str | None = None
    done_ratio: int | None = None
    estimated_hours: float | None = None
    is_private: bool | None = None
    custom_fields: list[_Custom] = []
    created_on: str
    journals: list[_Journal] = []


class _Changed(msgspec.Struct, gc=False):
    id: int
    updated_on: str


class _List(msgspec.Struct):
    issues: list[_Changed]
    total_count: int


class _Whole(msgspec.Struct):
    issue: msgspec.Raw


class _Status(msgspec.Struct, gc=False):
    id: int
    is_closed: bool = False


class _Statuses(msgspec.Struct):
    issue_statuses: list[_Status]


class _Entry(msgspec.Struct, gc=False):
    id: int
    hours: float
    created_on: str
    updated_on: str
    issue: _Ref | None = None
    user: _Ref | None = None


class _Entries(msgspec.Struct):
    time_entries: list[_Entry]
    total_count: int


class Kept(msgspec.Struct):
    """What is set aside of an issue that could not be understood: with the statuses that were closing ones then."""

    issue: msgspec.Raw
    closing: list[str]


class _Body(msgspec.Struct, frozen=True):
    """A page: issues as they came, how many could not be seen any more, booked time, what a reconciliation found, and the ids of closing statuses."""

    closing: frozenset[str]
    issues: tuple[bytes, ...] = ()
    gone: int = 0
    entries: tuple[_Entry, ...] = ()
    ended: tuple[Event, ...] = ()


_LIST = msgspec.json.Decoder(_List)
_WHOLE = msgspec.json.Decoder(_Whole)
_ISSUE = msgspec.json.Decoder(_Issue)
_STATUSES = msgspec.json.Decoder(_Statuses)
_ENTRIES = msgspec.json.Decoder(_Entries)


class Redmine(Reconciled):
    """Redmine 5 or newer, with its REST web service switched on. The key's user sees what its roles let it see."""

    kind: ClassVar[str] = "redmine"
    hold_back: ClassVar[Span] = MINUTE

    base_url: str = Field(pattern=r"^https?://[^?#]+[^?#/]$")
    """The address of Redmine."""
    token: SecretStr
    """The API access key of the reading user."""
    fields: Mapping[str, str] = {}
    """Custom field id -> attribute name, instead of `custom:<id>`."""
    customers: frozenset[str] = frozenset()
    """User ids of customers; everyone else is staff."""
    time_entries: bool = True
    """Read booked time; needs the permission to view it."""

    def names(self, api: Api) -> Iterator[Named]:
        """Names of statuses, trackers, priorities and projects; to an administrator also of custom fields."""
        yield from named(api, "/issue_statuses.json", "status", key="issue_statuses")
        yield from named(api, "/trackers.json", "tracker", key="trackers")
        yield from named(api, "/enumerations/issue_priorities.json", "priority", key="issue_priorities")
        yield from named(api, "/projects.json", "project", key="projects", params={"limit": 100})
        for field in listing(api, "/custom_fields.json", key="custom_fields"):
            if field.get("customized_type") == "issue":
                yield Named(self.fields.get(str(field["id"]), f"custom:{field['id']}"), None, str(field.get("name") or ""))

    def endpoint(self) -> Endpoint:
        """Basic authentication with the key for a name, as Redmine allows."""
        return Endpoint(base_url=self.base_url, authorization=basic(self.token.get_secret_value(), SecretStr("-")), **self.connection())

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Booked time of the window's days, then the issues updated in it, oldest first, each whole: there is no feed of journals."""
        answer = api.get("/issue_statuses.json")
        closing = frozenset(str(status.id) for status in decode(answer, _STATUSES).issue_statuses if status.is_closed)
        if self.time_entries:
            days = {"from": _day(window.start - DAY), "to": _day(window.end + DAY)}
            for entries, answer in _time(api, days):
                yield Page(_Body(closing, entries=tuple(entries.time_entries)), answer.where)
        for changed, where in _updated(api, window):
            whole = [api.get(f"/issues/{one.id}.json", {"include": "journals"}, accept=GONE) for one in changed]
            issues = tuple(bytes(decode(answer, _WHOLE).issue) for answer in whole if answer.status not in GONE)
            body = _Body(closing, issues, len(whole) - len(issues))
            yield Page(body, where, min(parse_instant(changed[-1].updated_on), window.end))

    def events(self, page: Page) -> Iterator[Found]:
        """For each issue `created` and an event for each detail and note of its journals; one for each booking of time."""
        body: _Body = page.body
        yield from body.ended
        if body.issues or body.gone:
            yield Coverage("history", len(body.issues), len(body.issues) + body.gone)
        for raw in body.issues:
            try:
                yield from _Translator(self, body.closing, _ISSUE.decode(raw)).events()
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                reason = str(error) if isinstance(error, msgspec.ValidationError) else why(error)
                yield Rejected("malformed", f"{page.where} issue {_id_of(raw)}", reason, msgspec.json.encode(Kept(msgspec.Raw(raw), sorted(body.closing))))
        for entry in body.entries:
            if entry.issue is not None:
                yield self._booked(entry, str(entry.issue.id))

    def page_of(self, payload: bytes, where: str) -> Page:
        """A page of one issue."""
        kept = msgspec.json.decode(payload, type=Kept)
        return Page(_Body(frozenset(kept.closing), (bytes(kept.issue),)), where)

    def reconcile(self, api: Api, roll: Roll) -> Iterator[Page]:
        """Look every known issue up by id: a deleted one leaves nothing."""
        for batch in batches(roll(), LOOKED_UP):
            ids = ",".join(case_id for case_id, _ in batch)
            answer = api.get("/issues.json", {"status_id": "*", "issue_id": ids, "limit": LOOKED_UP})
            present = {str(one.id) for one in decode(answer, _LIST).issues}
            yield Page(_Body(frozenset(), ended=tuple(self.gone(batch, present))), f"{answer.where} of {len(batch)}")

    def kind_of(self, user: str | None) -> ActorKind:
        """Customers are named in the configuration."""
        return ActorKind.CUSTOMER if user in self.customers else ActorKind.OPERATOR

    def _booked(self, entry: _Entry, case: str) -> Event:
        user = None if entry.user is None else str(entry.user.id)
        detail = {"url": f"{self.base_url}/issues/{case}", "seconds": round(entry.hours * 3600)}
        at, revision = parse_instant(entry.created_on), parse_instant(entry.updated_on)
        logged = Activity.TIME_LOGGED
        return Event(self.name, self.name, case, f"t{entry.id:020d}", at, logged, self.kind_of(user), user, None, None, None, detail, revision)


def _time(api: Api, days: Mapping[str, str]) -> Iterator[tuple[_Entries, Answer]]:
    return offsets(
        api,
        "/time_entries.json",
        {**days, "limit": 100},
        _ENTRIES,
        parameter="offset",
        records=lambda page: page.time_entries,
        total=lambda page: page.total_count,
    )


def _updated(api: Api, window: Window) -> Iterator[tuple[list[_Changed], str]]:
    """Issues by their time of update. An issue updated meanwhile moves to the end and would shift the others under an offset: each page begins at the last
    second of the one before, and only within one second is there an offset."""
    guard = LoopGuard()
    since, offset = window.start // SECOND * SECOND, 0
    seen: set[tuple[int, str]] = set()
    while True:
        # without status_id=* closed issues would be left out
        params = {"status_id": "*", "updated_on": f">={format_instant(since)}", "sort": "updated_on,id", "limit": PER_PAGE, "offset": offset}
        answer = api.get("/issues.json", params)
        page = decode(answer, _LIST)
        guard.check((since, offset), answer, records=len(page.issues))
        if len(page.issues) < min(PER_PAGE, page.total_count - offset):
            raise PayloadError(f"{answer.where} holds {len(page.issues)} of {page.total_count - offset} issues: the page was cut short without saying so")
        new = [one for one in page.issues if (one.id, one.updated_on) not in seen and parse_instant(one.updated_on) < window.end]
        if new:
            yield new, answer.where
        if not page.issues or offset + len(page.issues) >= page.total_count or parse_instant(page.issues[-1].updated_on) >= window.end:
            return
        seen |= {(one.id, one.updated_on) for one in page.issues}
        last = parse_instant(page.issues[-1].updated_on)
        if last < since:
            raise PayloadError(f"{answer.where} holds issues updated before {format_instant(since)}: the condition on the time of update is being ignored")
        since, offset = (since, offset + len(page.issues)) if last == since else (last, 0)


class _Translator:
    """The events of one issue."""

    def __init__(self, source: Redmine, closing: frozenset[str], issue: _Issue) -> None:
        self.source, self.closing, self.issue = source, closing, issue
        self.case = str(issue.id)
        self.url = f"{source.base_url}/issues/{self.case}"
        self.values = _now(source, issue)
        """Each attribute as it is at the place that has been reached, going backwards."""
        self.several = {str(custom.id) for custom in issue.custom_fields if custom.multiple}

    def events(self) -> list[Event]:
        """All there is to tell, oldest first: going back from now, the values before each change become known."""
        found: list[Event] = []
        for journal in reversed(self.issue.journals):
            if journal.notes:
                said = {"public": not journal.private_notes, "value": own_words(journal.notes)}
                found.append(self._event(journal, f"j{journal.id:020d}n", Activity.COMMENTED, said=said))
            for place, detail in reversed(tuple(enumerate(journal.details))):
                if (event := self._changed(journal, place, detail)) is not None:
                    found.append(event)
        found += self._created()
        return found[::-1]

    def _created(self) -> list[Event]:
        """Creation last, as if going back: `closed` beside it where it was made closed."""
        issue = self.issue
        attributes = {name: value for name, value in self.values.items() if value is not None}
        by = None if issue.author is None else str(issue.author.id)
        where = (self.source.name, self.source.name, self.case)
        at, who = parse_instant(issue.created_on), (self.source.kind_of(by), by)
        created = Event(*where, f"i{issue.id:020d}", at, Activity.CREATED, *who, None, None, None, {"url": self.url, "attributes": attributes})
        status = attributes.get("status")
        if status not in self.closing:
            return [created]
        return [Event(*where, f"i{issue.id:020d}s", at, Activity.CLOSED, *who, "status", None, status, {"url": self.url}), created]

    def _changed(self, journal: _Journal, place: int, detail: _Detail) -> Event | None:
        attribute = self._attribute(detail)
        if attribute is None:
            return None
        before, after = text_value(detail.old_value), text_value(detail.new_value)
        if detail.property == "cf" and detail.name in self.several:  # a detail for each value that came or went
            members = set(msgspec.json.decode(self.values.get(attribute) or "[]"))
            after = text_value(members)
            members -= {detail.new_value}
            members |= {detail.old_value} - {None, ""}
            before = text_value(members)
        self.values[attribute] = before
        if before == after:
            return None
        activity = Activity.CHANGED
        if attribute == "status" and (before in self.closing) != (after in self.closing):
            activity = Activity.CLOSED if after in self.closing else Activity.REOPENED
        return self._event(journal, f"j{journal.id:020d}:{place:04d}", activity, (attribute, before, after))

    def _attribute(self, detail: _Detail) -> str | None:
        if detail.property == "attr":
            return ATTRIBUTES.get(detail.name)
        if detail.property == "cf":
            return self.source.fields.get(detail.name, f"custom:{detail.name}")
        return None

    def _event(self, journal: _Journal, number: str, activity: Activity, change: _Change = NO_CHANGE, said: Mapping[str, Any] = NOTHING) -> Event:
        by = None if journal.user is None else str(journal.user.id)
        revision = 0 if journal.updated_on is None else parse_instant(journal.updated_on)
        name, at = self.source.name, parse_instant(journal.created_on)
        return Event(name, name, self.case, number, at, activity, self.source.kind_of(by), by, *change, {"url": self.url, **said}, revision)


def _now(source: Redmine, issue: _Issue) -> dict[str, str | None]:
    """An issue's attributes as they are now; other records by their ids."""
    values: dict[str, str | None] = {}
    for name, attribute in ATTRIBUTES.items():
        value = getattr(issue, name.removesuffix("_id"))
        values[attribute] = text_value(str(value.id) if isinstance(value, _Ref) else value)
    for custom in issue.custom_fields:
        values[source.fields.get(str(custom.id), f"custom:{custom.id}")] = text_value(custom.value)
    return values


def _id_of(raw: bytes) -> str:
    try:
        return str(msgspec.json.decode(raw, type=_Ref).id)
    except msgspec.DecodeError:
        return "without an id"


def _day(at: Instant) -> str:
    return format_instant(at)[:10]
