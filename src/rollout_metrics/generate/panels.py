"""The panels of our dashboards: a few thin functions over grafanalib, each with its unit and description.

The only module that imports grafanalib. What it gets wrong for a current Grafana is put right in `finish`.
"""

import json
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any, TypeAlias

import msgspec
from grafanalib import core as grafana
from grafanalib._gen import DashboardEncoder

from rollout_metrics.generate.links import PAGES
from rollout_metrics.generate.queries import Column, Key, Query

NO_DATA = "no data"

BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#999999"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY, YELLOW, GREY)
"""Okabe and Ito's colours, which people of any colour vision can tell apart."""
LIGHT, DARK = "#BBBBBB", "#666666"
TEXT = "text"
"""The colour of words in whatever theme a person has chosen: for what is as it should be."""

COLUMNS = 24

Dashboard: TypeAlias = grafana.Dashboard
Panel: TypeAlias = grafana.Panel
Variable: TypeAlias = grafana.Template
Links: TypeAlias = Sequence[Mapping[str, Any]]
Steps: TypeAlias = Sequence[tuple[float | None, str]]
"""From which value on which colour; None: from the least."""


class Top(msgspec.Struct, frozen=True):
    """Where the scale of a graph ends; `soft`: unless something is higher."""

    value: float
    soft: bool = False


class Row(msgspec.Struct, frozen=True):
    """Panels side by side under a heading, `height` grid units high; `widths` fill the 24 columns, and wrap. A `for_each` panel stands alone in its row."""

    title: str
    panels: Sequence[grafana.Panel]
    widths: Sequence[int]
    height: int = 8


def stat(
    title: str,
    queries: Sequence[Query],
    *,
    unit: str,
    description: str,
    steps: Steps = (),
    mappings: Sequence[Mapping[str, Any]] = (),
    decimals: int | None = None,
    links: Links = (),
    missing: str = NO_DATA,
) -> grafana.Stat:
    """Values as they are now. `steps`: from which value on which colour; `mappings`: words for values."""
    return grafana.Stat(
        title=title,
        description=description,
        format=unit,
        noValue=missing,
        reduceCalc="lastNotNull",
        graphMode="none",
        colorMode="value",
        orientation="horizontal" if len(queries) > 1 else "auto",
        textMode="value_and_name" if len(queries) > 1 else "value",
        color={"mode": "thresholds"} if steps else {"mode": "fixed", "fixedColor": TEXT},
        thresholds=_steps(steps),
        mappings=list(mappings),
        decimals=decimals,
        overrides=[_override(query) for query in queries if query.unit or query.color],
        extraJson={"fieldConfig": {"defaults": {"links": list(links)}}},
        targets=_targets(queries, instant=True),
    )


def series(
    title: str,
    queries: Sequence[Query],
    *,
    unit: str,
    description: str,
    limit: float | None = None,
    bars: bool = False,
    stepped: bool = False,
    signed: bool = False,
    top: Top | None = None,
    links: Links = (),
    overrides: Sequence[Mapping[str, Any]] = (),
) -> grafana.TimeSeries:
    """Values over time. `limit`: a line at the threshold of an alert; `bars`: stacked, for counts that make up a whole; `signed`: may be below 0."""
    defaults = {"noValue": NO_DATA, "links": list(links)} | ({} if signed else {"min": 0}) | ({} if top is None or top.soft else {"max": top.value})
    custom = {"custom": {"axisSoftMax": top.value}} if top is not None and top.soft else {}
    return grafana.TimeSeries(
        title=title,
        description=description,
        unit=unit,
        drawStyle="bars" if bars else "line",
        fillOpacity=70 if bars else 0,
        stacking={"mode": "normal", "group": "A"} if bars else {"mode": "none", "group": "A"},
        lineWidth=1 if bars else 2,
        showPoints="never" if bars else "auto",
        lineInterpolation="stepAfter" if stepped else "linear",
        spanNulls=False,
        tooltipMode="multi",
        tooltipSort="none",
        legendDisplayMode="list",
        colorMode="palette-classic",
        thresholds=_steps(() if limit is None else ((None, "transparent"), (limit, VERMILLION))),
        thresholdsStyleMode="off" if limit is None else "dashed",
        overrides=[*(_override(query) for query in queries if query.color or query.unit), *overrides],
        extraJson={"fieldConfig": {"defaults": defaults | custom}},
        targets=_targets(queries, instant=False),
    )


def for_each(panel: grafana.Panel, variable: str = "workflow", *, abreast: int = 4) -> grafana.Panel:
    """The panel once for each of what is chosen, at most so many abreast."""
    panel.repeat = grafana.Repeat(direction="h", variable=variable)
    panel.repeat.maxPerRow = abreast
    return panel


def band(color: str) -> list[dict[str, Any]]:
    """Overrides that draw the series `at most` and `at least` as one band."""
    return [
        {"matcher": {"id": "byName", "options": "at most"}, "properties": [*_unseen(color, 15), {"id": "custom.fillBelowTo", "value": "at least"}]},
        {"matcher": {"id": "byName", "options": "at least"}, "properties": _unseen(color, 0)},
    ]


def table(title: str, keys: Sequence[Key], columns: Sequence[Column], *, description: str, missing: str = NO_DATA) -> grafana.Table:
    """A row for each combination of the keys' labels, a column for each expression; all as they are now."""
    values = [f"Value #{letter}" for letter in ascii_uppercase[: len(columns)]] if len(columns) > 1 else ["Value"]
    names = {key.label: key.title for key in keys} | {value: column.title for value, column in zip(values, columns, strict=True) if not column.hidden}
    left_out = {"Time": True} | {value: True for value, column in zip(values, columns, strict=True) if column.hidden}
    order = {name: at for at, name in enumerate(names)}
    organised = {"excludeByName": left_out, "indexByName": order, "renameByName": names, "includeByName": {}}
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": False}
    config = {"defaults": {"noValue": missing, "color": {"mode": "fixed", "fixedColor": TEXT}, "custom": custom}}
    return grafana.Table(
        title=title,
        description=description,
        unit="locale",
        thresholds=_steps(()),
        overrides=[*(_key_override(key) for key in keys if key.links or key.width), *(_column_override(column) for column in columns if not column.hidden)],
        transformations=[{"id": "merge", "options": {}}, {"id": "organize", "options": organised}],
        extraJson={"fieldConfig": config, "options": {"cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""}}},
        targets=_targets([Query(column.expression, "") for column in columns], instant=True, form="table"),
    )


def timeline(title: str, queries: Sequence[Query], *, description: str, mappings: Sequence[Mapping[str, Any]], links: Links = ()) -> grafana.StateTimeline:
    """States over time, a strip for each series; `mappings` gives each state its word and colour."""
    return grafana.StateTimeline(
        title=title,
        description=description,
        mappings=list(mappings),
        thresholds=_steps(((None, GREY),)),
        tooltipMode="multi",
        overrides=[],
        extraJson={
            "fieldConfig": {"defaults": {"noValue": NO_DATA, "unit": "locale", "links": list(links), "custom": {"spanNulls": False}}},
            "options": {"legend": {"showLegend": True}, "tooltip": {"sort": "none"}},
        },
        targets=_targets(queries, instant=False),
    )


def states(*named: tuple[float, str, str]) -> list[dict[str, Any]]:
    """Words and colours for values: `(value, word, color)` each."""
    return [{"type": "value", "options": {f"{value:g}": {"text": word, "color": color, "index": at} for at, (value, word, color) in enumerate(named)}}]


def text(title: str, content: str, *, description: str) -> grafana.Text:
    """Words, as Markdown."""
    return grafana.Text(title=title, content=content, description=description)


def query_variable(name: str, label: str, query: str, *, default: str = "", sort: int = 1, several: bool = False) -> grafana.Template:
    """A variable whose choices Prometheus knows; `sort` 1: by alphabet, 3: by number; `several`: any of them, at first all."""
    return grafana.Template(
        name=name,
        label=label,
        query=query,
        dataSource="${datasource}",
        default="All" if several else default,
        refresh=grafana.REFRESH_ON_TIME_RANGE_CHANGE,
        sort=sort,
        multi=several,
        includeAll=several,
    )


def mark(name: str, expression: str, color: str, title: str, *, own_time: bool = False) -> dict[str, Any]:
    """Marks on every panel where the expression has a sample; `own_time`: its value is the instant, in milliseconds, not where the sample stands."""
    return {
        "name": name,
        "enable": True,
        "hide": False,
        "iconColor": color,
        "expr": expression,
        "step": "1h",
        "titleFormat": title,
        "textFormat": "",
        "useValueForTime": own_time,
    }


def dashboard(
    title: str,
    *,
    uid: str,
    description: str,
    pages_url: str,
    variables: Sequence[grafana.Template],
    rows: Sequence[Row],
    marks: Sequence[dict[str, Any]] = (),
    time_range: str = "now-28d",
) -> grafana.Dashboard:
    """A dashboard of rows, with the data source as its first variable and links to its siblings that carry variables and time range."""
    source = grafana.Template(name="datasource", label="Data source", type="datasource", query="prometheus", default="prometheus")
    pages = grafana.Template(
        name=PAGES, label="Pages for people", type="constant", query=pages_url.rstrip("/"), default=pages_url.rstrip("/"), hide=grafana.HIDE_VARIABLE
    )
    return grafana.Dashboard(
        title=title,
        uid=uid,
        description=description,
        tags=["rollout-metrics"],
        editable=False,
        refresh="5m",
        time=grafana.Time(time_range, "now"),
        timezone="browser",
        graphTooltip=grafana.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
        templating=grafana.Templating([source, *variables, pages]),
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


def _targets(queries: Sequence[Query], *, instant: bool, form: str = "time_series") -> list[grafana.Target]:
    return [
        grafana.Target(expr=query.expression, legendFormat=query.legend, refId=letter, instant=instant, format=form)
        for letter, query in zip(ascii_uppercase[: len(queries)], queries, strict=True)
    ]


def _steps(steps: Steps) -> list[dict[str, Any]]:
    return [{"value": value, "color": color} for value, color in steps or ((None, BLUE),)]


def _override(query: Query) -> dict[str, Any]:
    properties: list[dict[str, Any]] = []
    if query.color:
        properties.append({"id": "color", "value": {"mode": "fixed", "fixedColor": query.color}})
    if query.unit:
        properties += [{"id": "unit", "value": query.unit}, {"id": "decimals", "value": 0}]
    return {"matcher": {"id": "byName", "options": query.legend}, "properties": properties}


def _key_override(key: Key) -> dict[str, Any]:
    properties = ([{"id": "links", "value": list(key.links)}] if key.links else []) + ([{"id": "custom.width", "value": key.width}] if key.width else [])
    return {"matcher": {"id": "byName", "options": key.title}, "properties": properties}


def _column_override(column: Column) -> dict[str, Any]:
    wanted: list[tuple[str, Any]] = [
        ("unit", column.unit),
        ("decimals", column.decimals),
        ("custom.width", column.width),
        ("links", list(column.links) or None),
        ("mappings", list(column.mappings) or None),
    ]
    if column.steps or column.mappings:
        wanted += [("custom.cellOptions", {"type": "color-text"}), ("color", {"mode": "thresholds"})]
        wanted.append(("thresholds", {"mode": "absolute", "steps": _steps(column.steps or ((None, TEXT),))}))
    properties = [{"id": name, "value": value} for name, value in wanted if value is not None]
    return {"matcher": {"id": "byName", "options": column.title}, "properties": properties}


def _unseen(color: str, opacity: int) -> list[dict[str, Any]]:
    return [
        {"id": "color", "value": {"mode": "fixed", "fixedColor": color}},
        {"id": "custom.lineWidth", "value": 0},
        {"id": "custom.fillOpacity", "value": opacity},
        {"id": "custom.showPoints", "value": "never"},
        {"id": "custom.hideFrom", "value": {"legend": True, "tooltip": False, "viz": False}},
    ]
