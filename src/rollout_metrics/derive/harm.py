"""When a harm metric lay beyond its limit: the anytime-valid interval wholly beyond it, hour by hour (definitions, sections 8 and 9)."""

from functools import lru_cache

import msgspec

from rollout_metrics.domain.changes import HarmMetric
from rollout_metrics.domain.time import HOUR, Instant
from rollout_metrics.stats.anytime import anytime


class Figure(msgspec.Struct, frozen=True):
    """What a metric was at the end of an hour: `count` of `total` since the deployment, or a plain `value`, which has no uncertainty that we know of."""

    at: Instant
    count: int = 0
    total: int = 0
    value: float | None = None


class Crossing(msgspec.Struct, frozen=True):
    """A stretch in which the metric lay beyond its limit, from the start of the hour in which it got there to when it no longer did (None: it still does)."""

    metric: str
    started_at: Instant
    ended_at: Instant | None
    said: str


@lru_cache(maxsize=4096)
def crossings(metric: HarmMetric, figures: tuple[Figure, ...], begun: Instant, until: Instant) -> tuple[Crossing, ...]:
    """The crossings that began in (begun, until], from the metric's figures in order of time.

    Figures after `until` only tell when a crossing from before it ended.
    """
    found: list[Crossing] = []
    since: Figure | None = None
    for figure in figures:
        if since is None and figure.at > until:
            break
        beyond = _beyond(metric, figure)
        if beyond and since is None:
            since = figure
        elif since is not None and not beyond:
            found.append(_crossing(metric, since, begun, figure.at))
            since = None
    if since is not None:
        found.append(_crossing(metric, since, begun, None))
    return tuple(found)


def _crossing(metric: HarmMetric, since: Figure, begun: Instant, ended_at: Instant | None) -> Crossing:
    hour = (since.at - 1) // HOUR * HOUR
    return Crossing(metric.known_as, max(hour, begun), ended_at, _said(metric, since))


def _beyond(metric: HarmMetric, figure: Figure) -> bool:
    if figure.value is not None:
        return _outside(metric, figure.value, figure.value)
    # Where the share itself is inside its limit the interval is not beyond it, and need not be computed.
    share = figure.count / figure.total if figure.total else None
    return share is not None and _outside(metric, share, share) and _outside(metric, *anytime(figure.count, figure.total))


def _outside(metric: HarmMetric, lower: float, upper: float) -> bool:
    return (metric.at_most is not None and lower > metric.at_most) or (metric.at_least is not None and upper < metric.at_least)


def _said(metric: HarmMetric, figure: Figure) -> str:
    limit = f"at most {metric.at_most:g}" if metric.at_most is not None else f"at least {metric.at_least:g}"
    if figure.value is not None:
        return f"{metric.known_as} {figure.value:g}, limit {limit}"
    lower, upper = anytime(figure.count, figure.total)
    return f"{metric.known_as} {figure.count} of {figure.total}, between {lower:.3f} and {upper:.3f}, limit {limit}"
