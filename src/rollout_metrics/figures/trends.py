"""How rates went: the seven days up to the same hour of each of the last four weeks' days, from the trail of counts."""

from collections.abc import Iterator

from rollout_metrics.catalog import METRICS, Metric
from rollout_metrics.catalog.metric import Ratio
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import DAY, HOUR, Instant
from rollout_metrics.figures.produce import grouped
from rollout_metrics.figures.trail import Trail
from rollout_metrics.figures.windows import Sums

DAYS, WIDTH = 28, 7

Point = tuple[Instant, int, int]
"""`(end of the seven days, numerator, denominator)`."""

RATES: tuple[Metric, ...] = tuple(metric for metric in METRICS.values() if isinstance(metric.obtained, Ratio) and not metric.personal)
"""The rates whose counts the trail holds; those that rest on operators' own behaviour have no trend."""


def trends(workflow: Workflow, trail: Trail, as_of: Instant) -> Iterator[tuple[tuple[str, str, tuple[str, ...]], tuple[Point, ...]]]:
    """`((workflow, metric, label values), points)` of every rate that had anything to divide by, up to the last whole hour, as known now."""
    last = as_of - as_of % HOUR
    days = last - (DAYS + WIDTH - 1) * DAY
    tallies: dict[str, list[dict[tuple[str, ...], int]]] = {}

    def daily(tally: str) -> list[dict[tuple[str, ...], int]]:
        if tally not in tallies:
            tallies[tally] = list(_daily(trail, workflow.name, tally, days, last))
        return tallies[tally]

    for metric in RATES:
        how = metric.obtained
        if not isinstance(how, Ratio):
            continue
        over = [grouped(how.numerator, metric.labels, sums) for sums in daily(how.numerator.tally)]
        under = [grouped(how.denominator, metric.labels, sums) for sums in daily(how.denominator.tally)]
        for labels in sorted(frozenset[tuple[str, ...]]().union(*under)):
            points = tuple((days + end * DAY, _rolled(over, labels, end), _rolled(under, labels, end)) for end in range(WIDTH, DAYS + WIDTH))
            yield (workflow.name, metric.key, labels), points


def _rolled(days: list[dict[tuple[str, ...], int]], labels: tuple[str, ...], end: int) -> int:
    return sum(day.get(labels, 0) for day in days[end - WIDTH : end])


def _daily(trail: Trail, workflow: str, tally: str, first: Instant, last: Instant) -> Iterator[dict[tuple[str, ...], int]]:
    """The sums of each stretch of 24 hours in (first, last]."""
    found: list[dict[tuple[str, ...], int]] = [{} for _ in range((last - first) // DAY)]
    for end, sums in trail.hours(workflow, tally, first, last):
        _add(found[(end - first - 1) // DAY], sums)
    return iter(found)


def _add(day: dict[tuple[str, ...], int], sums: Sums) -> None:
    for labels, amount in sums.items():
        day[labels] = day.get(labels, 0) + amount
