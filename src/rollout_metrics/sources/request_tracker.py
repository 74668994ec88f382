"""Request Tracker 5: the transactions of its tickets, which are its audit trail, through REST2."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field, SecretStr

from rollout_metrics.collect.http import Answer, Api, Endpoint
from rollout_metrics.collect.names import listing, named
from rollout_metrics.collect.source import Coverage, HttpSource, Named, Page, Rejected, Told, Window, why
from rollout_metrics.collect.story import NOTHING, UNCHANGED, Change, Story, Who, of_status, undone
from rollout_metrics.collect.texts import plain, said
from rollout_metrics.domain.errors import CredentialsError
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import MINUTE, SECOND, Instant, Span, format_instant, parse_instant
from rollout_metrics.sources._request_tracker_pages import APPROVAL, Beside, Body, Ticket, Transaction, listed, transactions, walk

NOBODY = frozenset(("6", "Nobody"))
"""Who owns what nobody owns: the same id in every RT."""
SYSTEM = frozenset(("RT_System", "1"))
DELETED = "deleted"
MERGED = "MergedInto"
ATTRIBUTES: Mapping[str, str] = {
    "Owner": "assignee",
    "Queue": "queue",
    "Priority": "priority",
    "Status": "status",
    "Subject": "subject",
    "Due": "due",
    "Starts": "starts",
    "SLA": "sla",
}
"""Canonical names of RT's fields; custom fields become `custom:<id>`. Other fields are bookkeeping."""
OWNERSHIP = frozenset(("Take", "Untake", "Steal", "Give", "Force"))
"""Types of transactions that change the owner, beside `Set`."""
MOST_QUEUES = 20
"""Queues whose custom fields are asked for, a request for each."""
VISIBLE: Mapping[str, bool] = {"Comment": False, "Correspond": True}
WORKED = "TimeWorked"


class RequestTracker(HttpSource):
    """Request Tracker 5. The token's user needs SeeQueue, ShowTicket and ShowTicketComments on the queues to be read."""

    kind: ClassVar[str] = "request_tracker"
    hold_back: ClassVar[Span] = MINUTE

    base_url: str = Field(pattern=r"^https?://[^?#]+[^?#/]$")
    """The address of RT, without `/REST/2.0`."""
    token: SecretStr
    """An authentication token of the reading user (Settings, Auth tokens)."""
    closed_statuses: frozenset[str] = frozenset(("resolved", "rejected"))
    """The inactive statuses of the lifecycles, but for `deleted`: coming into one closes a ticket."""
    fields: Mapping[str, str] = {}
    """Custom field id -> attribute name, instead of `custom:<id>`."""
    multi_fields: frozenset[str] = frozenset()
    """Ids of custom fields that hold several values at a time."""
    approval_action: str = "approval"
    """The action that RT's approvals are about."""
    texts: bool = False
    """Read what comments and replies say, a request for each; only word hashes of it are kept."""

    def endpoint(self) -> Endpoint:
        """Token authentication."""
        return Endpoint(base_url=self.base_url, authorization=SecretStr("token " + self.token.get_secret_value()), **self.connection())

    def attribute(self, field: str) -> str:
        """The attribute that a custom field is, by its id."""
        return self.fields.get(field, f"custom:{field}")

    def names(self, api: Api) -> Iterator[Named]:
        """Names of queues, and of the custom fields of the first of them: a listing of all fields is for administrators only."""
        queues = list(named(api, "/REST/2.0/queues/all", "queue", key="items", name="Name", params={"fields": "Name", "per_page": 100}))
        yield from queues
        fields: dict[str, str] = {}
        for queue in queues[:MOST_QUEUES]:
            found = listing(api, f"/REST/2.0/queue/{queue.value}", key="TicketCustomFields")
            fields |= {str(field["id"]): str(field.get("name") or "") for field in found}
        yield from (Named(self.attribute(number), None, name) for number, name in fields.items())

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Transactions created in the window, by id."""
        answer = api.get("/REST/2.0/queues/all", {"per_page": 1})
        if not listed(answer).items:
            raise CredentialsError(f"{answer.where} shows no queue: grant the token's user SeeQueue, ShowTicket and ShowTicketComments")
        query = (
            "ObjectType = 'RT::Ticket' AND Type != 'EmailRecord' AND Type != 'CommentEmailRecord'"
            f" AND Created >= '{_second(window.start)}' AND Created < '{_second(window.end + SECOND - 1)}'"
        )
        beside = Beside(api, texts=self.texts, multiple=self.multi_fields)
        for page, answer in walk(api, query, int(window.cursor or 0)):
            body = beside.body(page, answer)
            reached = max((parse_instant(one.created) for one in body.transactions), default=None)
            last = max((int(one.id) for one in body.transactions), default=None)
            yield Page(body, answer.where, None if reached is None else min(reached, window.end), last)

    def events(self, page: Page) -> Iterator[Told]:
        """An event per transaction that says something about its ticket; two where time was logged with it."""
        body: Body = page.body
        yield from body.rejected
        translator = _Translator(self, body)
        for one in body.transactions:
            try:
                yield from list(translator.events(one))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                yield Rejected("malformed", f"{page.where} transaction {one.id}", why(error), body.raw.get(one.id, b"{}"))

    def page_of(self, payload: bytes, where: str) -> Page:
        """A page of one transaction, of whose ticket nothing more is known."""
        raw = b'{"items":[' + payload + b'],"count":1}'
        kept: dict[str, bytes] = {}
        answer = Answer(raw, where, 200, {})
        found, rejected = transactions(listed(answer), answer, kept)
        return Page(Body(found, kept, rejected), where)


class _Translator:
    """The events of a page's transactions, each of which is about a ticket."""

    def __init__(self, source: RequestTracker, body: Body) -> None:
        self.source, self.body = source, body
        self.beginnings = {number: _beginning(source, body, number) for number in body.past if number in body.tickets}

    def events(self, one: Transaction) -> Iterator[Event | Coverage]:
        """What a transaction says."""
        ticket, closed = self.body.tickets.get(one.case), self.source.closed_statuses
        if ticket is not None and ticket.type == APPROVAL:
            yield from self._approval(one, ticket)
            return
        if one.type == "Create":
            yield from self._created(one)
        elif one.type == "Status":
            activity = Activity.DELETED if one.after == DELETED else of_status(one.before, one.after, closed)
            yield self._event(one, activity, change=("status", one.before, one.after))
        elif one.type == "CustomField":
            yield from self._custom(one)
        elif one.type in VISIBLE:
            yield self._event(one, Activity.COMMENTED, said(plain(self.body.texts.get(one.id) or ""), public=VISIBLE[one.type]))
        elif one.type == "AddLink" and one.field == MERGED:
            if (one.after or "").rpartition("/")[2] != one.case:  # the survivor says so as well
                yield self._event(one, Activity.ABSORBED)
        elif one.type in OWNERSHIP or (one.type == "Set" and one.field in ATTRIBUTES):
            attribute = "assignee" if one.type in OWNERSHIP else ATTRIBUTES[one.field or ""]
            before, after = (_value(self.body, attribute, value) for value in (one.before, one.after))
            if before != after:
                yield self._event(one, Activity.CHANGED, change=(attribute, before, after))
        yield from self._worked(one)

    def _worked(self, one: Transaction) -> Iterator[Event]:
        minutes = int(one.after or 0) - int(one.before or 0) if one.type == "Set" and one.field == WORKED else int(one.minutes or 0)
        if minutes > 0:
            yield self._event(one, Activity.TIME_LOGGED, {"seconds": minutes * 60}, suffix="t")

    def _created(self, one: Transaction) -> Iterator[Event | Coverage]:
        known, number = one.case in self.beginnings, _number(one)
        yield Coverage("history", int(known), 1)
        # once it is merged or deleted a ticket is not shown any more: that reading must not take the place of an earlier one
        made_at, who, initial = parse_instant(one.created), self._who(one.creator.id, one.case), self.beginnings.get(one.case, {}).items()
        yield from self._story(one.case).made(made_at, who, initial, closing=self.source.closed_statuses, numbers=(number, f"{number}s"), revision=int(known))

    def _custom(self, one: Transaction) -> Iterator[Event]:
        number = one.field or ""
        several = number in self.source.multi_fields
        before, after = _members(self.body, one, number) if several else (text_value(one.before), text_value(one.after))
        if before != after:  # where the ticket is not shown any more, an earlier reading knew better what a field held
            change = (self.source.attribute(number), before, after)
            yield self._event(one, Activity.CHANGED, change=change, revision=int(several and one.case in self.body.tickets))

    def _approval(self, one: Transaction, ticket: Ticket) -> Iterator[Event]:
        """An approval is a ticket of its own on which the approver acts: it speaks about the ticket that waits for it."""
        parent = self.body.parents.get(one.case)
        if parent is None:
            return
        case_id, action = str(parent.id), {"action": self.source.approval_action}
        if one.type == "Create":  # by RT itself, for whoever made the ticket that waits
            asked = parent.creator.id if parent.creator is not None else one.creator.id
            yield self._story(case_id).event(_number(one), parse_instant(one.created), Activity.APPROVAL_REQUESTED, self._who(asked, case_id), action)
        elif one.type == "Status" and one.after in ("resolved", "rejected"):
            answer = Activity.APPROVED if one.after == "resolved" else Activity.REJECTED
            yield self._story(case_id).event(_number(one), parse_instant(one.created), answer, self._who(one.creator.id, case_id), action)

    def _event(
        self,
        one: Transaction,
        activity: Activity,
        detail: Mapping[str, Any] = NOTHING,
        *,
        change: Change = UNCHANGED,
        suffix: str = "",
        revision: int = 0,
    ) -> Event:
        who, number = self._who(one.creator.id, one.case), _number(one) + suffix
        return self._story(one.case).event(number, parse_instant(one.created), activity, who, detail, change=change, revision=revision)

    def _story(self, case_id: str) -> Story:
        """What all events of a ticket share; transactions have ids of their own."""
        return Story(self.source.name, case_id, {"url": f"{self.source.base_url}/Ticket/Display.html?id={case_id}"}, ids="")

    def _who(self, actor: str, case: str) -> Who:
        """RT says who is privileged; where it does not say, whoever asked for the ticket is a customer."""
        if actor in SYSTEM:
            return ActorKind.SYSTEM, actor
        ticket = self.body.tickets.get(case)
        asked = ticket is not None and any(who.id == actor for who in ticket.requestors)
        return ActorKind.OPERATOR if self.body.staff.get(actor, not asked) else ActorKind.CUSTOMER, actor


def _number(one: Transaction) -> str:
    return f"{int(one.id):020d}"


def _value(body: Body, attribute: str, value: str | None) -> str | None:
    """A stored value as an attribute's: owners by login, nobody as unset."""
    if attribute == "assignee":
        return None if value in NOBODY else text_value(body.logins.get(value or "", value))
    return text_value(value)


def _beginning(source: RequestTracker, body: Body, number: str) -> dict[str, str | None]:
    """What a ticket's attributes were when it was made: what its first change replaced, else what they are now."""
    ticket = body.tickets[number]
    values: dict[str, str | None] = {
        "queue": ticket.queue.id,
        "status": ticket.status,
        "priority": text_value(None if ticket.priority is None else str(ticket.priority)),
        "subject": text_value(ticket.subject),
        "assignee": None if ticket.owner is None or ticket.owner.id in NOBODY else ticket.owner.id,
        "requester": text_value([who.id for who in ticket.requestors]) if len(ticket.requestors) > 1 else next((who.id for who in ticket.requestors), None),
    }
    several: dict[str, set[str]] = {}
    for custom in ticket.fields:
        values[source.attribute(custom.id)] = text_value(custom.values if custom.id in source.multi_fields else next(iter(custom.values), None))
        several[custom.id] = set(custom.values)
    for one in reversed(body.past[number]):
        if one.type == "CustomField" and one.field in source.multi_fields:
            before, _ = undone(several.setdefault(one.field or "", set()), [one.after], [one.before])
            values[source.attribute(one.field or "")] = before
        elif one.type == "CustomField":
            values[source.attribute(one.field or "")] = text_value(one.before)
        elif one.type == "Status":
            values["status"] = text_value(one.before)
        elif one.type in OWNERSHIP or one.field in ATTRIBUTES:
            attribute = "assignee" if one.type in OWNERSHIP else ATTRIBUTES[one.field or ""]
            values[attribute] = _value(body, attribute, one.before)
    return values


def _members(body: Body, one: Transaction, field: str) -> tuple[str | None, str | None]:
    """A field of several values before and after one of them came or went, counted back from what it holds now.

    A merged ticket does not show that: then it is what came and did not go, which lacks what it was made with.
    """
    changes = [each for each in body.past.get(one.case, ()) if each.type == "CustomField" and each.field == field]
    ticket = body.tickets.get(one.case)
    if ticket is not None:
        members = {value for custom in ticket.fields if custom.id == field for value in custom.values}
    else:
        members = set()
        for each in changes:
            members = (members - {each.before}) | ({each.after} if each.after else set())
    for later in reversed(changes):
        if int(later.id) < int(one.id):
            break
        sides = undone(members, [later.after], [later.before])
        if later.id == one.id:
            return sides
    return text_value(one.before), text_value(one.after)


def _second(at: Instant) -> str:
    """A whole second as RT reads it whatever the zone of the user is; of a time with `Z` it takes the date only."""
    return format_instant(at // SECOND * SECOND).replace("Z", "+00:00")
