"""What happened to a workflow's deployments beside their records, out of what a ledger holds: failed runs, incidents, recommendations, harm metrics."""

from collections.abc import Iterator

from rollout_metrics.catalog import METRICS, TALLIES
from rollout_metrics.catalog.metric import Ratio
from rollout_metrics.derive.failures import FailedRun, Incident, Observed
from rollout_metrics.derive.harm import Crossing, Figure, crossings
from rollout_metrics.domain.changes import Change, HarmMetric
from rollout_metrics.domain.facts import Mode
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import HOUR, Instant
from rollout_metrics.figures.known import matching
from rollout_metrics.figures.situation import Readings
from rollout_metrics.figures.trail import Trail
from rollout_metrics.figures.windows import Windows


def observed(workflow: Workflow, as_of: Instant, windows: Windows, trail: Trail, readings: Readings) -> Observed:
    """As far as the workflow's counts and what was read from elsewhere tell."""
    name, begins = workflow.name, trail.begins(workflow.name)

    def opened(after: Instant, up_to: Instant) -> int | None:
        if after < begins:
            return None
        return sum(trail.sums(name, "recommendations", after, up_to).values())

    def crossed(change: Change, metric: HarmMetric, begun: Instant, end: Instant) -> tuple[Crossing, ...]:
        if metric.outside:
            figures = tuple(figure for figure in readings.get((change.id, metric.known_as), ()) if figure.at <= as_of)
            return crossings(metric, figures, change.deployed_at or begun, end)
        if begun < begins:
            return ()
        return crossings(metric, tuple(_so_far(workflow, metric, trail, begun, as_of)), begun, end)

    return Observed(_failed_runs(name, windows), _incidents(name, windows), opened, crossed)


def _so_far(workflow: Workflow, metric: HarmMetric, trail: Trail, begun: Instant, as_of: Instant) -> Iterator[Figure]:
    """The counts behind a rate of ours since the deployment, at the end of each whole hour in which any of them moved.

    A tally of things judged at an age starts that much later: so only what happened after the deployment counts; and only live, in shadow an agent does no
    harm.
    """
    obtained = METRICS[metric.metric or ""].obtained
    assert isinstance(obtained, Ratio)
    until = as_of // HOUR * HOUR
    moves: dict[Instant, list[int]] = {}
    for place, part in enumerate((obtained.numerator, obtained.denominator)):
        after = begun + TALLIES[part.tally].age_in(workflow)
        if after < until:
            for end, sums in trail.hours(workflow.name, part.tally, after, until):
                moves.setdefault(-(-end // HOUR) * HOUR, [0, 0])[place] += matching(part, sums, Mode.LIVE)
    count = total = 0
    for end in sorted(moves):
        count, total = count + moves[end][0], total + moves[end][1]
        yield Figure(end, count, total)


def _failed_runs(workflow: str, windows: Windows) -> tuple[FailedRun, ...]:
    found = windows.states(workflow, "failed_runs")
    return tuple(FailedRun(int(at), version or None, (source, event)) for at, version, source, event in sorted(found))


def _incidents(workflow: str, windows: Windows) -> tuple[Incident, ...]:
    return tuple(
        Incident((case_source, case), int(started_at), int(ended_at) if ended_at else None, change or None, (source, event))
        for started_at, ended_at, change, case_source, case, source, event in sorted(windows.states(workflow, "incident_cases"))
    )
