"""Sums of counts over every window of every workflow, held in memory and moved by what enters and leaves."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from rollout_metrics.catalog import TALLIES
from rollout_metrics.domain.time import MINUTE, Instant, Span
from rollout_metrics.rollup import STATE, Contribution, Difference, Series

Sums = Mapping[tuple[str, ...], int]
"""Label values -> sum; sums of 0 are left out."""

Track = tuple[Series, NDArray[np.int64], NDArray[np.int64]]
"""Rows of one series, none of them standing: its minutes, ascending, and the amounts."""

COUNTED = frozenset(name for name, tally in TALLIES.items() if not tally.standing and tally.values is not None)
"""The published tallies that belong to minutes."""

_EMPTY: Sums = {}


class Stretch(msgspec.Struct, frozen=True):
    """The minutes `after < minute <= up_to` of one workflow's counts."""

    workflow: str
    after: int
    up_to: int


class Windows:
    """Window sums of each workflow at its own T.

    Counts of minutes after T are not in any window yet: they enter when T reaches them. What happens here costs in proportion to the rows handed over.
    """

    def __init__(self, spans: Mapping[str, Iterable[Span]]) -> None:
        """`spans`: the windows of each workflow, whole minutes; counts of other workflows are ignored."""
        self._widths = {workflow: tuple((span, span // MINUTE) for span in sorted(set(windows))) for workflow, windows in spans.items()}
        self._now: dict[str, int] = {}
        self._sums: dict[tuple[str, Span, str], dict[tuple[str, ...], int]] = {}
        self._states: dict[tuple[str, str], dict[tuple[str, ...], int]] = {}

    def sums(self, workflow: str, span: Span, tally: str) -> Sums:
        """The sums of a tally's series over (T - span, T]."""
        return self._sums.get((workflow, span, tally), _EMPTY)

    def states(self, workflow: str, tally: str) -> Sums:
        """A standing tally's series."""
        return self._states.get((workflow, tally), _EMPTY)

    def load(self, as_of: Mapping[str, Instant], rows: Iterable[Contribution]) -> None:
        """Begin anew at these T. `rows`: the standing counts and at least those of the minutes that `needed` names, each once."""
        self._now = {workflow: at // MINUTE for workflow, at in as_of.items() if workflow in self._widths}
        self._sums.clear()
        self._states.clear()
        self.take(rows)

    def needed(self, as_of: Mapping[str, Instant]) -> list[Stretch]:
        """The minutes whose counts `load` wants for these T."""
        return [
            Stretch(workflow, at // MINUTE - self._widths[workflow][-1][1], at // MINUTE)
            for workflow, at in sorted(as_of.items())
            if self._widths.get(workflow)
        ]

    def cuts(self, as_of: Mapping[str, Instant]) -> dict[str, set[int]]:
        """By workflow, the minutes with which windows begin after or end at these T: no row of `load` may stand for minutes on both sides of one."""
        return {workflow: {at // MINUTE, *(at // MINUTE - width for _, width in self._widths.get(workflow, ()))} for workflow, at in as_of.items()}

    def apply(self, difference: Difference) -> None:
        """Take in what was added to the counts."""
        self.take(added(difference))

    def stretches(self, as_of: Mapping[str, Instant]) -> list[Stretch]:
        """The minutes whose counts `advance` wants to get to these T: those that enter or leave a window. No two of a workflow overlap."""
        found = []
        for workflow, at in sorted(as_of.items()):
            old, new = self._now.get(workflow), at // MINUTE
            if old is None or old == new:
                continue
            low, high = min(old, new), max(old, new)
            edges = sorted({(low - width, high - width) for _, width in self._widths[workflow]} | {(low, high)})
            found += [Stretch(workflow, after, up_to) for after, up_to in _merged(edges)]
        return found

    def advance(self, as_of: Mapping[str, Instant], rows: Iterable[Contribution]) -> None:
        """Move to these T. `rows`: the counts of at least the `stretches` to there, as they are now, each once; standing counts among them are ignored."""
        moved = {workflow: (self._now[workflow], at // MINUTE) for workflow, at in as_of.items() if workflow in self._now}
        plans: dict[tuple[str, ...], tuple[int, tuple[str, ...], _Widths]] = {}
        for series, minute, amount in rows:
            move = moved.get(series[0])
            if move is None or minute == STATE:
                continue
            old, new = move
            plan = plans.get(series)
            if plan is None:
                plan = plans[series] = self._plan(series)
            for width, sums in plan[2]:
                times = (new - width < minute <= new) - (old - width < minute <= old)
                if times:
                    _bump(sums, plan[1], times * amount)
        self._now.update((workflow, new) for workflow, (_, new) in moved.items())

    def take(self, rows: Iterable[Contribution]) -> None:
        """Add rows to those that `load` was given."""
        nows = self._now
        plans: dict[tuple[str, ...], tuple[int, tuple[str, ...], _Widths]] = {}
        for series, minute, amount in rows:
            plan = plans.get(series)
            if plan is None:
                if series[0] not in nows:
                    continue
                plan = plans[series] = self._plan(series)
            now, labels, widths = plan
            if minute == STATE:
                _bump(self._states.setdefault((series[0], series[1]), {}), labels, amount)
            elif minute <= now:
                age = now - minute
                for width, sums in widths:
                    if age < width:
                        total = sums.get(labels, 0) + amount
                        if total:
                            sums[labels] = total
                        else:
                            sums.pop(labels, None)

    def take_track(self, track: Track) -> None:
        """Add many rows of one series at once, as `take` would one by one."""
        series, minutes, amounts = track
        if series[0] in self._now:
            now, labels, widths = self._plan(series)
            edges = minutes.searchsorted([*(now - width for width, _ in widths), now], "right")
            *before, up_to_now = np.concatenate(([0], amounts.cumsum()))[edges].tolist()
            for (_, sums), earlier in zip(widths, before, strict=True):
                if up_to_now != earlier:
                    _bump(sums, labels, up_to_now - earlier)

    def _plan(self, series: tuple[str, ...]) -> tuple[int, tuple[str, ...], "_Widths"]:
        """The workflow's minute now, the series' labels, and its windows' widths and sums: looked up once, not for every row."""
        workflow, tally = series[:2]
        return self._now[workflow], series[2:], [(width, self._sums.setdefault((workflow, span, tally), {})) for span, width in self._widths[workflow]]


_Widths = list[tuple[int, dict[tuple[str, ...], int]]]


def added(difference: Difference) -> Iterator[Contribution]:
    """A difference as rows."""
    return ((series, minute, amount) for (series, minute), amount in difference.items())


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same minutes as stretches of which no two of a workflow overlap, in order."""
    edges: dict[str, list[tuple[int, int]]] = {}
    for stretch in stretches:
        edges.setdefault(stretch.workflow, []).append((stretch.after, stretch.up_to))
    return [Stretch(workflow, after, up_to) for workflow in sorted(edges) for after, up_to in _merged(sorted(edges[workflow]))]


def _bump(sums: dict[tuple[str, ...], int], labels: tuple[str, ...], amount: int) -> None:
    total = sums.get(labels, 0) + amount
    if total:
        sums[labels] = total
    else:
        sums.pop(labels, None)


def _merged(edges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for after, up_to in edges:
        if merged and after <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(up_to, merged[-1][1]))
        else:
            merged.append((after, up_to))
    return merged
