"""How long things take when some are not over yet: the Kaplan-Meier estimate with log-log Greenwood bounds.

Kaplan and Meier (1958), JASA 53, 457-481; Greenwood (1926); bounds on the log(-log S) scale after Kalbfleisch and Prentice (2002), section 1.4;
bounds of a quantile after Brookmeyer and Crowley (1982), Biometrics 38, 29-41.
"""

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rollout_metrics.stats.quantiles import exact_share
from rollout_metrics.stats.wilson import Z

Bounds = tuple[float | None, float | None]
"""Lower and upper; None where there is none."""

NEAR = 1e-9
"""Relative distance from a share within which rounding could mislead, so that whole numbers decide."""


@dataclass(frozen=True, slots=True, eq=False)
class Survival:
    """The estimated survival function: `survival[i]` is S(t) for `times[i] <= t < times[i + 1]`, 1 before the first.

    `times`: the distinct durations at which something ended, ascending, in the unit given. `at_risk`, `ended`: cases whose duration is at least
    the time, and those of them that ended at it. `lower`, `upper`: 95 % bounds of S, NaN where S is 0 or 1. `cases`: number of all cases, censored ones too.
    """

    cases: int
    times: NDArray[Any]
    at_risk: NDArray[np.int64]
    ended: NDArray[np.int64]
    survival: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    def at(self, time: float) -> float:
        """S(time): the share that lasts longer than `time`."""
        place = bisect_right(self.times, time)
        return float(self.survival[place - 1]) if place else 1.0

    def bounds_at(self, time: float) -> Bounds:
        """The 95 % bounds of S(time); none where S is 0 or 1."""
        place = bisect_right(self.times, time) - 1
        if place < 0 or not 0 < self.survival[place] < 1:
            return None, None
        return float(self.lower[place]), float(self.upper[place])

    def quantile(self, share: float | Fraction = 0.5) -> float | None:
        """The least t with S(t) <= 1 - `share` (0.5: the median), None where S stays above. Exact: no rounding decides a tie."""
        exact = 1 - exact_share(share)
        near = float(exact)
        for place in range(int(np.searchsorted(-self.survival, -near * (1 + NEAR))), len(self.times)):
            if self.survival[place] < near * (1 - NEAR) or self._at_most(exact, place):
                return self.times[place].item()  # type: ignore[no-any-return]
        return None

    def quantile_bounds(self, share: float | Fraction = 0.5) -> Bounds:
        """The least t whose lower bound of S, and the least whose upper bound, is at most 1 - `share`; None where there is no such t."""
        near = float(1 - exact_share(share))
        return self._first(self.lower <= near), self._first(self.upper <= near)

    def _first(self, holds: NDArray[np.bool_]) -> float | None:
        place = int(holds.argmax()) if holds.size else 0
        return self.times[place].item() if holds.size and holds[place] else None

    def _at_most(self, share: Fraction, place: int) -> bool:
        """Whether S is at most `share` at a place, in whole numbers; what stands above and below the line alike is cancelled first."""
        below = self.at_risk[: place + 1]
        above = below - self.ended[: place + 1]
        left, right = np.setdiff1d(above, below, assume_unique=True).tolist(), np.setdiff1d(below, above, assume_unique=True).tolist()
        holds: bool = prod(left) * share.denominator <= prod(right) * share.numerator
        return holds


def kaplan_meier(durations: ArrayLike, ended: ArrayLike, z: float = Z) -> Survival:
    """Estimate survival from `durations` and, for each, whether it `ended` then (False: censored, it lasted at least that long).

    What is censored at the instant at which others end counts as at risk then. A single pass of numpy over the sorted durations.
    """
    lasted = np.asarray(durations)
    over = np.asarray(ended, dtype=bool)
    if lasted.shape != over.shape or lasted.ndim != 1:
        raise ValueError(f"{lasted.shape} durations and {over.shape} flags: give one flag for each duration")
    times, counts = np.unique(lasted[over], return_counts=True)
    at_risk = lasted.size - np.searchsorted(np.sort(lasted), times, side="left")
    return tabulated(lasted.size, times, at_risk, counts, z)


def tabulated(cases: int, times: NDArray[Any], at_risk: NDArray[np.int64], ended: NDArray[np.int64], z: float = Z) -> Survival:
    """The same estimate from its life table: ascending `times`, how many were at risk at each, and how many of them ended.

    Neighbouring times may stand together under the last of them where nothing is censored between: the estimate at that time is the same.
    """
    survival: NDArray[np.float64] = np.cumprod(1 - ended / at_risk, dtype=np.float64)
    lower, upper = _bounds(survival, at_risk, ended, z)
    return Survival(cases, times, at_risk, ended, survival, lower, upper)


def _bounds(survival: NDArray[np.float64], at_risk: NDArray[np.int64], ended: NDArray[np.int64], z: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """S ** exp(± z sqrt(V) / log S), V = Σ d / (n (n - d)) the sum of Greenwood's formula; NaN where S is 0 (only at the last place: S is never 1 there)."""
    lower, upper = np.full(survival.shape, np.nan), np.full(survival.shape, np.nan)
    inner = slice(0, int(np.count_nonzero(at_risk > ended)))
    risk, lost, logs = at_risk[inner].astype(float), ended[inner].astype(float), np.log(survival[inner])
    reach = z * np.sqrt(np.cumsum(lost / (risk * (risk - lost)))) / -logs
    # log S is negative: the greater power of S is the lower bound; a power too great to hold is a bound of 0
    with np.errstate(over="ignore"):
        lower[inner] = np.exp(logs * np.exp(reach))
        upper[inner] = np.exp(logs * np.exp(-reach))
    return lower, upper
