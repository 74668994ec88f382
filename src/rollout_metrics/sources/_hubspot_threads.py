"""Conversations of HubSpot's inboxes and help desk: the threads with news, their messages, and what these say."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rollout_metrics.collect.http import Answer, Api, decode
from rollout_metrics.collect.paging import LoopGuard
from rollout_metrics.collect.source import Coverage, Refused, Rejected, why
from rollout_metrics.collect.story import MILLISECOND, NOBODY, Story, Who, of_status
from rollout_metrics.collect.texts import said
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import Instant, format_instant, parse_instant
from rollout_metrics.sources._hubspot_history import Account
from rollout_metrics.sources._hubspot_pages import Paging, following, milliseconds

CONVERSATIONS = "conversations"
SCOPE = "conversations.read"
THREADS = "/conversations/v3/conversations/threads"
AT_ONCE = 100
REFUSED, GONE = frozenset((403,)), frozenset((404,))
KINDS: Mapping[str, ActorKind] = {
    "A": ActorKind.OPERATOR,
    "B": ActorKind.SYSTEM,
    "E": ActorKind.CUSTOMER,
    "I": ActorKind.SYSTEM,
    "L": ActorKind.AGENT,
    "S": ActorKind.SYSTEM,
    "V": ActorKind.CUSTOMER,
}
"""Who an actor is, by the letter of its id: user, bot built of rules, address, integration, language model, system, visitor."""
MACHINES = ("L-", "B-")
OPEN, CLOSED = "OPEN", "CLOSED"


class Associations(msgspec.Struct, rename="camel", gc=False):
    """What a thread belongs to."""

    associated_ticket_id: str | None = None


class Thread(msgspec.Struct, rename="camel", gc=False, omit_defaults=True):
    """A conversation. `latest_message_timestamp`: of what was sent or received last."""

    id: str
    created_at: str
    latest_message_timestamp: str | None = None
    inbox_id: str | None = None
    original_channel_id: str | None = None
    spam: bool = False
    thread_associations: Associations | None = None


class Talk(msgspec.Struct, gc=False):
    """A thread with its messages."""

    thread: Thread
    messages: list[dict[str, Any]]


class TalkBody(msgspec.Struct, frozen=True):
    """A page of one conversation, or none. `tickets`: whether tickets are read, too."""

    talk: Talk | None
    tickets: bool
    rejected: tuple[Rejected, ...] = ()


class _Threads(msgspec.Struct):
    results: list[msgspec.Raw]
    paging: Paging | None = None


class _Messages(msgspec.Struct):
    results: list[dict[str, Any]]
    paging: Paging | None = None


_THREADS = msgspec.json.Decoder(_Threads)
_THREAD = msgspec.json.Decoder(Thread)
_MESSAGES = msgspec.json.Decoder(_Messages)
_TALK = msgspec.json.Decoder(Talk)


def refused(answer: Answer, part: str, scope: str) -> Refused | None:
    """That a part may not be read, where the answer says so; `scope`: the one that reading it needs."""
    return Refused(part, f"{part} cannot be read ({answer.status}): give the app the scope {scope}") if answer.status in REFUSED else None


def talks(api: Api, since: int, end: int, *, tickets: bool) -> Iterator[tuple[TalkBody | Refused, str, int]]:
    """Every thread whose latest message is in [since, end) milliseconds, oldest first, read whole: its page, where it is from, up to when all have been given.

    The filter moves with each page instead of an offset: threads that get messages while we page cannot push others over a page's edge.
    """
    guard, seen, after = LoopGuard(), set[tuple[str, int]](), None
    previous = since - 1
    while True:
        asked = {"sort": "latestMessageTimestamp", "latestMessageTimestampAfter": format_instant((since - 1) * MILLISECOND), "association": "TICKET"}
        answer = api.get(THREADS, {**asked, "limit": AT_ONCE, **({"after": after} if after else {})}, accept=REFUSED)
        if (refusal := refused(answer, CONVERSATIONS, SCOPE)) is not None:
            yield refusal, answer.where, since
            return
        page, fresh, last = decode(answer, _THREADS), 0, since
        for number, raw in enumerate(page.results):
            try:
                thread = _THREAD.decode(raw)
                at = milliseconds(thread.latest_message_timestamp or thread.created_at)
            except (msgspec.ValidationError, ValueError) as error:
                payload = msgspec.json.encode({"thread": raw, "messages": []})
                yield TalkBody(None, tickets, (Rejected("malformed", f"{answer.where} record {number}", why(error), payload),)), answer.where, last
                continue
            if at < previous:
                raise PayloadError(f"{answer.where} is not in order of latestMessageTimestamp: the sort is being ignored")
            if at >= end:
                return
            previous, last = at, max(last, at)
            if (thread.id, at) not in seen:
                seen.add((thread.id, at))
                fresh += 1
                if not thread.spam and (messages := _messages(api, thread.id)) is not None:
                    yield TalkBody(Talk(thread, messages), tickets), f"{answer.where} {thread.id}", last
        guard.check((since, after), answer, records=fresh)
        token = following(page.paging)
        if token is None:
            return
        if last > since:
            since, after, previous = last, None, last - 1
            seen = {(thread_id, at) for thread_id, at in seen if at >= previous}  # what is older is not asked for again
        else:
            after = token


def talk_of(payload: bytes, where: str, *, tickets: bool) -> TalkBody:
    """The page of a conversation as it was kept."""
    try:
        return TalkBody(_TALK.decode(payload), tickets)
    except msgspec.ValidationError as error:
        return TalkBody(None, tickets, (Rejected("malformed", where, str(error), payload),))


def talk_events(account: Account, body: TalkBody, where: str) -> Iterator[Event | Rejected | Coverage]:
    """What was said and done in a conversation: on its ticket where it has one, else on a case of its own."""
    yield from body.rejected
    if body.talk is not None:
        yield Coverage("history", 1, 1)
        yield from _Story(account, body.talk, tickets=body.tickets).read(where)


def _messages(api: Api, thread: str) -> list[dict[str, Any]] | None:
    """All messages of a thread, each once; None where it is gone since it was listed."""
    guard, found, after = LoopGuard(), dict[str, dict[str, Any]](), None
    while True:
        asked = {"sort": "createdAt", "limit": AT_ONCE, **({"after": after} if after else {})}
        answer = api.get(f"{THREADS}/{thread}/messages", asked, accept=GONE)
        if answer.status in GONE:
            return None
        page = decode(answer, _MESSAGES)
        guard.check(after, answer, records=len(page.results))
        found.update((str(message.get("id")), message) for message in page.results)
        after = following(page.paging)
        if after is None:
            return list(found.values())


class _Story(Story):
    """One conversation's events. A reading that knows its ticket holds against one from before it had one."""

    def __init__(self, account: Account, talk: Talk, *, tickets: bool) -> None:
        self.talk, thread = talk, talk.thread
        ticket = thread.thread_associations.associated_ticket_id if thread.thread_associations is not None and tickets else None
        self.own = ticket is None
        self.revision = int(not self.own)
        case_id = f"{CONVERSATIONS}/{thread.id}" if ticket is None else f"tickets/{ticket}"
        link = account.inbox_link(thread.id) if ticket is None else account.link("tickets", ticket)
        super().__init__(account.name, case_id, link, ids=f"{CONVERSATIONS}/{thread.id}/")
        self.status = OPEN

    def read(self, where: str) -> Iterator[Event | Rejected]:
        """All of it, in order of time; where a message cannot be understood, the conversation is set aside, too."""
        thread, problem = self.talk.thread, ""
        messages = sorted(self.talk.messages, key=_moment)
        yield from self._opened(parse_instant(thread.created_at))
        for message in messages:
            try:
                yield from self._message(message)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                problem = problem or f"message {message.get('id')} {why(error)}"
        if problem:
            yield Rejected("malformed", where, problem, msgspec.json.encode(self.talk))

    def _opened(self, at: Instant) -> Iterator[Event]:
        """The beginning of a case of its own, or that the ticket has this conversation; by whom is not told."""
        thread, via = self.talk.thread, {"via": [CONVERSATIONS]}
        if not self.own:
            yield self.event("opened", at, Activity.CHANGED, NOBODY, via, change=("conversation", None, thread.id), revision=self.revision)
            return
        known = {"channel": thread.original_channel_id or None, "inbox": thread.inbox_id or None, "status": OPEN}
        yield from self.made(at, NOBODY, known.items(), via, numbers=("opened", ""))

    def _message(self, message: dict[str, Any]) -> Iterator[Event]:
        kind, number, at = message["type"], str(message["id"]), parse_instant(message["createdAt"])
        client = message.get("client") or {}
        app = client.get("integrationAppId")
        detail: dict[str, Any] = {"via": sorted({CONVERSATIONS, *((f"app:{app}",) if app else ())})}
        who = who_is(message.get("createdBy"))
        if kind in ("MESSAGE", "COMMENT"):
            if who[0] is ActorKind.SYSTEM:  # sent for somebody
                sender = next((one.get("actorId") for one in message.get("senders") or () if one.get("actorId")), None)
                who = who_is(sender) if sender else who
            words = said(message.get("text") or "", public=kind == "MESSAGE")
            yield self.event(number, at, Activity.COMMENTED, who, {**detail, **words}, revision=self.revision)
        elif kind == "ASSIGNMENT":
            giver, taker = message.get("assignedFrom"), message.get("assignedTo")
            if str(giver).startswith(MACHINES) and str(taker).startswith("A-"):
                yield self.event(f"{number}/handoff", at, Activity.ESCALATED, who_is(giver), detail, revision=self.revision)
            yield self._event(number, at, who, detail, ("assignee", who_is(giver)[1], who_is(taker)[1]))
        elif kind == "THREAD_STATUS_CHANGE":
            before, self.status = self.status, str(message["newStatus"])
            if before != self.status:
                yield self._event(number, at, who, detail, ("status", before, self.status))
        elif kind == "THREAD_INBOX_CHANGE":
            yield self._event(number, at, who, detail, ("inbox", str(message["fromInboxId"]), str(message["toInboxId"])))

    def _event(self, number: str, at: Instant, who: Who, detail: dict[str, Any], change: tuple[str, str | None, str | None]) -> Event:
        """A change of the case; where that is a ticket, of what it knows of this conversation."""
        attribute, before, after = change
        activity = of_status(before, after, (CLOSED,)) if self.own and attribute == "status" else Activity.CHANGED
        named = attribute if self.own else f"conversation_{attribute}"
        return self.event(number, at, activity, who, detail, change=(named, before, after), revision=self.revision)


def _moment(message: dict[str, Any]) -> tuple[Instant, str]:
    """Place of a message in its conversation; one without a time will be set aside."""
    try:
        return parse_instant(message["createdAt"]), str(message.get("id"))
    except (KeyError, TypeError, ValueError):
        return 0, ""


def who_is(actor: Any) -> Who:
    """Who an actor of a conversation is; users and apps have the ids they have elsewhere, and addresses are not kept."""
    text = str(actor or "")
    letter, _, number = text.partition("-")
    kind = KINDS.get(letter, ActorKind.SYSTEM)
    ids: Mapping[str, str | None] = {"A": number, "I": f"app:{number}", "E": None}
    return kind, ids.get(letter, text or None)
