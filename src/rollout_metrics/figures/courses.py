"""How a rate went over a stretch of time, cut into weeks, out of the trail of counts."""

from collections.abc import Iterator

from rollout_metrics.catalog import Metric
from rollout_metrics.catalog.metric import Ratio
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import DAY, HOUR, Instant, Span
from rollout_metrics.figures.produce import grouped
from rollout_metrics.figures.trail import Trail

WEEK: Span = 7 * DAY

Leg = tuple[Instant, Instant, int, int]
"""`(after, up_to, numerator, denominator)`."""


def course(workflow: Workflow, trail: Trail, metric: Metric, labels: tuple[str, ...], after: Instant, up_to: Instant) -> Iterator[Leg]:  # noqa: PLR0917
    """The counts behind a rate in each week of (after, up_to], the last one cut short; up_to is the trail's T or later, weeks begin at whole hours."""
    how = metric.obtained
    assert isinstance(how, Ratio)
    edge = -(-after // HOUR) * HOUR
    while edge < up_to:
        end = min(edge + WEEK, up_to)
        found = (grouped(part, metric.labels, trail.sums(workflow.name, part.tally, edge, end)).get(labels, 0) for part in (how.numerator, how.denominator))
        count, total = found
        yield edge, end, count, total
        edge += WEEK
