"""From window sums and samples to series: one way for each way in which the catalogue says a metric is obtained."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from rollout_metrics.catalog import TALLIES, Metric
from rollout_metrics.catalog.metric import (
    Count,
    Delivery,
    Merged,
    Middle,
    Observed,
    Obtained,
    Oldest,
    Part,
    Ratio,
    Repeating,
    Saved,
    Spiked,
    Spread,
    Standing,
    Survival,
    Told,
    Warned,
    Within,
)
from rollout_metrics.catalog.tallies import LATENCY_BUCKETS, OTHER, bounded
from rollout_metrics.derive.calendar import elapsed
from rollout_metrics.domain.facts import UNCATEGORISED, Mode
from rollout_metrics.domain.time import SECOND
from rollout_metrics.domain.trust import Sign, Signal
from rollout_metrics.figures.errors import repeating
from rollout_metrics.figures.lasting import NOTHING_CENSORED, Lasting, median, share_within
from rollout_metrics.figures.samples import Waiting
from rollout_metrics.figures.savings import savings
from rollout_metrics.figures.signs import early_asks
from rollout_metrics.figures.spikes import shown, signals, spike_limit
from rollout_metrics.figures.told import DELIVERED, TOLD
from rollout_metrics.figures.view import Made, View, of_estimate, of_ratio, window_label
from rollout_metrics.figures.windows import Sums
from rollout_metrics.rollup import WHOLE, share
from rollout_metrics.stats.spike import Spike

_LABELLED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "pending": tuple((mode.value,) for mode in Mode),
    "turnaround": (("assisted",), ("other",)),
}
"""Kinds of samples whose series have labels, with all of them."""


def _count(metric: Metric, how: Count, view: View) -> Made:
    for span in view.spans(metric):
        window = window_label(span)
        for labels, total in view.of_tally(how.tally, view.windows.sums(view.name, span, how.tally)):
            yield metric.key, metric.sample(total if how.scale is None else total * how.scale, view.name, window, *labels)


def _merged(metric: Metric, how: Merged, view: View) -> Made:
    for span in view.spans(metric):
        yield metric.key, metric.sample(sum(view.windows.sums(view.name, span, how.tally).values()), view.name, window_label(span))


def _repeating(metric: Metric, how: Repeating, view: View) -> Made:
    for span in view.spans(metric):
        totals = dict.fromkeys((*sorted(view.workflow.categories), UNCATEGORISED, OTHER), 0)
        for category, total in repeating(view.windows.sums(view.name, span, how.tally)).items():
            totals[bounded(category, view.workflow.categories, UNCATEGORISED)] += total
        for label, total in totals.items():
            yield metric.key, metric.sample(total, view.name, window_label(span), label)


def _standing(metric: Metric, how: Standing, view: View) -> Made:
    for labels, total in view.of_tally(how.tally, view.windows.states(view.name, how.tally)):
        yield metric.key, metric.sample(total, view.name, *labels)


@lru_cache(maxsize=256)
def _picker(part: Part, group: tuple[str, ...]) -> tuple[tuple[tuple[int, frozenset[str]], ...], tuple[int, ...]]:
    labels = TALLIES[part.tally].labels
    return tuple((labels.index(label), values) for label, values in part.where), tuple(labels.index(label) for label in group)


def grouped(part: Part, group: tuple[str, ...], sums: Sums) -> dict[tuple[str, ...], int]:
    """The sums of a part, added up by the labels of `group`."""
    wanted, places = _picker(part, group)
    totals: dict[tuple[str, ...], int] = {}
    for labels, total in sums.items():
        if all(labels[place] in values for place, values in wanted):
            key = tuple(labels[place] for place in places)
            totals[key] = totals.get(key, 0) + total
    return totals


def _ratio(metric: Metric, how: Ratio, view: View) -> Made:
    for span in view.spans(metric):
        numerators = grouped(how.numerator, metric.labels, view.windows.sums(view.name, span, how.numerator.tally))
        denominators = grouped(how.denominator, metric.labels, view.windows.sums(view.name, span, how.denominator.tally))
        for labels, total in sorted(denominators.items()):
            yield from of_ratio(metric, numerators.get(labels, 0), total, view.name, window_label(span), *labels)


def _middle(metric: Metric, how: Middle, view: View) -> Made:
    for span in view.spans(metric):
        estimate = median(Lasting(view.samples.complete((view.name, how.sample), span), NOTHING_CENSORED))
        yield from of_estimate(metric, estimate, view.name, window_label(span), unit=SECOND)


def _survival(metric: Metric, how: Survival, view: View) -> Made:
    for span in view.spans(metric):
        for labels in _LABELLED.get(how.sample, ((),)):
            estimate = median(view.samples.lasting((view.name, how.sample, *labels), span))
            yield from of_estimate(metric, estimate, view.name, window_label(span), *labels, unit=SECOND)


def _within(metric: Metric, how: Within, view: View) -> Made:
    def so_far(waiting: Waiting) -> int:
        since, target, breach_at = waiting
        # beyond the target it does not matter how far, so the calendar is asked only about those that still are in time
        return 2 * WHOLE if view.as_of > breach_at else share(elapsed(view.workflow.calendar, since, view.as_of), target)

    for span in view.spans(metric):
        estimate = share_within(view.samples.shares((view.name, how.sample), span, so_far), WHOLE)
        yield from of_estimate(metric, estimate, view.name, window_label(span))


def _oldest(metric: Metric, how: Oldest, view: View) -> Made:
    for labels in _LABELLED.get(how.sample, ((),)):
        began = view.samples.oldest((view.name, how.sample, *labels))
        if began is not None:
            yield metric.key, metric.sample(began / SECOND, view.name, *labels)


def _spread(metric: Metric, how: Spread, view: View) -> Made:
    """All there ever was; whether it may be shown is judged by the longest window, since it has none of its own."""
    if metric.personal and not view.enough(max(view.workflow.windows)):
        return
    counts = view.windows.states(view.name, how.buckets)
    reached = 0
    for bound in (*map(str, LATENCY_BUCKETS), "+Inf"):
        reached += counts.get((bound,), 0)
        yield metric.key, ("_bucket", (("workflow", view.name), ("le", bound if bound == "+Inf" else f"{bound}.0")), reached)
    total = view.windows.states(view.name, how.total).get((), 0)
    yield metric.key, ("_sum", (("workflow", view.name),), total / SECOND)
    yield metric.key, ("_count", (("workflow", view.name),), reached)


def _saved(metric: Metric, how: Saved, view: View) -> Made:
    for span in view.spans(metric):
        for basis, estimate in savings(view.workflow, span, view.samples, view.situation.assisted_since):
            values = (view.name, window_label(span), basis)
            if not how.per_operator:
                yield from of_estimate(metric, estimate, *values)
            elif estimate.value is not None and view.operators(span):
                yield metric.key, metric.sample(estimate.value / view.operators(span), *values)


def _delivery(metric: Metric, how: Delivery, view: View) -> Made:
    for span in view.spans(metric):
        yield from DELIVERED[how.figure](metric, view.deliveries[span], view.name, window_label(span))


def _warned(metric: Metric, _how: Warned, view: View) -> Made:
    early = (Sign.EARLY_AUTHORITY_ASK.value, bool(early_asks(view.workflow, view.assessment)))
    for sign, there in (*view.situation.signs.items(), early):
        yield metric.key, metric.sample(there, view.name, sign)


def _looks(view: View) -> Iterator[tuple[Signal, Spike]]:
    for signal in signals(view.situation.level_standing):
        limit = spike_limit(view.workflow, view.situation.level_standing, signal)
        yield signal, view.looks.at(view.workflow, signal, view.as_of, view.trail, limit)


def _spiked(metric: Metric, how: Spiked, view: View) -> Made:
    for signal, found in _looks(view):
        value = shown(found, how.figure)
        if value is not None:
            yield metric.key, metric.sample(value, view.name, signal.value)


def _observed(metric: Metric, _how: Observed, view: View) -> Made:
    for signal, found in _looks(view):
        if found.statistic is not None:
            yield from of_ratio(metric, found.count, found.total, view.name, signal.value)


def _told(metric: Metric, how: Told, view: View) -> Made:
    return TOLD[how.what](metric, view)


PRODUCERS: Mapping[type[Obtained], Callable[[Metric, Any, View], Made]] = {
    Count: _count,
    Merged: _merged,
    Repeating: _repeating,
    Standing: _standing,
    Ratio: _ratio,
    Middle: _middle,
    Survival: _survival,
    Within: _within,
    Oldest: _oldest,
    Spread: _spread,
    Saved: _saved,
    Delivery: _delivery,
    Warned: _warned,
    Spiked: _spiked,
    Observed: _observed,
    Told: _told,
}
"""How each kind of metric is made. What stands beside another is made with it, what the exporter tells of itself is not made here."""
