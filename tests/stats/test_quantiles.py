import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.stats.quantiles import exact_share, quantile


def test_the_median_of_an_odd_number_is_the_middle_one():
    assert quantile([9, 1, 5]) == 5


def test_the_median_of_an_even_number_is_the_lower_middle_one():
    assert quantile([4, 1, 3, 2]) == 2


def test_nine_tenths_of_ten_values_is_the_ninth():
    assert quantile(range(1, 11), 0.9) == 9


def test_no_values_have_no_quantile():
    assert quantile([]) is None


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_outside_zero_and_one_is_refused(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        exact_share(share)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9, 0.95]))
@settings(max_examples=100)
def test_the_quantile_is_that_of_numpys_inverted_distribution(values, share):
    assert quantile(values, share) == np.quantile(values, share, method="inverted_cdf")
