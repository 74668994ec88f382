"""Sums of counts from a fixed start to T, for each workflow: what speaks for an agent as it is now."""

from collections.abc import Iterable, Mapping

import numpy as np

from rollout_metrics.catalog import TALLIES
from rollout_metrics.derive.standing import standing_since
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import MINUTE, Instant, minute_of
from rollout_metrics.figures.windows import COUNTED, Stretch, Sums, Track, added
from rollout_metrics.rollup import Contribution, Difference

Starts = Mapping[str, Instant | None]
"""Workflow -> its start; None: from the beginning."""

_EMPTY: Sums = {}


def starts(workflows: Iterable[Workflow], as_of: Mapping[str, Instant], surroundings: Surroundings) -> dict[str, Instant | None]:
    """Since when each workflow's agent is what it is at T (definitions, section 9): its level, but for changes of low risk its version."""
    return {workflow.name: standing_since(workflow, as_of[workflow.name], surroundings) for workflow in workflows if workflow.name in as_of}


class Since:
    """Sums over (start, T] of every published tally that belongs to minutes, each workflow at its own start and T.

    A tally of things judged at an age starts that much later, so that what happened before the start is in no sum. Moving T costs what enters; where
    a start moves, its sums are counted anew from there.
    """

    def __init__(self, workflows: Iterable[Workflow]) -> None:
        """Counts of other workflows are ignored."""
        self._workflows = {workflow.name: workflow for workflow in workflows}
        self._now: dict[str, int] = {}
        self._starts: dict[str, Instant | None] = {}
        self._sums: dict[tuple[str, str], dict[tuple[str, ...], int]] = {}

    def sums(self, workflow: str, tally: str) -> Sums:
        """The sums of a tally's series from the start to T."""
        return self._sums.get((workflow, tally), _EMPTY)

    def start(self, workflow: str) -> Instant | None:
        """The workflow's start; None: from the beginning."""
        return self._starts.get(workflow)

    def needed(self, as_of: Mapping[str, Instant], starts: Starts) -> list[Stretch]:
        """The minutes whose counts `load` wants."""
        named = sorted(self._workflows.keys() & as_of.keys())
        return [Stretch(name, _minute(starts.get(name)), as_of[name] // MINUTE) for name in named]

    def cuts(self, as_of: Mapping[str, Instant], starts: Starts) -> dict[str, set[int]]:
        """By workflow, the minutes after which its tallies' sums begin: no row of `load` may stand for minutes on both sides of one."""
        begun = [(workflow, start) for name, workflow in self._workflows.items() if name in as_of and (start := starts.get(name)) is not None]
        return {workflow.name: {minute_of(start + TALLIES[tally].age_in(workflow)) for tally in COUNTED} for workflow, start in begun}

    def load(self, as_of: Mapping[str, Instant], starts: Starts, rows: Iterable[Contribution]) -> None:
        """Begin anew. `rows`: at least the counts of the minutes `needed`, each once."""
        self._now = {name: as_of[name] // MINUTE for name in self._workflows if name in as_of}
        self._starts = {name: starts.get(name) for name in self._now}
        self._sums.clear()
        self.take(rows)

    def take(self, rows: Iterable[Contribution]) -> None:
        """Add rows to those that `load` was given."""
        self._add(rows, dict.fromkeys(self._now, 0))

    def take_track(self, track: Track) -> None:
        """Add many rows of one series at once, as `take` would one by one."""
        series, minutes, amounts = track
        workflow, tally = series[:2]
        if workflow in self._now and tally in COUNTED:
            first, last = np.searchsorted(minutes, (self._first(workflow, tally), self._now[workflow]), "right")
            if first < last:
                self._add([(series, int(minutes[last - 1]), int(amounts[first:last].sum()))], dict.fromkeys(self._now, 0))

    def apply(self, difference: Difference) -> None:
        """Take in what was added to the counts."""
        self.take(added(difference))

    def stretches(self, as_of: Mapping[str, Instant], starts: Starts) -> list[Stretch]:
        """The minutes whose counts `advance` wants to get there."""
        found = []
        for name in sorted(self._now.keys() & as_of.keys()):
            after = _minute(starts.get(name)) if starts.get(name) != self._starts[name] else self._now[name]
            if after < as_of[name] // MINUTE:
                found.append(Stretch(name, after, as_of[name] // MINUTE))
        return found

    def advance(self, as_of: Mapping[str, Instant], starts: Starts, rows: Iterable[Contribution]) -> None:
        """Move on. `rows`: the counts of at least the `stretches` to there, as they are now, each once.

        Raises `ValueError` where a T would go back: then `load` again.
        """
        after = {}
        for name in self._now.keys() & as_of.keys():
            if as_of[name] // MINUTE < self._now[name]:
                raise ValueError(f"T of workflow {name} would go back: load the figures again")
            after[name] = self._now[name]
            if starts.get(name) != self._starts[name]:
                after[name] = 0
                self._starts[name] = starts.get(name)
                for key in [key for key in self._sums if key[0] == name]:
                    del self._sums[key]
            self._now[name] = as_of[name] // MINUTE
        self._add(rows, after)

    def _add(self, rows: Iterable[Contribution], after: Mapping[str, int]) -> None:
        """Count the rows in (after, now], as far as they lie after the start."""
        plans: dict[tuple[str, ...], tuple[int, int, dict[tuple[str, ...], int]]] = {}
        for series, minute, amount in rows:
            workflow, tally = series[:2]
            if workflow not in after or tally not in COUNTED:
                continue
            plan = plans.get(series)
            if plan is None:
                first = max(after[workflow], self._first(workflow, tally))
                plan = plans[series] = (first, self._now[workflow], self._sums.setdefault((workflow, tally), {}))
            if plan[0] < minute <= plan[1]:
                labels = series[2:]
                total = plan[2].get(labels, 0) + amount
                if total:
                    plan[2][labels] = total
                else:
                    plan[2].pop(labels, None)

    def _first(self, workflow: str, tally: str) -> int:
        start = self._starts[workflow]
        return 0 if start is None else minute_of(start + TALLIES[tally].age_in(self._workflows[workflow]))


def _minute(start: Instant | None) -> int:
    return 0 if start is None else minute_of(start)
