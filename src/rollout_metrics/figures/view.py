"""One workflow as its figures see it, and what is published of a figure: with its interval, with its number of cases."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from rollout_metrics.catalog import METRICS, TALLIES, Metric, Sample
from rollout_metrics.derive.delivery import Delivery, Known
from rollout_metrics.derive.gates import Assessment
from rollout_metrics.domain.time import Instant, Span, format_span
from rollout_metrics.figures.lasting import Estimated
from rollout_metrics.figures.samples import Samples
from rollout_metrics.figures.sight import Sight
from rollout_metrics.figures.since import Since
from rollout_metrics.figures.situation import Situation
from rollout_metrics.figures.spikes import Looks
from rollout_metrics.figures.trail import Trail
from rollout_metrics.figures.windows import Sums
from rollout_metrics.stats.wilson import wilson

Made = Iterator[tuple[str, Sample]]
"""`(metric's key, sample)`."""


class View(Sight, frozen=True):
    """One workflow at its T, and all that its figures are made of."""

    as_of: Instant
    situation: Situation
    since: Since
    trail: Trail
    looks: Looks
    samples: Samples
    known: Known
    deliveries: Mapping[Span, Delivery]
    assessment: Assessment

    def spans(self, metric: Metric) -> Iterator[Span]:
        """The windows for which a metric may be published."""
        return (span for span in self.workflow.windows if not metric.personal or self.enough(span))

    def of_tally(self, tally: str, sums: Sums) -> Iterator[tuple[tuple[str, ...], int]]:
        """Every series a configured workflow has of a tally, 0 where nothing was counted, then whatever else was."""
        values = TALLIES[tally].values
        known = () if values is None else values(self.workflow)
        for labels in known:
            yield labels, sums.get(labels, 0)
        if not sums.keys() <= set(known):
            yield from sorted((labels, total) for labels, total in sums.items() if labels not in known)


@lru_cache(maxsize=1024)
def window_label(span: Span) -> str:
    """A window as the label `window` writes it: `7d`."""
    return format_span(span)


def of_ratio(metric: Metric, count: int, total: int, *values: str) -> Made:
    """A ratio with Wilson's bounds; nothing of nothing."""
    bounds = wilson(count, total)
    if bounds is not None:
        yield from of_estimate(metric, Estimated(count / total, *bounds, total), *values, cases=False)


def of_estimate(metric: Metric, estimate: Estimated, *values: str, unit: float = 1, cases: bool = True) -> Made:
    """A figure and what stands beside it; the number of cases is there even where the figure is not."""
    beside = ((metric.key, estimate.value), (f"{metric.key}_lower", estimate.lower), (f"{metric.key}_upper", estimate.upper))
    for key, value in beside:
        if value is not None and key in METRICS:
            yield key, METRICS[key].sample(value / unit, *values)
    if cases:
        key = f"{metric.key}_cases"
        yield key, METRICS[key].sample(estimate.cases, *values)
