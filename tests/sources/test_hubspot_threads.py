"""HubSpot's conversations: paging where many share a millisecond, and threads that get a ticket later."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Window
from rollout_metrics.domain.events import Activity, ActorKind, Event, precedence
from rollout_metrics.domain.time import format_instant, parse_instant
from rollout_metrics.sources._hubspot_threads import THREADS, who_is
from rollout_metrics.sources.hubspot import Hubspot
from sources.server import Reply, Request, serving

START = 1_768_435_200_000_000  # 2026-01-15T00:00:00Z


def crm(**options: Any) -> Hubspot:
    return Hubspot(name="crm", token=SecretStr("secret-token"), objects=("tickets",), deletions=False, conversations=True, **options)


class Inbox:
    """Threads by the millisecond of their latest message; each holds one message."""

    def __init__(self, latest: list[int]) -> None:
        self.latest = sorted((START + at * 1000, number) for number, at in enumerate(latest))

    def answer(self, request: Request) -> Reply:
        if request.path == THREADS:
            since = parse_instant(request.query["latestMessageTimestampAfter"][0])
            offset = int(request.query.get("after", ["0"])[0])
            found = [(at, number) for at, number in self.latest if at >= since]
            page = [{"id": str(n), "createdAt": format_instant(START), "latestMessageTimestamp": format_instant(at)} for at, n in found[offset : offset + 3]]
            following = {"paging": {"next": {"after": str(offset + 3)}}} if offset + 3 < len(found) else {}
            return Reply({"results": page, **following})
        if request.path.endswith("/messages"):
            return Reply({"results": [{"id": "1", "type": "MESSAGE", "createdAt": format_instant(START), "createdBy": "V-1", "text": "hello"}]})
        return Reply({"results": [], "total": 0})


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=14))
def test_every_thread_is_read_once_however_many_share_a_millisecond(latest: list[int]) -> None:
    with serving(Inbox(latest).answer, packed=False) as server:
        source = crm(base_url=server.url)
        api = Api(source.endpoint(), monotonic=lambda: 0.0, sleep=lambda _: None)
        pages = list(source.pages(api, Window(START, START + 3_600_000_000)))
        read = [request.path for request in server.requests if request.path.endswith("/messages")]

    assert sorted(read) == sorted(f"{THREADS}/{number}/messages" for number in range(len(latest)))
    assert {event.case_id for page in pages for event in source.events(page) if isinstance(event, Event)} == {f"conversations/{n}" for n in range(len(latest))}


def test_a_stretch_of_the_past_leaves_newer_threads_to_those_after_it() -> None:
    with serving(Inbox([0, 1, 2, 3, 4, 5, 6]).answer, packed=False) as server:
        source = crm(base_url=server.url)
        api = Api(source.endpoint(), monotonic=lambda: 0.0, sleep=lambda _: None)
        list(source.pages(api, Window(START, START + 3_000)))
        read = [request.path for request in server.requests if request.path.endswith("/messages")]

    assert read == [f"{THREADS}/{number}/messages" for number in range(3)]


def events_of(ticket: str | None, *messages: dict[str, Any], **options: Any) -> dict[str, Event]:
    thread = {"id": "5", "createdAt": format_instant(START), "threadAssociations": {"associatedTicketId": ticket} if ticket else None}
    numbered = [{"id": f"m{number}", "createdAt": format_instant(START + number * 1000), **message} for number, message in enumerate(messages)]
    source = crm(**options)
    found = source.events(source.page_of(msgspec.json.encode({"thread": thread, "messages": numbered}), "here"))
    return {event.event_id: event for event in found if isinstance(event, Event)}


def test_a_thread_that_gets_a_ticket_goes_over_to_it_whole() -> None:
    messages = [
        {"type": "MESSAGE", "createdBy": "V-1", "text": "hello"},
        {"type": "ASSIGNMENT", "createdBy": "S-hubspot", "assignedTo": "A-7"},
        {"type": "THREAD_STATUS_CHANGE", "createdBy": "A-7", "newStatus": "CLOSED"},
    ]
    alone, ticketed = events_of(None, *messages), events_of("9", *messages)

    assert alone.keys() == ticketed.keys()
    assert {event.case_id for event in alone.values()} == {"conversations/5"}
    assert {event.case_id for event in ticketed.values()} == {"tickets/9"}
    assert all(precedence(ticketed[name]) > precedence(alone[name]) for name in alone)
    assert [event.activity for event in alone.values()] == [Activity.CREATED, Activity.COMMENTED, Activity.CHANGED, Activity.CLOSED]
    assert [event.activity for event in ticketed.values()] == [Activity.CHANGED, Activity.COMMENTED, Activity.CHANGED, Activity.CHANGED]


def test_where_tickets_are_not_read_every_thread_is_a_case_of_its_own() -> None:
    source = Hubspot(name="crm", token=SecretStr("t"), objects=("deals",), conversations=True)
    thread = {"id": "5", "createdAt": format_instant(START), "threadAssociations": {"associatedTicketId": "9"}}
    (event,) = [one for one in source.events(source.page_of(msgspec.json.encode({"thread": thread, "messages": []}), "here")) if isinstance(one, Event)]

    assert (event.case_id, event.activity) == ("conversations/5", Activity.CREATED)


@pytest.mark.parametrize(
    ("giver", "taker", "hands_over"), [("L-3", "A-7", True), ("B-3", "A-7", True), ("A-8", "A-7", False), ("L-3", "B-4", False), (None, "A-7", False)]
)
def test_a_machine_that_gives_a_thread_to_a_person_hands_it_over(giver: str | None, taker: str, hands_over: bool) -> None:
    events = events_of("9", {"type": "ASSIGNMENT", "createdBy": "S-hubspot", "assignedFrom": giver, "assignedTo": taker})
    escalated = [event for event in events.values() if event.activity is Activity.ESCALATED]

    assert [event.actor_id for event in escalated] == ([giver] if hands_over else [])


@pytest.mark.parametrize(
    ("actor", "kind", "number"),
    [
        ("A-7", ActorKind.OPERATOR, "7"),
        ("L-3", ActorKind.AGENT, "L-3"),
        ("B-3", ActorKind.SYSTEM, "B-3"),
        ("I-77", ActorKind.SYSTEM, "app:77"),
        ("S-hubspot", ActorKind.SYSTEM, "S-hubspot"),
        ("V-9", ActorKind.CUSTOMER, "V-9"),
        ("E-somebody@example.com", ActorKind.CUSTOMER, None),
        ("Q-1", ActorKind.SYSTEM, "Q-1"),
        (None, ActorKind.SYSTEM, None),
    ],
)
def test_who_an_actor_is_shows_in_its_id(actor: str | None, kind: ActorKind, number: str | None) -> None:
    assert who_is(actor) == (kind, number)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/crm/v3/objects/tickets", "tickets cannot be read (403): give the app the scope tickets"),
        ("/crm/v3/objects/notes", "notes cannot be read (403): give the app the scope crm.objects.contacts.read"),
        (THREADS, "conversations cannot be read (403): give the app the scope conversations.read"),
        ("/crm/v3/owners", "owners cannot be read (403): give the app the scope crm.objects.owners.read"),
    ],
)
def test_a_scope_that_is_missing_is_told(path: str, sentence: str) -> None:
    with serving(lambda request: Reply({"results": []}, 403 if request.path == path else 200)) as server:
        source = crm(base_url=server.url, assignee="user", engagements=("notes",))

        assert list(source.lacking(Api(source.endpoint()))) == [sentence]
