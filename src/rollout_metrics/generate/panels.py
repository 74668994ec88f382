"""The panels of our dashboards: a few thin functions over grafanalib, each with its unit and description, drawn from the catalogue.

The only module that imports grafanalib. What it gets wrong for a current Grafana is put right in `finish`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from grafanalib import core as grafana
from grafanalib._gen import DashboardEncoder

from rollout_metrics.catalog import METRICS, Metric
from rollout_metrics.catalog.promql import denominator, once, selector

NO_DATA = "no data"

BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#999999"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY, YELLOW, GREY)
"""Okabe and Ito's colours, which people of any colour vision can tell apart."""

COLUMNS = 24

Dashboard: TypeAlias = grafana.Dashboard


class Query(msgspec.Struct, frozen=True):
    """An expression with the words of its legend, its colour and its unit where that differs from the panel's."""

    expression: str
    legend: str
    color: str | None = None
    unit: str | None = None


class Row(msgspec.Struct, frozen=True):
    """Panels side by side under a heading, `height` grid units high; `widths` fill the 24 columns, and wrap."""

    title: str
    panels: Sequence[grafana.Panel]
    widths: Sequence[int]
    height: int = 8


def shown(key: str, *, ago: str = "", **labels: str) -> str:
    """PromQL of a metric of the catalogue for the workflow and window chosen on the dashboard, each replica's series once; `ago`: as it was then."""
    metric = METRICS[key]
    return once(selector(metric, **_chosen(metric, labels)) + (f" offset {ago}" if ago else ""))


def n_of(key: str, **labels: str) -> str:
    """PromQL of the number of things that a ratio of the catalogue is a share of."""
    metric = METRICS[key]
    return once(denominator(metric, **_chosen(metric, labels)))


def _chosen(metric: Metric, labels: Mapping[str, str]) -> dict[str, str]:
    chosen = {"workflow": "$workflow"} if metric.per_workflow else {}
    return chosen | ({"window": "$window"} if metric.windowed else {}) | dict(labels)


def stat(title: str, queries: Sequence[Query], *, unit: str, description: str, steps: Sequence[tuple[float | None, str]] = (), **more: Any) -> grafana.Stat:
    """Values as they are now. `steps`: from which value on which colour; `mappings`: words for values."""
    return grafana.Stat(
        title=title,
        description=description,
        format=unit,
        noValue=NO_DATA,
        reduceCalc="lastNotNull",
        graphMode="none",
        colorMode="value",
        orientation="horizontal" if len(queries) > 1 else "auto",
        textMode="value_and_name" if len(queries) > 1 else "value",
        color={"mode": "thresholds"} if steps else {"mode": "fixed", "fixedColor": BLUE},
        thresholds=_steps(steps),
        mappings=more.get("mappings", []),
        decimals=more.get("decimals"),
        overrides=[_override(query) for query in queries if query.unit or query.color],
        targets=_targets(queries, instant=True),
    )


def series(title: str, queries: Sequence[Query], *, unit: str, description: str, limit: float | None = None, **more: Any) -> grafana.TimeSeries:
    """Values over time. `limit`: a line at the threshold of an alert; `bars`: stacked bars, for counts that make up a whole."""
    bars = bool(more.get("bars"))
    return grafana.TimeSeries(
        title=title,
        description=description,
        unit=unit,
        drawStyle="bars" if bars else "line",
        fillOpacity=70 if bars else 0,
        stacking={"mode": "normal", "group": "A"} if bars else {"mode": "none", "group": "A"},
        lineWidth=1 if bars else 2,
        showPoints="never" if bars else "auto",
        lineInterpolation="stepAfter" if more.get("stepped") else "linear",
        spanNulls=False,
        tooltipMode="multi",
        tooltipSort="none",
        legendDisplayMode="list",
        colorMode="palette-classic",
        thresholds=_steps(() if limit is None else ((None, "transparent"), (limit, VERMILLION))),
        thresholdsStyleMode="off" if limit is None else "dashed",
        overrides=[*(_override(query) for query in queries if query.color or query.unit), *more.get("overrides", [])],
        extraJson={"fieldConfig": {"defaults": {"noValue": NO_DATA, "min": 0, **more.get("defaults", {})}}},
        targets=_targets(queries, instant=False),
    )


def ratio(key: str, title: str, *, limit: float | None = None, color: str = BLUE, **labels: str) -> tuple[grafana.Stat, grafana.TimeSeries]:
    """A ratio twice: now, with interval and n; and over time, with its interval as a band and the alert's limit as a line."""
    metric = METRICS[key]
    lower, upper = (shown(f"{key}_{bound}", **labels) for bound in ("lower", "upper"))
    now = stat(
        f"{title} over $window, now",
        (
            Query(shown(key, **labels), "share", color),
            Query(lower, "at least", color),
            Query(upper, "at most", color),
            Query(n_of(key, **labels), "n", GREY, "short"),
        ),
        unit="percentunit",
        decimals=1,
        description=f"{metric.help} at least, at most: 95 % interval. n: how many it is a share of. No data is not 0.",
    )
    band = [
        {"matcher": {"id": "byName", "options": "at most"}, "properties": [*_unseen(color, 15), {"id": "custom.fillBelowTo", "value": "at least"}]},
        {"matcher": {"id": "byName", "options": "at least"}, "properties": _unseen(color, 0)},
    ]
    over_time = series(
        f"{title} over $window",
        (Query(shown(key, **labels), "share", color), Query(lower, "at least"), Query(upper, "at most")),
        unit="percentunit",
        limit=limit,
        overrides=band,
        defaults={"max": 1},
        description=f"{metric.help} The band is the 95 % interval: where it is wide, n is small. A gap means no data."
        + ("" if limit is None else f" Dashed line: the limit of the alert, {limit:g}, which is about the lower bound over 1d."),
    )
    return now, over_time


def text(title: str, content: str, *, description: str) -> grafana.Text:
    """Words, as Markdown."""
    return grafana.Text(title=title, content=content, description=description)


def query_variable(name: str, label: str, query: str, *, default: str, sort: int = 1) -> grafana.Template:
    """A variable whose choices Prometheus knows; `sort` 1: by alphabet, 3: by number."""
    return grafana.Template(
        name=name, label=label, query=query, dataSource="${datasource}", default=default, refresh=grafana.REFRESH_ON_TIME_RANGE_CHANGE, sort=sort
    )


def change_mark(name: str, expression: str, color: str, title: str) -> dict[str, Any]:
    """Marks on every panel where the expression has a sample."""
    return {
        "name": name,
        "enable": True,
        "hide": False,
        "iconColor": color,
        "expr": expression,
        "step": "5m",
        "titleFormat": title,
        "textFormat": "",
        "useValueForTime": False,
    }


def dashboard(
    title: str,
    *,
    uid: str,
    description: str,
    variables: Sequence[grafana.Template],
    rows: Sequence[Row],
    marks: Sequence[dict[str, Any]] = (),
) -> grafana.Dashboard:
    """A dashboard of rows, with the data source as its first variable and links to its siblings that carry variables and time range."""
    source = grafana.Template(name="datasource", label="Data source", type="datasource", query="prometheus", default="prometheus")
    return grafana.Dashboard(
        title=title,
        uid=uid,
        description=description,
        tags=["rollout-metrics"],
        editable=False,
        refresh="5m",
        time=grafana.Time("now-28d", "now"),
        timezone="browser",
        graphTooltip=grafana.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
        templating=grafana.Templating([source, *variables]),
        annotations=grafana.Annotations(list(marks)),
        links=[grafana.DashboardLink(title="Rollout metrics", tags=["rollout-metrics"], asDropdown=True, includeVars=True, keepTime=True)],
        panels=_placed(rows),
    ).auto_panel_ids()


def as_json(made: Dashboard) -> dict[str, Any]:
    """What grafanalib makes of the dashboard, as JSON values."""
    written: dict[str, Any] = json.loads(json.dumps(made, cls=DashboardEncoder))
    return written


def _placed(rows: Sequence[Row]) -> list[grafana.Panel]:
    placed: list[grafana.Panel] = []
    top = 0
    for row in rows:
        if row.title:
            placed.append(grafana.RowPanel(title=row.title, gridPos=grafana.GridPos(h=1, w=COLUMNS, x=0, y=top)))
            top += 1
        left = 0
        for panel, width in zip(row.panels, row.widths, strict=True):
            if left + width > COLUMNS:
                left, top = 0, top + row.height
            panel.gridPos = grafana.GridPos(h=row.height, w=width, x=left, y=top)
            placed.append(panel)
            left += width
        top += row.height
    return placed


def _targets(queries: Sequence[Query], *, instant: bool) -> list[grafana.Target]:
    letters = "ABCDEFGHIJKLMNOP"
    return [
        grafana.Target(expr=query.expression, legendFormat=query.legend, refId=letter, instant=instant) for letter, query in zip(letters, queries, strict=False)
    ]


def _steps(steps: Sequence[tuple[float | None, str]]) -> list[dict[str, Any]]:
    return [{"value": value, "color": color} for value, color in steps or ((None, BLUE),)]


def _override(query: Query) -> dict[str, Any]:
    properties: list[dict[str, Any]] = []
    if query.color:
        properties.append({"id": "color", "value": {"mode": "fixed", "fixedColor": query.color}})
    if query.unit:
        properties += [{"id": "unit", "value": query.unit}, {"id": "decimals", "value": 0}]
    return {"matcher": {"id": "byName", "options": query.legend}, "properties": properties}


def _unseen(color: str, opacity: int) -> list[dict[str, Any]]:
    return [
        {"id": "color", "value": {"mode": "fixed", "fixedColor": color}},
        {"id": "custom.lineWidth", "value": 0},
        {"id": "custom.fillOpacity", "value": opacity},
        {"id": "custom.showPoints", "value": "never"},
        {"id": "custom.hideFrom", "value": {"legend": True, "tooltip": False, "viz": False}},
    ]
