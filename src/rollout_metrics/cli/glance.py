"""What commands print of sweeps and of families, as values; the status is told by `overview`."""

from collections.abc import Iterable
from typing import Any

from rollout_metrics.catalog import Family
from rollout_metrics.cli.drawn import Layout
from rollout_metrics.pipeline.engine import Collected

COLLECTED = ("source", "events", "rejected", "requests", "outcome")
COLLECTED_LAYOUT = Layout(right=frozenset(("events", "rejected", "requests")))
SOURCES = ("source", "kind", "watermark", "newest_event", "events", "quarantined", "state", "error")
SOURCES_LAYOUT = Layout(right=frozenset(("events", "quarantined")), below=frozenset(("error",)), spare=("kind", "newest_event"))
STATUS_LAYOUT = Layout(right=frozenset(("value", "interval", "n")), heads=2, recent=frozenset(("trend",)))
EXPLAINED = ("case", "at", "counts", "value", "event", "url")
EXPLAINED_LAYOUT = Layout(right=frozenset(("value",)), below=frozenset(("event", "url")))
SET_ASIDE = ("id", "source", "reason", "where", "message")
SET_ASIDE_LAYOUT = Layout(right=frozenset(("id",)), below=frozenset(("where", "message")))


def collected(item: Collected) -> dict[str, Any]:
    """How a sweep ended, by the columns of `COLLECTED`."""
    outcome = item.error or ("another process is sweeping it" if item.busy else "done")
    return {
        "source": item.source,
        "events": item.sweep.events,
        "rejected": sum(item.sweep.rejected.values()),
        "requests": item.sweep.requests,
        "outcome": outcome,
    }


def only(families: Iterable[Family], workflows: tuple[str, ...]) -> list[Family]:
    """The families with the samples of these workflows; all of them without any."""
    if not workflows:
        return list(families)
    kept = []
    for family in families:
        samples = [sample for sample in family.samples if dict(sample[1]).get("workflow") in workflows]
        kept.append(Family(family.name, family.type, family.help, family.unit, samples))
    return kept


def as_values(families: Iterable[Family]) -> list[dict[str, Any]]:
    """Every sample as `{name, labels, value}`."""
    return [{"name": family.name + suffix, "labels": dict(labels), "value": value} for family in families for suffix, labels, value in family.samples]
