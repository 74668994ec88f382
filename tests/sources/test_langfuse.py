"""What Langfuse's observations and scores say, beyond the recorded cases of the contract."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Rejected, Window
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import parse_instant
from rollout_metrics.sources.langfuse import Langfuse
from sources.server import Reply, Request, Server, serving

WINDOW = Window(parse_instant("2026-03-02T00:00:00Z"), parse_instant("2026-03-03T00:00:00Z"))
CASE = {"rollout_metrics.case_id": "4712"}


def source(**options: Any) -> Langfuse:
    fixed = {"name": "langfuse", "public_key": "pk-lf-1", "token": "sk-lf-1", "case_source": "helpdesk", "tools": {"issue_refund": "refund"}}
    return Langfuse.model_validate({**fixed, **options})


def observation(number: int = 1, **more: Any) -> dict[str, Any]:
    when = "2026-03-02T09:00:00.000Z"
    core = {"id": f"o{number}", "traceId": "t1", "type": "TOOL", "name": "issue_refund", "startTime": when, "endTime": when, "updatedAt": when}
    return {**core, "level": "DEFAULT", "metadata": {}, "traceName": "runtime", **more}


def score(**more: Any) -> dict[str, Any]:
    when = "2026-03-02T10:00:00.000Z"
    return {"id": "s1", "name": "ok", "timestamp": when, "updatedAt": when, "source": "ANNOTATION", "value": 1, "stringValue": "True", "traceId": "t1", **more}


@contextmanager
def server(observations: Any = (), scores: Any = (), trace: Any = None) -> Iterator[Server]:
    def answer(request: Request) -> Reply:
        if request.path.startswith("/api/public/traces/"):
            return Reply({"id": "t1", "name": "runtime", "userId": "customer-9", **trace}) if trace is not None else Reply({"message": "not found"}, 404)
        if request.path.endswith("/scores"):
            return Reply({"data": list(scores), "meta": {"page": 1, "limit": 100, "totalItems": len(scores), "totalPages": 1}})
        return Reply({"data": list(observations), "meta": {}})

    with serving(answer) as running:
        yield running


def read(of: Langfuse, running: Server) -> list[Event]:
    made = of.model_copy(update={"base_url": running.url})
    endpoint = made.endpoint()
    found = [record for page in made.pages(Api(endpoint, sleep=lambda _: None), WINDOW) for record in made.events(page)]
    assert [record for record in found if isinstance(record, Rejected)] == []
    return [record for record in found if isinstance(record, Event)]


def asked(running: Server, path: str) -> int:
    return sum(request.path.startswith(path) for request in running.requests)


@pytest.mark.parametrize(
    ("metadata", "more", "trace"),
    [
        ({"ticket": "4712"}, {}, None),
        ({"ticket": 4712}, {}, None),
        ({"attributes": {"ticket": "4712"}}, {}, None),
        ({"attributes": json.dumps({"ticket": "4712"})}, {}, None),
        ({"attributes": '{"cut short": '}, {}, {"metadata": {"ticket": "4712"}}),
        ({}, {"tags": ["vip", "case-4712"]}, None),
        ({}, {}, {"metadata": {"ticket": "4712"}}),
        ({}, {}, {"metadata": json.dumps({"ticket": "4712"}), "tags": ["case-9"]}),
        ({}, {}, {"metadata": None, "tags": ["case-4712"]}),
    ],
)
def test_the_case_is_found_in_metadata_and_tags_of_the_observation_then_of_its_trace(metadata: Any, more: Any, trace: Any) -> None:
    with server([observation(metadata=metadata, **more)], trace=trace) as running:
        (event,) = read(source(case_attribute="ticket", case_tag="case-"), running)

    assert event.case == ("helpdesk", "4712")
    assert event.actor_id == "runtime"


def test_a_trace_is_asked_for_once_and_only_for_observations_that_say_something() -> None:
    several = [observation(1), observation(2), observation(3, name="search"), observation(4, metadata=CASE), observation(5, type="GENERATION", traceId="t2")]
    with server(several, trace={"metadata": CASE}) as running:
        events = read(source(), running)

    assert [event.event_id for event in events] == ["t1/o1", "t1/o2", "t1/o4"]
    assert asked(running, "/api/public/traces/") == 1


def test_a_trace_of_another_shape_stops_only_what_needs_it() -> None:
    several = [observation(1), observation(2, metadata={**CASE, "gen_ai.agent.name": "bot"})]
    with server(several, [score(), score(id="s2", source="EVAL", traceId=None)], trace={"tags": "vip"}) as running:
        made = source(evaluations={"ok": {"labels": ["True"]}}).model_copy(update={"base_url": running.url})
        found = [record for page in made.pages(Api(made.endpoint(), sleep=lambda _: None), WINDOW) for record in made.events(page)]

    assert [record.event_id for record in found if isinstance(record, Event)] == ["t1/o2", "score:s2"]
    assert [record.reason for record in found if isinstance(record, Rejected)] == ["malformed", "malformed"]


def test_what_is_set_aside_holds_nothing_that_people_or_models_said() -> None:
    words = {"input": "a customer's words", "output": "an answer"}
    with server([observation(1, id=7, **words), observation(2, endTime="soon", **words)], [score(name=None, comment="words of ada")]) as running:
        made = source(approvals={"ok": {"labels": ["True"]}}).model_copy(update={"base_url": running.url})
        aside = [one for page in made.pages(Api(made.endpoint(), sleep=lambda _: None), WINDOW) for one in made.events(page) if isinstance(one, Rejected)]

    assert len(aside) == 3
    assert all(b"words" not in one.payload and b"answer" not in one.payload for one in aside)


def test_what_a_trace_did_is_not_said_of_each_of_its_observations() -> None:
    trace = {"metadata": {**CASE, "rollout_metrics.activity": "escalated", "gen_ai.agent.version": "v9"}}
    with server([observation()], trace=trace) as running:
        (event,) = read(source(), running)

    assert (event.activity, event.detail["version"]) == (Activity.EXECUTED, "v9")


def test_scores_are_not_read_where_none_counts() -> None:
    with server([observation(metadata=CASE)], [score()]) as running:
        read(source(), running)

    assert asked(running, "/api/public/v2/scores") == 0


@pytest.mark.parametrize(("value", "activity"), [("True", Activity.APPROVED), ("False", Activity.REJECTED)])
def test_peoples_annotations_decide_on_the_observation_they_score(value: str, activity: Activity) -> None:
    proposal = observation(metadata={**CASE, "rollout_metrics.activity": "approval_requested"})
    scores = [score(stringValue=value, observationId="o1", authorUserId="ada"), score(id="s2", source="API", authorUserId="ada"), score(id="s3", name="other")]
    with server([proposal], scores, {"metadata": CASE}) as running:
        asked_for, decided = read(source(approvals={"ok": {"labels": ["True"]}}), running)

    assert (decided.activity, decided.actor_kind, decided.actor_id) == (activity, ActorKind.OPERATOR, "ada")
    assert decided.detail["recommendation"] == asked_for.event_id
    assert decided.case == asked_for.case


def test_an_annotation_by_nobody_decides_nothing_since_programs_may_send_such() -> None:
    with server(scores=[score(observationId="o1", authorUserId=None)], trace={"metadata": CASE}) as running:
        events = read(source(approvals={"ok": {"labels": ["True"]}}), running)

    assert events == []


def test_a_score_that_counts_in_several_ways_is_an_event_of_each() -> None:
    passing = {"ok": {"labels": ["True"]}}
    with server(scores=[score(authorUserId="ada")], trace={"metadata": CASE}) as running:
        events = read(source(evaluations=passing, approvals=passing, ratings=passing), running)

    assert {event.event_id: event.activity for event in events} == {
        "score:s1": Activity.EVALUATED,
        "approval:s1": Activity.APPROVED,
        "rating:s1": Activity.RATED,
    }


@pytest.mark.parametrize(("value", "good"), [(1, "good"), (0.4, "bad")])
def test_feedback_is_the_customers_rating_of_the_case(value: float, good: str) -> None:
    with server(scores=[score(value=value, stringValue=None)], trace={"metadata": CASE}) as running:
        (event,) = read(source(ratings={"ok": {"at_least": 0.5}}), running)

    assert (event.activity, event.actor_kind, event.actor_id) == (Activity.RATED, ActorKind.CUSTOMER, "customer-9")
    assert event.detail["score"] == good


def test_a_run_of_the_suite_needs_neither_trace_nor_case() -> None:
    with server(scores=[score(source="EVAL", traceId=None, stringValue="pass")]) as running:
        (event,) = read(source(evaluations={"ok": {"labels": ["pass"]}}), running)

    assert (event.activity, event.detail, event.case_id) == (Activity.EVALUATED, {"passed": True}, "evaluation:score:s1")


def test_what_has_not_ended_says_nothing_yet_but_for_events_that_never_last() -> None:
    without_end = {"endTime": None, "metadata": {**CASE, "rollout_metrics.activity": "executed", "rollout_metrics.action": "refund"}}
    with server([observation(1, **without_end), observation(2, type="EVENT", **without_end)]) as running:
        (event,) = read(source(), running)

    assert event.event_id == "t1/o2"


def test_a_later_reading_of_an_observation_holds() -> None:
    said = {"rollout_metrics.activity": "recommended", "rollout_metrics.action": "refund"}
    values = [("2026-03-02T09:00:00Z", "5"), ("2026-03-02T09:30:00Z", "6")]
    with server([observation(metadata={**CASE, **said, "rollout_metrics.value": value}, updatedAt=at) for at, value in values]) as running:
        first, second = read(source(), running)

    assert first.event_id == second.event_id
    assert second.revision - first.revision == 1800 * 1_000_000


def test_passed_may_be_written_as_text() -> None:
    metadata = {"rollout_metrics.activity": "evaluated", "rollout_metrics.passed": "False"}
    with server([observation(type="EVALUATOR", metadata=metadata)]) as running:
        (event,) = read(source(), running)

    assert event.detail["passed"] is False


def test_the_link_leads_to_the_observation() -> None:
    with server([observation(metadata=CASE, projectId="prj")]) as running:
        (event,) = read(source(), running)

    assert event.detail["url"] == f"{running.url}/project/prj/traces/t1?observation=o1"
