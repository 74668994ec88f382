"""The status as plain values and as rows, for programs and terminals; the pages are made of the same."""

from collections.abc import Iterable
from typing import Any

from rollout_metrics.domain.time import SECOND, Instant, format_instant
from rollout_metrics.overview import written
from rollout_metrics.overview.figure import Figure
from rollout_metrics.overview.picture import SourceState
from rollout_metrics.overview.status import AtAGlance
from rollout_metrics.overview.trend import blocks

COLUMNS = ("workflow", "level", "figure", "value", "interval", "n", "trend")


def status_rows(glances: Iterable[AtAGlance]) -> list[tuple[str, ...]]:
    """A row for every figure and everything that stands out, by the columns of `COLUMNS`."""
    rows: list[tuple[str, ...]] = []
    for glance in glances:
        own = (glance.name, glance.level_name)
        if glance.stale:
            rows.append((*own, "sources", "stale", "", str(glance.stale), ""))
        rows += [(*own, f.title, f.text, f.interval, f.cases, blocks(glance.trends.get(f.metric.key, ()))) for f in glance.figures]
        rows += [(*own, f"{mark.kind}: {written.name(mark.name)}" + (f", {mark.state}" if mark.state else ""), "", "", "", "") for mark in glance.marks]
    return rows


def status_values(taken_at: Instant, glances: Iterable[AtAGlance], sources: Iterable[SourceState]) -> dict[str, Any]:
    """The same as JSON has it."""
    return {"taken_at": format_instant(taken_at // SECOND * SECOND), "workflows": [_workflow(glance) for glance in glances], "sources": source_values(sources)}


def source_values(sources: Iterable[SourceState]) -> list[dict[str, Any]]:
    """How far each source has been read."""
    return [
        {
            "source": source.name,
            "kind": source.kind,
            "watermark": _at(source.watermark),
            "newest_event": _at(source.newest),
            "events": source.events,
            "quarantined": source.quarantined,
            "state": source.state,
            "error": source.error,
            "error_at": _at(source.error_at),
            "refused": [{"part": one.part, "since": _at(one.since), "message": one.message} for one in source.refused],
        }
        for source in sources
    ]


def _workflow(glance: AtAGlance) -> dict[str, Any]:
    return {
        "workflow": glance.name,
        "level": glance.level.name.lower(),
        "mode": glance.mode.value,
        "as_of": None if glance.as_of is None else written.machine_instant(glance.as_of),
        "sources_stale": glance.stale,
        "figures": [_figure(item, glance) for item in glance.figures],
        "marks": [{"kind": mark.kind, "name": mark.name, "state": mark.state} for mark in glance.marks],
    }


def _figure(item: Figure, glance: AtAGlance) -> dict[str, Any]:
    return {
        "metric": item.metric.name,
        "labels": dict(item.labels),
        "value": item.value,
        "lower": item.lower,
        "upper": item.upper,
        "n": item.n,
        "trend": [[format_instant(at), over, under] for at, over, under in glance.trends.get(item.metric.key, ())],
    }


def _at(at: Instant | None) -> str | None:
    return None if at is None else format_instant(at)
