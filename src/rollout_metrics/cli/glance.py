"""The figures as values and at a glance: what JSON output and the demo's closing table are made of."""

from collections.abc import Iterable, Mapping
from typing import Any

from rollout_metrics.catalog import PREFIX, Family
from rollout_metrics.domain.facts import Mode
from rollout_metrics.domain.policy import Level
from rollout_metrics.domain.time import format_instant
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.pipeline.engine import Collected

COLLECTED = ("source", "events", "rejected", "requests", "outcome")
COLLECTED_RIGHT = frozenset(("events", "rejected", "requests"))
SOURCES = ("source", "kind", "watermark", "newest_event", "events", "quarantined", "state")
SOURCES_RIGHT = frozenset(("events", "quarantined"))


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


def sources(pipeline: Pipeline) -> list[dict[str, Any]]:
    """How far each source has been read."""
    readings = pipeline.readings()
    feeds = pipeline.store.feeds()
    counts = pipeline.store.quarantine_counts()
    rows = []
    for name, source in sorted(pipeline.sources.items()):
        reading, feed = readings[name], feeds.get(name)
        states = ("partial" if reading.partial else "", "stale" if reading.stale else "")
        rows.append(
            {
                "source": name,
                "kind": source.kind,
                "watermark": None if reading.watermark is None else format_instant(reading.watermark),
                "newest_event": None if feed is None or feed.newest is None else format_instant(feed.newest),
                "events": 0 if feed is None else feed.events,
                "quarantined": sum(count for (source_, _), count in counts.items() if source_ == name),
                "state": ", ".join(filter(None, states)) or "current",
            }
        )
    return rows


class Values:
    """Samples by name and labels."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._values = {
            (family.name.removeprefix(PREFIX) + suffix, frozenset(labels)): value for family in families for suffix, labels, value in family.samples
        }

    def get(self, name: str, **labels: str) -> float | None:
        """One value; None where there is no sample."""
        return self._values.get((name, frozenset(labels.items())))

    def total(self, name: str, labels: Mapping[str, str]) -> float:
        """The sum over all series that have these labels."""
        wanted = set(labels.items())
        return sum(value for (key, found), value in self._values.items() if key == name and wanted <= found)


def at_a_glance(families: Iterable[Family], workflows: Iterable[str], window: str) -> list[tuple[str, ...]]:
    """For each workflow, in the mode of the level in force: acceptance, override, escalation, median review latency and bypass, each with n and interval."""
    values = Values(families)
    rows: list[tuple[str, ...]] = []
    for name in workflows:
        mode = Mode.LIVE if (values.get("autonomy_level", workflow=name) or 0) > Level.SHADOW else Mode.SHADOW
        decided = {"workflow": name, "window": window, "mode": mode}
        cohort = {"workflow": name, "window": window}
        bypassed = values.total("handled_cases", cohort) - sum(
            values.get("handled_cases", **cohort, handling=handling) or 0 for handling in ("agent_absent", "preempted")
        )
        rows.append(
            (
                name,
                mode,
                _ratio(values, "acceptance_ratio", values.total("decisions", decided), **decided),
                _ratio(values, "override_ratio", values.total("decisions", decided), **decided),
                _ratio(values, "escalation_ratio", values.get("handled_cohort_cases", **cohort), **cohort),
                _median(values, "review_latency_median_seconds", **cohort),
                _ratio(values, "bypass_ratio", bypassed, **cohort),
            )
        )
    return rows


def _ratio(values: Values, name: str, n: float | None, **labels: str) -> str:
    value = values.get(name, **labels)
    if value is None:
        return "no data"
    low, high = values.get(f"{name}_lower", **labels), values.get(f"{name}_upper", **labels)
    return f"{value:.1%} ({low:.1%} to {high:.1%}, n={n or 0:,.0f})"


def _median(values: Values, name: str, **labels: str) -> str:
    value = values.get(name, **labels)
    if value is None:
        return "no data"
    low, high = values.get(f"{name}_lower", **labels), values.get(f"{name}_upper", **labels)
    interval = "" if low is None or high is None else f"{_duration(low)} to {_duration(high)}, "
    return f"{_duration(value)} ({interval}n={values.get(f'{name}_cases', **labels) or 0:,.0f})"


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
