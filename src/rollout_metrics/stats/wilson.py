"""How far a ratio may be from the truth: Wilson's score interval."""

from math import sqrt

Z = 1.959964
"""The two-sided 95 % point of the normal distribution, as the definitions write it."""


def wilson(count: int, total: int, z: float = Z) -> tuple[float, float] | None:
    """The lower and upper bound of `count / total`; None where `total` is 0: no data is no interval.

    Wilson (1927), JASA 22, 209-212: (k + z²/2 ± z sqrt(k (n - k) / n + z²/4)) / (n + z²).
    """
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is no share: a count lies between 0 and its total")
    if total == 0:
        return None
    square = z * z
    middle = count + square / 2
    reach = z * sqrt(count * (total - count) / total + square / 4)
    lower = (middle - reach) / (total + square) if count else 0.0
    upper = (middle + reach) / (total + square) if count < total else 1.0
    return lower, upper
