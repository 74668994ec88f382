"""Counts by the hour for a bounded past: for whatever compares a stretch with stretches before it."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from rollout_metrics.catalog import TALLIES
from rollout_metrics.domain.changes import PRODUCTION
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, Instant, Span, minute_of
from rollout_metrics.figures.windows import COUNTED, Stretch, Sums, Track, added
from rollout_metrics.rollup import Contribution, Difference

PAST: Span = 120 * DAY
"""How far a trail reaches back: a longest window of 90 days, and 28 days before it."""

_HOUR = HOUR // MINUTE
_NEVER = 2**62


class Trail:
    """Each workflow's published tallies by the hour, from `PAST` before its T, at a whole hour, up to T.

    Where a deployment or a configured level falls within an hour that hour is cut in two, for each tally as much later as what it counts is judged: so what
    came before and after can be told apart to the minute. Two whole numbers are kept for each hour in which a series has counts.
    """

    def __init__(self, workflows: Iterable[Workflow], past: Span = PAST) -> None:
        """Counts of other workflows are ignored; `past`: whole hours."""
        self._cuts = {workflow.name: _cuts(workflow) for workflow in workflows}
        self._past = past // MINUTE
        self._now: dict[str, int] = {}
        self._tracks: dict[tuple[str, str], dict[tuple[str, ...], _Track]] = {}

    def begins(self, workflow: str) -> Instant:
        """The whole hour after which counts are held."""
        return self._horizon(self._now[workflow]) * MINUTE

    def sums(self, workflow: str, tally: str, after: Instant, up_to: Instant) -> Sums:
        """The sums of a tally's series over (after, up_to], or to T if that is earlier.

        Both are whole hours or instants at which the hours are cut (`up_to` may also be T or later), `after` not before `begins`: else `ValueError`.
        """
        first, last = self._edges(workflow, tally, after, up_to)
        found = {labels: track.total(first, last) for labels, track in self._tracks.get((workflow, tally), {}).items()}
        return {labels: total for labels, total in found.items() if total}

    def hours(self, workflow: str, tally: str, after: Instant, up_to: Instant) -> Iterator[tuple[Instant, Sums]]:
        """`(end of the hour or its part, sums)` in order of time for those in (after, up_to] in which something was counted. As for `sums`, what else."""
        first, last = self._edges(workflow, tally, after, up_to)
        found: dict[int, dict[tuple[str, ...], int]] = {}
        for labels, track in self._tracks.get((workflow, tally), {}).items():
            for end, amount in track.between(first, last):
                found.setdefault(end, {})[labels] = amount
        for end in sorted(found):
            yield end * MINUTE, found[end]

    def needed(self, as_of: Mapping[str, Instant]) -> list[Stretch]:
        """The minutes whose counts `load` wants for these T."""
        return [Stretch(name, self._horizon(as_of[name] // MINUTE), as_of[name] // MINUTE) for name in sorted(self._cuts.keys() & as_of.keys())]

    def cuts(self) -> dict[str, set[int]]:
        """By workflow, the minutes at which hours are cut in two: no row of `load` may stand for minutes on both sides of one."""
        return {name: {minute for cuts in by_tally.values() for minute in cuts} for name, by_tally in self._cuts.items()}

    def load(self, as_of: Mapping[str, Instant], rows: Iterable[Contribution]) -> None:
        """Begin anew at these T. `rows`: at least the counts of the minutes `needed`, each once."""
        self._now = {name: as_of[name] // MINUTE for name in self._cuts if name in as_of}
        self._tracks.clear()
        self.take(rows)

    def take(self, rows: Iterable[Contribution]) -> None:
        """Add rows to those that `load` was given."""
        self._add(rows, {name: self._horizon(now) for name, now in self._now.items()})

    def take_track(self, track: Track) -> None:
        """Add many rows of one series at once, as `take` would one by one: of each hour, or part of one, only the sum."""
        series, minutes, amounts = track
        name, tally = series[:2]
        if name not in self._now or tally not in COUNTED:
            return
        first, last = np.searchsorted(minutes, (self._horizon(self._now[name]), self._now[name]), "right")
        if first < last:
            ends = -(-minutes[first:last] // _HOUR) * _HOUR
            cuts = np.array((*self._cuts[name][tally], _NEVER), np.int64)
            ends = np.minimum(ends, cuts[np.searchsorted(cuts, minutes[first:last])])
            found, places = np.unique(ends, return_index=True)
            totals = np.add.reduceat(amounts[first:last], places)
            kept = self._tracks.setdefault((name, tally), {}).setdefault(series[2:], _Track())
            for end, total in zip(found[totals != 0].tolist(), totals[totals != 0].tolist(), strict=True):
                kept.add(end, total)

    def apply(self, difference: Difference) -> None:
        """Take in what was added to the counts."""
        self.take(added(difference))

    def stretches(self, as_of: Mapping[str, Instant]) -> list[Stretch]:
        """The minutes whose counts `advance` wants to get to these T."""
        named = sorted(self._now.keys() & as_of.keys())
        return [Stretch(name, self._now[name], as_of[name] // MINUTE) for name in named if self._now[name] < as_of[name] // MINUTE]

    def advance(self, as_of: Mapping[str, Instant], rows: Iterable[Contribution]) -> None:
        """Move on. `rows`: the counts of at least the `stretches` to there, as they are now, each once. Raises `ValueError` where a T would go back."""
        before = {name: self._now[name] for name in self._now.keys() & as_of.keys()}
        for name, now in before.items():
            if as_of[name] // MINUTE < now:
                raise ValueError(f"T of workflow {name} would go back: load the figures again")
            self._now[name] = as_of[name] // MINUTE
        self._add(rows, {name: max(now, self._horizon(self._now[name])) for name, now in before.items()})
        moved = {name: self._horizon(self._now[name]) for name, now in before.items() if self._horizon(self._now[name]) != self._horizon(now)}
        for (name, _), tracks in self._tracks.items():
            if name in moved:
                for track in tracks.values():
                    track.forget(moved[name])

    def _add(self, rows: Iterable[Contribution], after: Mapping[str, int]) -> None:
        plans: dict[tuple[str, ...], _Plan | None] = {}
        for series, minute, amount in rows:
            if series in plans:
                plan = plans[series]
            else:
                plan = plans[series] = self._plan(series, after)
            if plan is not None and plan[0] < minute <= plan[1]:
                end = -(-minute // _HOUR) * _HOUR
                if plan[2]:
                    end = _cut(end, minute, plan[2])
                plan[3](end, amount)

    def _plan(self, series: tuple[str, ...], after: Mapping[str, int]) -> "_Plan | None":
        """`(first minute, T, cuts, where to)`: looked up once, not for every row; None of what is not held."""
        name, tally = series[:2]
        if name not in after or tally not in COUNTED:
            return None
        tracks = self._tracks.setdefault((name, tally), {})
        track = tracks.get(series[2:])
        if track is None:
            track = tracks[series[2:]] = _Track()
        return after[name], self._now[name], self._cuts[name][tally], track.add

    def _horizon(self, now: int) -> int:
        return (now - self._past) // _HOUR * _HOUR

    def _end(self, name: str, tally: str, minute: int) -> int:
        """The last minute of the hour, or the part of it, that a minute lies in."""
        return _cut(-(-minute // _HOUR) * _HOUR, minute, self._cuts[name][tally])

    def _edges(self, name: str, tally: str, after: Instant, up_to: Instant) -> tuple[int, int]:
        first, last, now = minute_of(after), minute_of(up_to), self._now[name]
        for minute in (first, last):
            if minute < now and minute != self._end(name, tally, minute):
                raise ValueError(f"minute {minute} lies within an hour of the trail of {name}: ask for whole hours, deployments and starts of levels")
        if first < self._horizon(now):
            raise ValueError(f"the trail of {name} begins at minute {self._horizon(now)}: minute {first} is too early")
        # the hour that T lies in is not over, and nothing after T is held
        return (first if first < now else _NEVER), (last if last < now else _NEVER)


_Plan = tuple[int, int, tuple[int, ...], Callable[[int, int], None]]


def _cut(hour: int, minute: int, cuts: tuple[int, ...]) -> int:
    place = bisect_left(cuts, minute)
    return min(hour, cuts[place]) if place < len(cuts) else hour


class _Track:
    """One series: amounts by the last minute of their hour, in order."""

    __slots__ = ("_amounts", "_ends")

    def __init__(self) -> None:
        self._ends = array("q")
        self._amounts = array("q")

    def add(self, end: int, amount: int) -> None:
        """Add to an hour's amount; an hour that comes to nothing is not kept."""
        ends = self._ends
        if not ends or end > ends[-1]:
            ends.append(end)
            self._amounts.append(amount)
            return
        place = bisect_left(ends, end)
        if ends[place] != end:
            ends.insert(place, end)
            self._amounts.insert(place, amount)
        elif self._amounts[place] == -amount:
            del ends[place], self._amounts[place]
        else:
            self._amounts[place] += amount

    def total(self, after: int, up_to: int) -> int:
        """The sum over (after, up_to]."""
        return sum(self._amounts[bisect_right(self._ends, after) : bisect_right(self._ends, up_to)])

    def between(self, after: int, up_to: int) -> Iterator[tuple[int, int]]:
        """`(end, amount)` in (after, up_to]."""
        first, last = bisect_right(self._ends, after), bisect_right(self._ends, up_to)
        return zip(self._ends[first:last], self._amounts[first:last], strict=True)

    def forget(self, up_to: int) -> None:
        """Drop what lies at or before."""
        place = bisect_right(self._ends, up_to)
        del self._ends[:place], self._amounts[:place]


def _cuts(workflow: Workflow) -> dict[str, tuple[int, ...]]:
    """By tally, the minutes at which its hours are cut, in order."""
    changed = {change.deployed_at for change in workflow.changes if change.environment == PRODUCTION} | {entry.since for entry in workflow.levels}
    at = [instant for instant in changed if instant is not None]
    by_age: dict[Span, tuple[int, ...]] = {}
    for tally in COUNTED:
        age = TALLIES[tally].age_in(workflow)
        if age not in by_age:
            by_age[age] = tuple(sorted({minute_of(instant + age) for instant in at}))
    return {tally: by_age[TALLIES[tally].age_in(workflow)] for tally in COUNTED}
