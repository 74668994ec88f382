"""What the store asks of a database in which SQLite and PostgreSQL differ: opening, transactions, locks, and batch writes by the driver's fast path."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.engine import URL

from rollout_metrics.domain.errors import StorageError
from rollout_metrics.store import failures

Row = tuple[Any, ...]
Rows = Sequence[Row]

READING = ("source", "event_id", "case_source", "case_id", "occurred_at", "revision", "body", "touch")
"""The columns of a reading, in the order in which batches give them."""
PLAIN = READING[:7]
CONTENT = ("case_source", "case_id", "occurred_at", "body")
"""The columns that say something of the event itself."""

Superseded = tuple[int, int, str, int, int | None]
"""`(id, case_source, case_id, occurred_at, touch)` of a stored reading that another one replaced."""

Holds = Callable[[Row, Row], bool]
"""Whether the second of two readings of one event and revision, as rows without `touch`, holds against the first."""


class Dialect(ABC):
    """What the store asks of a database beyond SQLAlchemy Core."""

    errors: tuple[type[Exception], ...]
    wanted: str
    """An SQL table expression `(n, case_source, case_id)` over the parameters of `wanted_by`."""
    minutes: str
    """A query for `(series, minute, amount)` of the counts in the stretches `(workflow, after, up_to)` that `wanted_by` is given."""
    hours: str
    """The same for `(series, hour, amount)` of the hours in `(series, after, up_to)`."""
    blob: str
    """The type of bytes."""
    own_caches = False
    """Whether each connection caches for itself, and forgets all of it when another one has written."""

    def __init__(self, url: URL, patience_seconds: float) -> None:
        self.url = url
        self.patience_seconds = patience_seconds
        self.where = failures.where(url)
        self.holds: Holds = lambda _stored, _arriving: False

    @abstractmethod
    def engine(self) -> Engine:
        """Open a pool of connections."""

    @abstractmethod
    def begin(self, connection: Connection) -> None:
        """Called by SQLAlchemy where a transaction begins."""

    @abstractmethod
    def snapshot(self, connection: Connection) -> Connection:
        """The connection, set to see one state for a whole transaction."""

    @abstractmethod
    def lock_writer(self, connection: Connection) -> None:
        """Wait until no other process writes."""

    @abstractmethod
    def still_there(self) -> None:
        """Raise a `StorageError` if the database was taken away under us in a way the driver does not notice."""

    @abstractmethod
    def told(self, error: Exception, doing: str) -> StorageError:
        """What an error means and what to do about it."""

    def check(self, engine: Engine) -> list[str]:
        """What the database says is wrong with its own files."""
        return []

    @abstractmethod
    def wanted_by(self, keys: Rows) -> dict[str, Any]:
        """Parameters for `wanted`, `minutes` or `hours`."""

    @abstractmethod
    def rows(self, connection: Connection, sql: str, keys: Rows) -> Iterable[Row]:
        """Plain rows of `minutes`, `hours` or a query over `wanted`, straight from the driver, which is three times as fast."""

    @abstractmethod
    def put_readings(self, connection: Connection, rows: Rows) -> tuple[int, list[Superseded]]:
        """Store readings by precedence; how many were new, and what was superseded (its id is renewed)."""

    @abstractmethod
    def upsert(self, connection: Connection, table: Table, rows: Rows, *, add: str | None = None, only: Sequence[str] = ()) -> None:
        """Insert rows given in the table's column order, each key once; existing ones are replaced (`only` these columns), or `add` is increased."""

    @abstractmethod
    def delete(self, connection: Connection, table: Table, keys: Rows, *columns: str) -> None:
        """Delete rows by the values of columns (the primary key unless named)."""

    @abstractmethod
    def try_lock(self, engine: Engine, name: str) -> AbstractContextManager[bool]:
        """A context that says whether the lock of this name, shared by all processes on this database, is ours."""


def driver_of(connection: Connection) -> Any:
    """The driver's own connection."""
    return connection.connection.driver_connection


def on_conflict(table: Table, add: str | None, only: Sequence[str]) -> str:
    """The clause for rows that exist: replaced (`only` these columns), or `add` increased."""
    keys = table.primary_key.columns.keys()
    if add is not None:
        changes = [f"{add} = {table.name}.{add} + excluded.{add}"]
    else:
        changes = [f"{name} = excluded.{name}" for name in only or table.columns.keys() if name not in keys]
    return f"ON CONFLICT ({', '.join(keys)}) DO " + (f"UPDATE SET {', '.join(changes)}" if changes else "NOTHING")


def content_of(plain: Row) -> Row:
    """The columns `CONTENT` of a reading without `touch`."""
    return plain[2:5] + plain[6:]
