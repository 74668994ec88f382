"""What dashboards ask Prometheus: expressions over the catalogue for the workflow and window chosen there, with the words of their legends. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rollout_metrics.catalog import DENOMINATORS, METRICS, Metric
from rollout_metrics.catalog.metric import Ratio
from rollout_metrics.catalog.promql import Pattern, denominator, once, per, selector
from rollout_metrics.catalog.recording import recorded

CHOSEN: Mapping[str, str] = {"workflow": Pattern("$workflow")}
"""Several workflows at once, where the dashboard's variable allows that; without it an expression is about the one workflow chosen."""

_OF_ALL = {"incident_link_ratio": "incidents"}
"""Ratios that say how a whole is made up, and the counts of the whole."""


class Query(msgspec.Struct, frozen=True):
    """An expression with the words of its legend, its colour and its unit where that differs from the panel's."""

    expression: str
    legend: str
    color: str | None = None
    unit: str | None = None


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a table: a value for each row. `steps`: from which value on which colour; `mappings`: words for values; `links`: where a click leads."""

    title: str
    expression: str
    unit: str = "locale"
    decimals: int | None = None
    steps: Sequence[tuple[float | None, str]] = ()
    mappings: Sequence[Mapping[str, Any]] = ()
    links: Sequence[Mapping[str, Any]] = ()
    width: int | None = None
    hidden: bool = False
    """Asked only for its labels."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A label by which a table's rows are told apart, as a column with a title."""

    label: str
    title: str
    links: Sequence[Mapping[str, Any]] = ()
    width: int | None = None


def shown(key: str, *, ago: str = "", **labels: str) -> str:
    """PromQL of a metric of the catalogue for the workflow and window chosen on the dashboard, each replica's series once; `ago`: as it was then."""
    return once(chosen(key, ago=ago, **labels))


def cell(key: str, *by: str, ago: str = "", **labels: str) -> str:
    """The same for a table whose rows are told apart by these labels; by workflow unless told otherwise."""
    return per(chosen(key, ago=ago, **labels), *(by or ("workflow",)))


def type_cell(key: str, operation: str, **labels: str) -> str:
    """A share of all workflows of a type, as recorded, for a table whose rows are the types chosen. `operation`: ratio, lower, upper, denominator."""
    wanted = {"workflow_type": '=~"$type"', "window": '="$window"', **{label: f'="{value}"' for label, value in labels.items()}}
    matchers = ", ".join(label + value for label, value in wanted.items())
    return per(f"{recorded(key, operation, level='workflow_type')}{{{matchers}}}", "workflow_type")


def chosen(key: str, *, ago: str = "", **labels: str) -> str:
    """The selector behind both: every replica's series."""
    metric = METRICS[key]
    return selector(metric, **_wanted(metric, labels)) + (f" offset {ago}" if ago else "")


def added(key: str, *by: str, ago: str = "", **labels: str) -> str:
    """PromQL of counts added up over everything but these labels, each replica's series once. Not for shares, which cannot be added."""
    total = f"sum by ({', '.join(by)})" if by else "sum"
    return f"{total} ({shown(key, ago=ago, **labels)})"


def rated(key: str, *by: str) -> str:
    """PromQL of a counter's growth per second. Each process counts what it did itself, so replicas are added."""
    grown = f"rate({selector(METRICS[key])}[$__rate_interval])"
    return f"sum by ({', '.join(by)}) ({grown})" if by else f"sum ({grown})"


def grown(key: str, *by: str) -> str:
    """PromQL of a counter's growth over the time range shown."""
    return f"sum by ({', '.join(by)}) (increase({selector(METRICS[key])}[$__range]))"


def n_of(key: str, **labels: str) -> str:
    """PromQL of the number of things that a figure of the catalogue rests on."""
    return once(_counted(key, labels))


def n_cell(key: str, *by: str, ago: str = "", **labels: str) -> str:
    """The same for a table."""
    wanted = by or ("workflow",)
    if key in _OF_ALL and len(wanted) > 1:
        parts, whole = cell(_OF_ALL[key], *wanted, ago=ago, **labels), added(_OF_ALL[key], "workflow", ago=ago, **labels)
        return f"0 * {parts} + on (workflow) group_left () {whole}"
    return per(_counted(key, labels, ago), *wanted)


def _counted(key: str, labels: Mapping[str, str], ago: str = "") -> str:
    metric = METRICS[key]
    if key in _OF_ALL:
        counts = _OF_ALL[key]
        return f"sum without ({', '.join(METRICS[counts].labels)}) ({chosen(counts, ago=ago, **labels)})"
    if isinstance(metric.obtained, Ratio):
        return denominator(metric, ago=ago, **_wanted(metric, labels))
    return chosen(DENOMINATORS.get(key, f"{key}_cases"), ago=ago, **labels)


def _wanted(metric: Metric, labels: Mapping[str, str]) -> dict[str, str]:
    wanted = {"workflow": "$workflow"} if metric.per_workflow else {}
    wanted |= {"window": "$window"} if metric.windowed else {}
    return wanted | {label: value for label, value in labels.items() if label != "workflow" or metric.per_workflow}
