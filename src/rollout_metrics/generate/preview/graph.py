"""Graphs as inline SVG: lines with bands, stacked bars, strips of states; gaps stay gaps. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import floor, inf, log10
from typing import Any

import msgspec

from rollout_metrics.generate.panels import PALETTE
from rollout_metrics.generate.preview.asking import AnsweredPanel, Mark, legend
from rollout_metrics.generate.preview.choices import Span
from rollout_metrics.generate.preview.values import instant, overrides, said, word

LEFT, RIGHT, TOP, BOTTOM = 62, 10, 8, 22


class Line(msgspec.Struct, frozen=True):
    """A series as it is drawn. `band_to`: the name of the series that the space below it is filled to."""

    name: str
    color: str
    samples: list[tuple[float, float]]
    seen: bool
    band_to: str = ""


class Box(msgspec.Struct, frozen=True):
    """The plane of a graph: pixels, the stretch of time across, and the values from bottom to top."""

    width: int
    height: int
    start: float
    end: float
    low: float
    high: float
    left: int = LEFT

    def x(self, at: float) -> float:
        """Where an instant lies."""
        return self.left + (at - self.start) / (self.end - self.start) * (self.width - self.left - RIGHT)

    def y(self, value: float) -> float:
        """Where a value lies."""
        return TOP + (self.high - value) / (self.high - self.low or 1) * (self.height - TOP - BOTTOM)


def lines_of(shown: AnsweredPanel) -> list[Line]:
    """Every series of a panel with its name and colour."""
    made: list[Line] = []
    for answer in shown.answers:
        for series in answer.series:
            name = legend(answer.legend, series.labels)
            wanted = overrides(shown.panel, name)
            hidden = wanted.get("custom.hideFrom", {}).get("viz") is False and wanted.get("custom.lineWidth") == 0
            color = wanted.get("color", {}).get("fixedColor") or PALETTE[len(made) % len(PALETTE)]
            made.append(Line(name, color, series.samples, seen=not hidden, band_to=wanted.get("custom.fillBelowTo", "")))
    return made


def graph(shown: AnsweredPanel, span: Span, marks: Sequence[Mark], *, width: int, height: int) -> str:
    """A time series panel."""
    config = shown.panel["fieldConfig"]["defaults"]
    lines = [line for line in lines_of(shown) if line.samples]
    stacked = config["custom"]["stacking"]["mode"] == "normal"
    limits = [step["value"] for step in config["thresholds"]["steps"] if step["value"] is not None and config["custom"]["thresholdsStyle"]["mode"] != "off"]
    box = _box(lines, config, limits, span, (width, height), stacked=stacked)
    parts = [*_axes(box, config["unit"], config.get("decimals")), *_marks(box, marks)]
    if lines:
        parts += _bars(box, lines, span.step) if stacked else _curves(box, lines, span.step, stepped=config["custom"]["lineInterpolation"] == "stepAfter")
    for limit in limits:
        if box.low <= limit <= box.high:
            y = box.y(limit)
            parts.append(f'<line class="limit" x1="{LEFT}" x2="{width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
    if not lines:
        parts.append(_nothing(width, height, str(config["noValue"])))
    return f'<svg viewBox="0 0 {width} {height}" role="img">{"".join(parts)}</svg>{_legend(lines)}'


def strips(shown: AnsweredPanel, span: Span, *, width: int, height: int) -> str:
    """A state timeline panel."""
    config = shown.panel["fieldConfig"]["defaults"]
    lines = [line for line in lines_of(shown) if line.samples]
    left = 14 + max((len(line.name) for line in lines), default=0) * 7
    box = Box(width, height, span.start, span.end, 0, 1, left)
    if not lines:
        return f'<svg viewBox="0 0 {width} {height}" role="img">{_nothing(width, height, str(config["noValue"]))}</svg>'
    tall = (height - TOP - BOTTOM) / len(lines)
    parts = list(_times(box))
    for row, line in enumerate(lines):
        top = TOP + row * tall
        parts.append(f'<text class="name" x="{left - 6}" y="{top + tall / 2 + 4:.1f}" text-anchor="end">{escape(line.name)}</text>')
        for start, end, value in _runs(line.samples, span.step):
            text, color = word(value, config["mappings"]) or (said(value, config["unit"]), "#999999")
            x, across = box.x(start), box.x(min(end, span.end)) - box.x(start)
            parts.append(f'<rect x="{x:.1f}" y="{top + 2:.1f}" width="{max(across, 1):.1f}" height="{max(tall - 4, 2):.1f}" fill="{color}"/>')
            if across > len(text) * 6.5:
                parts.append(f'<text class="state" fill="{_upon(color)}" x="{x + 5:.1f}" y="{top + tall / 2 + 4:.1f}">{escape(text)}</text>')
    used = dict.fromkeys(word(value, config["mappings"]) or (said(value, "locale"), "#999999") for line in lines for _, value in line.samples)
    keys = "".join(f'<span><i style="background:{color}"></i>{escape(text)}</span>' for text, color in used)
    return f'<svg viewBox="0 0 {width} {height}" role="img">{"".join(parts)}</svg><div class="legend">{keys}</div>'


def _box(lines: Sequence[Line], config: Mapping[str, Any], limits: Sequence[float], span: Span, size: tuple[int, int], *, stacked: bool) -> Box:
    totals: dict[float, float] = {}
    values = [value for line in lines for _, value in line.samples if abs(value) != inf] + list(limits)
    if stacked:
        for line in lines:
            for at, value in line.samples:
                totals[at] = totals.get(at, 0.0) + value
        values = [*totals.values(), 0.0]
    low = config.get("min", min(values, default=0.0))
    soft = config["custom"].get("axisSoftMax")
    high = config.get("max", max([*values, *([] if soft is None else [soft])], default=1.0))
    return Box(*size, span.start, span.end, low, high if high > low else low + 1)


def _axes(box: Box, unit: str, decimals: int | None) -> Iterator[str]:
    size = next((size for size in (86400.0, 3600.0, 60.0) if unit == "s" and box.high >= 2 * size), 1.0)
    for value in (size * tick for tick in _ticks(box.low / size, box.high / size)):
        y = box.y(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{box.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(said(value, unit, 0 if unit == "percentunit" else decimals))}</text>'
    yield from _times(box)


def _times(box: Box) -> Iterator[str]:
    count = max(2, box.width // 130)
    length = box.end - box.start
    form = "%H:%M" if length <= 2 * 86400 else "%m-%d"
    for number in range(count + 1):
        at = box.start + length * number / count
        anchor = "start" if number == 0 else "end" if number == count else "middle"
        yield f'<text x="{box.x(at):.1f}" y="{box.height - 6}" text-anchor="{anchor}">{instant(at, form)}</text>'


def _ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    rough = (high - low) / wanted
    size = 10 ** floor(log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    first = floor(low / step) * step
    return [value for value in (first + number * step for number in range(wanted * 3)) if low - step * 1e-6 <= value <= high + step * 1e-6]


def _marks(box: Box, marks: Sequence[Mark]) -> Iterator[str]:
    for mark in marks:
        x = box.x(mark.at)
        at = f'x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{box.height - BOTTOM}"'
        yield f'<line class="mark" stroke="{mark.color}" {at}><title>{escape(mark.text)}</title></line>'


def _curves(box: Box, lines: Sequence[Line], step: float, *, stepped: bool) -> Iterator[str]:
    named = {line.name: line for line in lines}
    for line in lines:
        if line.band_to in named:
            yield from _band(box, line, named[line.band_to], step)
    for line in lines:
        if not line.seen:
            continue
        for run in _unbroken(line.samples, step):
            points = [(box.x(at), box.y(value)) for at, value in run]
            if len(points) == 1:
                yield f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="2" fill="{line.color}"/>'
                continue
            path = _stairs(points) if stepped else "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
            yield f'<path d="M{path}" fill="none" stroke="{line.color}" stroke-width="1.8"/>'


def _stairs(points: Sequence[tuple[float, float]]) -> str:
    first, *others = points
    return f"{first[0]:.1f} {first[1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in others)


def _band(box: Box, upper: Line, lower: Line, step: float) -> Iterator[str]:
    below = dict(lower.samples)
    both = [(at, value, below[at]) for at, value in upper.samples if at in below]
    for run in _unbroken([(at, value) for at, value, _ in both], step):
        top = [f"{box.x(at):.1f} {box.y(value):.1f}" for at, value in run]
        bottom = [f"{box.x(at):.1f} {box.y(below[at]):.1f}" for at, _ in reversed(run)]
        yield f'<path d="M{"L".join(top + bottom)}Z" fill="{upper.color}" fill-opacity="0.18"/>'


def _bars(box: Box, lines: Sequence[Line], step: float) -> Iterator[str]:
    wide = max(1.0, box.x(box.start + step) - box.x(box.start))
    heights: dict[float, float] = {}
    for line in lines:
        for at, value in line.samples:
            base = heights.get(at, 0.0)
            heights[at] = base + value
            if value:
                y, tall = box.y(base + value), box.y(base) - box.y(base + value)
                yield f'<rect x="{box.x(at) - wide / 2:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" fill="{line.color}" fill-opacity="0.8"/>'


def _unbroken(samples: Sequence[tuple[float, float]], step: float) -> Iterator[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for sample in samples:
        if run and sample[0] - run[-1][0] > step * 1.5:
            yield run
            run = []
        run.append(sample)
    if run:
        yield run


def _runs(samples: Sequence[tuple[float, float]], step: float) -> Iterator[tuple[float, float, float]]:
    """Stretches of one value: from, to, value."""
    for run in _unbroken(samples, step):
        start, value = run[0]
        for at, now in run[1:]:
            if now != value:
                yield start, at, value
                start, value = at, now
        yield start, run[-1][0] + step, value


def _upon(color: str) -> str:
    """Black or white, whichever can be read on a colour."""
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return "#000" if 0.299 * red + 0.587 * green + 0.114 * blue > 110 else "#fff"


def _legend(lines: Sequence[Line]) -> str:
    named = {line.name: line.color for line in lines if line.seen}
    return '<div class="legend">' + "".join(f'<span><i style="background:{color}"></i>{escape(name)}</span>' for name, color in named.items()) + "</div>"


def _nothing(width: int, height: int, text: str) -> str:
    return f'<text class="nothing" x="{width / 2}" y="{height / 2}" text-anchor="middle">{escape(text)}</text>'
