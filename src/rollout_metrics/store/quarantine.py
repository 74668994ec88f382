"""Records that could not be understood: kept once each with their reason, listed, and let go after a retry."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import accumulate
from typing import Protocol

import msgspec
from sqlalchemy import Connection, func, select, text

from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.schema import quarantine
from rollout_metrics.store.tables import Tables

BATCH_RECORDS = 500
BATCH_BYTES = 8 * 1024 * 1024
"""How much of the quarantine is held at once."""

_PUT = text(
    "INSERT INTO quarantine (source, digest, reason, place, message, payload, recorded_at)"
    " VALUES (:source, :digest, :reason, :place, :message, :payload, :recorded_at) ON CONFLICT (source, digest) DO NOTHING"
)


class Rejected(Protocol):
    """What a source could not understand, as `collect` reports it."""

    @property
    def reason(self) -> str:
        """A short code."""

    @property
    def where(self) -> str:
        """The page or place it was read from."""

    @property
    def message(self) -> str:
        """What is wrong with it."""

    @property
    def payload(self) -> bytes:
        """The record itself."""


class PutAside(msgspec.Struct, frozen=True):
    """A record the store itself cannot hold."""

    reason: str
    where: str
    message: str
    payload: bytes

    @classmethod
    def of(cls, event: Event, problem: str) -> "PutAside":
        """An event no database can hold, with what is wrong with it."""
        return cls("unstorable", f"event {event.event_id!r}", problem, repr(event).encode("utf-8", "backslashreplace"))


class Quarantined(msgspec.Struct, frozen=True):
    """A record in quarantine."""

    id: int
    source: str
    reason: str
    where: str
    message: str
    payload: bytes
    recorded_at: Instant


class Quarantine(Tables):
    """Looking into the quarantine."""

    def quarantined(self, source: str | None = None, *, limit: int = 100, after: int = 0) -> list[Quarantined]:
        """Records in quarantine with an id above `after`, oldest first."""
        columns = quarantine.c
        query = select(columns.id, columns.source, columns.reason, columns.place, columns.message, columns.payload, columns.recorded_at)
        query = query.where(columns.id > after).order_by(columns.id).limit(limit)
        if source is not None:
            query = query.where(columns.source == source)
        with self._database.reading() as connection:
            return [Quarantined(*row) for row in connection.execute(query)]

    def quarantined_batches(self, *, records: int = BATCH_RECORDS, size: int = BATCH_BYTES) -> Iterator[list[Quarantined]]:
        """All records in quarantine, oldest first, at most so many at once, with at most so many bytes of payload; a larger one comes alone.

        Between batches records may go and come: those that came are among the last.
        """
        after = 0
        while fitting := self._fitting(after, records, size):
            batch = self.quarantined(limit=fitting, after=after)
            if not batch:
                return
            yield batch
            after = batch[-1].id

    def _fitting(self, after: int, records: int, size: int) -> int:
        """How many records after an id make a batch."""
        query = select(func.length(quarantine.c.payload)).where(quarantine.c.id > after).order_by(quarantine.c.id).limit(records)
        with self._database.reading() as connection:
            sizes: list[int] = list(connection.execute(query).scalars())
        within = sum(1 for total in accumulate(sizes) if total <= size)
        return min(len(sizes), max(1, within))

    def drop_quarantined(self, *, source: str | None = None, ids: Sequence[int] = ()) -> int:
        """Let go for good all of a source, or those with these ids; how many there were."""
        which = quarantine.c.source == source if source is not None else quarantine.c.id.in_(ids)
        with self._database.writing() as connection:
            return connection.execute(quarantine.delete().where(which)).rowcount

    def quarantine_counts(self) -> dict[tuple[str, str], int]:
        """How many records are in quarantine, by source and reason."""
        query = select(quarantine.c.source, quarantine.c.reason, func.count()).group_by(quarantine.c.source, quarantine.c.reason)
        with self._database.reading() as connection:
            return {(source, reason): number for source, reason, number in connection.execute(query)}


def put_aside(connection: Connection, source: str, rejected: Iterable[Rejected], now: Instant) -> int:
    """Keep records with their reasons; how many were not there yet."""
    before = _number(connection)
    connection.execute(
        _PUT,
        [
            {
                "source": source,
                "digest": blake2b("\0".join((one.reason, one.where)).encode("utf-8", "backslashreplace") + b"\0" + one.payload, digest_size=16).hexdigest(),
                "reason": one.reason,
                "place": _text(one.where),
                "message": _text(one.message),
                "payload": one.payload,
                "recorded_at": now,
            }
            for one in rejected
        ],
    )
    return _number(connection) - before


def release(connection: Connection, ids: Sequence[int]) -> None:
    """Let records go whose retry succeeded."""
    if ids:
        connection.execute(quarantine.delete().where(quarantine.c.id.in_(ids)))


def _number(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(quarantine)).scalar_one())


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
