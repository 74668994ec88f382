"""The regularised incomplete beta function, accurate for small and for very large parameters alike, and Student's t by it."""

from functools import lru_cache
from math import exp, inf, lgamma, log, pi, sqrt
from statistics import NormalDist

EPSILON = 2.0**-53
TINY = 1e-300
SERIES_FROM = 15.0
NORMAL_FROM = 1e5
"""Degrees of freedom from which the expansion around the normal is exact to double precision."""


def incomplete_beta(x: float, y: float, a: float, b: float) -> float:
    """I_x(a, b): the chance that a Beta(a, b) variable is at most `x`, for x in [0, 1] and a, b > 0. Relative error under 1e-9 for a, b up to ten million.

    y = 1 - x is given on its own, since the caller may know the small one of them better.
    """
    if x == 0 or y == 0:
        return float(y == 0)
    front = a * b / (a + b) * _binomial(a, b, x, y)
    if x <= (a + 1) / (a + b + 2):
        return front * _fraction(x, y, a, b) / a
    return 1 - front * _fraction(y, x, b, a) / b


def _fraction(x: float, y: float, a: float, b: float) -> float:
    """The continued fraction of I_x(a, b) a B(a, b) / (x^a y^b): DLMF 8.17.22 by Lentz's method (Press et al., Numerical Recipes, 5.2 and 6.4)."""
    c, d = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, 1_000_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _off_zero(1 + term * d)
            c = _off_zero(1 + term / c)
            result *= c * d
        if abs(c * d - 1) <= 2 * EPSILON:
            return result
    raise ArithmeticError(f"the incomplete beta function did not converge at x={x}, a={a}, b={b}")


def _off_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY


def _binomial(a: float, b: float, x: float, y: float) -> float:
    """Γ(a + b + 1) / (Γ(a + 1) Γ(b + 1)) x^a y^b without cancellation.

    Loader (2000), Fast and Accurate Computation of Binomial Probabilities: deviances and Stirling's remainders in place of differences of great logarithms.
    """
    n = a + b
    exponent = remainder(n) - remainder(a) - remainder(b) - deviance(a, n * x) - deviance(b, n * y)
    return exp(exponent) * sqrt(n / (2 * pi * a * b))


def remainder(n: float) -> float:
    """log Γ(n + 1) less Stirling's n log n - n + log(2 π n) / 2."""
    if n <= SERIES_FROM:
        return lgamma(n + 1) - (n + 0.5) * log(n) + n - log(2 * pi) / 2
    s = n * n
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - (1 / 1188 - 691 / 360360 / s) / s) / s) / s) / s) / n


def deviance(x: float, mean: float) -> float:
    """x log(x / mean) + mean - x, by a series where the two are close."""
    difference = x - mean
    if abs(difference) >= 0.1 * (x + mean):
        return x * log(x / mean) - difference
    v = difference / (x + mean)
    total, term, square, j = difference * v, 2 * x * v, v * v, 1
    while True:
        term *= square
        j += 2
        following = total + term / j
        if following == total:
            return total
        total = following


@lru_cache(maxsize=4096)
def t_quantile(probability: float, degrees: float) -> float:
    """The t with P(T <= t) = `probability` for Student's T with `degrees` of freedom, whole or not. Relative error under 1e-11.

    Newton's method on log t inside a bracket, from the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5); P by the incomplete beta function (26.7.1).
    """
    if not (0 < probability < 1 and degrees > 0):
        raise ValueError(f"Student's t needs a probability in (0, 1) and degrees > 0, not {probability} and {degrees}")
    if probability == 0.5:
        return 0.0
    if probability < 0.5:
        return -_t_above(probability, degrees)
    return _t_above(1 - probability, degrees)


def _t_above(tail: float, degrees: float) -> float:
    """The positive t that is exceeded with chance `tail`."""
    expanded = _expansion(tail, degrees)
    if degrees >= NORMAL_FROM:
        return expanded
    t, low, high = expanded if degrees > 2 else 1.0, 0.0, inf
    for _ in range(200):
        excess, slope = _excess(t, tail, degrees)
        low, high = (t, high) if excess > 0 else (low, t)
        step = max(min(excess / (slope * t), 3.0), -3.0) if slope > 0 else 3.0
        following = t * exp(step)
        if abs(following - t) <= 4 * EPSILON * t:
            return following
        t = following if low < following < high else (2 * t if high == inf else (low + high) / 2)
    return t


def _excess(t: float, tail: float, degrees: float) -> tuple[float, float]:
    """P(T > t) - tail, from whichever side of the distribution is small, and the density at t."""
    square = t * t
    x, y = degrees / (degrees + square), square / (degrees + square)
    density = degrees * 0.5 / (degrees + 1) * _binomial(degrees / 2, 0.5, x, y) / t if t else 0.0
    if tail < 0.25:
        return incomplete_beta(x, y, degrees / 2, 0.5) / 2 - tail, density
    return (0.5 - tail) - incomplete_beta(y, x, 0.5, degrees / 2) / 2, density


def _expansion(tail: float, degrees: float) -> float:
    z = -NormalDist().inv_cdf(tail)
    square = z * z
    first = (square + 1) * z / 4
    second = ((5 * square + 16) * square + 3) * z / 96
    third = (((3 * square + 19) * square + 17) * square - 15) * z / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3
