"""The store: one class over one database, put together from a module for each kind of row."""

import secrets
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sqlalchemy import text

from rollout_metrics.domain.time import Instant
from rollout_metrics.store import schema_version
from rollout_metrics.store.cases import Cases
from rollout_metrics.store.change_readings import ChangeReadings
from rollout_metrics.store.database import Database
from rollout_metrics.store.events import Events
from rollout_metrics.store.hours import Hours
from rollout_metrics.store.integrity import Integrity
from rollout_metrics.store.judgements import Judgements
from rollout_metrics.store.promotions import Promotions
from rollout_metrics.store.quarantine import Quarantine
from rollout_metrics.store.retention import Retention
from rollout_metrics.store.reviews import Reviews
from rollout_metrics.store.setting import Setting
from rollout_metrics.store.straddling import Straddling
from rollout_metrics.store.stretches import Stretches
from rollout_metrics.store.surroundings import Around
from rollout_metrics.store.sweeps import Sweeps

_PSEUDONYM_KEY = "pseudonym_key"


class Store(
    Events,
    Cases,
    Judgements,
    Hours,
    Around,
    Sweeps,
    Quarantine,
    Setting,
    Promotions,
    Reviews,
    Straddling,
    ChangeReadings,
    Retention,
    Stretches,
    Integrity,
):
    """Everything kept between passes. Threads may share it: one writes at a time, the others read."""

    def __init__(self, database: Database, clock: Callable[[], Instant]) -> None:
        super().__init__(database, clock)
        self._dialect.holds = self._holds
        self._names.load()
        self.adopt_layout()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give all connections back."""
        self._database.close()

    def pseudonym_key(self) -> bytes:
        """The key of this store's pseudonyms: random at the very first call, the same ever after."""
        with self._writing() as connection:
            connection.execute(
                text("INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO NOTHING"),
                {"key": _PSEUDONYM_KEY, "value": secrets.token_hex(32)},
            )
            return bytes.fromhex(connection.execute(text("SELECT value FROM meta WHERE key = :key"), {"key": _PSEUDONYM_KEY}).scalar_one())


def open_store(url: str, *, clock: Callable[[], Instant], migrate: bool = True, patience_seconds: float = 30.0) -> Store:
    """Open (and unless `migrate` is off, create or upgrade) the database of a URL such as `sqlite:///state/rollout.db` or `postgresql://user@host/name`.

    `clock` says when things are recorded; `patience_seconds` is how long to wait for another writer. Raises `StorageError`.
    """
    database = Database(url, patience_seconds=patience_seconds)
    try:
        schema_version.ensure(database, migrate=migrate)
        return Store(database, clock)
    except BaseException:
        database.close()
        raise


def upgrade(url: str) -> str:
    """Bring a database to this program's schema (`db upgrade`); returns the revision."""
    database = Database(url)
    try:
        schema_version.ensure(database, migrate=True)
        return schema_version.HEAD
    finally:
        database.close()
