"""A second try, after an upgrade, for records that were set aside: batch by batch, so that memory does not depend on how many there are."""

from collections.abc import Mapping, Sequence

from rollout_metrics.collect.source import MISSHAPEN, Rejected, Source
from rollout_metrics.domain.errors import RolloutMetricsError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.pipeline.coverage import UNDERIVABLE
from rollout_metrics.store import Quarantined, Store


def retry(store: Store, sources: Mapping[str, Source], pseudonyms: Pseudonyms) -> tuple[int, int]:
    """Translate all of them once more: how many are understood now, and how many are left. Each batch is stored before the next one is read."""
    released = left = 0
    for batch in store.quarantined_batches():
        understood = _retried(store, sources, pseudonyms, batch)
        released += understood
        left += len(batch) - understood
    return released, left


def _retried(store: Store, sources: Mapping[str, Source], pseudonyms: Pseudonyms, batch: Sequence[Quarantined]) -> int:
    """Store what of a batch is understood now; how many records that is."""
    events: dict[str, list[Event]] = {}
    released: dict[str, list[int]] = {}
    underivable = 0
    for record in batch:
        if record.reason == UNDERIVABLE:
            store.derive_again((record.source, record.where.removeprefix("case ")), record.id)
            underivable += 1
        elif found := _understood(sources.get(record.source), record):
            events.setdefault(record.source, []).extend(map(pseudonyms.event, found))
            released.setdefault(record.source, []).append(record.id)
    for source, ids in released.items():
        store.land(source, events[source], released=ids)
    return underivable + sum(map(len, released.values()))


def _understood(source: Source | None, record: Quarantined) -> list[Event]:
    """The events of a record; none while it is still not understood, or its source is no longer configured."""
    if source is None:
        return []
    try:
        records = list(source.events(source.page_of(record.payload, record.where)))
    except (RolloutMetricsError, *MISSHAPEN):
        return []
    return [] if any(isinstance(one, Rejected) for one in records) else [one for one in records if isinstance(one, Event)]
