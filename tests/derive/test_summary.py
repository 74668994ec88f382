"""What counts once per case."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DAY, MINUTE, Around, after, company, ev, history
from rollout_metrics.derive.escalations import escalations
from rollout_metrics.derive.recommendations import recommendations
from rollout_metrics.derive.summary import summary
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import CaseSummary, Effort, Handling, HandlingKind

CREATED = ("0s", "customer-1", "created")


def summed(*events: Event, as_of: str = "30d", handling: HandlingKind | None = None, creates: bool = True, **options: Any) -> CaseSummary:
    found = maybe_summed(*((ev(*CREATED, id="created"),) if creates else ()), *events, as_of=as_of, handling=handling, **options)
    assert found is not None
    return found


def maybe_summed(
    *events: Event, as_of: str = "30d", handling: HandlingKind | None = None, others: tuple[dict[str, Any], ...] = (), **options: Any
) -> CaseSummary | None:
    told = company(options, *others)
    read = history(*events, company=told, as_of=as_of)
    around = Around(events, told, after(as_of))
    recommended, _ = recommendations(read, around)
    escalated = escalations(read, told, around, recommended)
    handled = None if handling is None else Handling("w", handling, after("0s"), after("0s"), None, ())
    return summary(read, told, around, recommended, escalated, handled)


def test_a_case_of_no_workflow_has_no_summary() -> None:
    assert maybe_summed(ev("0s", "customer-1", "created", source="elsewhere")) is None


def test_a_case_is_the_workflows_from_the_instant_its_scope_matches() -> None:
    found = summed(ev("1h", "rule-1", "changed", "group", "support"), scope={"group": ["support"]})

    assert (found.workflow, found.scoped_at) == ("w", after("1h"))


class TestHandling:
    def test_a_case_is_agent_handled_from_its_first_live_recommendation(self) -> None:
        found = summed(ev("1h", "bot", "recommended", action="set:priority", value="high"), ev("2h", "bot", "escalated"))

        assert (found.handled_at, found.judged_at) == (after("1h"), after("1h") + 3 * DAY)

    def test_a_case_is_agent_handled_from_its_first_escalation(self) -> None:
        assert summed(ev("2h", "bot", "escalated"), ev("3h", "bot", "changed", "priority", "high")).handled_at == after("2h")

    def test_shadow_recommendations_handle_nothing(self) -> None:
        found = summed(ev("1h", "bot", "recommended", action="set:priority", value="high"), levels=[{"level": "shadow", "since": "2026-01-01"}])

        assert (found.handled_at, found.judged_at) == (None, None)

    def test_the_first_agent_event_is_that_of_any_agent_since_the_case_is_in_the_workflow(self) -> None:
        events = ev("1h", "bot", "commented"), ev("2h", "rule-1", "changed", "group", "support")
        options: dict[str, Any] = {"scope": {"group": ["support"]}, "others": ({"name": "x", "agents": ["other-bot"], "sources": ["elsewhere"]},)}

        assert summed(*events, **options).first_agent_at is None
        assert summed(*events, ev("3h", "bot", "commented"), **options).first_agent_at == after("3h")
        assert summed(*events, ev("3h", "other-bot", "commented"), **options).first_agent_at == after("3h")

    @pytest.mark.parametrize("kind", list(HandlingKind))
    def test_only_the_handling_assisted_makes_a_case_assisted(self, kind: HandlingKind) -> None:
        assert summed(ev("1h", "bot", "commented"), handling=kind).assisted is (kind is HandlingKind.ASSISTED)

    def test_any_agents_event_at_any_time_involves_an_agent(self) -> None:
        assert summed(ev("1h", "other-bot", "commented")).agent_involved
        assert summed(ev("1h", "op-1", "closed"), ev("2h", "bot", "commented")).agent_involved
        assert not summed(ev("1h", "op-1", "closed")).agent_involved


class TestUnaided:
    """The times a case stood closed without the agent, for baselines that were frozen in one of them."""

    def spans(self, *events: Event, **options: Any) -> list[tuple[int, int, float]]:
        return [(item.at, item.until, item.effort.seconds) for item in summed(*events, **options).unaided]

    def test_a_reopening_ends_each(self) -> None:
        events = [ev("1h", "op-1", "closed"), ev("2h", "op-1", "closed"), ev("3h", "customer-1", "reopened"), ev("4h", "op-2", "closed")]

        assert self.spans(*events[:2]) == []
        assert self.spans(*events[:3]) == [(after("1h"), after("3h"), 30)]
        assert self.spans(*events, ev("5h", "op-1", "reopened")) == [(after("1h"), after("3h"), 30), (after("4h"), after("5h"), 30 + 300 + 30)]

    def test_the_first_agent_ends_the_last(self) -> None:
        closed = [ev("1h", "op-1", "closed"), ev("2h", "other-bot", "commented"), ev("3h", "op-1", "reopened"), ev("4h", "op-1", "closed")]

        assert self.spans(*closed, ev("5h", "op-1", "reopened")) == [(after("1h"), after("2h"), 30)]
        assert self.spans(ev("30m", "bot", "commented"), *closed) == []
        assert self.spans(ev("1h", "bot", "closed"), ev("2h", "op-1", "reopened")) == []

    def test_one_that_was_over_before_the_case_came_in_is_none(self) -> None:
        scoped = {"scope": {"group": ["support"]}}
        before = [ev("1h", "op-1", "closed"), ev("2h", "op-1", "reopened"), ev("2h30m", "op-1", "closed"), ev("3h", "rule-1", "changed", "group", "support")]

        assert self.spans(*before, ev("4h", "op-1", "reopened"), **scoped) == [(after("3h"), after("4h"), 0)]


class TestEscalationInTheCohort:
    def test_an_escalation_within_the_cohort_age_counts(self) -> None:
        found = summed(ev("0s", "bot", "changed", "priority", "high"), ev("3d", "bot", "escalated"))

        assert (found.escalated, found.escalated_in_cohort) == (True, True)

    def test_a_later_escalation_does_not(self) -> None:
        found = summed(ev("0s", "bot", "changed", "priority", "high"), ev("3d1s", "bot", "escalated"))

        assert (found.escalated, found.escalated_in_cohort) == (True, False)


class TestComplaint:
    def test_the_last_rating_within_the_cohort_age_decides(self) -> None:
        handled, good, bad = ev("1h", "bot", "changed", "priority", "high"), {"score": "good"}, {"score": "bad"}

        assert summed(handled, ev("2h", "customer-1", "rated", **good), ev("3h", "customer-1", "rated", **bad)).complained_in_cohort
        assert not summed(handled, ev("2h", "customer-1", "rated", **bad), ev("3h", "customer-1", "rated", **good)).complained_in_cohort

    def test_ratings_before_handling_or_after_the_cohort_age_do_not_count(self) -> None:
        handled, bad = ev("1h", "bot", "changed", "priority", "high"), {"score": "bad"}

        assert not summed(ev("30m", "customer-1", "rated", **bad), handled).complained_in_cohort
        assert summed(handled, ev("3d1h", "customer-1", "rated", **bad)).complained_in_cohort
        assert not summed(handled, ev("3d1h1s", "customer-1", "rated", **bad)).complained_in_cohort

    def test_a_good_rating_after_the_cohort_age_does_not_take_a_complaint_back(self) -> None:
        handled = ev("1h", "bot", "changed", "priority", "high")
        ratings = ev("2h", "customer-1", "rated", score="bad"), ev("9d", "customer-1", "rated", score="good")

        assert summed(handled, *ratings).complained_in_cohort

    def test_nobody_complains_of_a_case_that_no_agent_handled(self) -> None:
        assert not summed(ev("2h", "customer-1", "rated", score="bad")).complained_in_cohort

    def test_a_marker_value_set_in_the_cohort_age_is_a_complaint(self) -> None:
        handled, options = ev("1h", "bot", "changed", "priority", "high"), {"complaints": {"markers": {"type": "complaint"}}}

        assert summed(handled, ev("2h", "op-1", "changed", "type", "complaint"), **options).complained_in_cohort
        assert not summed(handled, ev("9d", "op-1", "changed", "type", "complaint"), **options).complained_in_cohort

    def test_a_marker_tag_that_was_there_before_is_not_set_again_by_other_tags(self) -> None:
        options = {"complaints": {"markers": {"tags": "angry"}}, "attribute_types": {"tags": "multi"}}
        handled = ev("1h", "bot", "changed", "priority", "high")

        assert summed(handled, ev("2h", "op-1", "changed", "tags", ["angry", "vip"], before=["vip"]), **options).complained_in_cohort
        assert not summed(
            ev("30m", "op-1", "changed", "tags", ["angry"]), handled, ev("2h", "op-1", "changed", "tags", ["angry", "vip"]), **options
        ).complained_in_cohort

    def test_a_marker_among_the_initial_attributes_counts_if_the_case_was_handled_at_once(self) -> None:
        created = ev("0s", "customer-1", "created", attributes={"type": "complaint"})
        options = {"complaints": {"markers": {"type": "complaint"}}}

        assert summed(created, ev("0s", "bot", "changed", "priority", "high"), creates=False, **options).complained_in_cohort
        assert not summed(created, ev("1s", "bot", "changed", "priority", "high"), creates=False, **options).complained_in_cohort

    def test_a_marker_among_an_updates_tags_and_apps_is_a_complaint(self) -> None:
        handled, options = ev("1h", "bot", "changed", "priority", "high"), {"complaints": {"markers": {"via": "complaint_form"}}}

        assert summed(handled, ev("2h", "customer-1", "commented", via=["complaint_form"]), **options).complained_in_cohort
        assert not summed(handled, ev("2h", "customer-1", "commented", via=["mail"]), **options).complained_in_cohort


class TestCloseAndEnd:
    def test_a_case_closes_at_its_first_close_since_the_last_reopening(self) -> None:
        events = (ev("1h", "op-1", "closed"), ev("2h", "customer-1", "reopened"), ev("3h", "op-1", "closed"), ev("4h", "rule-1", "closed"))

        assert summed(*events).closed_at == after("3h")
        assert summed(*events[:2]).closed_at is None

    def test_a_reopening_after_t_has_not_happened(self) -> None:
        assert summed(ev("1h", "op-1", "closed"), ev("5h", "customer-1", "reopened"), as_of="4h").closed_at == after("1h")

    def test_a_case_that_comes_closed_into_the_workflow_is_closed_from_then(self) -> None:
        found = summed(ev("1h", "op-1", "closed"), ev("2h", "rule-1", "changed", "group", "support"), scope={"group": ["support"]})

        assert (found.closed_at, found.effort) == (after("2h"), Effort(0.0, "estimated"))

    @pytest.mark.parametrize("activity", ["absorbed", "deleted"])
    def test_an_absorbed_or_deleted_case_has_ended_and_not_closed(self, activity: str) -> None:
        found = summed(ev("1h", "op-1", activity), ev("2h", "op-1", "closed"))

        assert (found.ended_at, found.closed_at) == (after("1h"), None)


class TestEffort:
    def test_the_effort_of_a_case_runs_from_its_scoping_to_its_close_inclusive(self) -> None:
        found = summed(
            ev("30m", "op-1", "commented"),
            ev("1h", "op-1", "changed", "group", "support"),
            ev("1h1m", "op-1", "closed"),
            ev("1h2m", "op-1", "commented"),
            scope={"group": ["support"]},
        )

        assert found.effort == Effort(90.0, "estimated")

    def test_an_open_case_has_no_effort_yet(self) -> None:
        assert summed(ev("1h", "op-1", "commented")).effort is None

    def test_review_effort_belongs_to_the_last_explicit_first_decision(self) -> None:
        found = summed(ev("1h", "bot", "recommended", action="set:priority", value="high"), ev("2h", "op-1", "changed", "priority", "high"))

        assert (found.review_effort, found.reviewed_at) == (Effort(30.0, "estimated"), after("2h"))

    def test_a_case_without_review_has_no_review_effort(self) -> None:
        found = summed(ev("2h", "op-1", "changed", "priority", "high"))

        assert (found.review_effort, found.reviewed_at) == (None, None)


class TestDropped:
    @pytest.mark.parametrize(("actor", "touched"), [("op-1", True), ("bot", True), ("other-bot", True), ("customer-1", False), ("rule-1", False)])
    def test_an_operators_or_agents_event_touches_a_case(self, actor: str, touched: bool) -> None:
        found = summed(ev("3d", actor, "commented"))

        assert (found.touched, found.drop_judged_at) == (touched, after("3d"))

    def test_a_case_touched_only_later_was_dropped(self) -> None:
        assert not summed(ev("3d1s", "op-1", "commented")).touched

    def test_what_happened_before_the_case_was_in_the_workflow_does_not_touch_it(self) -> None:
        assert not summed(ev("1h", "op-1", "commented"), ev("2h", "rule-1", "changed", "group", "support"), scope={"group": ["support"]}).touched


class TestOperators:
    def test_each_known_operator_is_listed_with_the_last_event_in_the_workflow(self) -> None:
        found = summed(
            ev("1h", "op-3", "commented"),
            ev("2h", "rule-1", "changed", "group", "support"),
            ev("3h", "op-2", "commented"),
            ev("4h", "op-1", "commented"),
            ev("5h", "op-2", "closed"),
            ev("6h", None, "commented", kind="operator"),
            ev("7h", "bot", "commented"),
            scope={"group": ["support"]},
        )

        assert found.operators == (("op-1", after("4h")), ("op-2", after("5h")))

    @pytest.mark.parametrize(
        ("answer", "meant"), [("true", True), ("Yes", True), ("1", True), ("false", False), ("NO", False), ("0", False), ("maybe", None), (None, None)]
    )
    def test_operators_say_whether_a_case_should_have_been_escalated(self, answer: str | None, meant: bool | None) -> None:
        events = ev("1h", "op-1", "changed", "should_escalate", "yes"), ev("2h", "op-1", "changed", "should_escalate", answer)

        assert summed(*events, should_escalate_attribute="should_escalate").should_escalate is meant

    def test_what_others_say_about_it_does_not_count(self) -> None:
        events = ev("1h", "op-1", "changed", "should_escalate", "yes"), ev("2h", "rule-1", "changed", "should_escalate", "no")

        assert summed(*events, should_escalate_attribute="should_escalate").should_escalate is True
        assert summed(events[1], should_escalate_attribute="should_escalate").should_escalate is None
        assert summed(*events).should_escalate is None


def test_of_two_recommendations_in_one_instant_the_first_in_the_order_of_the_history_is_the_evidence_of_handling() -> None:
    found = summed(ev("1h", "bot", "closed", id="a-closes"), ev("1h", "bot", "changed", "priority", "high", id="b-sets"), decides=["set:priority", "close"])

    assert found.evidence[0] == ("desk", "b-sets")


def test_the_evidence_is_the_first_handling_the_complaint_and_the_close_in_order() -> None:
    found = summed(
        ev("1h", "bot", "changed", "priority", "high", id="handled"),
        ev("2h", "op-1", "closed", id="closed"),
        ev("3h", "customer-1", "rated", score="bad", id="complained"),
        ev("4h", "op-1", "deleted", id="ended"),
    )

    assert found.evidence == (("desk", "handled"), ("desk", "closed"), ("desk", "complained"), ("desk", "ended"))


ACTORS = ("bot", "op-1", "op-2", "customer-1")
ACTIVITIES = ("changed", "commented", "recommended", "escalated", "closed", "reopened", "rated", "time_logged")


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    drawn = draw(
        st.lists(st.tuples(st.integers(0, 6 * 24 * 60), st.sampled_from(("bot", "op-1", "op-2", "customer-1")), st.sampled_from(ACTIVITIES)), max_size=10)
    )
    detail: dict[str, dict[str, Any]] = {"recommended": {"action": "set:priority", "value": "high"}, "rated": {"score": "bad"}, "time_logged": {"seconds": 60}}
    return [
        ev(minutes * MINUTE, actor, activity, "priority", "high", id=str(number))
        if activity == "changed"
        else ev(minutes * MINUTE, actor, activity, id=str(number), **detail.get(activity, {}))
        for number, (minutes, actor, activity) in enumerate(drawn)
    ]


@settings(max_examples=60, deadline=None)
@given(histories(), st.randoms())
def test_a_summary_knows_no_order_of_arrival(events: list[Event], random: Any) -> None:
    assert summed(*events) == summed(*random.sample(events, len(events)))


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, 10 * 24 * 60))
def test_time_alone_changes_nothing(events: list[Event], minutes: int) -> None:
    last = max((event.occurred_at for event in events), default=after("0s")) - after("0s")

    assert summed(*events, as_of=f"{last // MINUTE}m") == summed(*events, as_of=f"{last // MINUTE + minutes}m")


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, 9 * 24 * 60))
def test_what_happens_after_the_cohort_age_changes_no_cohort_flag(events: list[Event], minutes: int) -> None:
    at_t, later = summed(*events, as_of=f"{minutes}m"), summed(*events)

    if at_t.judged_at is not None and at_t.judged_at <= after(f"{minutes}m"):
        assert (at_t.escalated_in_cohort, at_t.complained_in_cohort) == (later.escalated_in_cohort, later.complained_in_cohort)
    if at_t.drop_judged_at <= after(f"{minutes}m"):
        assert at_t.touched == later.touched
