"""What a typical case takes when a few take forever: trimmed means, and how far the difference of two may be from the truth.

Yuen (1974), Biometrika 61, 165-170; one sample: Tukey and McLaughlin (1963), Sankhya A 25, 331-352.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from rollout_metrics.stats.beta import t_quantile

PERCENT_OFF_EACH_END = 10


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A sample's trimmed mean: `cases` in all, `kept` after trimming; `winsorised_variance` is None for fewer than two cases."""

    cases: int
    kept: int
    mean: float
    winsorised_variance: float | None

    @property
    def squared_error(self) -> float | None:
        """Yuen's squared standard error of the mean, (n - 1) s²w / (h (h - 1)); None where fewer than two are kept."""
        if self.winsorised_variance is None or self.kept < 2:
            return None
        return (self.cases - 1) * self.winsorised_variance / (self.kept * (self.kept - 1))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % bounds, None where the samples are too small for any."""

    value: float
    lower: float | None
    upper: float | None

    def times(self, factor: float) -> "Estimate":
        """The estimate of a sum over `factor` cases; `factor` is not negative."""
        return Estimate(self.value * factor, None if self.lower is None else self.lower * factor, None if self.upper is None else self.upper * factor)


def trimmed(values: ArrayLike, percent: int = PERCENT_OFF_EACH_END) -> Trimmed | None:
    """The mean without the `percent` least and greatest values (their number rounded down), in the unit given; None of no values."""
    array = np.sort(np.asarray(values, dtype=float))
    cases = array.size
    if not cases:
        return None
    off = cases * percent // 100
    kept = array[off : cases - off]
    if cases < 2:
        return Trimmed(cases, kept.size, float(kept.mean()), None)
    winsorised = np.clip(array, kept[0], kept[-1])
    return Trimmed(cases, kept.size, float(kept.mean()), float(winsorised.var(ddof=1)) if kept[0] < kept[-1] else 0.0)


def difference(first: Trimmed, second: Trimmed | float, confidence: float = 0.95) -> Estimate:
    """The first mean less the second with Yuen's interval; a plain number for the second mean is taken as known without error."""
    mean, sides = (second.mean, (first, second)) if isinstance(second, Trimmed) else (second, (first,))
    value = first.mean - mean
    errors = [(error, side.kept) for side in sides if (error := side.squared_error) is not None]
    if len(errors) < len(sides):
        return Estimate(value, None, None)
    together = sum(error for error, _ in errors)
    if together == 0:
        return Estimate(value, value, value)
    # the squares' own shares of their sum, so that very small or great variances neither vanish nor overflow
    degrees = 1 / sum((error / together) ** 2 / (kept - 1) for error, kept in errors if error)
    reach = t_quantile((1 + confidence) / 2, degrees) * sqrt(together)
    return Estimate(value, value - reach, value + reach)


def time_saved(baseline: Trimmed | float, efforts: Trimmed) -> Estimate:
    """Seconds saved over the assisted cases: their number times (baseline mean - mean effort per case). A number as `baseline`: assumed seconds per case."""
    less = difference(efforts, baseline)
    saved = Estimate(-less.value, None if less.upper is None else -less.upper, None if less.lower is None else -less.lower)
    return saved.times(efforts.cases)
