"""An interval for a rate that may be looked at after every decision, and the verdict it gives on a limit.

Robbins (1970), Annals of Mathematical Statistics 41, 1397-1409: the binomial likelihood mixed over a Beta(1/2, 1/2) prior, divided by the likelihood at the
true rate, is a martingale that starts at 1; by Ville's inequality it ever reaches 20 with chance at most 1/20. The rates at which it has not are the interval.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import exp, expm1, inf, lgamma, log, log1p, pi

from rollout_metrics.stats.beta import EPSILON, SERIES_FROM, deviance, remainder

CONFIDENCE = 20
"""One over the chance that the interval ever misses the true rate."""

FAR = 2**62
"""More decisions than anyone will count."""


class Side(StrEnum):
    """On which side of its limit a rate belongs; the limit itself is inside."""

    AT_MOST = "at_most"
    AT_LEAST = "at_least"


class Verdict(StrEnum):
    """What the evidence says of a rate and its limit."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with the interval it rests on.

    `more`: how many more decisions at the present rate would settle it; 0 where it is settled, None where they never would (no decision yet, or the rate is
    the limit itself).
    """

    verdict: Verdict
    lower: float
    upper: float
    more: int | None


def anytime(count: int, total: int) -> tuple[float, float]:
    """The lower and upper bound of all p with Beta(k + 1/2, n - k + 1/2) / Beta(1/2, 1/2) <= 20 p^k (1 - p)^(n - k), to 1e-12; (0, 1) of nothing.

    Over a whole life of looks the interval misses the true rate with chance at most 5 %.
    """
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is no share: a count lies between 0 and its total")
    allowed = _allowed(count, total)
    return _lower(count, total, allowed), 1.0 - _lower(total - count, total, allowed)


@lru_cache(maxsize=4096)
def verdict(count: int, total: int, limit: float, side: Side) -> Judgement:
    """`pass` if the whole anytime-valid interval is on the right `side` of `limit`, `fail` if none of it is, else `inconclusive`."""
    if not 0 <= limit <= 1:
        raise ValueError(f"{limit} is no limit of a rate: it lies between 0 and 1")
    lower, upper = anytime(count, total)
    below, above = Verdict.PASS, Verdict.FAIL
    if side == Side.AT_LEAST:
        below, above = above, below
    # the limit itself is inside, whichever side that is
    if upper <= limit if below == Verdict.PASS else upper < limit:
        return Judgement(below, lower, upper, 0)
    if lower >= limit if above == Verdict.PASS else lower > limit:
        return Judgement(above, lower, upper, 0)
    return Judgement(Verdict.INCONCLUSIVE, lower, upper, _more(count, total, limit))


def _allowed(count: float, total: float) -> float:
    """How far log likelihood may fall below its maximum: log 20 + log Beta(1/2, 1/2) - log Beta(k + 1/2, n - k + 1/2) + the maximum.

    The great terms k log k, (n - k) log (n - k) and n log n cancel by hand, so that ten million decisions cost no digits.
    """
    if total == 0:
        return log(CONFIDENCE)
    return log(CONFIDENCE) + 0.5 * log(pi * total / 2) + remainder(total) - _half(count) - _half(total - count)


def _half(k: float) -> float:
    """log Γ(k + 1/2) less k log k - k + log(2 π) / 2."""
    if k < SERIES_FROM:
        return lgamma(k + 0.5) - (k * log(k) - k if k else 0.0) - log(2 * pi) / 2
    s = k * k
    return -(1 / 24 - (7 / 2880 - (31 / 40320 - (127 / 215040 - 511 / 608256 / s) / s) / s) / s) / k


def _lower(count: int, total: int, allowed: float) -> float:
    """The least p whose log likelihood is at most `allowed` below the maximum: Newton's method on log p.

    The fall is convex in log p, and the start lies on its far side, so every step approaches the bound from below and none passes it.
    """
    if count == 0:
        return 0.0
    if count == total:
        return exp(-allowed / total)
    share = count / total
    place = log(share) - 1 - allowed / count
    for _ in range(200):
        p = exp(place)
        excess = _fall(count, total, p) - allowed
        step = excess / (count - (total - count) * p / -expm1(place))
        if step <= 4 * EPSILON:
            break
        place = min(place + step, log(share))
    return exp(place)


def _fall(count: float, total: float, p: float) -> float:
    """How far log likelihood at p is below its maximum: k log(k / np) + (n - k) log((n - k) / (n - np)), without cancellation."""
    expected, rest = total * p, total * (1 - p)
    if count == 0:
        return -total * log1p(-p) if p < 1 else inf
    if count == total:
        return -total * log(p) if p > 0 else inf
    return deviance(count, expected) + deviance(total - count, rest) if 0 < p < 1 else inf


def _more(count: int, total: int, limit: float) -> int | None:
    """The least number of decisions after which, the rate unchanged, `limit` lies outside the interval.

    The fall grows with n, what is allowed with log n: the difference is convex, so once the limit is outside it stays there.
    """
    if not total or count == limit * total:
        return None
    share = count / total

    def outside(more: int) -> bool:
        n = total + more
        return _fall(share * n, n, limit) > _allowed(share * n, n)

    reach = 1
    while not outside(reach):
        reach *= 2
        if reach > FAR:
            return None
    inside = reach // 2
    while reach - inside > 1:
        middle = (inside + reach) // 2
        inside, reach = (inside, middle) if outside(middle) else (middle, reach)
    return reach
