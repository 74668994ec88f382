"""The simulated Zendesk behaves on the wire as the real one is known to."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from rollout_metrics.domain.time import DAY, SECOND, Instant
from rollout_metrics.simulate import zendesk
from rollout_metrics.simulate.cast import ADMIN, CUSTOMERS, REFUND_DESK, TRIAGE_BOT, ZENDESK
from rollout_metrics.simulate.draft import Save
from rollout_metrics.simulate.world import World
from simulate.companies import NOW

EVENTS = "/api/v2/incremental/ticket_events.json"
TICKETS = "/api/v2/incremental/tickets/cursor.json"
ADMINISTRATOR = {"Authorization": "Basic " + b64encode(f"{zendesk.ADMIN_EMAIL}/token:{zendesk.TOKEN}".encode()).decode()}


def client(
    world: World, *, now: Instant = NOW, page: int = 1000, limits: zendesk.Limits = zendesk.GENEROUS, monotonic: Callable[[], float] = lambda: 0.0
) -> FlaskClient:
    return zendesk.application(world, lambda: now, limits=limits, page=page, monotonic=monotonic).test_client()


def get(web: FlaskClient, path: str, **params: Any) -> Any:
    answer = web.get(path, query_string=params, headers=ADMINISTRATOR)
    assert answer.status_code == 200, answer.data
    return answer.json


def stream(web: FlaskClient, start: int) -> list[dict[str, Any]]:
    """Every page from `start` to the end of the stream."""
    pages = []
    while True:
        pages.append(get(web, EVENTS, start_time=start, include="comment_events"))
        if pages[-1]["end_of_stream"]:
            return pages
        start = pages[-1]["end_time"]


def saves(world: World, now: Instant) -> list[tuple[int, Save]]:
    return [(case.id, save) for case in world.cases(now, system=ZENDESK) for save in case.saves if save.at <= now]


@pytest.mark.parametrize("page", [7, 100, 1000])
def test_paging_to_the_end_yields_every_update_once_after_dropping_repeats(world: World, page: int) -> None:
    start = NOW - 10 * DAY

    pages = stream(client(world, page=page), start // SECOND)

    expected = sum(start <= save.at <= NOW - zendesk.HOLD_BACK for _, save in saves(world, NOW))
    ids = [event["id"] for body in pages for event in body["ticket_events"]]
    assert len(set(ids)) == expected
    assert [body["count"] for body in pages] == [len(body["ticket_events"]) for body in pages]


def test_the_last_second_of_a_page_is_repeated_on_the_next(world: World) -> None:
    first, second = stream(client(world, page=50), (NOW - 10 * DAY) // SECOND)[:2]

    assert {event["id"] for event in first["ticket_events"]} & {event["id"] for event in second["ticket_events"]}
    assert second["ticket_events"][0]["timestamp"] == first["end_time"]


def test_next_page_is_there_even_at_the_end_of_the_stream(world: World) -> None:
    last = stream(client(world), (NOW - DAY) // SECOND)[-1]

    assert last["end_of_stream"]
    assert f"start_time={last['end_time']}" in last["next_page"]


def test_an_empty_page_has_no_end_time(world: World) -> None:
    body = get(client(world, now=world.start + 5 * 3600 * SECOND), EVENTS, start_time=(world.start + 4 * 3600 * SECOND) // SECOND + 3500)

    assert body == {"ticket_events": [], "next_page": None, "count": 0, "end_of_stream": True, "end_time": None}


def test_the_last_minute_is_held_back(world: World) -> None:
    newest = max(save.at for _, save in saves(world, NOW))

    def shown(now: Instant) -> set[int]:
        return {event["timestamp"] for body in stream(client(world, now=now), newest // SECOND - 600) for event in body["ticket_events"]}

    assert newest // SECOND not in shown(newest + 59 * SECOND)
    assert newest // SECOND in shown(newest + 60 * SECOND)


def test_a_start_within_the_last_minute_is_refused(world: World) -> None:
    answer = client(world).get(EVENTS, query_string={"start_time": NOW // SECOND - 30}, headers=ADMINISTRATOR)

    assert answer.status_code == 422
    assert "Too recent" in answer.get_json()["description"]


def test_the_eleventh_export_request_in_a_minute_is_throttled(world: World) -> None:
    clock = [0.0]
    web = client(world, limits=zendesk.Limits(), monotonic=lambda: clock[0])
    statuses = [web.get(EVENTS, query_string={"start_time": 1}, headers=ADMINISTRATOR).status_code for _ in range(10)]

    clock[0] = 20.0
    refused = web.get(EVENTS, query_string={"start_time": 1}, headers=ADMINISTRATOR)
    clock[0] = 60.0
    later = web.get(EVENTS, query_string={"start_time": 1}, headers=ADMINISTRATOR)

    assert statuses == [200] * 10
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "41")
    assert later.status_code == 200


def test_without_a_token_there_is_nothing_and_an_agent_may_not_export(world: World) -> None:
    web = client(world)
    agent = {"Authorization": f"Bearer {zendesk.AGENT_TOKEN}"}

    assert web.get(EVENTS, query_string={"start_time": 1}).status_code == 401
    assert web.get(EVENTS, query_string={"start_time": 1}, headers=agent).status_code == 403
    assert web.get("/api/v2/users/me.json", headers=agent).status_code == 200


def test_comments_have_a_text_only_when_asked_for(world: World) -> None:
    web = client(world)
    start = (NOW - 3 * DAY) // SECOND

    plain = [child for e in get(web, EVENTS, start_time=start)["ticket_events"] for child in e["child_events"] if child["event_type"] == "Comment"]
    full = [child for body in stream(web, start) for e in body["ticket_events"] for child in e["child_events"] if child["event_type"] == "Comment"]

    assert all("body" not in child and child["comment_present"] for child in plain)
    assert all(child["body"] and child["author_id"] for child in full)


def test_a_changed_field_is_a_key_of_its_child(world: World) -> None:
    children = [child for body in stream(client(world), world.start // SECOND) for e in body["ticket_events"] for child in e["child_events"]]
    changes = [child for child in children if child["event_type"] == "Change"]

    assert all("field_name" not in child for child in changes)
    assert any(child.get("status") == "solved" and child["previous_value"] == "open" for child in changes)
    assert any(child.get("status") == "deleted" for child in changes)
    assert any("closed_by_merge" in child.get("added_tags", ()) for child in changes)


def test_audits_tell_the_same_as_the_stream(world: World) -> None:
    web = client(world)
    case = next(case for case in world.cases(NOW - 20 * DAY, system=ZENDESK) if len(case.saves) > 6)
    audits: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        body = web.get(f"/api/v2/tickets/{case.id}/audits", query_string={"page[size]": 3, **after}, headers=ADMINISTRATOR).get_json()
        audits += body["audits"]
        if not body["meta"]["has_more"]:
            break
        after = {"page[after]": body["meta"]["after_cursor"]}

    streamed = [e for body in stream(web, world.start // SECOND) for e in body["ticket_events"] if e["ticket_id"] == case.id]
    assert [audit["id"] for audit in audits] == [e["id"] for e in streamed]
    assert [audit["created_at"] for audit in audits] == [e["created_at"] for e in streamed]


def test_snapshots_page_by_cursor_and_show_deleted_tickets(world: World) -> None:
    web = client(world, page=40)
    body = get(web, TICKETS, start_time=0)
    found = list(body["tickets"])
    while not body["end_of_stream"]:
        body = get(web, TICKETS, cursor=body["after_cursor"])
        found += body["tickets"]

    assert len({ticket["id"] for ticket in found}) == len(found) == sum(1 for _ in world.cases(NOW - zendesk.HOLD_BACK, system=ZENDESK))
    assert "deleted" in {ticket["status"] for ticket in found}


def test_users_have_roles_and_unknown_ones_are_left_out(world: World) -> None:
    web = client(world)
    wanted = [ADMIN, REFUND_DESK[0], TRIAGE_BOT, CUSTOMERS[5], 1]

    many = get(web, "/api/v2/users/show_many.json", ids=",".join(map(str, wanted)))
    staff = web.get("/api/v2/users.json?role[]=agent&role[]=admin&page[size]=10", headers=ADMINISTRATOR).get_json()

    assert [user["role"] for user in many["users"]] == ["admin", "agent", "agent", "end-user"]
    assert len(staff["users"]) == 10
    assert staff["meta"]["has_more"]
    assert web.get(staff["links"]["next"], headers=ADMINISTRATOR).get_json()["users"][0]["id"] not in {user["id"] for user in staff["users"]}


def test_ratings_and_deleted_tickets_have_lists_of_their_own(world: World) -> None:
    web = client(world)

    ratings = get(web, "/api/v2/satisfaction_ratings.json", start_time=0)["satisfaction_ratings"]
    deleted = get(web, "/api/v2/deleted_tickets.json")["deleted_tickets"]

    assert len(ratings) == sum(save.score is not None for _, save in saves(world, NOW))
    assert {ticket["id"] for ticket in deleted} == {number for number, save in saves(world, NOW) if save.ending == "deleted" and save.at > NOW - 30 * DAY}


def test_a_ticket_that_has_not_arrived_yet_is_not_found(world: World) -> None:
    later = next(case for case in world.until(NOW + DAY).cases(NOW + DAY, system=ZENDESK) if case.saves[0].at > NOW)

    assert client(world).get(f"/api/v2/tickets/{later.id}.json", headers=ADMINISTRATOR).status_code == 404
