"""Charts as SVG: a rate by the week with its interval, where something was changed, on axes that can be read. The same values, the same bytes.

Colours are written as variables of the page where it has them, so that one drawing suits light and dark; for paper they stay as they are.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from io import StringIO
from threading import Lock
from typing import Any
from warnings import catch_warnings, filterwarnings
from zoneinfo import ZoneInfo

from rollout_metrics.domain.time import Instant, moment
from rollout_metrics.overview import foreign, written
from rollout_metrics.review.said import Course
from rollout_metrics.stats.wilson import wilson

WIDTH, HEIGHT = 7.2, 2.35
"""Inches; the page scales it."""

_COLOURS = {"#1f5f8b": "stroke", "#c9dcec": "band", "#55606e": "quiet", "#d9dee5": "line", "#1b2430": "text", "#7a4b00": "warn"}
_STROKE, _BAND, _QUIET, _LINE, _TEXT, _MARK = _COLOURS
_THIN = 10
"""A week with fewer cases does not stretch the axis."""
_FEW = 8
"""More marks than this are drawn without their names."""

_ONE_AT_A_TIME = Lock()
"""The library's settings are everybody's."""

_STYLE: Any = {
    "svg.hashsalt": "rollout-metrics review",
    "svg.fonttype": "none",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": _TEXT,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _QUIET,
    "xtick.color": _QUIET,
    "ytick.color": _QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def chart(course: Course, marks: Sequence[tuple[Instant, str]], split: Instant, *, name: str, themed: bool, time_zone: str = "UTC") -> str:
    """One rate as an `<svg>` element. `split`: where the quarter begins; `name`: what makes its ids its own within the page."""
    return _own(_drawn(course, tuple(marks), split, time_zone), name, course, themed=themed)


@lru_cache(maxsize=256)
def _drawn(course: Course, marks: tuple[tuple[Instant, str], ...], split: Instant, time_zone: str) -> str:
    from matplotlib import rc_context  # heavy: only where something is drawn
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    with _ONE_AT_A_TIME, rc_context(_STYLE), catch_warnings():
        filterwarnings("ignore", "Glyph .* missing")  # text stays text: whoever looks has the font
        drawing = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        FigureCanvasSVG(drawing)
        axes: Any = drawing.add_subplot()
        zone = ZoneInfo(time_zone)
        _rate(axes, course, split)
        top = _top(course)
        axes.set_ylim(0, top)
        first = min(next((span.start for span in course.spans if span.total), split), split)
        axes.set_xlim(moment(first), moment(course.spans[-1].end))
        axes.axvline(moment(split), color=_QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
        inside = [(at, said) for at, said in marks if first < at < course.spans[-1].end]
        above = axes.get_xaxis_transform()
        for place, (at, said) in enumerate(inside):
            axes.axvline(moment(at), color=_MARK, linewidth=0.8)
            if len(inside) <= _FEW:
                name, height = foreign.visible(said)[:14], 1.02 + 0.09 * (place % 2)
                axes.text(moment(at), height, name, color=_MARK, fontsize=7, ha="center", transform=above, parse_math=False)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0 if top >= 0.05 else 1))
        locator = AutoDateLocator(tz=zone, minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]
        axes.grid(axis="y", color=_LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=2.5)
        text = StringIO()
        drawing.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _rate(axes: Any, course: Course, split: Instant) -> None:
    """Both quarters, each as its own line, so that nothing joins them; weeks without cases are gaps."""
    for spans in ([s for s in course.spans if s.end <= split], [s for s in course.spans if s.end > split]):
        run: list[tuple[Any, float, float, float]] = []
        for span in (*spans, None):
            bounds = None if span is None else wilson(span.count, span.total)
            if span is not None and bounds is not None:
                run.append((moment((span.start + span.end) // 2), span.count / span.total, *bounds))
            elif run:
                middle, ratio, lower, upper = zip(*run, strict=True)
                axes.fill_between(middle, lower, upper, color=_BAND, linewidth=0)
                if len(run) == 1:
                    axes.vlines(middle, lower, upper, color=_BAND, linewidth=4)
                axes.plot(middle, ratio, color=_STROKE, linewidth=1.5, marker="o", markersize=2.8)
                run = []


def _top(course: Course) -> float:
    """A little above the highest rate and most of its band, so that one thin week does not flatten all others."""
    ratios = [span.count / span.total for span in course.spans if span.total >= _THIN]
    uppers = sorted(bounds[1] for span in course.spans if (bounds := wilson(span.count, span.total)) is not None)
    return min(1.0, max(max(ratios, default=0) * 1.15, uppers[len(uppers) * 3 // 4] * 1.1 if uppers else 0, 0.02))


_ID = re.compile(r'\b(id|xlink:href|clip-path|href)="(#|url\(#)?([\w.-]+)')


def _own(svg: str, name: str, course: Course, *, themed: bool) -> str:
    """The element alone, with ids of its own, a name for those who cannot see it, and colours of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
    svg = _ID.sub(lambda found: f'{found[1]}="{found[2] or ""}{name}-{found[3]}', svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace(f"url(#{name}-{name}-", f"url(#{name}-")
    size = re.search(r'viewBox="([^"]+)"', svg)
    box = size[1] if size else "0 0 518 169"
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    head = f'<svg class="chart" role="img" aria-label="{_said(course)}" viewBox="{box}" {names}>'
    svg = head + svg[svg.index(">") + 1 :]
    if themed:
        for colour, variable in _COLOURS.items():
            svg = svg.replace(colour, f"var(--{variable})")
    return svg.strip()


def _said(course: Course) -> str:
    known = [span for span in course.spans if span.total]
    ratios = [span.count / span.total for span in known]
    if not ratios:
        return f"{course.title} by the week: no cases"
    return (
        f"{course.title} by the week, from {written.ratio(ratios[0])} to {written.ratio(ratios[-1])},"
        f" between {written.ratio(min(ratios))} and {written.ratio(max(ratios))}"
    )
