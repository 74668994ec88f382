"""Harm metrics: beyond their limit from the hour in which the whole interval is, until it no longer is."""

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import HOUR, T0
from rollout_metrics.derive.harm import Crossing, Figure, crossings
from rollout_metrics.domain.changes import HarmMetric
from rollout_metrics.stats.anytime import anytime

FAR = 2**62
OVERRIDES = HarmMetric(metric="override_ratio", at_most=0.1)
CHURN = HarmMetric(name="churn", sql="SELECT 1", database="shop", at_most=3)
SALES = HarmMetric(name="sales", promql="sales", at_least=100)


def counts(*pairs: tuple[int, int]) -> tuple[Figure, ...]:
    return tuple(Figure(T0 + (hour + 1) * HOUR, count, total) for hour, (count, total) in enumerate(pairs))


def values(*found: float) -> tuple[Figure, ...]:
    return tuple(Figure(T0 + (hour + 1) * HOUR, value=value) for hour, value in enumerate(found))


def spans(metric: HarmMetric, figures: tuple[Figure, ...], until: int = FAR, begun: int = T0) -> list[tuple[int, int | None]]:
    """Crossings in hours after T0."""
    return [((c.started_at - T0) // HOUR, None if c.ended_at is None else (c.ended_at - T0) // HOUR) for c in crossings(metric, figures, begun, until)]


def test_a_share_beyond_its_limit_is_no_crossing_while_its_interval_is_not() -> None:
    assert spans(OVERRIDES, counts((1, 4), (2, 8), (3, 12))) == []


def test_one_is_crossed_from_the_start_of_the_hour_in_which_the_whole_interval_is_beyond() -> None:
    assert spans(OVERRIDES, counts((1, 4), (10, 20), (20, 40))) == [(1, None)]


def test_it_is_over_once_the_interval_no_longer_is() -> None:
    assert spans(OVERRIDES, counts((10, 20), (10, 60), (10, 100))) == [(0, 1 + 1)]


def test_what_is_plainly_measured_is_crossed_at_once_and_over_at_once() -> None:
    assert spans(CHURN, values(2, 4, 3, 5)) == [(1, 3), (3, None)]
    assert spans(SALES, values(120, 99.5, 100)) == [(1, 3)]


def test_the_limit_itself_is_inside() -> None:
    assert spans(CHURN, values(3)) == spans(SALES, values(100)) == []


def test_only_what_began_in_time_counts_and_it_may_end_later() -> None:
    until = T0 + 2 * HOUR

    assert spans(CHURN, values(2, 4, 4, 2), until) == [(1, 4)]
    assert spans(CHURN, values(2, 2, 4, 2), until) == []


def test_it_begins_no_earlier_than_the_deployment() -> None:
    begun = T0 + HOUR // 2

    assert crossings(CHURN, values(4), begun, FAR) == (Crossing("churn", begun, None, "churn 4, limit at most 3"),)


def test_the_evidence_is_said_in_words() -> None:
    (found,) = crossings(OVERRIDES, counts((10, 20)), T0, FAR)
    lower, upper = anytime(10, 20)

    assert found.said == f"override_ratio 10 of 20, between {lower:.3f} and {upper:.3f}, limit at most 0.1"


def test_nothing_counted_crosses_nothing() -> None:
    assert spans(OVERRIDES, counts((0, 0))) == spans(HarmMetric(metric="acceptance_ratio", at_least=0.9), counts((0, 0))) == []


MOVES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(MOVES, st.integers(0, 12), st.integers(0, 12))
def test_more_time_takes_back_no_crossing_that_has_ended_and_adds_only_later_ones(moves: list[tuple[int, int]], first: int, until: int) -> None:
    running, pairs = (0, 0), []
    for bad, good in moves:
        running = (running[0] + bad, running[1] + bad + good)
        pairs.append(running)
    every = counts(*pairs)

    early, late = (spans(OVERRIDES, some, T0 + until * HOUR) for some in (every[:first], every))

    assert [start for start, _ in late[: len(early)]] == [start for start, _ in early]
    assert all(late[place] == span for place, span in enumerate(early) if span[1] is not None)
    assert all(start < until for start, _ in late)
