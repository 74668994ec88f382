from decimal import Decimal, localcontext
from math import comb, pi, tan

import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.stats.beta import incomplete_beta, t_quantile

exponents = st.floats(-1, 5)


def test_all_of_the_distribution_lies_between_zero_and_one():
    assert incomplete_beta(0, 1, 2, 3) == 0
    assert incomplete_beta(1, 0, 2, 3) == 1


@pytest.mark.parametrize(("x", "a", "b"), [(0.9999969825370069, 987891, 2), (0.9999721801295622, 694387, 16), (0.99998, 140000, 3), (0.3, 4, 9)])
def test_great_parameters_agree_with_the_binomial_sum_in_fifty_digits(x, a, b):
    with localcontext() as context:
        context.prec = 50
        n = a + b - 1
        exact = sum(Decimal(comb(n, n - j)) * Decimal(x) ** j * (1 - Decimal(x)) ** (n - j) for j in range(a, n + 1))

    assert incomplete_beta(x, 1 - x, a, b) == pytest.approx(float(exact), rel=1e-9)


@given(st.floats(0.001, 0.999), exponents, exponents)
@settings(max_examples=100)
def test_the_incomplete_beta_function_is_that_of_scipy(share, a, b):
    a, b = 10**a, 10**b
    x = scipy.stats.beta.ppf(share, a, b)

    assert incomplete_beta(x, 1 - x, a, b) == pytest.approx(scipy.special.betainc(a, b, x), rel=1e-9)


def test_the_middle_of_students_t_is_zero():
    assert t_quantile(0.5, 7) == 0


def test_one_degree_of_freedom_is_the_tangent():
    assert t_quantile(0.975, 1) == pytest.approx(tan(0.475 * pi), rel=1e-12)


def test_ten_degrees_of_freedom_are_the_table():
    assert t_quantile(0.975, 10) == pytest.approx(2.22813885199, rel=1e-11)


@pytest.mark.parametrize(("probability", "degrees"), [(0, 5), (1, 5), (0.5, 0), (0.9, -1)])
def test_what_is_no_t_distribution_is_refused(probability, degrees):
    with pytest.raises(ValueError, match="Student's t"):
        t_quantile(probability, degrees)


@given(st.floats(0.5001, 0.9999) | st.just(0.975), st.floats(-0.3, 8))
@settings(max_examples=100)
def test_students_quantile_is_that_of_scipy_and_odd(probability, exponent):
    degrees = 10**exponent
    found = t_quantile(probability, degrees)

    assert found == pytest.approx(scipy.stats.t.ppf(probability, degrees), rel=1e-9)
    assert t_quantile(1 - (1 - probability), degrees) == pytest.approx(-t_quantile(1 - probability, degrees), rel=1e-9)
