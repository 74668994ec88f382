"""Operator effort: measured where time was logged, else estimated from operators' events."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import SECOND, after, company, ev, history
from rollout_metrics.derive.effort import effort, review_effort
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import Effort, Mode, Outcome, Recommendation
from rollout_metrics.domain.time import Instant

COMPANY = company()
WORKFLOW = COMPANY.workflows[0]


def spent(*events: Event, over: tuple[tuple[str, str], ...] = (("0s", "1d"),)) -> Effort:
    return effort(history(ev("0s", "customer-1", "created"), *events, company=COMPANY), WORKFLOW, *((after(start), after(end)) for start, end in over))


def recommendation(opened: str, decided: str | None, **changes: Any) -> Recommendation:
    decided_at = None if decided is None else after(decided)
    fields: dict[str, Any] = {
        "workflow": "w",
        "action": "set:priority",
        "opened": ("desk", "r"),
        "opened_at": after(opened),
        "mode": Mode.LIVE,
        "asked": True,
        "acted_at": None,
        "outcome": Outcome.PENDING if decided is None else Outcome.ACCEPTED,
        "how": None if decided is None else "applied",
        "row": 0 if decided is None else 4,
        "provisional": False,
        "decided_at": decided_at,
        "first_decided_at": decided_at,
        "ended_at": None,
        "settled_at": None,
        "decider": None,
        "deciding": None,
        "version": None,
        "category": None,
        "value": None,
        "standing": None,
        "evidence": (("desk", "r"),),
    }
    return Recommendation(**(fields | changes))


def reviewed(*recommendations: Recommendation, events: tuple[Event, ...]) -> tuple[Effort, Instant] | None:
    return review_effort(history(ev("0s", "customer-1", "created"), *events, company=COMPANY), recommendations)


def test_an_operators_only_event_costs_a_touch() -> None:
    assert spent(ev("10m", "op-1", "commented")) == Effort(30.0, "estimated")


def test_further_events_cost_the_gap_to_that_operators_previous_one() -> None:
    assert spent(ev("10m", "op-1", "commented"), ev("10m40s", "op-1", "changed", "group", "b"), ev("11m", "op-1", "closed")) == Effort(90.0, "estimated")


def test_a_gap_costs_at_most_the_idle_cap() -> None:
    assert spent(ev("10m", "op-1", "commented"), ev("5h", "op-1", "commented")) == Effort(330.0, "estimated")


def test_operators_are_counted_each_for_themselves() -> None:
    assert spent(ev("10m", "op-1", "commented"), ev("10m10s", "op-2", "commented"), ev("10m20s", "op-1", "commented")) == Effort(80.0, "estimated")


def test_unknown_operators_are_one() -> None:
    events = (ev("10m", None, "commented", kind="operator"), ev("10m10s", None, "commented", kind="operator"))

    assert spent(*events) == Effort(40.0, "estimated")


def test_only_operators_cost() -> None:
    assert spent(ev("1m", "bot", "commented"), ev("2m", "customer-1", "commented"), ev("3m", "rule-1", "changed", "group", "b")) == Effort(0.0, "estimated")


def test_logged_time_is_measured_and_replaces_the_estimate() -> None:
    events = (ev("10m", "op-1", "commented"), ev("20m", "op-1", "time_logged", seconds=240), ev("30m", "op-2", "time_logged", seconds=60.5))

    assert spent(*events) == Effort(300.5, "measured")


def test_time_logged_outside_the_interval_or_by_others_measures_nothing() -> None:
    events = (ev("10m", "op-1", "commented"), ev("20m", "rule-1", "time_logged", seconds=500), ev("2d", "op-1", "time_logged", seconds=60))

    assert spent(*events) == Effort(30.0, "estimated")


def test_logging_no_time_measures_nothing() -> None:
    assert spent(ev("10m", "op-1", "time_logged", seconds=0)) == Effort(30.0, "estimated")


def test_an_interval_is_open_at_its_start_and_closed_at_its_end() -> None:
    events = (ev("10m", "op-1", "commented"), ev("20m", "op-2", "commented"))

    assert spent(*events, over=(("10m", "20m"),)) == Effort(30.0, "estimated")


def test_the_gap_to_an_event_before_the_interval_does_not_count() -> None:
    events = (ev("10m", "op-1", "commented"), ev("11m", "op-1", "commented"))

    assert spent(*events, over=(("10m30s", "20m"),)) == Effort(30.0, "estimated")


def test_overlapping_intervals_count_once() -> None:
    events = (ev("10m", "op-1", "commented"), ev("12m", "op-1", "closed"))

    assert spent(*events, over=(("5m", "12m"), ("9m", "12m"))) == spent(*events, over=(("5m", "12m"),)) == Effort(150.0, "estimated")


def test_review_effort_is_spent_between_opening_and_first_decision_and_belongs_to_the_last() -> None:
    events = (ev("1m", "op-1", "commented"), ev("10m", "op-1", "commented"), ev("12m", "op-1", "approved"), ev("13m", "op-1", "closed"))

    assert reviewed(recommendation("5m", "10m"), recommendation("6m", "12m"), events=events) == (Effort(150.0, "estimated"), after("12m"))


def test_review_effort_counts_only_live_recommendations_that_operators_decided_explicitly() -> None:
    events = (ev("10m", "op-1", "closed"),)
    pending, kept, shadow = recommendation("5m", None), recommendation("5m", "10m", row=9), recommendation("5m", "10m", mode=Mode.SHADOW)

    assert reviewed(pending, kept, shadow, events=events) is None


def test_a_first_decision_counts_whatever_became_of_it_later() -> None:
    reversed_later = recommendation("5m", "10m", outcome=Outcome.OVERRIDDEN, how="reversed", row=2, decided_at=after("3d"))

    assert reviewed(reversed_later, events=(ev("10m", "op-1", "approved"), ev("3d", "op-1", "changed", "priority", "low"))) == (
        Effort(30.0, "estimated"),
        after("10m"),
    )


def test_a_case_of_no_workflow_has_no_review_effort() -> None:
    assert review_effort(history(ev("0s", "op-1", "created", source="elsewhere"), company=COMPANY), [recommendation("0s", "1m")]) is None


events_of_operators = st.lists(
    st.builds(
        lambda second, actor, logs, seconds: (
            ev(second * SECOND, actor, "time_logged", seconds=seconds, kind="operator") if logs else ev(second * SECOND, actor, "commented", kind="operator")
        ),
        st.integers(0, 3000),
        st.sampled_from(("op-1", "op-2", None)),
        st.booleans(),
        st.integers(-100, 500),
    ),
    max_size=8,
)
intervals = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)).map(lambda pair: (after(min(pair) * SECOND), after(max(pair) * SECOND))), max_size=4)


@settings(max_examples=80, deadline=None)
@given(events_of_operators, intervals)
def test_effort_is_never_negative_and_never_more_than_a_touch_or_cap_for_each_event(events: list[Event], over: list[tuple[int, int]]) -> None:
    found = effort(history(ev("0s", "customer-1", "created"), *events, company=COMPANY), WORKFLOW, *over)

    assert found.seconds >= 0
    assert found.basis == "measured" or found.seconds <= 300 * len(events)


@settings(max_examples=80, deadline=None)
@given(events_of_operators, intervals, st.randoms())
def test_effort_knows_no_order_and_a_union_counts_nothing_twice(events: list[Event], over: list[tuple[int, int]], random: Any) -> None:
    def spent_over(given_events: list[Event], given_intervals: list[tuple[int, int]]) -> Effort:
        return effort(history(ev("0s", "customer-1", "created", id="0"), *given_events, company=COMPANY), WORKFLOW, *given_intervals)

    shuffled_events, shuffled = random.sample(events, len(events)), random.sample(over, len(over))
    union = [(start, start + (end - start) // 2) for start, end in over] + [(start + (end - start) // 2, end) for start, end in over]

    assert spent_over(events, over) == spent_over(shuffled_events, shuffled) == spent_over(events, over + over) == spent_over(events, union)


def test_a_slip_of_units_is_no_effort() -> None:
    logged = [ev("2h", "op-1", "time_logged", seconds=seconds) for seconds in (1e308, 10**30, 9.3e12, -5.0)]

    assert spent(*logged).basis == "estimated"
