"""Whether a rate has just risen against the workflow's own last weeks: moving windows, each scored against the 28 days before it.

A window-limited sequential test (Lai 1995, JRSS B 57, 613-658) over a few window lengths. A window's count is compared with the distribution it would have if
the rate were that of the baseline: mean and variance from like weekdays, from days that vary more than chance allows, and from the baseline's own uncertainty;
the tail by Lugannani and Rice (1980), Advances in Applied Probability 12, 475-490. `docs/spikes.md` has the formulae and the study that chose the constants.

`estimate`, `Estimate.expected` and `score` work on numpy arrays with any leading axes, so that the study runs the very code that ships.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAY_HOURS = 24
WEEK = 7
BASELINE_DAYS = 28
LEAST_DAYS = 14
"""Fewer days with decisions than this are no baseline."""
LEAST_TOTAL = 20
"""Fewer decisions a day than this, and the window widens; fewer in the widest, and there is no statistic."""

LEAST_EXPECTED = 1.0
"""Every window is taken to expect this many at least: single rare events are no spike."""

WINDOWS = {24: 3.82, 72: 3.78, 168: 3.75, 672: 3.55}
"""The normal score from which a window alarms, by its length in hours."""
SMALL = (168, 672)
"""The windows of small volumes."""

PASSED_OVER = 0.3
"""Standard errors of the dispersion within which days count as independent."""
SUSPECTED = 2.5
"""Standard errors by which a dispersion beyond that is taken to be greater than it looks."""
ASSUMED_CORRELATION = 0.01
"""Between decisions of one day, where there is no baseline to estimate it from."""


@dataclass(frozen=True, slots=True)
class DayCount:
    """`count` of `total` in one day, numbered from any Thursday 1 January 1970; cohorts of equal age, by the day they were opened."""

    day: int
    count: int
    total: int


@dataclass(frozen=True, slots=True)
class HourCount:
    """The same in one hour; hour h belongs to day h // 24."""

    hour: int
    count: int
    total: int


class Basis(StrEnum):
    """What a statistic compares with."""

    BASELINE = "baseline"
    LIMIT = "limit"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Spike:
    """What one look says.

    `statistic`: the greatest score of a window in units of its threshold, so that 1 is the alarm; None where too little is known.
    The rest describes that window: it holds the hours from `since` to the hour before `until`, with `count` of `total` where `expected` (at least
    one) were;
    `rate`: of the baseline (or the limit) for the days of the window; `days`, `total_before`: its days with decisions and their number; `correlation`: between
    decisions of one day.
    """

    basis: Basis
    statistic: float | None = None
    since: int | None = None
    until: int | None = None
    count: int = 0
    total: int = 0
    expected: float = 0.0
    rate: float | None = None
    days: int = 0
    total_before: int = 0
    correlation: float = 0.0

    @property
    def alarm(self) -> bool:
        """Whether the rate has risen."""
        return self.statistic is not None and self.statistic >= 1


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What a baseline says of the days after it: `rates` by weekday, and how sure that is.

    `common`: relative variance of the level of all days; `own`: of each weekday's deviation from it; `correlation`: between decisions of one day.
    """

    rates: Floats
    common: Floats
    own: Floats
    correlation: Floats

    def expected(self, totals: Floats, squares: Floats) -> tuple[Floats, Floats]:
        """Mean and variance of a window's count, from its decisions by weekday (last axis: 7) and the sum of the squares of its days' decisions.

        A mean under `LEAST_EXPECTED` is raised to it, and the variance with it: what happens once in months is no rate yet.
        """
        each = totals * self.rates
        mean, total = np.maximum(each.sum(-1), 1e-9), np.maximum(totals.sum(-1), 1)
        lift = np.maximum(LEAST_EXPECTED / mean, 1)
        crowded = 1 + np.maximum(squares / total - 1, 0) * self.correlation
        variance = mean * (1 - mean / total) * crowded + mean**2 * self.common + (each**2 * self.own).sum(-1)
        return mean * lift, variance * lift


def spike(baseline: Sequence[DayCount], stream: Sequence[HourCount], *, until: int, limit: float | None = None) -> Spike:
    """Look once, at the beginning of hour `until`, at the hours before it.

    `baseline`: days before that of the stream's first hour; `stream`: hours since; both in any order, empty ones may be left out, later ones are not looked at.
    All of one level, version, definition and configuration: the caller cuts there. No window reaches back before the stream's first hour, so let that lie
    28 days back, or at the cut. A window's baseline is the last 28 days that end before it begins, of `baseline` and `stream` together; with the 28 before
    those, which tell how much days vary, 85 days are all that is ever used. Where no window has a baseline of 14 days with decisions, the rate is held
    against `limit`. Raises `ValueError` for counts beyond their totals and for baseline days that are not before the stream.
    """
    first = min([row.hour for row in stream], default=until)
    if any(row.day >= first // DAY_HOURS for row in baseline):
        raise ValueError(f"a baseline ends before the day of its stream's first hour, {first}")
    if any(not 0 <= row.count <= row.total for rows in (baseline, stream) for row in rows):
        raise ValueError("a count lies between 0 and its total")
    past = _past(baseline, stream, until)
    windows = _windows(past, first, until)
    looks = [_look(Basis.BASELINE, past, window, estimate(*past.before(window))) for window in windows if past.days_before(window) >= LEAST_DAYS]
    if not looks and limit is not None and 0 < limit < 1:
        looks = [_look(Basis.LIMIT, past, window, _certain(limit)) for window in windows]
    return max(looks, key=lambda look: look.statistic or 0.0, default=Spike(Basis.NONE))


def estimate(counts: Floats, totals: Floats, weekdays: NDArray[np.int64]) -> Estimate:
    """What days (last axis) with `counts` of `totals` say of days to come; `weekdays`: 0 to 6 for each.

    The rates are those of the last 28; how much days vary around their rates is judged by all of them, in blocks of 28.
    """
    last = _fit(counts[..., -BASELINE_DAYS:], totals[..., -BASELINE_DAYS:], weekdays[..., -BASELINE_DAYS:])
    fits = [last]
    if counts.shape[-1] > BASELINE_DAYS:
        earlier = slice(-2 * BASELINE_DAYS, -BASELINE_DAYS)
        fits.append(_fit(counts[..., earlier], totals[..., earlier], weekdays[..., earlier]))
    # least squares for one correlation: blocks with more decisions a day tell more of it
    known = sum((fit.degrees * fit.crowd**2 for fit in fits), np.zeros(()))
    found = sum((fit.degrees * fit.crowd * (fit.spread - 1) for fit in fits), np.zeros(())) / np.maximum(known, 1e-9)
    spread, degrees = 1 + found * last.crowd, known / np.maximum(last.crowd**2, 1e-9)
    error = np.sqrt(2 / np.maximum(degrees, 1))
    spread = np.where(spread - 1 > PASSED_OVER * error, 1 + (spread - 1) * (1 + SUSPECTED * error), 1.0)
    correlation = np.minimum((spread - 1) / np.maximum(last.crowd, 1e-9), 1)
    return Estimate(last.rates, spread * last.common, last.own, correlation)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """28 days by themselves. `spread`: how many times more than chance they vary; `crowd`: by how much one unit of correlation would raise that."""

    rates: Floats
    common: Floats
    own: Floats
    spread: Floats
    crowd: Floats
    degrees: Floats


def _fit(counts: Floats, totals: Floats, weekdays: NDArray[np.int64]) -> _Fit:
    """Weekdays are drawn towards the common rate by as much as their differences can be chance."""
    on = (weekdays[..., None] == np.arange(WEEK)).astype(float)

    def of_day(by_weekday: Floats) -> Floats:
        each: Floats = (on * by_weekday[..., None, :]).sum(-1)
        return each

    count, total = counts.sum(-1), totals.sum(-1)
    by_count, by_total = (counts[..., None] * on).sum(-2), (totals[..., None] * on).sum(-2)
    rate = (count + 0.5) / (total + 1)
    alone = np.where(by_total > 0, by_count / np.maximum(by_total, 1), rate[..., None])
    busy = (totals > 0).sum(-1)
    spread, _ = _dispersion(counts, totals, of_day(alone), of_day(by_total), busy - (by_total > 0).sum(-1))
    by_mean = by_total * rate[..., None]
    chance = np.maximum(spread, 1)[..., None] * by_mean * (1 - rate[..., None])
    share = by_total / np.maximum(total, 1)[..., None]
    surplus = ((by_count - by_mean) ** 2 / np.maximum(chance, 1e-9) - (by_total > 0) * (1 - share)).sum(-1)
    weight = by_mean**2 / np.maximum(chance, 1e-9)
    between = np.maximum(surplus / np.maximum((weight * (1 - share)).sum(-1), 1e-9), 0)[..., None]
    kept = between * by_mean**2 / np.maximum(between * by_mean**2 + chance, 1e-9)
    rates = np.clip(rate[..., None] * (1 + kept * (by_count / np.maximum(by_mean, 1e-9) - 1)), 1e-9, 1 - 1e-9)
    degrees = np.maximum(busy - 1 - (kept * (by_total > 0) * (1 - share)).sum(-1), 0)
    fitted_by = 1 / (kept / np.maximum(by_total, 1) + (1 - kept) / np.maximum(total, 1)[..., None])
    spread, crowd = _dispersion(counts, totals, of_day(rates), of_day(fitted_by), degrees)
    return _Fit(rates, (1 - rate) / np.maximum(total * rate, 0.5), between * (1 - kept), spread, crowd, degrees)


def _dispersion(counts: Floats, totals: Floats, rates: Floats, fitted_by: Floats, degrees: Floats) -> tuple[Floats, Floats]:
    """How many times more than chance days vary around their rates, and by how much one unit of correlation would raise that.

    `fitted_by`: how many decisions each day's rate was fitted to; its own share of them is variance that the fit took away.
    """
    left = 1 - np.minimum(totals / np.maximum(fitted_by, 1), 1)
    chance = rates * (1 - rates) * totals * left
    total = np.maximum(chance.sum(-1), 1e-9)
    spread = ((counts - totals * rates) ** 2).sum(-1) / total
    return np.where(degrees > 0, spread, 1.0), (chance * np.maximum(totals - 1, 0)).sum(-1) / total


def score(count: Floats, mean: Floats, variance: Floats) -> Floats:
    """The normal score of a count: as unlikely, at least so great a count by chance, as at least so great a standard normal variable.

    Of the distribution with variance m + c m² (binomial for c < 0, Poisson 0, negative binomial > 0: Morris 1982, Annals of Statistics 10,
    65-80) of this mean and variance; of counts below their mean only that they are.
    """
    c = (variance - mean) / mean**2
    c = np.where(np.abs(c) < 1e-7, 1e-7, c)
    k = np.maximum(count, 0.25)
    ratio = np.maximum((1 + c * k) / (1 + c * mean), 1e-12)
    tilt = np.log(k / mean) - np.log(ratio)
    root = np.sign(k - mean) * np.sqrt(2 * np.maximum(k * np.log(k / mean) - (k + 1 / c) * np.log(ratio), 0))
    far = root > 0.05
    safe = np.where(far, root, 1.0)
    wide = np.where(far, tilt * np.sqrt(np.maximum(k * (1 + c * k), 1e-12)), 1.0)
    found: Floats = np.where(far, root + np.log(np.maximum(wide, 1e-12) / safe) / safe, root)
    return found


@dataclass(frozen=True, slots=True)
class _Window:
    since: int
    until: int
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class _Past:
    """Dense days and hours, the last of them the one before `until`."""

    days: NDArray[np.int64]
    counts: Floats
    totals: Floats
    hours: NDArray[np.int64]
    hour_counts: Floats
    hour_totals: Floats

    def before(self, window: _Window) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """The 56 whole days before a window: counts, totals, weekdays."""
        end = window.since // DAY_HOURS - int(self.days[0])
        chosen = slice(end - 2 * BASELINE_DAYS, end)
        return self.counts[chosen], self.totals[chosen], self.days[chosen] % WEEK

    def days_before(self, window: _Window) -> int:
        """How many of the last 28 have decisions."""
        return int((self.before(window)[1][-BASELINE_DAYS:] > 0).sum())


def _past(baseline: Sequence[DayCount], stream: Sequence[HourCount], until: int) -> _Past:
    last = (until - 1) // DAY_HOURS
    days = np.arange(last - 3 * BASELINE_DAYS, last + 1)
    hours = np.arange(days[0] * DAY_HOURS, until)
    before = np.array([(row.day, row.count, row.total) for row in baseline if days[0] <= row.day <= last], dtype=np.int64).reshape(-1, 3).T
    since = np.array([(row.hour, row.count, row.total) for row in stream if row.hour < until], dtype=np.int64).reshape(-1, 3).T
    since = since[:, since[0] >= hours[0]]
    on_hours, on_days = since[0] - hours[0], np.concatenate([since[0] // DAY_HOURS, before[0]]) - days[0]
    by_hour = [np.bincount(on_hours, since[amount], hours.size).astype(float) for amount in (1, 2)]
    by_day = [np.bincount(on_days, np.concatenate([since[amount], before[amount]]), days.size).astype(float) for amount in (1, 2)]
    return _Past(days, by_day[0], by_day[1], hours, by_hour[0], by_hour[1])


def _windows(past: _Past, first: int, until: int) -> list[_Window]:
    """Those with enough in them; one that the stream's beginning cuts short counts if it is still longer than the one before."""
    windows, before, crowded = [], 0, False
    for length, threshold in WINDOWS.items():
        reach = min(length, until - first)
        total = past.hour_totals[past.hours >= until - reach].sum()
        a_day = LEAST_TOTAL * reach / DAY_HOURS
        if reach > before and total >= (LEAST_TOTAL if length in SMALL else max(a_day, LEAST_TOTAL)) and not (crowded and length == max(SMALL)):
            windows.append(_Window(until - reach, until, threshold))
        before, crowded = reach, total >= a_day
    return windows


def _certain(limit: float) -> Estimate:
    """A limit in place of a baseline: the same on all days, and known."""
    return Estimate(np.full(WEEK, limit), np.zeros(()), np.zeros(WEEK), np.asarray(ASSUMED_CORRELATION))


def _look(basis: Basis, past: _Past, window: _Window, before: Estimate) -> Spike:
    inside = past.hours >= window.since
    totals = np.bincount(past.hours[inside] // DAY_HOURS - past.days[0], weights=past.hour_totals[inside], minlength=past.days.size)
    by_weekday = np.bincount(past.days % WEEK, weights=totals, minlength=WEEK).astype(float)
    mean, variance = before.expected(by_weekday, np.asarray((totals**2).sum()))
    count, total = past.hour_counts[inside].sum(), totals.sum()
    compared = past.before(window)[1][-BASELINE_DAYS:] if basis == Basis.BASELINE else totals[:0]
    return Spike(
        basis,
        statistic=float(score(count, mean, variance)) / window.threshold,
        since=window.since,
        until=window.until,
        count=int(count),
        total=int(total),
        expected=float(mean),
        rate=float(by_weekday @ before.rates / total),
        days=int((compared > 0).sum()),
        total_before=int(compared.sum()),
        correlation=float(before.correlation),
    )
