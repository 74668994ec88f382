import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint

from rollout_metrics.stats.wilson import Z, wilson

pairs = st.integers(1, 10**7).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


def test_nothing_of_nothing_has_no_interval():
    assert wilson(0, 0) is None


def test_none_of_ten_starts_at_exactly_zero():
    lower, upper = wilson(0, 10)

    assert lower == 0.0
    assert upper == pytest.approx(0.2775327998)


def test_all_of_ten_ends_at_exactly_one():
    lower, upper = wilson(10, 10)

    assert lower == pytest.approx(0.7224672002)
    assert upper == 1.0


def test_four_of_ten_is_the_textbook_interval():
    assert wilson(4, 10) == pytest.approx((0.1681803, 0.6873262), abs=1e-7)


@pytest.mark.parametrize(("count", "total"), [(-1, 5), (6, 5), (1, 0)])
def test_a_count_beyond_its_total_is_refused(count, total):
    with pytest.raises(ValueError, match="is no share"):
        wilson(count, total)


@given(pairs)
@settings(max_examples=100)
def test_the_interval_is_that_of_statsmodels(pair):
    count, total = pair

    expected = proportion_confint(count, total, alpha=2 * norm.sf(Z), method="wilson")

    assert wilson(count, total) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(pairs)
@settings(max_examples=100)
def test_the_interval_holds_the_share_and_mirrors_the_complement(pair):
    count, total = pair

    lower, upper = wilson(count, total)

    assert 0 <= lower <= count / total <= upper <= 1
    assert wilson(total - count, total) == pytest.approx((1 - upper, 1 - lower), abs=1e-9)
