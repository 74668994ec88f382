"""A sketch as one HTML page that needs nothing else: panels on the grid, with their values, units, colours and words."""

import re
from html import escape
from typing import Any

import jinja2
from markupsafe import Markup

from rollout_metrics.generate.panels import TEXT
from rollout_metrics.generate.preview.asking import Answered, AnsweredPanel, legend
from rollout_metrics.generate.preview.graph import graph, strips
from rollout_metrics.generate.preview.values import instant, overrides, said, step_color, word

CELL, GAP, TITLE = 30, 8, 30
"""Grafana's grid: the height of a row, the space between panels, the height of a panel's title, in pixels."""
WIDTH = 1600

_PAGE = jinja2.Environment(loader=jinja2.PackageLoader("rollout_metrics.generate.preview", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def page(answered: Answered, names: dict[str, str]) -> str:
    """The page of one dashboard. `names`: the other sketches, file name -> title."""
    panels = [_shown(panel, answered) for panel in answered.panels]
    chosen = [
        (variable["label"], ", ".join(answered.choices[variable["name"]]) or "nothing")
        for variable in answered.dashboard["templating"]["list"]
        if variable.get("hide") != 2
    ]
    period = f"{instant(answered.span.start)} to {instant(answered.span.end)} UTC"
    errors = list(answered.errors())
    return _PAGE.get_template("page.html").render(
        dashboard=answered.dashboard,
        panels=panels,
        chosen=chosen,
        period=period,
        names=names,
        width=WIDTH,
        cell=CELL,
        gap=GAP,
        marks=_mark_words(answered),
        errors=errors,
    )


def _mark_words(answered: Answered) -> list[tuple[str, str]]:
    return [(mark["iconColor"], mark["name"]) for mark in answered.dashboard["annotations"]["list"] if "expr" in mark]


def _shown(panel: AnsweredPanel, answered: Answered) -> dict[str, Any]:
    left, top, wide, tall = panel.place
    width = round(WIDTH / 24 * wide - GAP - 20)
    height = tall * (CELL + GAP) - GAP - TITLE - 34
    kind = panel.panel["type"]
    if kind == "timeseries":
        body = graph(panel, answered.span, answered.marks, width=width, height=height)
    elif kind == "state-timeline":
        body = strips(panel, answered.span, width=width, height=height)
    elif kind == "stat":
        body = _stat(panel)
    elif kind == "table":
        body = _table(panel)
    else:
        body = _words(panel.panel.get("options", {}).get("content") or panel.panel.get("content", ""))
    return {
        "kind": kind,
        "title": panel.title,
        "description": panel.panel.get("description", ""),
        "left": left + 1,
        "top": top + 1,
        "wide": wide,
        "tall": tall,
        "body": Markup(body),  # noqa: S704  (made here, with every text escaped)
        "errors": [answer.error for answer in panel.answers if answer.error],
    }


def _stat(panel: AnsweredPanel) -> str:
    config = panel.panel["fieldConfig"]["defaults"]
    rows: list[str] = []
    found = [(legend(answer.legend, series.labels), series.samples[-1][1]) for answer in panel.answers for series in answer.series]
    for name, value in found:
        own = overrides(panel.panel, name)
        mapped = word(value, config.get("mappings", []))
        text = mapped[0] if mapped else said(value, own.get("unit", config["unit"]), own.get("decimals", config.get("decimals")))
        by_step = step_color(value, config["thresholds"]["steps"]) if config["color"]["mode"] == "thresholds" else config["color"]["fixedColor"]
        color = own.get("color", {}).get("fixedColor") or (mapped[1] if mapped else by_step)
        color = "inherit" if color == TEXT else color
        label = f"<small>{escape(name)}</small>" if len(panel.answers) > 1 else ""
        rows.append(f'<div class="value" style="color:{color}">{label}<b>{escape(text)}</b></div>')
    return f'<div class="stat n{len(panel.answers)}">{"".join(rows)}</div>' if rows else f'<div class="stat nothing">{escape(config["noValue"])}</div>'


def _table(panel: AnsweredPanel) -> str:
    """Rows that meet by the labels all queries share, as the transformation `merge` does, then named and ordered as `organize` says."""
    several = len(panel.answers) > 1
    wanted = panel.panel["transformations"][1]["options"]
    names, left_out = wanted["renameByName"], wanted["excludeByName"]
    asked = [answer for answer in panel.answers if answer.series]
    shared = set.intersection(*({label for series in answer.series for label in series.labels} for answer in asked)) if asked else set()
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for answer in asked:
        for series in answer.series:
            row = rows.setdefault(tuple(series.labels.get(label, "") for label in sorted(shared)), {})
            row |= series.labels
            row[f"Value #{answer.ref}" if several else "Value"] = series.samples[-1][1]
    columns = [
        name for name in sorted(names, key=lambda name: wanted["indexByName"][name]) if name not in left_out and any(name in row for row in rows.values())
    ]
    if not rows:
        return f'<div class="stat nothing">{escape(panel.panel["fieldConfig"]["defaults"]["noValue"])}</div>'
    head = "".join(f"<th>{escape(names[name])}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(_cell(panel, names[name], row.get(name)) for name in columns)}</tr>" for row in rows.values())
    return f"<div class=table><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _cell(panel: AnsweredPanel, name: str, value: Any) -> str:
    if value is None:
        return "<td></td>"
    own = overrides(panel.panel, name)
    linked = " class=link" if own.get("links") else ""
    if isinstance(value, str):
        return f"<td><span{linked}>{escape(value)}</span></td>"
    mapped = word(value, own.get("mappings", []))
    text = mapped[0] if mapped else said(value, own.get("unit", "locale"), own.get("decimals"))
    color = mapped[1] if mapped else step_color(value, own["thresholds"]["steps"]) if "thresholds" in own else TEXT
    style = "" if color == TEXT else f' style="color:{color};font-weight:600"'
    return f"<td class=number><span{linked}{style}>{escape(text)}</span></td>"


def _words(content: str) -> str:
    text = escape(" ".join(content.split()), quote=False)
    for pattern, tag in ((r"\*\*(.+?)\*\*", "b"), (r"\*(.+?)\*", "i"), (r"`(.+?)`", "code")):
        text = re.sub(pattern, rf"<{tag}>\1</{tag}>", text)
    return f"<p>{text}</p>"
