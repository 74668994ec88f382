"""Samples of durations over every window of every workflow, held in memory and moved by what enters, leaves and changes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from rollout_metrics.domain.time import DAY, Instant, Span
from rollout_metrics.figures.lasting import Lasting
from rollout_metrics.figures.ordered import Log, Numbers, Ordered
from rollout_metrics.rollup import Sample, Series

KEPT = frozenset(("baseline",))
"""Kinds of which every sample is kept, whatever its age: their stretch is frozen long ago, and they have no windows."""

_EMPTY = np.empty(0, np.int64)

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

    def load(self, as_of: Mapping[str, Instant], samples: Iterable[Sample]) -> None:
        """Begin anew at these T. `samples`: at least all unfinished ones, the others of the longest window before T and after, and all baselines."""
        self._now = {workflow: at for workflow, at in as_of.items() if workflow in self._spans}
        self._logs, self._windows, self._unfinished, self._waiting = {}, {}, {}, {}
        self._passed = {}
        self._stretches.clear()
        over: dict[Kept, tuple[list[Instant], list[Span]]] = defaultdict(lambda: ([], []))
        unfinished: dict[Series, list[Instant]] = defaultdict(list)
        for sample in samples:
            now = self._now.get(sample.series[0])
            if now is None:
                continue
            if sample.duration is None:
                unfinished[sample.series].append(sample.at)
                self._wait(sample, 1)
            elif sample.until:
                self._pass(sample, 1)
            elif sample.at > self._horizon(sample.series):
                ats, values = over[sample.series, sample.complete]
                ats.append(sample.at)
                values.append(sample.duration)
        for key, (ats, values) in over.items():
            self._fill(key, np.array(ats, np.int64), np.array(values, np.int64))
        for series, began in unfinished.items():
            self._unfinished[series] = Ordered(np.sort(np.array(began, np.int64)))

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

    def _fill(self, key: Kept, ats: Numbers, values: Numbers) -> None:
        self._logs[key] = Log(ats, values)
        for span in self._inside(key[0]):
            now = self._now[key[0][0]]
            self._windows[*key, span] = Ordered(np.sort(values[(ats > now - span) & (ats <= now)]))

    def _inside(self, series: Series) -> tuple[Span, ...]:
        return () if series[1] in KEPT else self._spans[series[0]]

    def _change(self, sample: Sample, times: int) -> None:
        series, at, duration = sample.series, sample.at, sample.duration
        if duration is None:
            _put(self._unfinished.setdefault(series, Ordered()), at, times)
            self._wait(sample, times)
        elif sample.until:
            self._pass(sample, times)
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

    def _wait(self, sample: Sample, times: int) -> None:
        if sample.breach_at:
            waiting = self._waiting.setdefault(sample.series, Counter())
            item = (sample.at, sample.target, sample.breach_at)
            waiting[item] += times
            if not waiting[item]:
                del waiting[item]

    def _pass(self, sample: Sample, times: int) -> None:
        """Of a kept kind, what no longer counts at T still did before `until`."""
        passed = self._passed.setdefault(sample.series, Counter())
        item = (sample.at, sample.until, sample.duration or 0)
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
