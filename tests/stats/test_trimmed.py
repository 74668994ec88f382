import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.stats.trimmed import Estimate, difference, time_saved, trimmed

values = st.lists(st.integers(0, 100_000).map(lambda eighths: eighths / 8), min_size=2, max_size=60)


def test_a_tenth_goes_off_each_end_rounded_down():
    nineteen = trimmed([*range(1, 19), 1000])

    assert (nineteen.cases, nineteen.kept) == (19, 17)
    assert nineteen.mean == 10


def test_fewer_than_ten_cases_are_not_trimmed():
    nine = trimmed([1, 1, 1, 1, 1, 1, 1, 1, 82])

    assert (nine.kept, nine.mean) == (9, 10)


def test_winsorising_pulls_the_ends_in_to_the_last_that_are_kept():
    ten = trimmed([0, *[5] * 4, *[7] * 4, 100])

    assert ten.winsorised_variance == pytest.approx(np.var([5] * 5 + [7] * 5, ddof=1))


def test_no_values_have_no_mean():
    assert trimmed([]) is None


def test_a_single_case_has_a_mean_and_no_interval():
    assert difference(trimmed([3]), trimmed([1, 2])) == Estimate(1.5, None, None)


def test_without_any_spread_the_interval_is_the_point():
    assert difference(trimmed([3, 3, 3]), trimmed([1, 1])) == Estimate(2, 2, 2)


def test_time_saved_is_the_number_of_cases_times_the_difference():
    baseline, efforts = trimmed([600.0] * 30), trimmed([100.0] * 20)

    assert time_saved(baseline, efforts) == Estimate(10_000, 10_000, 10_000)


def test_time_saved_against_an_assumed_baseline_has_the_interval_of_one_mean():
    efforts = [100.0, 130.0, 90.0, 80.0, 120.0]
    low, high = scipy.stats.ttest_1samp(efforts, 300).confidence_interval(0.95)

    found = time_saved(300, trimmed(efforts))

    assert (found.value, found.lower, found.upper) == pytest.approx((5 * 196, 5 * (300 - high), 5 * (300 - low)), rel=1e-9)


def test_time_can_be_lost():
    assert time_saved(10, trimmed([20.0, 20.0])).value == -20


@pytest.mark.filterwarnings("ignore:Precision loss")  # scipy's own, where one sample has no spread
@given(values, values)
@settings(max_examples=100)
def test_the_interval_is_yuens_as_scipy_has_it(first, second):
    found = difference(trimmed(first), trimmed(second))
    spread = trimmed(first).winsorised_variance + trimmed(second).winsorised_variance
    if spread == 0:
        assert (found.lower, found.upper) == (found.value, found.value)
        return

    oracle = scipy.stats.ttest_ind(first, second, equal_var=False, trim=0.1).confidence_interval(0.95)

    assert (found.lower, found.upper) == pytest.approx((oracle.low, oracle.high), rel=1e-9, abs=1e-9)


@given(values)
@settings(max_examples=100)
def test_the_mean_is_the_trimmed_mean_of_scipy(sample):
    assert trimmed(sample).mean == pytest.approx(scipy.stats.trim_mean(sample, 0.1), rel=1e-9)


@given(values, st.randoms())
@settings(max_examples=50)
def test_order_does_not_matter(sample, random):
    assert trimmed(random.sample(sample, len(sample))) == trimmed(sample)
