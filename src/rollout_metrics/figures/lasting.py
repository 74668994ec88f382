"""Kaplan-Meier on ordered durations at a cost that grows with what is unfinished, hardly with what is complete.

Between two censored durations the estimate at a time depends on the numbers at both ends only, so whole stretches of complete durations stand together in
the life table; only the stretch in which a line is crossed is looked at closely. That this finds the first crossing rests on the shape of S and its bounds
within a stretch that nothing is censored in: S and the lower bound only fall; the upper bound may rise at first and then only falls.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from rollout_metrics.figures.ordered import Numbers
from rollout_metrics.stats.kaplan_meier import NEAR, Survival, tabulated

_TOGETHER = 256
"""How many complete durations stand together at most, but for ties."""

HALF = 0.5


NOTHING_CENSORED: Numbers = np.empty(0, np.int64)
"""Of samples that are all complete."""


class Estimated(msgspec.Struct, frozen=True):
    """A figure with its bounds, None where there is none, and the number of cases behind it."""

    value: float | None
    lower: float | None
    upper: float | None
    cases: int


class Lasting(msgspec.Struct, frozen=True):
    """Durations in ascending order: those that are `complete` and those known only to have lasted so long."""

    complete: Numbers
    censored: Numbers

    @property
    def cases(self) -> int:
        """How many there are."""
        return len(self.complete) + len(self.censored)


def median(lasting: Lasting) -> Estimated:
    """The least duration with S <= 1/2, and where the bounds of S get there."""
    if not len(lasting.complete):
        return Estimated(None, None, None, lasting.cases)
    if len(lasting.complete) <= _TOGETHER:
        table = _table(lasting, _distinct(lasting.complete))
    else:
        starts = _starts(lasting)
        coarse = _table(lasting, starts)
        crossed = [_first(coarse.survival <= HALF * (1 + NEAR)), _first(coarse.lower <= HALF), _first(coarse.upper <= HALF)]
        # a tie with one half may be decided by the row after
        looked_at = {row for place in crossed if place is not None for row in (place, place + 1)}
        closely = [_within(lasting.complete, starts, row) for row in looked_at if row < len(starts)]
        table = _table(lasting, np.sort(np.concatenate((starts, *closely))))
    lower, upper = table.quantile_bounds()
    return Estimated(table.quantile(), lower, upper, lasting.cases)


def share_within(lasting: Lasting, limit: int) -> Estimated:
    """1 - S(limit) with its bounds; no value of no cases."""
    if not lasting.cases:
        return Estimated(None, None, None, 0)
    upto = int(np.searchsorted(lasting.complete, limit, "right"))
    starts = _starts(lasting)
    table = _table(lasting, _with(starts, upto) if upto < len(lasting.complete) else starts)
    lower, upper = table.bounds_at(limit)
    return Estimated(1 - table.at(limit), None if upper is None else 1 - upper, None if lower is None else 1 - lower, lasting.cases)


def _starts(lasting: Lasting) -> NDArray[np.int64]:
    """Where the rows of the life table begin: after each censored duration, at regular places between, and after the first duration of each such stretch."""
    complete, censored = lasting.complete, lasting.censored
    if not len(complete):
        return np.empty(0, np.int64)
    cuts = np.searchsorted(complete, censored[_distinct(censored)], "right")
    regular = np.searchsorted(complete, complete[_TOGETHER - 1 :: _TOGETHER], "right")
    # the last duration stands alone: S may be 0 there, where there are no bounds
    last = np.searchsorted(complete, complete[-1:], "left")
    begins = np.concatenate((np.zeros(1, np.int64), cuts, regular, last))
    begins = begins[begins < len(complete)]
    firsts = np.searchsorted(complete, complete[begins], "right")
    starts = np.sort(np.concatenate((begins, firsts[firsts < len(complete)])))
    return starts[_distinct(starts)]


def _distinct(ascending: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each distinct number begins."""
    if not len(ascending):
        return np.empty(0, np.int64)
    return np.concatenate((np.zeros(1, np.int64), 1 + np.flatnonzero(ascending[1:] != ascending[:-1])))


def _within(complete: Numbers, starts: NDArray[np.int64], row: int) -> NDArray[np.int64]:
    """Where each distinct duration of a row begins, the first left out."""
    begin = int(starts[row])
    end = int(starts[row + 1]) if row + 1 < len(starts) else len(complete)
    return begin + _distinct(complete[begin:end])[1:]


def _with(starts: NDArray[np.int64], place: int) -> NDArray[np.int64]:
    """The starts with one more."""
    within = int(np.searchsorted(starts, place))
    return starts if within < len(starts) and starts[within] == place else np.insert(starts, within, place)


def _table(lasting: Lasting, starts: NDArray[np.int64]) -> Survival:
    complete = lasting.complete
    ends = np.append(starts[1:], len(complete)) if len(starts) else starts
    gone = np.searchsorted(lasting.censored, complete[starts], "left")
    return tabulated(lasting.cases, complete[ends - 1], lasting.cases - starts - gone, ends - starts)


def _first(holds: NDArray[np.bool_]) -> int | None:
    place = int(holds.argmax()) if holds.size else 0
    return place if holds.size and holds[place] else None
