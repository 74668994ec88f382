from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.utils import qth_survival_time
from scipy.stats import norm
from statsmodels.duration.survfunc import SurvfuncRight

from rollout_metrics.stats.kaplan_meier import kaplan_meier
from rollout_metrics.stats.quantiles import quantile
from rollout_metrics.stats.wilson import Z

ALPHA = 2 * norm.sf(Z)
cases = st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=60)
shares = st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9])


def split(sample):
    return [duration for duration, _ in sample], [ended for _, ended in sample]


def exact_quantile(sample, share):
    """The definition in fractions, one time after the other."""
    survival = Fraction(1)
    for time in sorted({duration for duration, ended in sample if ended}):
        at_risk = sum(duration >= time for duration, _ in sample)
        survival *= 1 - Fraction(sample.count((time, True)), at_risk)
        if survival <= 1 - Fraction(share).limit_denominator(100):
            return time
    return None


def test_freireichs_leukaemia_patients_have_their_textbook_median():
    weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    relapsed = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    curve = kaplan_meier(weeks, relapsed)

    assert curve.quantile() == 23
    assert curve.at(10) == pytest.approx(0.7529412)
    assert curve.bounds_at(10) == pytest.approx((0.5031995, 0.8893618), abs=1e-6)
    assert curve.cases == 21


def test_nothing_observed_has_no_median_and_survives():
    curve = kaplan_meier([], [])

    assert (curve.cases, curve.at(5), curve.bounds_at(5), curve.quantile(), curve.quantile_bounds()) == (0, 1.0, (None, None), None, (None, None))


def test_all_censored_has_no_median():
    curve = kaplan_meier([3, 4, 5], [False, False, False])

    assert (curve.quantile(), curve.quantile_bounds(), curve.at(9), curve.bounds_at(9)) == (None, (None, None), 1.0, (None, None))


def test_no_bounds_where_nobody_or_everybody_is_left():
    curve = kaplan_meier([2, 4], [True, True])

    assert curve.bounds_at(1) == (None, None)
    assert curve.bounds_at(4) == (None, None)
    assert curve.at(4) == 0
    assert None not in curve.bounds_at(2)


def test_what_is_censored_when_another_ends_was_still_at_risk():
    assert kaplan_meier([1, 1], [True, False]).at(1) == 0.5


def test_survival_of_exactly_one_half_is_the_median_whatever_rounding_says():
    missed = [n for n in range(2, 400, 2) if kaplan_meier(range(1, n + 1), np.ones(n)).quantile() != n // 2]

    assert missed == []


def test_a_tenth_is_a_tenth():
    assert kaplan_meier(range(1, 11), [True] * 10).quantile(0.9) == 9


def test_microseconds_stay_whole():
    found = kaplan_meier([9_007_199_254_740_991, 9_007_199_254_740_993], [True, True]).quantile(0.75)

    assert found == 9_007_199_254_740_993
    assert isinstance(found, int)


def test_flags_must_match_durations():
    with pytest.raises(ValueError, match="one flag for each"):
        kaplan_meier([1, 2], [True])


@given(cases, shares)
@settings(max_examples=100)
def test_quantiles_are_those_of_exact_fractions(sample, share):
    assert kaplan_meier(*split(sample)).quantile(share) == exact_quantile(sample, share)


@given(cases)
@settings(max_examples=50, deadline=None)
def test_survival_and_bounds_are_those_of_lifelines(sample):
    durations, ended = split(sample)
    curve = kaplan_meier(durations, ended)

    oracle = KaplanMeierFitter(alpha=ALPHA).fit(durations, ended)

    for time in curve.times:
        assert curve.at(time) == pytest.approx(oracle.predict(time), abs=1e-9)
        if 1e-9 < curve.at(time) < 1:
            assert curve.bounds_at(time) == pytest.approx(tuple(oracle.confidence_interval_.loc[time]), abs=1e-9)


@given(st.integers(2, 60), st.integers(0, 2**32), shares)
@settings(max_examples=50, deadline=None)
def test_bounds_of_quantiles_are_those_of_statsmodels_and_lifelines(number, seed, share):
    random = np.random.default_rng(seed)
    durations, ended = random.exponential(size=number), random.random(number) < 0.8
    curve = kaplan_meier(durations, ended)
    lower, upper = curve.quantile_bounds(share)
    fitter = KaplanMeierFitter(alpha=ALPHA).fit(durations, ended)
    fitted = fitter.confidence_interval_[fitter.survival_function_.iloc[:, 0] > 1e-9]

    assert (lower or np.inf) == qth_survival_time(1 - share, fitted.iloc[:, 0])
    if np.isfinite(SurvfuncRight(durations, ended).quantile_ci(share, ALPHA, method="cloglog")[1]) and upper is not None:
        assert SurvfuncRight(durations, ended).quantile_ci(share, ALPHA, method="cloglog") == pytest.approx((lower, upper))


@given(cases, st.randoms())
@settings(max_examples=50)
def test_order_does_not_matter(sample, random):
    shuffled = random.sample(sample, len(sample))

    one, other = kaplan_meier(*split(sample)), kaplan_meier(*split(shuffled))

    assert (one.survival.tolist(), one.lower.tolist()[:-1]) == (other.survival.tolist(), other.lower.tolist()[:-1])


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), shares)
@settings(max_examples=50)
def test_without_censoring_quantiles_are_the_plain_ones(durations, share):
    assert kaplan_meier(durations, [True] * len(durations)).quantile(share) == quantile(durations, share)


@given(cases, shares)
@settings(max_examples=50)
def test_the_quantile_lies_between_its_bounds(sample, share):
    curve = kaplan_meier(*split(sample))
    lower, upper = curve.quantile_bounds(share)
    found = curve.quantile(share)

    assert lower is None or found is None or lower <= found
    assert upper is None or (found is not None and found <= upper)
