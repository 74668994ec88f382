"""Zendesk's ways of saying things, each in one readable example, and its paging by seconds."""

from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Window
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import SECOND
from rollout_metrics.sources._zendesk_pages import AUDIT
from rollout_metrics.sources._zendesk_updates import Translator
from rollout_metrics.sources.zendesk import Zendesk
from sources.server import Reply, Request, serving

STAFF, CUSTOMER, START = 5, 900, 1_767_000_000


def desk(**options: Any) -> Zendesk:
    return Zendesk(name="desk", token=SecretStr("secret-token"), **({"subdomain": "acme", "staff": {STAFF}} | options))


def events_of(*children: dict[str, Any], updater: int = STAFF, via: Any = "Web form", metadata: Any = None, **options: Any) -> list[Event]:
    numbered = [{"id": 101 + number, "event_type": "Change", "via": via, **child} for number, child in enumerate(children)]
    audit = {"id": 100, "ticket_id": 7, "timestamp": START, "updater_id": updater, "via": via, "metadata": metadata, "child_events": numbered}
    source = desk(**options)
    found = list(source.events(source.page_of(msgspec.json.encode(audit), "here")))
    assert all(isinstance(event, Event) for event in found)
    return [event for event in found if isinstance(event, Event)]


@pytest.mark.parametrize(
    ("before", "after", "activity"),
    [
        ("open", "solved", Activity.CLOSED),
        ("open", "closed", Activity.CLOSED),
        ("solved", "closed", Activity.CHANGED),
        ("solved", "open", Activity.REOPENED),
        ("pending", "hold", Activity.CHANGED),
        ("Open", "Solved", Activity.CLOSED),
        ("open", "deleted", Activity.DELETED),
    ],
)
def test_closing_and_reopening_go_by_the_systems_own_statuses(before: str, after: str, activity: Activity) -> None:
    (event,) = events_of({"status": after, "previous_value": before})

    assert (event.activity, event.attribute, event.before, event.after) == (activity, "status", before.lower(), after.lower())


def test_a_custom_status_beside_the_status_is_not_counted_twice() -> None:
    both = events_of({"custom_status_id": 12, "previous_value": 11}, {"status": "open", "previous_value": "new"})
    alone = events_of({"custom_status_id": 12, "previous_value": 11})

    assert [event.attribute for event in both] == ["status"]
    assert [(event.attribute, event.before, event.after) for event in alone] == [("custom_status", "11", "12")]


def test_the_tickets_type_is_a_field_like_any_other() -> None:
    (event,) = events_of({"type": "incident", "previous_value": "question"})

    assert (event.activity, event.attribute, event.before, event.after) == (Activity.CHANGED, "type", "question", "incident")


def test_what_a_trigger_does_in_a_persons_update_is_the_systems_doing() -> None:
    person, trigger = events_of(
        {"priority": "high", "previous_value": None},
        {"tags": ["ai_bot"], "added_tags": ["ai_bot"], "removed_tags": [], "via": "Rule", "via_reference_id": 22},
    )

    assert (person.actor_kind, person.actor_id, person.detail["via"]) == (ActorKind.OPERATOR, "5", ["web"])
    assert (trigger.actor_kind, trigger.actor_id, trigger.detail["via"]) == (ActorKind.SYSTEM, "rule:22", ["ai_bot", "rule", "rule:22"])


def test_what_the_stream_tells_of_a_rule_is_no_field_of_the_ticket() -> None:
    routed = {"priority": "normal", "previous_value": "0", "via": "Rule", "via_reference_id": 22, "rel": "trigger", "revision_id": 4}
    (event,) = events_of(routed)

    assert (event.actor_id, event.attribute, event.before, event.after) == ("rule:22", "priority", None, "normal")


def test_a_comment_spells_its_channel_in_another_way_than_its_update() -> None:
    comment = {"event_type": "Comment", "body": "Hello", "public": True, "via": {"channel": "web", "source": {"from": {}, "to": {}, "rel": None}}}
    said, moved = events_of(comment, {"priority": "low", "previous_value": "high"})

    assert said.detail["via"] == moved.detail["via"] == ["web"]


def test_tags_and_stamps_of_an_update_are_labels_of_all_it_does() -> None:
    stamped = {"custom": {"ai_run": "r-19", "version": "prompt-7", "reason": "policy"}}
    events = events_of(
        {"priority": "high", "previous_value": None}, {"tags": ["a", "bot"], "added_tags": ["bot"], "removed_tags": []}, via="Web service", metadata=stamped
    )

    assert {tuple(event.detail["via"]) for event in events} == {("ai_run", "api", "bot", "reason", "version")}
    assert {(event.detail["version"], event.detail["reason"]) for event in events} == {("prompt-7", "policy")}


def test_an_end_user_is_a_customer_unless_only_staff_could_have_done_it() -> None:
    (asked,) = events_of({"event_type": "Comment", "body": "Hello?", "public": True}, updater=CUSTOMER)
    (noted,) = events_of({"event_type": "Comment", "body": "a note", "public": False}, updater=CUSTOMER)
    (moved,) = events_of({"group_id": 3, "previous_value": 2}, updater=CUSTOMER)
    (routed,) = events_of({"group_id": 3, "previous_value": 2, "via": "Rule"}, updater=CUSTOMER)

    assert [event.actor_kind for event in (asked, noted, moved, routed)] == ["customer", "operator", "operator", "system"]


def test_the_system_actor_is_a_system() -> None:
    (event,) = events_of({"priority": "low", "previous_value": None}, updater=-1, via="Mail")

    assert (event.actor_kind, event.actor_id) == (ActorKind.SYSTEM, "-1")


def test_a_comment_without_its_text_is_still_a_comment() -> None:
    marker = {"event_type": "Comment", "comment_present": True, "comment_public": False}
    (alone,) = events_of(marker)
    beside = events_of(marker, {"event_type": "Comment", "body": "text", "public": False})

    assert alone.detail == {"url": "https://acme.zendesk.com/agent/tickets/7", "via": ["web"], "public": False}
    assert [event.detail.get("value") for event in beside] == ["text"]


@pytest.mark.parametrize("via", ["Merge", {"channel": "web", "source": {"rel": "merge", "from": {}, "to": {}}}, "Web form"])
def test_a_merged_ticket_is_absorbed_and_not_closed(via: Any) -> None:
    events = events_of(
        {"tags": ["closed_by_merge"], "added_tags": ["closed_by_merge"], "removed_tags": []},
        {"status": "closed", "previous_value": "open"},
        {"event_type": "Comment", "body": "This request was closed and merged", "public": True},
        via=via,
    )

    assert [event.activity for event in events] == [Activity.ABSORBED, Activity.CHANGED, Activity.COMMENTED]
    assert events[-1].actor_kind is ActorKind.SYSTEM


def test_one_creating_child_may_set_many_fields() -> None:
    child = {"event_type": "Create", "subject": "Hi", "ticket_type": "problem", "assignee_id": None, "custom_ticket_fields": {"1": "x", "2": None}}
    (event,) = events_of(child | {"status": "new", "tags": ["b", "a"]}, updater=CUSTOMER, fields={"1": "amount"})

    assert event.activity is Activity.CREATED
    assert event.detail["attributes"] == {"channel": "web", "subject": "Hi", "type": "problem", "amount": "x", "status": "new", "tags": '["a","b"]'}


def test_a_ticket_made_and_solved_in_one_go_is_closed_at_once() -> None:
    events = events_of({"event_type": "Create", "status": "solved"})

    assert [event.activity for event in events] == [Activity.CREATED, Activity.CLOSED]


def test_time_worked_is_the_growth_of_the_total() -> None:
    (event,) = events_of({"custom_ticket_fields": {"9": "190"}, "previous_value": "100"}, time_fields={"9"})

    assert (event.activity, event.detail["seconds"]) == (Activity.TIME_LOGGED, 90)


@pytest.mark.parametrize(("score", "rated"), [("good", "good"), ("bad_with_comment", "bad"), ("offered", None), ("unoffered", None)])
def test_only_given_ratings_count(score: str, rated: str | None) -> None:
    child = events_of({"event_type": "SatisfactionRating", "score": score}, updater=CUSTOMER)
    field = events_of({"satisfaction_score": score, "previous_value": "offered"}, updater=CUSTOMER)

    assert [event.detail["score"] for event in child] == [event.detail["score"] for event in field] == ([rated] if rated else [])


@pytest.mark.parametrize(
    ("before", "after", "activity"),
    [
        (None, "zd_es_approval_pending", Activity.APPROVAL_REQUESTED),
        ("zd_es_approval_pending", "zd_es_approval_approved", Activity.APPROVED),
        ("zd_es_approval_pending", "zd_es_approval_rejected", Activity.REJECTED),
    ],
)
def test_approvals_are_known_by_their_values_whatever_their_field_is_called(before: str | None, after: str, activity: Activity) -> None:
    (event,) = events_of({"custom_ticket_fields": {"9": after}, "previous_value": before}, fields={"9": "consent"})

    assert (event.activity, event.attribute, event.actor_id) == (activity, None, str(STAFF))


def test_who_decides_an_approval_has_the_say_even_where_nobody_tells_who_it_was() -> None:
    approved = {"custom_ticket_fields": {"9": "zd_es_approval_approved"}, "previous_value": "zd_es_approval_pending"}
    (by_system,) = events_of(approved, updater=-1, via="Web service")
    (by_customer,) = events_of(approved, updater=CUSTOMER)

    assert (by_system.actor_kind, by_system.actor_id, by_system.detail["via"]) == (ActorKind.OPERATOR, None, [])
    assert (by_customer.actor_kind, by_customer.actor_id) == (ActorKind.OPERATOR, str(CUSTOMER))


def test_a_rule_of_the_account_decides_no_approval_for_anybody() -> None:
    by_rule = {"via": "Rule", "via_reference_id": 77, "custom_ticket_fields": {"9": "zd_es_approval_approved"}, "previous_value": "zd_es_approval_pending"}
    (event,) = events_of(by_rule)

    assert (event.activity, event.actor_kind, event.actor_id) == (Activity.APPROVED, ActorKind.SYSTEM, "rule:77")


def test_the_answer_to_a_survey_is_the_customers_though_the_system_enters_it() -> None:
    (event,) = events_of({"satisfaction_score": "bad", "previous_value": "offered"}, updater=-1, via="Web service")

    assert (event.activity, event.actor_kind, event.actor_id, event.detail["score"]) == (Activity.RATED, ActorKind.CUSTOMER, None, "bad")


VALUES = st.sampled_from([None, "0", "zd_es_approval_approved", "", "[]", "open", "Solved", "closed", "low", "7", 7, "a b", ["a"], {"status": "open"}])
FIELDS = st.sampled_from(["status", "priority", "group_id", "3600", "99", "type", "field_name", "value", "tags", "custom_status_id", "custom_fields"])
ENVELOPE = {
    "id": st.sampled_from([None, 5, 12]),
    "via": st.sampled_from([None, "Web", "Rule", {"channel": "web", "source": {}}, {"channel": "rule"}]),
    "via_reference_id": st.sampled_from([None, 22]),
    "previous_value": VALUES,
}
CHANGES = st.builds(
    lambda child, fields: child | fields,
    st.fixed_dictionaries({"event_type": st.sampled_from(["Change", "Change", "Create"])}, optional=ENVELOPE),
    st.dictionaries(FIELDS, VALUES, min_size=1, max_size=2),
)
SAID = {"body": st.sampled_from([None, "", "<p>Hello</p>", "Hello"]), "public": st.booleans(), "comment_public": st.booleans()}
COMMENTS = st.fixed_dictionaries(
    {"event_type": st.sampled_from(["Comment", "Comment", "SatisfactionRating", "Notification", ""])}, optional={**ENVELOPE, **SAID}
)


@settings(max_examples=300, deadline=None)
@example(children=[{"event_type": "Change", "id": 5, "99": "low", "previous_value": "zd_es_approval_approved"}], via="Web", updater=5000, custom=None)
@given(
    children=st.lists(CHANGES | COMMENTS, max_size=3),
    via=st.sampled_from(["Web", "Web", "Rule", "Merge", None, {"channel": "web"}]),
    updater=st.sampled_from([None, -1, 5000, 100]),
    custom=st.sampled_from([None, {"version": "v1"}]),
)
def test_the_short_way_to_a_plain_update_leads_to_the_same_events(children: list[Any], via: Any, updater: int | None, custom: Any) -> None:
    def translator() -> Translator:
        return Translator("desk", "https://acme.zendesk.com/agent/tickets/", staff=frozenset({5000}), fields={}, time_fields=frozenset({"99"}))

    raw = {"id": 1, "ticket_id": 2, "timestamp": 3, "updater_id": updater, "via": via, "metadata": {"custom": custom}, "child_events": children}
    audit = AUDIT.decode(msgspec.json.encode(raw))
    try:
        whole: Any = translator().audit(audit)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        whole = type(error)
    try:
        plain: Any = translator().plain(audit)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        plain = type(error)

    assert plain is None or plain == whole


def test_unknown_kinds_of_children_are_left_out() -> None:
    assert events_of({"event_type": "Notification"}, {"event_type": "SomethingNew", "status": "solved"}) == []


def test_side_conversations_of_a_stretch_of_the_past_are_read_no_further() -> None:
    def answer(request: Request) -> Reply:
        if request.path.endswith("users.json"):
            return Reply({"users": []})
        if request.path.endswith("ticket_events.json"):
            return Reply({"ticket_events": [], "count": 0, "end_time": None, "end_of_stream": True})
        start = int(request.query["start_time"][0])
        event = {"id": str(start), "type": "reply", "ticket_id": 1, "created_at": "2026-01-15T00:00:00Z", "actor": {"user_id": 5}}
        return Reply({"events": [event], "end_time": start + 1000, "next_page": "https://acme.zendesk.com/next"})

    with serving(answer) as server:
        source = desk(subdomain=None, base_url=server.url, side_conversations=True)
        list(source.pages(Api(source.endpoint(), sleep=lambda _: None), Window(START * SECOND, (START + 2500) * SECOND)))
        asked = [int(request.query["start_time"][0]) - START for request in server.requests if "side" in request.path]

    assert asked == [0, 1000, 2000]


@pytest.mark.parametrize("status", [403, 404])
def test_side_conversations_that_are_wanted_and_not_given_are_told(status: int) -> None:
    with serving(lambda request: Reply({"error": "Forbidden"}, status)) as server:
        wanting = desk(subdomain=None, base_url=server.url, side_conversations=True)
        told = list(wanting.lacking(Api(wanting.endpoint())))
        content = list(desk(subdomain=None, base_url=server.url).lacking(Api(wanting.endpoint())))

    assert [sentence.startswith(f"side conversations cannot be read ({status}): they need the Collaboration add-on") for sentence in told] == [True]
    assert content == []


@pytest.mark.parametrize("options", [{"subdomain": None}, {"base_url": "https://desk.example"}, {"subdomain": "https://acme.zendesk.com"}])
def test_an_address_is_needed_and_only_one(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        desk(**options)


class Stream:
    """Ticket events that serves pages as Zendesk does: by start time, ending between two seconds, repeating the last second."""

    def __init__(self, seconds: list[int], size: int) -> None:
        self.seconds, self.size = sorted(seconds), size

    def answer(self, request: Request) -> Reply:
        if request.path.endswith("users.json"):
            return Reply({"users": [], "meta": {"has_more": False}})
        start = int(request.query["start_time"][0])
        rest = [(number, at) for number, at in enumerate(self.seconds) if at >= start]
        end = self.size
        while end < len(rest) and (rest[end][1] == rest[end - 1][1] or rest[end][1] == start or rest[end - 1][1] == start):
            end += 1
        page = rest[:end]
        found = [
            {"id": number, "ticket_id": number, "timestamp": at, "updater_id": 1, "via": "Mail", "child_events": [{"id": number, "event_type": "Create"}]}
            for number, at in page
        ]
        body = {"ticket_events": found, "count": len(found), "end_time": page[-1][1] if page else None, "end_of_stream": end >= len(rest)}
        return Reply(body)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(START, START + 20), max_size=60), st.integers(1, 7))
def test_every_event_is_read_however_many_share_a_second(seconds: list[int], size: int) -> None:
    with serving(Stream(seconds, size).answer, packed=False) as server:
        source = desk(subdomain=None, base_url=server.url, incremental_per_minute=10_000)
        pages = source.pages(Api(source.endpoint()), Window(START * SECOND, (START + 3600) * SECOND))
        found = {event.case_id for page in pages for event in source.events(page) if isinstance(event, Event)}

    assert found == {str(number) for number in range(len(seconds))}


def test_a_stream_that_does_not_move_is_an_error_not_an_endless_loop() -> None:
    def answer(request: Request) -> Reply:
        if request.path.endswith("users.json"):
            return Reply({"users": []})
        return Reply({"ticket_events": [], "count": 0, "end_time": None, "end_of_stream": False})

    with serving(answer) as server:
        source = desk(subdomain=None, base_url=server.url)
        with pytest.raises(PayloadError, match="would never end"):
            list(source.pages(Api(source.endpoint()), Window(START * SECOND, (START + 3600) * SECOND)))
