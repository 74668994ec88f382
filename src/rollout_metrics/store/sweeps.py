"""How far each source has been read, and the lock that keeps two sweeps of one source apart."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from sqlalchemy import Connection, select, text

from rollout_metrics.domain.time import Instant
from rollout_metrics.store.schema import sweeps
from rollout_metrics.store.tables import Tables

_SAVE = text(
    "INSERT INTO sweeps (source, progress, newest, events, updated_at) VALUES (:source, :progress, :newest, :events, :updated_at)"
    " ON CONFLICT (source) DO UPDATE SET progress = coalesce(excluded.progress, sweeps.progress), events = sweeps.events + excluded.events,"
    " newest = CASE WHEN sweeps.newest IS NULL OR excluded.newest > sweeps.newest THEN excluded.newest ELSE sweeps.newest END,"
    " updated_at = excluded.updated_at"
)


Saved = Mapping[str, Any] | None
"""A source's progress as it is stored; None: nothing of it is, or, given to `land`, what is stored stays."""
Follows = Callable[[Saved], Mapping[str, Any]]
"""Which progress follows from the stored one. It is asked within the transaction, so that of two processes neither loses what the other added."""


class Feed(msgspec.Struct, frozen=True):
    """What is known of a source: its sweep's progress, the newest instant of its events, how many events it has brought, and when it last brought anything."""

    progress: dict[str, Any] | None
    newest: Instant | None
    events: int
    updated_at: Instant


class Sweeps(Tables):
    """Progress of sweeps."""

    def progress(self, source: str) -> dict[str, Any] | None:
        """The progress last landed with a batch of this source."""
        with self._database.reading() as connection:
            return _stored(connection, source)

    def feeds(self) -> dict[str, Feed]:
        """Every source that ever landed something."""
        with self._database.reading() as connection:
            rows = connection.execute(select(sweeps.c.source, sweeps.c.progress, sweeps.c.newest, sweeps.c.events, sweeps.c.updated_at)).all()
        return {
            source: Feed(None if progress is None else msgspec.json.decode(progress, type=dict[str, Any]), newest, events, updated_at)
            for source, progress, newest, events, updated_at in rows
        }

    def lock(self, source: str) -> AbstractContextManager[bool]:
        """A context that is True if this source (or any other name) is ours alone until its end; it never waits, and a process that dies gives it back."""
        return self._dialect.try_lock(self._database.engine, source)


def save_progress(connection: Connection, source: str, progress: Saved | Follows, brought: tuple[int, Instant | None], now: Instant) -> None:
    """Write down how far a source has been read, and what the batch brought: how many new events and the newest instant."""
    new, newest = brought
    if callable(progress):
        progress = progress(_stored(connection, source))
    read = None if progress is None else msgspec.json.encode(progress).decode()
    connection.execute(_SAVE, {"source": source, "progress": read, "newest": newest, "events": new, "updated_at": now})


def _stored(connection: Connection, source: str) -> dict[str, Any] | None:
    found = connection.execute(select(sweeps.c.progress).where(sweeps.c.source == source)).scalar()
    return None if found is None else msgspec.json.decode(found, type=dict[str, Any])
