"""Side conversations of Zendesk tickets: the incremental export of their events, and what these say."""

from collections.abc import Iterator
from typing import Any

import msgspec

from rollout_metrics.collect.http import Answer, Api, ShapeError, decode
from rollout_metrics.collect.paging import LoopGuard
from rollout_metrics.collect.records import decoded
from rollout_metrics.collect.source import Refused, Rejected, why
from rollout_metrics.collect.texts import own_words, without_markup
from rollout_metrics.domain.errors import TruncatedError
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import parse_instant

PATH = "/api/v2/tickets/side_conversations/events"
SIDE = "side_conversation"
"""The action of what is said there, and its channel."""
SAID = frozenset(("create", "reply"))
"""Events that hold a message; the others change a subject or a state."""
REFUSED = frozenset((403, 404))
"""Without the Collaboration add-on, or to a token that is no administrator's."""


class Participant(msgspec.Struct, gc=False):
    """Who takes part: a user of the help desk, or somebody known by an address alone."""

    user_id: int | None = None


class Message(msgspec.Struct, gc=False):
    """What was said."""

    body: str | None = None
    html_body: str | None = None


class SideEvent(msgspec.Struct, gc=False):
    """One thing that happened in a side conversation."""

    id: str
    type: str
    created_at: str
    side_conversation_id: str | None = None
    ticket_id: int | None = None
    actor: Participant | None = None
    via: str | None = None
    message: Message | None = None


class SideBody(msgspec.Struct, frozen=True):
    """A page of the export."""

    events: list[SideEvent]
    rejected: list[Rejected]
    staff: frozenset[int]


class _Page(msgspec.Struct):
    events: list[SideEvent]
    end_time: int | None = None
    next_page: str | None = None


class _RawPage(msgspec.Struct):
    events: list[msgspec.Raw]
    end_time: int | None = None
    next_page: str | None = None


_PAGE = msgspec.json.Decoder(_Page)
_RAW_PAGE = msgspec.json.Decoder(_RawPage)
_EVENT = msgspec.json.Decoder(SideEvent)


def refused(answer: Answer) -> Refused | None:
    """That side conversations may not be read, where the answer says so."""
    if answer.status not in REFUSED:
        return None
    needed = "they need the Collaboration add-on and an administrator's token"
    return Refused("side_conversations", f"side conversations cannot be read ({answer.status}): {needed}")


def side_pages(api: Api, since: int, end: int, staff: frozenset[int]) -> Iterator[tuple[SideBody | Refused, str, int]]:
    """Pages from a second on until one reaches `end`, each with where it came from and the second to go on from.

    The next page starts with the second in which this one ends, and repeats what it held of it. Raises `TruncatedError` where one second does not fit a page.
    """
    guard, seen = LoopGuard(), set[str]()
    while True:
        answer = api.get(PATH, {"start_time": since}, accept=REFUSED)
        if (refusal := refused(answer)) is not None:
            yield refusal, answer.where, since
            return
        page, rejected = _read(answer)
        guard.check(since, answer, records=len(page.events) + len(rejected))
        ids = {event.id for event in page.events}
        ended = page.next_page is None or (ids <= seen and not rejected)
        if not ended and (page.end_time is None or page.end_time <= since):
            raise TruncatedError(f"{answer.where} does not get beyond its first second: it holds more events than a page, and the rest cannot be asked for")
        since = since if ended or page.end_time is None else page.end_time
        yield SideBody([event for event in page.events if event.id not in seen], rejected, staff), answer.where, since
        if ended or since >= end:
            return
        seen = ids


def side_events(name: str, link: str, body: SideBody, where: str) -> Iterator[Event | Rejected]:
    """A comment beside the ticket for every message; `link`: the address of tickets, to which the number is added."""
    yield from body.rejected
    for event in body.events:
        if event.type not in SAID:
            continue
        try:
            if event.ticket_id is None:
                raise KeyError("ticket_id")
            yield _said(name, link, event, body.staff)
        except (KeyError, ValueError) as error:
            yield Rejected("malformed", f"{where} event {event.id}", why(error), msgspec.json.encode(event))


def side_body(payload: bytes, where: str, staff: frozenset[int]) -> SideBody | None:
    """The page of one event as it was kept; None where it is none of a side conversation."""
    kept: dict[str, Any] = msgspec.json.decode(payload)
    if "side_conversation_id" not in kept:
        return None
    try:
        return SideBody([_EVENT.decode(payload)], [], staff)
    except msgspec.ValidationError as error:
        return SideBody([], [Rejected("malformed", where, str(error), payload)], staff)


def _read(answer: Answer) -> tuple[_Page, list[Rejected]]:
    try:
        return decode(answer, _PAGE), []
    except ShapeError:
        raw = decode(answer, _RAW_PAGE)
    events, rejected = decoded(raw.events, _EVENT, f"{answer.where} record")
    return _Page(events, raw.end_time, raw.next_page), rejected


def _said(name: str, link: str, event: SideEvent, staff: frozenset[int]) -> Event:
    user = event.actor.user_id if event.actor is not None else None
    case_id = str(event.ticket_id)
    detail: dict[str, Any] = {"url": link + case_id, "via": sorted({SIDE, event.via or ""} - {""}), "action": SIDE, "public": False}
    message = event.message or Message()
    text = message.body or without_markup(message.html_body or "")
    if words := own_words(text):
        detail["value"] = words
    kind = ActorKind.OPERATOR if user in staff else ActorKind.CUSTOMER
    actor = None if user is None else str(user)
    at = parse_instant(event.created_at)
    return Event(name, name, case_id, f"side/{event.id}", at, Activity.COMMENTED, kind, actor, None, None, None, detail)
