"""Request Tracker's pages as they come, and what is read beside a page of transactions so that it can be translated without asking again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from rollout_metrics.collect.http import Answer, Api, ShapeError, decode
from rollout_metrics.collect.paging import LoopGuard
from rollout_metrics.collect.source import Rejected, why
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.time import parse_instant

T = TypeVar("T")

PER_PAGE = 100
"""The most that RT gives at a time."""
HIDDEN_PAGES = 3
"""RT drops rows that the reader may not see after it has cut the page: only so many empty pages in a row are taken for the end."""
FIELDS = "Type,Field,OldValue,NewValue,Creator,Created,ObjectId,TimeTaken"
CHANGES = "(Type = 'Set' OR Type = 'Status' OR Type = 'CustomField' OR Type = 'Give' OR Type = 'Take' OR Type = 'Untake' OR Type = 'Steal' OR Type = 'Force')"
APPROVAL = "approval"
REFUSED = frozenset((403, 404))


class Ref(msgspec.Struct, gc=False):
    """Another record, by id; users go by their login."""

    id: str


class Link(msgspec.Struct, gc=False):
    """A link of a record, told by what it is."""

    ref: str
    id: str | int | None = None


class CustomField(msgspec.Struct, gc=False):
    """A custom field with its values now."""

    id: str
    values: list[str] = []


class Transaction(msgspec.Struct, gc=False):
    """One entry of the audit trail. Values are as stored: ids of queues, users and custom fields as text."""

    id: str
    type: str = msgspec.field(name="Type")
    case: str = msgspec.field(name="ObjectId")
    creator: Ref = msgspec.field(name="Creator")
    created: str = msgspec.field(name="Created")
    field: str | None = msgspec.field(name="Field", default=None)
    before: str | None = msgspec.field(name="OldValue", default=None)
    after: str | None = msgspec.field(name="NewValue", default=None)
    minutes: str | None = msgspec.field(name="TimeTaken", default=None)


class Ticket(msgspec.Struct, gc=False, kw_only=True):
    """A ticket as it is now."""

    id: int | str
    type: str = msgspec.field(name="Type", default="ticket")
    queue: Ref = msgspec.field(name="Queue")
    owner: Ref | None = msgspec.field(name="Owner", default=None)
    creator: Ref | None = msgspec.field(name="Creator", default=None)
    status: str = msgspec.field(name="Status")
    priority: str | int | None = msgspec.field(name="Priority", default=None)
    subject: str | None = msgspec.field(name="Subject", default=None)
    asked_by: list[Ref] | str = msgspec.field(name="Requestor", default="")
    custom: list[CustomField] | str = msgspec.field(name="CustomFields", default="")
    links: list[Link] = msgspec.field(name="_hyperlinks", default_factory=list)

    @property
    def requestors(self) -> list[Ref]:
        """Who asked; RT writes an empty text for nobody."""
        return [] if isinstance(self.asked_by, str) else self.asked_by

    @property
    def fields(self) -> list[CustomField]:
        """The custom fields; RT writes an empty text where the queue has none."""
        return [] if isinstance(self.custom, str) else self.custom


class User(msgspec.Struct, gc=False):
    """A user; `privileged` are the staff."""

    name: str = msgspec.field(name="Name")
    privileged: int | str = msgspec.field(name="Privileged", default=0)


class Attachment(msgspec.Struct, gc=False):
    """A part of a message."""

    kind: str = msgspec.field(name="ContentType", default="")
    content: str | None = msgspec.field(name="Content", default=None)


class Listed(msgspec.Struct):
    """A page of any list, its items as they came. `total` is null for readers who may not see everything."""

    items: list[msgspec.Raw]
    count: int
    total: int | None = None


class Body(msgspec.Struct):
    """A page of transactions and what is known of their tickets and people. `staff`: whether a login is privileged, where RT says so."""

    transactions: list[Transaction]
    raw: Mapping[str, bytes] = {}
    rejected: Sequence[Rejected] = ()
    tickets: Mapping[str, Ticket] = {}
    past: Mapping[str, list[Transaction]] = {}
    """All changes of those tickets whose beginnings are looked for."""
    logins: Mapping[str, str] = {}
    staff: Mapping[str, bool] = {}
    texts: Mapping[str, str] = {}
    parents: Mapping[str, Ticket] = {}
    """Approval ticket -> the ticket that waits for it."""


LISTED = msgspec.json.Decoder(Listed)
TRANSACTION = msgspec.json.Decoder(Transaction)
TICKET = msgspec.json.Decoder(Ticket)
USER = msgspec.json.Decoder(User)
ATTACHMENT = msgspec.json.Decoder(Attachment)


def listed(answer: Answer) -> Listed:
    """A list's page; raises `PayloadError` where it holds fewer than it says."""
    page = decode(answer, LISTED)
    if len(page.items) < page.count or (page.total is not None and len(page.items) < min(page.total, PER_PAGE)):
        expected = page.count if page.total is None else max(page.count, min(page.total, PER_PAGE))
        raise PayloadError(f"{answer.where} holds {len(page.items)} of the {expected} records it announces: the page was cut short")
    return page


def walk(api: Api, query: str, after: int) -> Iterator[tuple[Listed, Answer]]:
    """Pages of transactions in order of their ids, each asked for by the last id before it, so that nothing shifts while we read.

    A page of a reader with few rights may be short or empty and is still not the last.
    """
    guard = LoopGuard()
    last, number = after, 1
    while True:
        params = {"query": f"{query} AND id > {last}", "orderby": "id", "order": "ASC", "per_page": PER_PAGE, "page": number, "fields": FIELDS}
        answer = api.get("/REST/2.0/transactions", params)
        page = listed(answer)
        guard.check((last, number), answer, records=len(page.items))
        if page.items:
            yield page, answer
            found = max(_number(item) for item in page.items)
            if found <= last:
                raise PayloadError(f"{answer.where} repeats transactions up to {found}: the condition on ids is being ignored")
            last, number = found, 1
        elif page.total is not None or number >= HIDDEN_PAGES:
            return
        else:
            number += 1
        if page.total is not None and page.total <= len(page.items):
            return


class _Id(msgspec.Struct):
    id: str | int


_ID = msgspec.json.Decoder(_Id)


def _number(item: msgspec.Raw) -> int:
    try:
        return int(_ID.decode(item).id)
    except (msgspec.ValidationError, ValueError):
        return 0


def transactions(page: Listed, answer: Answer, raw: dict[str, bytes]) -> tuple[list[Transaction], list[Rejected]]:
    """The items that are transactions, and those that are not; `raw` takes in how they came."""
    found: list[Transaction] = []
    rejected: list[Rejected] = []
    for number, item in enumerate(page.items):
        try:
            one = TRANSACTION.decode(item)
            _ = int(one.id), int(one.case), parse_instant(one.created)
            found.append(one)
            raw[one.id] = bytes(item)
        except ValueError as error:
            rejected.append(Rejected("malformed", f"{answer.where} record {number}", why(error) if type(error) is ValueError else str(error), bytes(item)))
    return found, rejected


def _each(answer: Answer, decoder: msgspec.json.Decoder[T]) -> list[T]:
    try:
        return [decoder.decode(item) for item in listed(answer).items]
    except msgspec.ValidationError as error:
        raise ShapeError(f"{answer.where} is not of the documented shape: {error}") from None


class Beside:
    """What is read beside the pages of one sweep: every ticket, user and text once."""

    def __init__(self, api: Api, *, texts: bool, multiple: frozenset[str]) -> None:
        """`texts`: read what comments say. `multiple`: ids of custom fields that hold several values."""
        self._api = api
        self._texts = texts
        self._multiple = multiple
        self._logins: dict[str, str] = {}
        self._staff: dict[str, bool] = {}

    def body(self, page: Listed, answer: Answer) -> Body:
        """The page with everything its translation needs."""
        raw: dict[str, bytes] = {}
        found, rejected = transactions(page, answer, raw)
        tickets = self._tickets({one.case for one in found})
        past = self._past({one.case for one in found if one.type == "Create" or (one.type == "CustomField" and one.field in self._multiple)})
        parents: dict[str, Ticket] = {}
        for number, ticket in tickets.items():
            if ticket.type == APPROVAL:
                waiting = next((str(link.id) for link in ticket.links if link.ref == "depended-on-by"), None)
                parent = None if waiting is None else tickets.get(waiting) or self._ticket(waiting)
                if parent is not None:
                    parents[number] = parent
        owners = {
            value for one in (*found, *(each for many in past.values() for each in many)) if one.field == "Owner" for value in (one.before, one.after) if value
        }
        for number in owners - self._logins.keys():
            self._user(number)
        for login in {one.creator.id for one in found} - self._staff.keys():
            self._user(login)
        texts = {one.id: self._text(one.id) for one in found if self._texts and one.type in ("Comment", "Correspond")}
        return Body(found, raw, rejected, tickets, past, self._logins, self._staff, texts, parents)

    def _tickets(self, numbers: set[str]) -> dict[str, Ticket]:
        """Tickets by number. Searches leave out approvals, merged and deleted ones: those are asked for one by one."""
        if not numbers:
            return {}
        query = " OR ".join(f"id = {number}" for number in sorted(numbers, key=int))
        fields = "Type,Queue,Owner,Creator,Status,Priority,Subject,Requestor,CustomFields"
        answer = self._api.get("/REST/2.0/tickets", {"query": query, "per_page": PER_PAGE, "fields": fields})
        tickets = {str(ticket.id): ticket for ticket in _each(answer, TICKET)}
        for number in sorted(numbers - tickets.keys(), key=int):
            alone = self._ticket(number)
            if alone is not None and str(alone.id) == number:
                tickets[number] = alone
        return {number: tickets[number] for number in numbers & tickets.keys()}

    def _ticket(self, number: str) -> Ticket | None:
        answer = self._api.get(f"/REST/2.0/ticket/{number}", accept=REFUSED)
        return None if answer.status in REFUSED else decode(answer, TICKET)

    def _past(self, numbers: Iterable[str]) -> dict[str, list[Transaction]]:
        """Every change of these tickets, oldest first."""
        past: dict[str, list[Transaction]] = {number: [] for number in numbers}
        if past:
            which = " OR ".join(f"ObjectId = {number}" for number in sorted(past, key=int))
            for page, answer in walk(self._api, f"ObjectType = 'RT::Ticket' AND ({which}) AND {CHANGES}", 0):
                for one in transactions(page, answer, {})[0]:
                    past[one.case].append(one)
        return past

    def _user(self, name: str) -> None:
        answer = self._api.get(f"/REST/2.0/user/{name}", accept=REFUSED)
        if answer.status in REFUSED:
            self._logins[name] = name
            return
        try:
            user = decode(answer, USER)
        except ShapeError:  # a user we may only see the name of
            self._logins[name] = name
            return
        self._logins[name] = user.name
        self._staff[user.name] = bool(int(user.privileged))

    def _text(self, transaction: str) -> str:
        answer = self._api.get(f"/REST/2.0/transaction/{transaction}/attachments", {"fields": "ContentType,Content", "per_page": PER_PAGE}, accept=REFUSED)
        if answer.status in REFUSED:
            return ""
        parts = _each(answer, ATTACHMENT)
        return next((part.content for part in parts if part.kind.startswith("text/plain") and part.content), None) or next(
            (part.content for part in parts if part.kind.startswith("text/html") and part.content), ""
        )
