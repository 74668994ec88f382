"""The one quantile of complete samples; with censoring it is `kaplan_meier`'s, which agrees where nothing is censored."""

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike


def exact_share(share: float | Fraction) -> Fraction:
    """A share as people mean it: 0.9 is nine tenths, not the nearest binary fraction. Raises `ValueError` outside (0, 1)."""
    exact = Fraction(share).limit_denominator(1_000_000)
    if not 0 < exact < 1:
        raise ValueError(f"{share} is no share between 0 and 1")
    return exact


def quantile(values: ArrayLike, share: float | Fraction = 0.5) -> float | None:
    """The least value that at least `share` of the values do not exceed (nearest rank; inverse of the empirical distribution); None of none.

    Hyndman and Fan (1996), The American Statistician 50, 361-365, definition 1.
    """
    array = np.asarray(values)
    if not array.size:
        return None
    exact = exact_share(share)
    rank = -(-exact.numerator * array.size // exact.denominator)
    return np.partition(array, rank - 1)[rank - 1].item()  # type: ignore[no-any-return]
