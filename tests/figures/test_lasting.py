"""Survival on stretches that stand together, against the estimate over every single duration."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollout_metrics.figures import lasting
from rollout_metrics.figures.lasting import Estimated, Lasting, median, share_within
from rollout_metrics.stats.kaplan_meier import kaplan_meier


def split(data: list[tuple[int, bool]]) -> Lasting:
    complete, censored = (np.array(sorted(duration for duration, ended in data if ended is wanted), np.int64) for wanted in (True, False))
    return Lasting(complete, censored)


_DATA = st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=60)


@settings(max_examples=200, deadline=None)
@given(_DATA)
@example([(0, True)] * 6 + [(1, True), (2, True), (3, True)])
def test_the_median_and_its_bounds_are_those_of_the_full_life_table(data: list[tuple[int, bool]]) -> None:
    full = kaplan_meier([duration for duration, _ in data], [ended for _, ended in data])

    with patch.object(lasting, "_TOGETHER", 3):
        found = median(split(data))

    assert found == Estimated(full.quantile(), *full.quantile_bounds(), len(data))


@settings(max_examples=200, deadline=None)
@given(_DATA.filter(bool), st.integers(0, 60))
def test_the_share_within_a_limit_and_its_bounds_are_those_of_the_full_life_table(data: list[tuple[int, bool]], limit: int) -> None:
    full = kaplan_meier([duration for duration, _ in data], [ended for _, ended in data])

    with patch.object(lasting, "_TOGETHER", 3):
        found = share_within(split(data), limit)

    lower, upper = full.bounds_at(limit)
    assert found.value == pytest.approx(1 - full.at(limit), abs=1e-12)
    assert found.lower == (None if upper is None else pytest.approx(1 - upper, abs=1e-9))
    assert found.upper == (None if lower is None else pytest.approx(1 - lower, abs=1e-9))
    assert found.cases == len(data)


@pytest.mark.parametrize("seed", range(25))
def test_many_durations_under_light_and_heavy_censoring_agree_with_the_full_life_table(seed: int) -> None:
    rng = np.random.default_rng(seed)
    number = 2_000
    lasted, watched = rng.exponential(1e9, number).astype(np.int64), rng.exponential(rng.choice([1e8, 1e9, 1e11]), number).astype(np.int64)
    durations, ended = np.minimum(lasted, watched), lasted <= watched
    full = kaplan_meier(durations, ended)

    found = median(Lasting(np.sort(durations[ended]), np.sort(durations[~ended])))

    assert found == Estimated(full.quantile(), *full.quantile_bounds(), number)


def test_nothing_lasts_where_there_is_nothing() -> None:
    nothing = split([])

    assert median(nothing) == share_within(nothing, 5) == Estimated(None, None, None, 0)


def test_the_median_is_unknown_while_more_than_half_last_on() -> None:
    assert median(split([(1, True), (5, False), (6, False)])) == Estimated(None, 1, None, 3)
