"""Metrics as PromQL: selectors that can only name what the catalogue declares, and the counts behind a ratio."""

from collections.abc import Mapping

from rollout_metrics.catalog.metric import PREFIX, Metric, Part, Ratio
from rollout_metrics.catalog.tallies import TALLIES

REPLICAS = ("instance", "pod")
"""Labels by which replicas of the exporter differ: they publish the same figures, which must not be counted twice."""


class Pattern(str):
    """A label's value that is a regular expression whatever it looks like, as a variable of a dashboard that stands for several."""

    __slots__ = ()


def selector(metric: Metric, *, suffix: str = "", **wanted: str) -> str:
    """The metric's series with these label values; a value that holds `|` or `.` is a pattern. A label it does not have raises `ValueError`."""
    known = {*metric.all_labels, *(("le",) if suffix == "_bucket" else ())}
    unknown = sorted(set(wanted) - known)
    if unknown:
        raise ValueError(f"{metric.name} has no label {', '.join(unknown)}: it has {', '.join(metric.all_labels)}")
    order = [*metric.all_labels, *sorted(known - set(metric.all_labels))]
    return _selected(metric.name + suffix, {label: wanted[label] for label in order if label in wanted})


def once(expression: str) -> str:
    """The expression without the labels of replicas, each series once; they agree but for moments, when the greater holds."""
    return f"max without ({', '.join(REPLICAS)}) ({expression})"


def per(expression: str, *labels: str) -> str:
    """The expression by these labels only, each replica's series once: for tables, whose rows meet by them. Every other label must have been chosen."""
    return f"max by ({', '.join(labels)}) ({expression})"


def counted(metric: Metric, part: Part, *, ago: str = "", **wanted: str) -> str:
    """The counts of a part of a tally, with the labels of the metric that they belong to; `ago`: as they were then."""
    tally = TALLIES[part.tally]
    within = {label: "|".join(sorted(values)) for label, values in part.where}
    shared = {label: value for label, value in wanted.items() if label in ("workflow", "window", *tally.labels)}
    series = _selected(PREFIX + part.tally, {**shared, **within}) + (f" offset {ago}" if ago else "")
    summed = [label for label in tally.labels if label not in metric.labels]
    return f"sum without ({', '.join(summed)}) ({series})" if summed else series


def denominator(metric: Metric, *, ago: str = "", **wanted: str) -> str:
    """The n of a ratio: how many things it is a share of."""
    if not isinstance(metric.obtained, Ratio):
        raise ValueError(f"{metric.name} is no ratio of two counts")
    return counted(metric, metric.obtained.denominator, ago=ago, **wanted)


def _selected(name: str, wanted: Mapping[str, str]) -> str:
    matchers = ", ".join(f'{label}{"=~" if isinstance(value, Pattern) or set("|.") & set(value) else "="}"{value}"' for label, value in wanted.items())
    return f"{name}{{{matchers}}}" if matchers else name
