"""How far each source is read and what went wrong last, as pages and commands show it; kept in the store, so that every process says the same."""

from collections.abc import Mapping
from typing import Any

import msgspec

from rollout_metrics.collect.source import Source
from rollout_metrics.domain.time import Instant
from rollout_metrics.overview import RefusedPart, SourceState
from rollout_metrics.pipeline.freshness import Reading
from rollout_metrics.store import Store

_TROUBLE = "trouble:"


class Trouble(msgspec.Struct, frozen=True):
    """The last error of a source, when it came, and whether a sweep has succeeded since."""

    at: Instant
    message: str
    over: bool = False


def note(store: Store, source: str, error: str | None, now: Instant) -> None:
    """Keep how a sweep ended; a success is written only where it ends a trouble."""
    known = trouble(store, source)
    if error is not None:
        _keep(store, source, Trouble(now, error))
    elif known is not None and not known.over:
        _keep(store, source, msgspec.structs.replace(known, over=True))


def trouble(store: Store, source: str) -> Trouble | None:
    """The last error of a source, None if it never had one."""
    kept = store.meta(_TROUBLE + source)
    return None if kept is None else msgspec.json.decode(kept, type=Trouble)


def source_states(store: Store, sources: Mapping[str, Source], readings: Mapping[str, Reading]) -> list[SourceState]:
    """Every source, in order of names."""
    feeds, aside = store.feeds(), store.quarantine_counts()
    return [_state(source, readings[name], feeds.get(name), aside, trouble(store, name)) for name, source in sorted(sources.items())]


def _state(source: Source, reading: Reading, feed: Any, aside: Mapping[tuple[str, str], int], last: Trouble | None) -> SourceState:
    return SourceState(
        name=source.name,
        kind=source.kind,
        watermark=reading.watermark,
        newest=None if feed is None else feed.newest,
        events=0 if feed is None else feed.events,
        quarantined=sum(count for (name, _), count in aside.items() if name == source.name),
        partial=reading.partial,
        stale=reading.stale,
        failing=last is not None and not last.over,
        error=None if last is None else last.message,
        error_at=None if last is None else last.at,
        pushed=not source.pulled,
        refused=tuple(RefusedPart(part, one.since, one.message) for part, one in sorted(reading.refused.items())),
    )


def _keep(store: Store, source: str, last: Trouble) -> None:
    store.set_meta(_TROUBLE + source, msgspec.json.encode(last).decode())
