"""Samples of durations over every window of every workflow, held in memory and moved by what enters, leaves and changes."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

import numpy as np

from rollout_metrics.domain.time import DAY, Instant, Span
from rollout_metrics.figures.lasting import Lasting
from rollout_metrics.figures.ordered import Log, Numbers, Ordered
from rollout_metrics.rollup import Sample, Series

KEPT = frozenset(("baseline",))
"""Kinds of which every sample is kept, whatever its age: their stretch is frozen long ago, and they have no windows."""

_EMPTY = np.empty(0, np.int64)

Strand = tuple[Series, bool, Numbers]
"""Many samples of one series, all of them running (True) or over: rows of `at, duration, complete, target, until` (or `breach_at` of what is running)."""

Kept = tuple[Series, bool]
"""Samples that are over: those that are complete (True) and those censored (False)."""

Waiting = tuple[Instant, Span, Instant]
"""Of an unfinished share of a target: since when, the target, and when it is used up."""


class Samples:
    """Every workflow's samples at its own T.

    Complete and censored durations are kept in order for each window, what is unfinished by when it began.
    A change costs a few moves in small chunks of memory, moving T on costs in proportion to the samples that enter or leave a window.
    """

    def __init__(self, spans: Mapping[str, Iterable[Span]]) -> None:
        """`spans`: the windows of each workflow; samples of other workflows are ignored."""
        self._spans = {workflow: tuple(sorted(set(windows))) for workflow, windows in spans.items()}
        self._now: dict[str, Instant] = {}
        self._logs: dict[Kept, Log] = {}
        self._windows: dict[tuple[Series, bool, Span], Ordered] = {}
        self._unfinished: dict[Series, Ordered] = {}
        self._waiting: dict[Series, Counter[Waiting]] = {}
        self._passed: dict[Series, Counter[tuple[Instant, Instant, Span]]] = {}
        self._stretches: dict[tuple[Series, Instant, Instant], Numbers] = {}

    def load(self, as_of: Mapping[str, Instant], samples: Iterable[Sample], strands: Iterable[Strand] = ()) -> None:
        """Begin anew at these T.

        `samples` and, much cheaper, `strands`, each sample once: at least all unfinished ones, the others of the longest window before T and after, and all
        baselines.
        """
        self._now = {workflow: at for workflow, at in as_of.items() if workflow in self._spans}
        self._logs, self._windows, self._unfinished, self._waiting = {}, {}, {}, {}
        self._passed = {}
        self._stretches.clear()
        over: dict[Kept, array[int]] = defaultdict(lambda: array("q"))  # grown in place: thousands of small arrays would leave holes
        unfinished: dict[Series, list[Numbers]] = defaultdict(list)
        for series, running, rows in chain(_stranded(samples), strands):
            if series[0] not in self._now:
                continue
            if running:
                unfinished[series].append(rows[:, 0].copy())  # a view would keep all that was read with it
                for at, _, _, target, breach_at in rows[rows[:, 4] != 0].tolist():
                    self._wait(series, (at, target, breach_at), 1)
                continue
            for at, duration, _, _, until in rows[rows[:, 4] != 0].tolist():
                self._pass(series, (at, until, duration), 1)
            counting = rows[(rows[:, 4] == 0) & (rows[:, 0] > self._horizon(series))]
            for complete in (True, False):
                if len(found := counting[counting[:, 2] == complete, :2]):
                    over[series, complete].frombytes(found.tobytes())
        while over:  # one after the other, so that little is there twice
            key, entries = over.popitem()
            self._fill(key, np.frombuffer(entries, np.int64).reshape(-1, 2))
        for series, began in unfinished.items():
            self._unfinished[series] = Ordered(np.sort(np.concatenate(began)))

    def apply(self, gone: Iterable[Sample], come: Iterable[Sample]) -> None:
        """Take out and put in single samples. Raises `LookupError` where one that goes is not there."""
        for samples, times in ((gone, -1), (come, 1)):
            for sample in samples:
                if sample.series[0] in self._now:
                    self._change(sample, times)

    def advance(self, as_of: Mapping[str, Instant]) -> None:
        """Move on to these T. Raises `ValueError` where one lies before the present one: then `load` again."""
        before = dict(self._now)
        for workflow, at in as_of.items():
            if workflow in before and at < before[workflow]:
                raise ValueError(f"T of workflow {workflow} would go back: load the figures again")
            if workflow in before:
                self._now[workflow] = at
        for (series, complete), log in self._logs.items():
            old, new = before[series[0]], self._now[series[0]]
            if old == new or series[1] in KEPT:
                continue
            for span in self._spans[series[0]]:
                self._move((series, complete, span), log, old, new)
            log.forget(self._horizon(series))

    def lasting(self, series: Series, span: Span) -> Lasting:
        """The durations of (T - span, T]; what is unfinished has lasted until T."""
        now = self._now[series[0]]
        censored = self._of(series, False, span)
        began = self._unfinished.get(series)
        if began is not None:
            running = (now - began.between(now - span, now))[::-1]
            censored = np.sort(np.concatenate((censored, running))) if len(censored) else running
        return Lasting(self._of(series, True, span), censored)

    def shares(self, series: Series, span: Span, so_far: Callable[[Waiting], int]) -> Lasting:
        """The same for shares of a target: `so_far` says how much of its target something unfinished has used at T."""
        now = self._now[series[0]]
        running = [so_far(item) for item, times in self._waiting.get(series, Counter()).items() if now - span < item[0] <= now for _ in range(times)]
        censored = self._of(series, False, span)
        return Lasting(self._of(series, True, span), np.sort(np.concatenate((censored, np.array(running, np.int64)))))

    def complete(self, series: Series, span: Span) -> Numbers:
        """The complete durations of (T - span, T], ascending."""
        return self._of(series, True, span)

    def stretch(self, series: Series, after: Instant, up_to: Instant) -> Numbers:
        """The complete durations of a kept kind in (after, up_to], ascending: those that counted as of `up_to`."""
        asked = (series, after, up_to)
        if asked not in self._stretches:
            log = self._logs.get((series, True))
            standing = _EMPTY if log is None else log.values(after, up_to)
            passed = self._passed.get(series, Counter())
            former = [duration for (at, until, duration), times in passed.items() if after < at <= up_to < until for _ in range(times)]
            self._stretches[asked] = np.sort(np.concatenate((standing, np.array(former, np.int64)))) if former else standing
        return self._stretches[asked]

    def oldest(self, series: Series) -> Instant | None:
        """When the oldest of the unfinished began."""
        began = self._unfinished.get(series)
        return None if began is None else began.first()

    def _of(self, series: Series, complete: bool, span: Span) -> Numbers:
        ordered = self._windows.get((series, complete, span))
        return _EMPTY if ordered is None else ordered.numbers()

    def _horizon(self, series: Series) -> Instant:
        """Samples up to here are in no window any more. A day is left in hand, so that a correction finds what it corrects."""
        if series[1] in KEPT:
            return -(2**62)
        return self._now[series[0]] - max(self._spans[series[0]], default=0) - DAY

    def _fill(self, key: Kept, entries: Numbers) -> None:
        self._logs[key] = Log(entries)
        ats, values = entries.T
        for span in self._inside(key[0]):
            now = self._now[key[0][0]]
            self._windows[*key, span] = Ordered(np.sort(values[(ats > now - span) & (ats <= now)]))

    def _inside(self, series: Series) -> tuple[Span, ...]:
        return () if series[1] in KEPT else self._spans[series[0]]

    def _change(self, sample: Sample, times: int) -> None:
        series, at, duration = sample.series, sample.at, sample.duration
        if duration is None:
            _put(self._unfinished.setdefault(series, Ordered()), at, times)
            if sample.breach_at:
                self._wait(series, (at, sample.target, sample.breach_at), times)
        elif sample.until:
            self._pass(series, (at, sample.until, duration), times)
        elif at > self._horizon(series):
            key = (series, sample.complete)
            log = self._logs.setdefault(key, Log())
            (log.add if times > 0 else log.discard)(at, duration)
            if series[1] in KEPT:
                self._stretches.clear()
            now = self._now[series[0]]
            for span in self._inside(series):
                if now - span < at <= now:
                    _put(self._windows.setdefault((*key, span), Ordered()), duration, times)

    def _wait(self, series: Series, item: Waiting, times: int) -> None:
        waiting = self._waiting.setdefault(series, Counter())
        waiting[item] += times
        if not waiting[item]:
            del waiting[item]

    def _pass(self, series: Series, item: tuple[Instant, Instant, Span], times: int) -> None:
        """Of a kept kind, what no longer counts at T still did before `until`."""
        passed = self._passed.setdefault(series, Counter())
        passed[item] += times
        if not passed[item]:
            del passed[item]
        self._stretches.clear()

    def _move(self, key: tuple[Series, bool, Span], log: Log, old: Instant, new: Instant) -> None:
        span = key[2]
        # beyond a whole window nothing of the old one is left, so the two stretches never overlap
        leaving = log.between(old - span, min(new - span, old))
        entering = log.between(max(old, new - span), new)
        for values, times in ((leaving, -1), (entering, 1)):
            for _, duration in values:
                _put(self._windows.setdefault(key, Ordered()), duration, times)


def _put(ordered: Ordered, number: int, times: int) -> None:
    (ordered.add if times > 0 else ordered.discard)(number)


def _stranded(samples: Iterable[Sample]) -> Iterator[Strand]:
    """Single samples as strands."""
    found: dict[tuple[Series, bool], list[tuple[int, int, int, int, int]]] = defaultdict(list)
    for sample in samples:
        running = sample.duration is None
        found[sample.series, running].append((sample.at, sample.duration or 0, sample.complete, sample.target, sample.breach_at if running else sample.until))
    return ((series, running, np.array(rows, np.int64)) for (series, running), rows in found.items())
