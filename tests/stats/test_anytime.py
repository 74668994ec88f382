from decimal import Decimal, localcontext
from math import factorial, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import betaln, xlog1py, xlogy

from rollout_metrics.stats.anytime import Side, Verdict, anytime, verdict

pairs = st.integers(1, 10**5).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
limits = st.floats(0.001, 0.999)


def evidence(count, total, p):
    """log of the mixture's likelihood over that at p; beyond log 20 the rate p is excluded."""
    return betaln(count + 0.5, total - count + 0.5) - betaln(0.5, 0.5) - xlogy(count, p) - xlog1py(total - count, -p)


def test_nothing_of_nothing_excludes_nothing():
    assert anytime(0, 0) == (0, 1)


def test_none_of_ten_starts_at_exactly_zero_and_all_of_ten_ends_at_exactly_one():
    lower, upper = anytime(0, 10)

    assert lower == 0
    assert upper == pytest.approx(1 - (0.176197052001953125 / 20) ** 0.1, abs=1e-12)  # Beta(1/2, 10 1/2) / π = 46189 / 2^18
    assert anytime(10, 10) == (1 - upper, 1)


@pytest.mark.parametrize(("count", "total"), [(-1, 5), (6, 5), (1, 0)])
def test_a_count_beyond_its_total_is_refused(count, total):
    with pytest.raises(ValueError, match="is no share"):
        anytime(count, total)


@given(pairs)
@settings(max_examples=100, deadline=None)
def test_the_bounds_are_the_roots_that_scipy_finds(pair):
    count, total = pair
    share, line = count / total, log(20)

    lower, upper = anytime(count, total)

    if count:
        assert lower == pytest.approx(brentq(lambda p: evidence(count, total, p) - line, 1e-300, share * (1 - 1e-15), xtol=1e-14, rtol=1e-14), abs=1e-9)
    if count < total:
        assert upper == pytest.approx(brentq(lambda p: evidence(count, total, p) - line, max(share, 1e-300), 1 - 1e-16, xtol=1e-14, rtol=1e-14), abs=1e-9)


def log_factorial(n):
    """To forty digits and more: the logarithm itself while n is small, else Stirling's series."""
    if n < 3000:
        return Decimal(factorial(n)).ln()
    exact = Decimal(n)
    pi = Decimal("3.14159265358979323846264338327950288419716939937510582")
    series = sum(
        (Decimal(top) / (bottom * exact**power) for top, bottom, power in [(1, 12, 1), (-1, 360, 3), (1, 1260, 5), (-1, 1680, 7), (1, 1188, 9)]), Decimal(0)
    )
    return exact * exact.ln() - exact + (2 * pi * exact).ln() / 2 + series


def exact_excess(count, total, p):
    """As `evidence` less log 20, in fifty digits: Beta(k + 1/2, n - k + 1/2) / π = (2k)! (2n - 2k)! / (4^n k! (n - k)! n!)."""
    rest = total - count
    beta = log_factorial(2 * count) + log_factorial(2 * rest) - total * Decimal(4).ln() - log_factorial(count) - log_factorial(rest) - log_factorial(total)
    return beta - count * p.ln() - rest * (1 - p).ln() - Decimal(20).ln()


@pytest.mark.parametrize(
    ("count", "total"), [(k, 10**7) for k in (0, 1, 3, 250, 5_000_000, 9_999_999, 10_000_000)] + [(7, 30), (14, 30), (300, 4000), (16, 31)]
)
def test_the_bounds_are_those_of_fifty_digits_even_for_ten_million_decisions(count, total):
    with localcontext() as context:
        context.prec = 50
        lower, upper = (Decimal(bound) for bound in anytime(count, total))
        far = Decimal("1e-12")

        if count:
            assert exact_excess(count, total, max(lower - far, lower / 2)) > 0 > exact_excess(count, total, lower + far if count < total else (lower + 1) / 2)
        if count < total:
            assert exact_excess(count, total, upper - far if count else upper / 2) < 0 < exact_excess(count, total, min(upper + far, (upper + 1) / 2))


@given(pairs)
@settings(max_examples=100)
def test_the_interval_holds_the_share_and_mirrors_the_complement(pair):
    count, total = pair

    lower, upper = anytime(count, total)

    assert 0 <= lower <= count / total <= upper <= 1
    assert anytime(total - count, total) == pytest.approx((1 - upper, 1 - lower), abs=1e-12)


@given(pairs)
@settings(max_examples=100)
def test_one_more_event_moves_both_bounds_up_and_one_more_decision_without_moves_both_down(pair):
    count, total = pair
    lower, upper = anytime(count, total)

    with_one, without = anytime(count + 1, total + 1), anytime(count, total + 1)

    assert with_one[0] >= lower and with_one[1] >= upper - 1e-12
    assert without[0] <= lower + 1e-12 and without[1] <= upper


@given(pairs)
@settings(max_examples=100)
def test_ten_times_the_evidence_at_one_rate_nests_inside(pair):
    count, total = pair
    lower, upper = anytime(count, total)

    inner = anytime(10 * count, 10 * total)

    assert lower <= inner[0] and inner[1] <= upper


def chances_of_ever_leaving(p, horizon):
    """The exact chances that, looking after each of `horizon` decisions at rate p, the interval ever lies wholly below p, and wholly above it."""
    inside, lowest, greatest = np.array([1.0]), 0, 0  # chances of the counts lowest..greatest, never having left
    below = above = 0.0
    for total in range(1, horizon + 1):
        inside = np.append(inside * (1 - p), 0) + np.append(0, inside * p)
        greatest += 1
        while inside.size and anytime(lowest, total)[1] < p:
            below, inside, lowest = below + inside[0], inside[1:], lowest + 1
        while inside.size and anytime(greatest, total)[0] > p:
            above, inside, greatest = above + inside[-1], inside[:-1], greatest - 1
    return below, above


@pytest.mark.parametrize("p", [0.02, 0.05, 0.25, 0.5, 0.9])
def test_looking_after_every_decision_the_interval_misses_the_rate_in_at_most_five_percent_of_lives(p):
    below, above = chances_of_ever_leaving(p, 2000)

    assert below + above <= 0.05
    assert below <= 0.025  # an agent exactly at its limit passes so seldom, looked at on every pass


@pytest.mark.parametrize("side", Side)
def test_no_decision_is_no_verdict_and_nothing_says_how_many_it_takes(side):
    judged = verdict(0, 0, 0.1, side)

    assert (judged.verdict, judged.more) == (Verdict.INCONCLUSIVE, None)


def test_few_corrections_pass_and_many_fail():
    assert verdict(10, 1000, 0.05, Side.AT_MOST).verdict == Verdict.PASS
    assert verdict(100, 1000, 0.05, Side.AT_MOST).verdict == Verdict.FAIL
    assert verdict(950, 1000, 0.9, Side.AT_LEAST).verdict == Verdict.PASS
    assert verdict(800, 1000, 0.9, Side.AT_LEAST).verdict == Verdict.FAIL
    assert verdict(50, 1000, 0.06, Side.AT_MOST).verdict == Verdict.INCONCLUSIVE


def test_a_limit_that_nothing_can_pass_is_passed_from_the_first():
    assert verdict(0, 0, 1, Side.AT_MOST).verdict == Verdict.PASS
    assert verdict(0, 0, 0, Side.AT_LEAST).verdict == Verdict.PASS


def test_a_rate_at_its_limit_is_never_settled():
    assert verdict(5, 100, 0.05, Side.AT_MOST).more is None


def test_a_limit_outside_zero_to_one_is_refused():
    with pytest.raises(ValueError, match="is no limit"):
        verdict(1, 2, 5, Side.AT_MOST)


@given(pairs, limits)
@settings(max_examples=100)
def test_what_passes_at_most_fails_at_least(pair, limit):
    opposite = {Verdict.PASS: Verdict.FAIL, Verdict.FAIL: Verdict.PASS, Verdict.INCONCLUSIVE: Verdict.INCONCLUSIVE}

    assert verdict(*pair, limit, Side.AT_LEAST).verdict == opposite[verdict(*pair, limit, Side.AT_MOST).verdict]


@given(st.integers(0, 20), st.integers(2, 40), limits)
@settings(max_examples=100)
def test_that_many_more_at_the_present_rate_settle_it_and_far_fewer_do_not(count, total, limit):
    count = min(count, total)
    judged = verdict(count, total, limit, Side.AT_MOST)
    if judged.more and judged.more < 10**7:
        times, rest = divmod(total + judged.more, total)
        whole = times + bool(rest)

        assert verdict(count * whole, total * whole, limit, Side.AT_MOST).verdict != Verdict.INCONCLUSIVE
        if times - (not rest) >= 1:
            least = times - (not rest)
            assert verdict(count * least, total * least, limit, Side.AT_MOST).verdict == Verdict.INCONCLUSIVE
    else:
        assert (judged.verdict != Verdict.INCONCLUSIVE) == (judged.more == 0)
