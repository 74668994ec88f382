"""How many false alarms the spike test raises and how fast it finds a rise, beside simpler tests on the same simulated data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rollout_metrics.stats.spike import BASELINE_DAYS, LEAST_TOTAL, SMALL, WEEK, WINDOWS, Estimate, Floats, estimate, score
from rollout_metrics.stats.wilson import Z

BEFORE = 85
"""Days until every window has its baseline."""
QUARTER = 91
AFTER = 21
"""Days after that in which a rise begins (the first seven) and is looked for."""
QUIET = 24
"""Alarms closer than this many hours are one."""
SIGNALS = 4
BUSY = np.array([1.2, 1.2, 1.2, 1.2, 1.2, 0.5, 0.5])
HARD = np.array([0.9, 0.9, 0.9, 0.9, 0.9, 1.75, 1.75])
"""The weekday pattern: how many decisions, and at what multiple of the rate."""
FIXED_LIMIT = 0.25
CUSUM_LIMIT = 8.0
NEVER = 10**6


@dataclass(frozen=True, slots=True)
class World:
    """What is simulated: decisions a day, their rate, how alike those of one day are, a weekday pattern or none."""

    volume: int
    rate: float
    correlation: float
    weekdays: bool = False

    def __str__(self) -> str:
        return f"{self.volume} | {self.rate:.0%} | {self.correlation:g}{' weekdays' if self.weekdays else ''}"


CLAIMS = (World(200, 0.05, 0), World(200, 0.05, 0.01))
"""Where all tests are compared; elsewhere the shipped one with what can be reached."""


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Counts and totals by run and hour, with what the tests need of them; hours are looked at from `first` on."""

    counts: Floats
    totals: Floats
    first: int

    @property
    def ends(self) -> NDArray[np.int64]:
        """The hours at whose beginning a test looks."""
        return np.arange(self.first, self.counts.shape[1] + 1)

    def daily(self) -> tuple[Floats, Floats]:
        """Counts and totals by day."""
        shape = (self.counts.shape[0], -1, 24)
        return self.counts.reshape(shape).sum(-1), self.totals.reshape(shape).sum(-1)


Test = Callable[[Data, World], Floats]
"""From data to a statistic by run and look; from 1 on it is an alarm."""


def run(work: Path, *, full: bool) -> None:
    """Print the tables."""
    draw = np.random.default_rng(20260301)
    runs = 300 if full else 60
    print("test | volume | rate | correlation | false alarms | x1.5 24 h, 72 h, 7 d | x2 18 h, 24 h, 66 h, 72 h, 7 d, median | x3 the same")
    for world in worlds(full=full):
        for line in measured(world, draw, runs, TESTS if world in CLAIMS else {"ours": ours, "truth known": truth_known}):
            print(line, flush=True)


def worlds(*, full: bool) -> Iterator[World]:
    """The rows; those of the claims first."""
    yield from CLAIMS
    if not full:
        return
    yield World(200, 0.05, 0, weekdays=True)
    yield World(200, 0.05, 0.01, weekdays=True)
    yield World(200, 0.05, 0.003)
    for volume in (10, 50, 200, 1000):
        for rate in (0.01, 0.05, 0.2):
            for correlation in (0, 0.01):
                if (volume, rate) != (200, 0.05):
                    yield World(volume, rate, correlation)


def measured(world: World, draw: np.random.Generator, runs: int, tests: dict[str, Test]) -> Iterator[str]:
    """One line for each test."""
    quiet = simulate(draw, world, runs, QUARTER)
    risen = {rise: simulate(draw, world, runs, AFTER, rise) for rise in (1.5, 2.0, 3.0)}
    for name, test in tests.items():
        statistic = test(quiet[0], world)
        line = f"{name} | {world} | {alarms(statistic) / runs * SIGNALS:.2f}"
        line_at = 1.0
        if name == "truth known":
            line_at = float(np.quantile(statistic.max(1), 1 - 0.5 / SIGNALS))
        for rise, (data, begins) in risen.items():
            late = delays(test(data, world) / line_at, data, begins)
            spans = (24, 72, 168) if rise == 1.5 else (18, 24, 66, 72, 168)
            line += " | " + " ".join(f"{(late <= span).mean():.3f}" for span in spans) + ("" if rise == 1.5 else f" {told(float(np.median(late)))}")
        yield line


def told(hours: float) -> str:
    """A median delay."""
    return f"{hours:.0f}h" if hours < NEVER / 2 else "-"


def simulate(draw: np.random.Generator, world: World, runs: int, days: int, rise: float = 1) -> tuple[Data, NDArray[np.int64]]:
    """Data of `days` after those of the baselines, and the hour in which each run's rate begins to be `rise` times as great."""
    total_days = BEFORE + days
    busy = np.resize(BUSY if world.weekdays else np.ones(WEEK), total_days)
    rate = world.rate * np.resize(HARD if world.weekdays else np.ones(WEEK), total_days)
    totals = draw.poisson(np.repeat(world.volume / 24 * busy, 24), (runs, total_days * 24))
    begins = BEFORE * 24 + draw.integers(0, WEEK * 24, runs)

    def of_days(rates: Floats) -> Floats:
        if not world.correlation:
            return np.repeat(np.broadcast_to(rates, (runs, total_days)), 24, axis=1)
        sharpness = 1 / world.correlation - 1
        return np.repeat(draw.beta(rates * sharpness, (1 - rates) * sharpness, (runs, total_days)), 24, axis=1)

    chances = of_days(rate)
    if rise != 1:
        chances = np.where(np.arange(total_days * 24) >= begins[:, None], of_days(np.minimum(rate * rise, 0.95)), chances)
    return Data(draw.binomial(totals, chances).astype(float), totals.astype(float), BEFORE * 24 + 1), begins


def alarms(statistic: Floats) -> int:
    """How many times an alarm begins after `QUIET` hours without one, over all runs."""
    on = statistic >= 1
    so_far = np.concatenate([np.zeros((on.shape[0], QUIET + 1), int), on.cumsum(1)], axis=1)
    return int((on & (so_far[:, QUIET:-1] == so_far[:, : -QUIET - 1])).sum())


def delays(statistic: Floats, data: Data, begins: NDArray[np.int64]) -> Floats:
    """Hours from the beginning of the rise to the first alarm after it."""
    found = (statistic >= 1) & (data.ends > begins[:, None])
    return np.where(found.any(1), data.ends[found.argmax(1)] - begins, NEVER)


def ours(data: Data, world: World) -> Floats:
    """The shipped test, every run and hour at once."""
    counts, totals = data.daily()
    weekdays = np.arange(counts.shape[1]) % WEEK
    before = estimates(counts, totals, weekdays)
    return scanned(data, lambda day: Estimate(*(each[:, day - 2 * BASELINE_DAYS] for each in (before.rates, before.common, before.own, before.correlation))))


def estimates(counts: Floats, totals: Floats, weekdays: NDArray[np.int64]) -> Estimate:
    """Of every stretch of twice 28 days, by its first day."""
    views = [sliding_window_view(each, 2 * BASELINE_DAYS, axis=-1) for each in (counts, totals, weekdays)]
    return estimate(views[0], views[1], np.broadcast_to(views[2], views[0].shape))


def truth_known(data: Data, world: World) -> Floats:
    """The same windows if rate and correlation were known instead of estimated: what no test can beat by much."""
    rates = world.rate * (HARD if world.weekdays else np.ones(WEEK))
    return scanned(data, lambda day: Estimate(rates, np.zeros(()), np.zeros(WEEK), np.asarray(world.correlation)))


def scanned(data: Data, before: Callable[[NDArray[np.int64]], Estimate]) -> Floats:
    """The greatest score in units of its threshold over all windows; `before` gives what is expected from windows that begin on given days."""
    greatest = np.full((data.counts.shape[0], data.ends.size), -np.inf)
    crowded = np.zeros(greatest.shape, bool)
    for length, threshold in WINDOWS.items():
        count, total, by_weekday, squares = windowed(data, length)
        mean, variance = before((data.ends - length) // 24).expected(by_weekday, squares)
        least = LEAST_TOTAL if length in SMALL else LEAST_TOTAL * length / 24
        used = (total >= least) & ~(crowded & (length == max(SMALL)))
        greatest = np.where(used, np.maximum(greatest, score(count, mean, variance) / threshold), greatest)
        crowded = total >= LEAST_TOTAL * length / 24
    return greatest


def windowed(data: Data, length: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Of the window of `length` hours before each look: count, total, totals by weekday, and the sum of squares of its days' totals."""
    ends, begins = data.ends, data.ends - length
    weekday = np.arange(data.counts.shape[1]) // 24 % WEEK
    counted = so_far(data.counts)
    total = so_far(data.totals)
    by_weekday = np.stack([(each := so_far(data.totals * (weekday == day)))[:, ends] - each[:, begins] for day in range(WEEK)], axis=-1)
    squares = so_far(data.daily()[1] ** 2)
    opens, closes = -(-begins // 24), ends // 24
    whole = squares[:, np.maximum(closes, opens)] - squares[:, opens]
    head, tail = total[:, np.minimum(opens * 24, ends)] - total[:, begins], total[:, ends] - total[:, np.maximum(closes * 24, begins)]
    return counted[:, ends] - counted[:, begins], total[:, ends] - total[:, begins], by_weekday, whole + head**2 + tail**2


def so_far(values: Any) -> Floats:
    """Cumulative sums along the last axis from 0."""
    return np.concatenate([np.zeros((values.shape[0], 1)), values.cumsum(1)], axis=1)


def day_or_week(data: Data, test: Callable[[Floats, Floats, Floats, Floats], Floats]) -> Floats:
    """A plain test of the last day (the last week where that is under 20) against the 28 days before."""
    parts = []
    for length in (24, 168):
        count, total, _, _ = windowed(data, length)
        at = (data.ends - length) // 24
        counted, totals = (so_far(each) for each in data.daily())
        parts.append((test(count, total, counted[:, at] - counted[:, at - BASELINE_DAYS], totals[:, at] - totals[:, at - BASELINE_DAYS]), total >= LEAST_TOTAL))
    (day, enough), (week, enough_week) = parts
    return np.where(enough, day, np.where(enough_week, week, -np.inf))


def fixed(data: Data, world: World) -> Floats:
    """The first alerts: the Wilson bound of the ratio lies beyond 25 %."""

    def lower(k: Floats, n: Floats, _k: Floats, _n: Floats) -> Floats:
        n = np.maximum(n, 1)
        return (k + Z**2 / 2 - Z * np.sqrt(k * (n - k) / n + Z**2 / 4)) / (n + Z**2) / FIXED_LIMIT

    return day_or_week(data, lower)


def plain_z(data: Data, world: World) -> Floats:
    """Two proportions, pooled, three standard errors apart."""

    def apart(k: Floats, n: Floats, before: Floats, of: Floats) -> Floats:
        n, of = np.maximum(n, 1), np.maximum(of, 1)
        pooled = (k + before) / (n + of)
        return (k / n - before / of) / np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / n + 1 / of), 1e-12)) / 3

    return day_or_week(data, apart)


def beta_binomial(data: Data, world: World) -> Floats:
    """The count's chance under the baseline's Beta(K + 1/2, N - K + 1/2) below one in a thousand (normal score 3.09)."""

    def tail(k: Floats, n: Floats, before: Floats, of: Floats) -> Floats:
        rate, n = (before + 0.5) / (of + 1), np.maximum(n, 1)
        return score(k, n * rate, n * rate * (1 - rate) * (1 + (n - 1) / (of + 2))) / 3.09

    return day_or_week(data, tail)


def cusum(data: Data, world: World) -> Floats:
    """Page's cumulative sum of log likelihood ratios for a doubling, divided by the estimated dispersion; baseline: the 28 days before the last week."""
    counts, totals = data.daily()
    days = np.arange(counts.shape[1])
    before = estimates(counts, totals, days % WEEK)
    today = days[BEFORE - 1 :]
    at = today - WEEK - 2 * BASELINE_DAYS
    rate = before.rates[:, at, today % WEEK]
    spread = 1 + before.correlation[:, at] * max(world.volume - 1, 0)
    rate, spread = np.repeat(rate, 24, axis=1), np.repeat(spread, 24, axis=1)
    begin = (BEFORE - 1) * 24
    k, n = data.counts[:, begin:], data.totals[:, begin:]
    risen = np.minimum(2 * rate, (1 + rate) / 2)
    gain = (k * np.log(risen / rate) + (n - k) * np.log((1 - risen) / (1 - rate))) / spread
    sums, held = np.empty(gain.shape), np.zeros(gain.shape[0])
    for hour in range(gain.shape[1]):
        held = np.maximum(held + gain[:, hour], 0)
        sums[:, hour] = held
    return sums[:, data.first - 1 - begin :] / CUSUM_LIMIT


TESTS: dict[str, Test] = {"ours": ours, "truth known": truth_known, "CUSUM": cusum, "beta-binomial": beta_binomial, "plain z": plain_z, "fixed limit": fixed}
