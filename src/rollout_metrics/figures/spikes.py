"""Looking for spikes: the cohorts of a workflow's signals by the hour, held against its own past (definitions, section 9)."""

from collections.abc import Callable, Iterable, Mapping

from rollout_metrics.catalog.trust import SPIKE_COHORT
from rollout_metrics.derive.standing import LOW
from rollout_metrics.domain.changes import PRODUCTION, ChangeKind
from rollout_metrics.domain.gates import RateGate
from rollout_metrics.domain.policy import Level, Workflow
from rollout_metrics.domain.time import HOUR, MINUTE, SECOND, Instant
from rollout_metrics.domain.trust import Signal
from rollout_metrics.figures.trail import Trail
from rollout_metrics.rollup import Bucket
from rollout_metrics.stats.spike import BASELINE_DAYS, DAY_HOURS, DayCount, HourCount, Spike, spike

EARLIER_DAYS = 57
"""Days before the stream that tell how much days vary."""


def signals(level: Level) -> tuple[Signal, ...]:
    """What is watched at a level: pauses do not end one."""
    headline = Signal.CORRECTION if level > Level.ASSISTED else Signal.OVERRIDE
    return headline, Signal.BYPASS, Signal.ESCALATION, Signal.COMPLAINT


_GATES = {Signal.CORRECTION: RateGate.CORRECTION, Signal.OVERRIDE: RateGate.OVERRIDE, Signal.BYPASS: RateGate.BYPASS}


def spike_limit(workflow: Workflow, level: Level, signal: Signal) -> float | None:
    """The limit of the gate for the same rate at a level, which takes the place of a baseline; None where no gate is about it."""
    step, gate = workflow.ladder.get(level), _GATES.get(signal)
    return None if step is None or gate is None else step.limits.get(gate)


def began(workflow: Workflow, by: Instant) -> Instant | None:
    """The last instant up to `by` at which what can be compared begins anew: a deployment, another level, other authority; None: never.

    A deployment of low risk is one that should change nothing: if people correct more after it, that is the spike to be seen.
    """
    own = (change for change in workflow.changes if change.environment == PRODUCTION)
    deployed = (change.deployed_at for change in own if change.kind is ChangeKind.LEVEL or change.risk_class != LOW)
    dated = (*deployed, *(entry.since for entry in workflow.levels), *(lists.since for lists in workflow.authority))
    return max((at for at in dated if at is not None and at <= by), default=None)


def judged_until(workflow: Workflow, as_of: Instant) -> int:
    """The hour, numbered from 1970, before which everything is old enough to be judged."""
    return (as_of - workflow.spike_age) // HOUR


def look(workflow: Workflow, signal: Signal, as_of: Instant, trail: Trail, limit: float | None) -> Spike:
    """What there is to see at T."""
    until = judged_until(workflow, as_of)
    cut = began(workflow, until * HOUR)
    held = -(-trail.begins(workflow.name) // HOUR)
    earliest = held if cut is None else max(held, -(-cut // HOUR))
    since = max((until // DAY_HOURS - BASELINE_DAYS) * DAY_HOURS, earliest)
    before = max((since // DAY_HOURS - EARLIER_DAYS) * DAY_HOURS, earliest)
    stream, days = {since: (0, 0)}, dict[int, tuple[int, int]]()
    if until <= since:
        return spike((), (), until=until)
    for end, sums in trail.hours(workflow.name, SPIKE_COHORT, before * HOUR, until * HOUR):
        events, others = sums.get((signal.value, "true"), 0), sums.get((signal.value, "false"), 0)
        hour = (end - MINUTE) // HOUR
        into, place = (stream, hour) if hour >= since else (days, hour // DAY_HOURS)
        count, total = into.get(place, (0, 0))
        into[place] = (count + events, total + events + others)
    return spike(
        [DayCount(day, *counts) for day, counts in days.items() if day < since // DAY_HOURS],
        [HourCount(hour, *counts) for hour, counts in stream.items()],
        until=until,
        limit=limit,
    )


class Looks:
    """What was seen last for each signal of each workflow: looked at again once an hour, and where what was seen has changed."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._seen: dict[tuple[str, Signal], tuple[int, Instant | None, float | None, Spike]] = {}
        self.looked = 0
        """How many looks were taken."""

    def at(self, workflow: Workflow, signal: Signal, as_of: Instant, trail: Trail, limit: float | None) -> Spike:
        """What there is to see at T."""
        until = judged_until(workflow, as_of)
        asked = (until, began(workflow, until * HOUR), limit)
        seen = self._seen.get((workflow.name, signal))
        if seen is not None and seen[:3] == asked:
            return seen[3]
        found = look(workflow, signal, as_of, trail, limit)
        self.looked += 1
        self._seen[workflow.name, signal] = (*asked, found)
        return found

    def changed(self, buckets: Iterable[Bucket]) -> None:
        """Forget what was seen of hours whose counts have changed."""
        for series, minute in buckets:
            if series[1] == SPIKE_COHORT:
                key = (series[0], Signal(series[2]))
                seen = self._seen.get(key)
                if seen is not None and minute * MINUTE <= seen[0] * HOUR:
                    del self._seen[key]

    def forget(self) -> None:
        """Forget everything."""
        self._seen.clear()


def shown(found: Spike, figure: str) -> float | None:
    """A figure of a look, by the name the catalogue gives it; None where there was nothing to compare."""
    return None if found.statistic is None else _FIGURES[figure](found)


_FIGURES: Mapping[str, Callable[[Spike], float | None]] = {
    "spike": lambda found: found.alarm,
    "statistic": lambda found: found.statistic,
    "events": lambda found: found.count,
    "cases": lambda found: found.total,
    "baseline": lambda found: found.rate,
    "baseline_cases": lambda found: found.total_before,
    "since": lambda found: found.since * HOUR / SECOND if found.alarm and found.since is not None else None,
}
