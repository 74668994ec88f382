"""A dashboard's questions asked of a Prometheus: every target of every panel and every mark, with the variables' choices put in."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.generate.preview.choices import Choices, Span, chosen, interpolated
from rollout_metrics.generate.prometheus import Prometheus, Sampled

Json = Mapping[str, Any]
DATALESS = frozenset(("row", "text"))


class Answer(msgspec.Struct, frozen=True):
    """What came of one target: its series, or why there are none."""

    ref: str
    expression: str
    legend: str
    series: list[Sampled] = []
    error: str = ""


class AnsweredPanel(msgspec.Struct, frozen=True):
    """A panel with its title as it reads, where it stands, and the answers to its targets."""

    panel: Json
    title: str
    place: tuple[int, int, int, int]
    """Left, top, width and height in grid units."""
    answers: list[Answer] = []


class Mark(msgspec.Struct, frozen=True):
    """A vertical line in every graph."""

    at: float
    color: str
    text: str


class Answered(msgspec.Struct, frozen=True):
    """A dashboard with everything that was asked for it."""

    dashboard: Json
    span: Span
    choices: Choices
    panels: list[AnsweredPanel]
    marks: list[Mark]
    refused_marks: list[str]

    def errors(self) -> Iterator[str]:
        """Every question that Prometheus refused."""
        for shown in self.panels:
            yield from (f"{shown.title}: {answer.error}" for answer in shown.answers if answer.error)
        yield from self.refused_marks


def ask(dashboard: Json, prometheus: Prometheus, now: float, wanted: Mapping[str, str]) -> Answered:
    """Ask everything as it is at an instant. `wanted`: choices for variables, instead of the dashboard's own."""
    span = Span.of(dashboard, now)
    choices = chosen(dashboard, prometheus, span, wanted)
    panels = [_answered(panel, place, its, prometheus, span) for panel, place, its in _placed(dashboard, choices)]
    marks, refused = _marks(dashboard, prometheus, span, choices)
    return Answered(dashboard, span, choices, panels, marks, refused)


def _placed(dashboard: Json, choices: Choices) -> Iterator[tuple[Json, tuple[int, int, int, int], Choices]]:
    """Panels in their places; one that is repeated as often as its variable has values, and what stands below it moved down."""
    moved = 0
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        values = choices[panel["repeat"]] if panel.get("repeat") else ("",)
        if not panel.get("repeat"):
            yield panel, (at["x"], at["y"] + moved, at["w"], at["h"]), choices
            continue
        abreast = max(1, min(len(values), panel.get("maxPerRow", 4)))
        for number, value in enumerate(values):
            down, across = divmod(number, abreast)
            yield panel, (across * 24 // abreast, at["y"] + moved + down * at["h"], 24 // abreast, at["h"]), {**choices, panel["repeat"]: (value,)}
        moved += (len(values) - 1) // abreast * at["h"]


def _answered(panel: Json, place: tuple[int, int, int, int], choices: Choices, prometheus: Prometheus, span: Span) -> AnsweredPanel:
    title = interpolated(panel["title"], choices, span)
    if panel["type"] in DATALESS:
        return AnsweredPanel(panel, title, place)
    return AnsweredPanel(panel, title, place, [_asked(target, choices, prometheus, span) for target in panel["targets"]])


def _asked(target: Json, choices: Choices, prometheus: Prometheus, span: Span) -> Answer:
    expression = interpolated(target["expr"], choices, span)
    known = (target["refId"], expression, target["legendFormat"])
    try:
        if target["instant"]:
            return Answer(*known, series=prometheus.now(expression, span.end))
        return Answer(*known, series=prometheus.over(expression, span.start, span.end, span.step))
    except PayloadError as error:
        return Answer(*known, error=str(error))


def _marks(dashboard: Json, prometheus: Prometheus, span: Span, choices: Choices) -> tuple[list[Mark], list[str]]:
    found: list[Mark] = []
    refused: list[str] = []
    for mark in dashboard["annotations"]["list"]:
        if "expr" not in mark:
            continue
        try:
            series = prometheus.over(interpolated(mark["expr"], choices, span), span.start, span.end, max(3600.0, span.step))
        except PayloadError as error:
            refused.append(f"{mark['name']}: {error}")
            continue
        for one in series:
            text = legend(mark["titleFormat"], one.labels)
            instants = {value / 1000 for _, value in one.samples} if mark["useValueForTime"] else {at for at, _ in one.samples}
            found += [Mark(at, mark["iconColor"], text) for at in sorted(instants) if span.start <= at <= span.end]
    return found, refused


def legend(form: str, labels: Mapping[str, str]) -> str:
    """A legend's words: `{{label}}` is that label's value."""
    text = form
    for label, value in labels.items():
        text = text.replace(f"{{{{{label}}}}}", value)
    return text or ", ".join(f"{label}={value}" for label, value in labels.items()) or "value"
