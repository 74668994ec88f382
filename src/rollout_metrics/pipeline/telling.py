"""What the exporter tells of its sources: how a sweep went, and what was sent."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rollout_metrics.collect.source import Rejected
from rollout_metrics.collect.spans import Outcome
from rollout_metrics.collect.sweep import Sweep
from rollout_metrics.domain.errors import FailureKind, RolloutMetricsError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import SECOND, Instant
from rollout_metrics.pipeline.reach import note
from rollout_metrics.publish.self_metrics import SelfMetrics
from rollout_metrics.store import Store


def swept(metrics: SelfMetrics, store: Store, name: str, sweep: Sweep, error: Exception | None, *, now: Instant) -> None:
    """Tell how a source's sweep went."""
    _up(metrics, name, error)
    metrics.add("source_requests_total", sweep.requests, source=name)
    metrics.add("source_retries_total", sweep.retries, source=name)
    metrics.add("source_throttled_seconds_total", sweep.throttled_seconds, source=name)
    _read(metrics, name, sweep.events, sweep.rejected)
    note(store, name, None if error is None else shown(error), now)
    if error is None:
        metrics.set("source_last_success_timestamp_seconds", now / SECOND, source=name)
    feed = store.feeds().get(name)
    if feed is not None and feed.newest is not None:
        metrics.set("source_newest_event_timestamp_seconds", feed.newest / SECOND, source=name)


def sent(metrics: SelfMetrics, name: str, events: Sequence[Event], rejected: Iterable[Rejected], spans: Mapping[Outcome, int] | None) -> None:
    """Tell what was sent to a source; `spans`: what became of how many, None where it takes none."""
    _up(metrics, name, None)
    _read(metrics, name, len(events), Counter(record.reason for record in rejected))
    if spans is not None:
        for outcome in Outcome:  # also those of which there was none, so that every series is there from the first request on
            metrics.add("source_spans_total", spans.get(outcome, 0), source=name, outcome=outcome)


def shown(error: Exception) -> str:
    """An error for people who may not read the log: what a defect of ours says can hold anything."""
    return str(error) if isinstance(error, RolloutMetricsError) else f"{type(error).__name__}: see the log"


def _read(metrics: SelfMetrics, name: str, events: int, rejected: Mapping[str, int]) -> None:
    metrics.add("source_events_total", events, source=name)
    for reason, count in rejected.items():
        metrics.add("source_quarantined_total", count, source=name, reason=reason)


def _up(metrics: SelfMetrics, name: str, error: Exception | None) -> None:
    metrics.set("source_up", int(error is None), source=name)
    failed = None if error is None else error.kind if isinstance(error, RolloutMetricsError) else FailureKind.OTHER
    for kind in FailureKind:
        metrics.set("source_failure", int(kind is failed), source=name, kind=kind)
