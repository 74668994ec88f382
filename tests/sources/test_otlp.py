"""What spans say of cases, by their attributes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rollout_metrics.collect.runtimes import READ
from rollout_metrics.collect.source import Page, Rejected
from rollout_metrics.collect.spans import Outcome
from rollout_metrics.collect.traces import Moment, Span
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import parse_instant
from rollout_metrics.sources.otlp import Otlp

AT = parse_instant("2026-03-02T10:00:00.123456Z")
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
CASE = {"rollout_metrics.case_id": "4712"}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "issue_refund"}
AGENT = {"gen_ai.agent.name": "refund-runtime", "gen_ai.agent.version": "v7"}
LIMIT = {"error.type": "limit_exceeded"}
SUITE = {"gen_ai.evaluation.name": "regression"}


def source(**options: Any) -> Otlp:
    return Otlp.model_validate(
        {
            "name": "runtime",
            "case_source": "helpdesk",
            "tokens": [{"name": "sdk", "secret": "0123456789abcdef", "workflows": ["refunds"]}],
            "tools": {"issue_refund": "refund", "set_queue": "set:group"},
            "refusals": ["limit_exceeded"],
            "evaluations": {"regression": {"labels": ["pass"]}, "grounded": {"at_least": 0.8}},
            **options,
        }
    )


def span(*parts: dict[str, Any], events: tuple[Moment, ...] = (), failed: bool = False, trace_id: str = TRACE) -> Span:
    return Span(trace_id, SPAN, AT, failed, {key: value for part in parts for key, value in part.items()}, events)


def result(*parts: dict[str, Any], name: str = "gen_ai.evaluation.result") -> Moment:
    return Moment(name, AT + 5, {key: value for part in parts for key, value in part.items()})


def said(given_span: Span, **options: Any) -> list[Event]:
    told = source(**options).read_span(given_span, "request")
    assert told.rejected is None, told.rejected
    return list(told.events)


def test_a_tools_call_is_an_act_of_the_agent_on_the_case() -> None:
    (event,) = said(span(CASE, TOOL, AGENT, {"rollout_metrics.value": 12.5, "deployment.environment.name": "production"}))

    assert (event.source, event.case) == ("runtime", ("helpdesk", "4712"))
    assert (event.activity, event.occurred_at) == (Activity.EXECUTED, AT)
    assert (event.actor_kind, event.actor_id) == (ActorKind.AGENT, "refund-runtime")
    assert event.event_id == f"{TRACE}/{SPAN}"
    assert event.detail == {"action": "refund", "value": "12.5", "version": "v7", "environment": "production"}


@pytest.mark.parametrize(
    ("parts", "failed", "outcome"),
    [
        ((TOOL,), False, Outcome.WITHOUT_CASE),
        ((CASE,), False, Outcome.PASSED_OVER),
        ((CASE, AGENT, {"gen_ai.operation.name": "chat"}), False, Outcome.PASSED_OVER),
        ((CASE, AGENT, {"gen_ai.operation.name": "invoke_agent", "rollout_metrics.case_source": "helpdesk"}), False, Outcome.PASSED_OVER),
        ((CASE, TOOL, {"gen_ai.tool.name": "search"}), False, Outcome.PASSED_OVER),
        ((CASE, TOOL), True, Outcome.PASSED_OVER),
        ((CASE, TOOL, {"error.type": "timeout"}), False, Outcome.PASSED_OVER),
        ((CASE, TOOL, {"rollout_metrics.value": "3"}), True, Outcome.PASSED_OVER),
        ((CASE, TOOL, LIMIT), True, Outcome.MAPPED),
        ((CASE, TOOL), False, Outcome.MAPPED),
        (({"rollout_metrics.activity": "recommended", "rollout_metrics.action": "refund"},), False, Outcome.REJECTED),
        ((CASE, {"rollout_metrics.action": "refund"}), False, Outcome.REJECTED),
    ],
)
def test_what_becomes_of_a_span(parts: tuple[dict[str, Any], ...], failed: bool, outcome: Outcome) -> None:
    told = source().read_span(span(*parts, failed=failed), "request")

    assert told.outcome is outcome
    assert bool(told.events) == (outcome is Outcome.MAPPED)
    assert (told.rejected is not None) == (outcome is Outcome.REJECTED)


def test_a_call_that_a_guardrail_refused_is_blocked_for_that_reason() -> None:
    (event,) = said(span(CASE, TOOL, LIMIT, failed=True))

    assert (event.activity, event.detail) == (Activity.BLOCKED, {"action": "refund", "reason": "limit_exceeded"})


def test_a_tool_that_sets_an_attribute_says_which_value() -> None:
    (event,) = said(span(CASE, TOOL, {"gen_ai.tool.name": "set_queue", "rollout_metrics.value": "billing"}))

    assert (event.attribute, event.after) == ("group", "billing")


@pytest.mark.parametrize("activity", ["recommended", "approval_requested", "blocked", "escalated"])
def test_what_is_said_in_our_words_goes_before_what_a_call_means(activity: str) -> None:
    (event,) = said(span(CASE, TOOL, {"rollout_metrics.activity": activity, "rollout_metrics.amount": 40, "rollout_metrics.via": ["b", "a"]}))

    assert event.activity == activity
    assert event.detail == {"action": "refund", "amount": 40, "via": ["a", "b"]}


def test_an_event_within_a_span_speaks_of_the_spans_case_at_its_own_time() -> None:
    proposal = Moment("proposal", AT - 7, {"rollout_metrics.activity": "recommended", "rollout_metrics.attribute": "priority", "rollout_metrics.after": "high"})
    (event,) = said(span(CASE, AGENT, {"gen_ai.operation.name": "invoke_agent"}, events=(result(name="other"), proposal)))

    assert (event.case_id, event.actor_id, event.occurred_at) == ("4712", "refund-runtime", AT - 7)
    assert (event.attribute, event.after, event.detail) == ("priority", "high", {"version": "v7"})
    assert event.event_id == f"{TRACE}/{SPAN}/002"


@pytest.mark.parametrize(
    ("attributes", "passed"),
    [
        ({**SUITE, "gen_ai.evaluation.score.label": "pass"}, True),
        ({**SUITE, "gen_ai.evaluation.score.label": "fail", "gen_ai.evaluation.score.value": 1.0}, False),
        ({"gen_ai.evaluation.name": "grounded", "gen_ai.evaluation.score.value": 0.8}, True),
        ({"gen_ai.evaluation.name": "grounded", "gen_ai.evaluation.score.value": 0.79}, False),
        ({**SUITE, "rollout_metrics.passed": True}, True),
        ({"rollout_metrics.activity": "evaluated", "rollout_metrics.passed": False}, False),
    ],
)
@pytest.mark.parametrize("case", [CASE, {}])
def test_a_result_is_a_run_of_the_evaluation_with_or_without_a_case(attributes: dict[str, Any], passed: bool, case: dict[str, Any]) -> None:
    (event,) = said(span(case, AGENT, events=(result(attributes),)))

    assert (event.activity, event.detail["passed"], event.detail["version"]) == (Activity.EVALUATED, passed, "v7")
    assert event.case_id == ("4712" if case else f"evaluation:{TRACE}/{SPAN}/001")


@pytest.mark.parametrize("attributes", [{"gen_ai.evaluation.name": "tone", "gen_ai.evaluation.score.value": 0.1}, {**SUITE, "error.type": "timeout"}])
def test_results_that_count_for_no_gate_and_evaluations_that_broke_say_nothing(attributes: dict[str, Any]) -> None:
    assert said(span(CASE, events=(result(attributes),))) == []


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (span(CASE, {"rollout_metrics.activity": "refunded", "rollout_metrics.action": "x"}), "rollout_metrics.activity: 'refunded' is none of"),
        (span(CASE, {"rollout_metrics.action": "refund"}), "rollout_metrics.activity: is missing"),
        (span({"rollout_metrics.activity": "escalated"}), "rollout_metrics.case_id: is missing"),
        (span(CASE, {"rollout_metrics.activity": "recommended"}), "rollout_metrics.action: is missing"),
        (span(CASE, TOOL, {"rollout_metrics.actor_kind": "operator"}), "rollout_metrics.actor_kind: comes from the span itself"),
        (span(CASE, TOOL, {"rollout_metrics.resaon": "x"}), "rollout_metrics.resaon: is not known; did you mean 'reason'"),
        (span(CASE, TOOL, {"rollout_metrics.amount": {"a": 1}}), "rollout_metrics.amount: is no key of ours"),
        (span(CASE, TOOL, {"rollout_metrics.value": "a\x00b"}), "NUL"),
        (span({"rollout_metrics.case_id": True}, TOOL), "rollout_metrics.case_id: expected `str"),
        (span(CASE, TOOL, trace_id=""), "no valid trace_id"),
        (Span(TRACE, SPAN, 0, False, {**CASE, **TOOL}), "rollout_metrics.occurred_at: lies before 1980"),
        (span(CASE, events=(result(SUITE),)), "evaluation 'regression' has no gen_ai.evaluation.score.label"),
    ],
)
def test_what_is_said_wrongly_is_told_by_the_attribute_and_taken_not_even_in_part(bad: Span, message: str) -> None:
    told = source().read_span(bad, "request")

    assert told.rejected is not None
    assert message in told.rejected.message
    assert told.events == ()


def test_a_span_that_was_set_aside_is_not_taken_in_later_behind_its_tokens_back() -> None:
    bad = source().read_span(span({"rollout_metrics.activity": "escalated"}), "request").rejected
    assert bad is not None

    assert list(source().events(source().page_of(bad.payload, bad.where))) == []


def test_a_page_of_spans_is_translated_span_by_span() -> None:
    found = list(source().events(Page([span(CASE, TOOL), span({"rollout_metrics.activity": "escalated"}), span()], "request")))

    assert [type(one) for one in found] == [Event, Rejected]


def test_the_case_can_stand_under_an_attribute_that_runtimes_set_anyway() -> None:
    (event,) = said(span({"gen_ai.conversation.id": 88}, TOOL), case_attribute="gen_ai.conversation.id", case_source=None)

    assert event.case == ("runtime", "88")


def test_prompts_and_answers_are_not_even_unpacked() -> None:
    reads = source(case_attribute="ticket.id").reads

    assert not any(map(reads, ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.call.arguments", "gen_ai.evaluation.explanation", "user.id")))
    assert all(map(reads, (*READ, "rollout_metrics.anything", "ticket.id")))


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["execute_tool", "issue_refund", "regression", "recommended", "\x00"])
values = scalars | st.lists(scalars, max_size=2) | st.just({"a": 1})
names = st.sampled_from([*sorted(READ), *("rollout_metrics." + name for name in ("activity", "action", "case_id", "passed", "before", "detail", ""))])


@settings(max_examples=60)
@given(attributes=st.dictionaries(names, values, max_size=6), moments=st.lists(st.dictionaries(names, values, max_size=4), max_size=2), failed=st.booleans())
def test_whatever_a_span_holds_it_is_told_what_became_of_it(attributes: dict[str, Any], moments: list[dict[str, Any]], failed: bool) -> None:
    events = tuple(Moment("gen_ai.evaluation.result", AT, moment) for moment in moments)
    told = source().read_span(Span(TRACE, SPAN, AT, failed, attributes, events), "request")

    assert (told.outcome is Outcome.MAPPED) == bool(told.events)
    assert (told.outcome is Outcome.REJECTED) == (told.rejected is not None)
    assert all(event.actor_kind is ActorKind.AGENT for event in told.events)


def test_an_evaluation_passes_by_labels_or_by_a_score() -> None:
    for passing in ({}, {"labels": ["pass"], "at_least": 0.5}):
        with pytest.raises(ValidationError, match="either by which labels"):
            source(evaluations={"suite": passing})
