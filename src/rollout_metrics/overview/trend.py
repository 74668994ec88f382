"""A rate over time as a line without axes, for pages and for terminals."""

from collections.abc import Iterator

import msgspec

from rollout_metrics.overview import written
from rollout_metrics.overview.picture import Trend

WIDTH, HEIGHT = 100.0, 26.0
_BLOCKS = "▁▂▃▄▅▆▇█"
_LEAST_SPREAD = 0.05
"""A trend that hardly moves is drawn flat, not blown up."""


class Sparkline(msgspec.Struct, frozen=True):
    """SVG paths in a box of 100 by 28, one for each stretch without a gap, and the same in words."""

    paths: tuple[str, ...]
    said: str


def sparkline(trend: Trend) -> Sparkline | None:
    """The line of a trend; None where there are not two points to join."""
    ratios = _ratios(trend)
    known = [ratio for ratio in ratios if ratio is not None]
    if len(known) < 2:
        return None
    low, high = _scale(known)
    step = WIDTH / (len(ratios) - 1)
    said = f"trend: from {written.ratio(known[0])} to {written.ratio(known[-1])}, between {written.ratio(min(known))} and {written.ratio(max(known))}"
    points = [None if ratio is None else (place * step, 1 + HEIGHT - (ratio - low) / (high - low) * HEIGHT) for place, ratio in enumerate(ratios)]
    paths = tuple("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in run) for run in _runs(points))
    return Sparkline(paths, said)


def blocks(trend: Trend) -> str:
    """The same in block characters; a blank where nothing is known."""
    ratios = _ratios(trend)
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return ""
    low, high = _scale(known)
    return "".join(" " if ratio is None else _BLOCKS[min(7, int((ratio - low) / (high - low) * 8))] for ratio in ratios)


def _ratios(trend: Trend) -> list[float | None]:
    return [numerator / denominator if denominator else None for _, numerator, denominator in trend]


def _scale(known: list[float]) -> tuple[float, float]:
    """From 0, or from half for what is mostly above it, so that heights can be compared."""
    low = 0.5 if min(known) >= 0.5 else 0.0
    return low, max(*known, low + _LEAST_SPREAD)


def _runs(points: list[tuple[float, float] | None]) -> Iterator[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for point in (*points, None):
        if point is not None:
            run.append(point)
        elif run:
            yield run if len(run) > 1 else [run[0], (run[0][0] + 0.5, run[0][1])]
            run = []
