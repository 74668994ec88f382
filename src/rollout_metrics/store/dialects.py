"""Everything in which SQLite and PostgreSQL differ: opening, transactions, locks, and batch writes by the driver's fast path."""

# ruff: noqa: S608  (statements are put together from the names in the schema, never from values)

import fcntl
import os
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from rollout_metrics.domain.errors import StorageError
from rollout_metrics.store import failures
from rollout_metrics.store.schema import events

Row = tuple[Any, ...]
Rows = Sequence[Row]

READING = ("source", "event_id", "case_source", "case_id", "occurred_at", "revision", "body", "touch")
"""The columns of a reading, in the order in which batches give them."""
_PLAIN = READING[:7]
_CONTENT = ("case_source", "case_id", "occurred_at", "body")

Superseded = tuple[int, int, str, int, int | None]
"""`(id, case_source, case_id, occurred_at, touch)` of a stored reading that another one replaced."""

Holds = Callable[[Row, Row], bool]
"""Whether the second of two readings of one event and revision, as rows without `touch`, holds against the first."""


def dialect_of(url: str, patience_seconds: float) -> "Dialect":
    """The dialect of a database URL; a `StorageError` says what is wrong with it."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        # not repeated: what cannot be read can still hold a password
        raise StorageError("store.url is no database URL: write sqlite:///path/to/file.db or postgresql://user@host/database") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return Sqlite(parsed, patience_seconds)
    if backend in ("postgresql", "postgres"):
        return Postgres(parsed, patience_seconds)
    raise StorageError(f"{failures.where(parsed)}: {backend} is not supported; use sqlite:///path/to/file.db or postgresql://user@host/database")


class Dialect(ABC):
    """What the store asks of a database beyond SQLAlchemy Core."""

    errors: tuple[type[Exception], ...]
    wanted: str
    """An SQL table expression `(n, case_source, case_id)` over the parameters of `wanted_by`."""
    minutes: str
    """A query for `(series, minute, amount)` of the counts in the stretches `(workflow, after, up_to)` that `wanted_by` is given."""
    blob: str
    """The type of bytes."""

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
        """Parameters for `wanted` or `minutes`."""

    @abstractmethod
    def rows(self, connection: Connection, sql: str, keys: Rows) -> Iterable[Row]:
        """Plain rows of `minutes` or a query over `wanted`, straight from the driver, which is three times as fast."""

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


class Sqlite(Dialect):
    """A file, written by one process."""

    errors = (sqlite3.Error,)
    blob = "BLOB"
    wanted = "(SELECT key AS n, json_extract(value, '$[0]') AS case_source, json_extract(value, '$[1]') AS case_id FROM json_each(:wanted))"
    minutes = (
        "SELECT c.series, c.minute, c.amount FROM (SELECT json_extract(value, '$[0]') AS workflow, json_extract(value, '$[1]') AS after,"
        " json_extract(value, '$[2]') AS up_to FROM json_each(:wanted)) AS w CROSS JOIN counts AS c"
        " WHERE c.workflow = w.workflow AND c.minute > w.after AND c.minute <= w.up_to AND c.minute <> 0 AND c.amount <> 0"
    )

    def __init__(self, url: URL, patience_seconds: float) -> None:
        super().__init__(url, patience_seconds)
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise StorageError(f"{self.where} names no file: write sqlite:///path/to/file.db")
        if sqlite3.sqlite_version_info < (3, 35):
            raise StorageError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed, or PostgreSQL")
        self.path = Path(url.database)
        self._identity: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._held: set[str] = set()
        self._replaced: dict[int, Superseded] = {}
        self._lock_file: int | None = None

    def engine(self) -> Engine:
        engine = create_engine(
            self.url.set(drivername="sqlite+pysqlite"),
            connect_args={"timeout": self.patience_seconds, "check_same_thread": False, "cached_statements": 256},
            pool_size=5,
            max_overflow=-1,
            pool_use_lifo=True,
        )
        event.listen(engine, "connect", self._prepare)
        with engine.connect():
            found = os.stat(self.path)
            self._identity = (found.st_dev, found.st_ino)
        return engine

    def _prepare(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        fresh = connection.execute("PRAGMA page_count").fetchone()[0] == 0
        if fresh:
            connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -16384")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")

    def begin(self, connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    def snapshot(self, connection: Connection) -> Connection:
        return connection

    def lock_writer(self, connection: Connection) -> None:
        if "writes" not in connection.info:
            driver = _driver(connection)
            driver.execute("PRAGMA cache_size = -65536")
            driver.create_function("supersedes", 16, self._supersedes)
            connection.info["writes"] = True

    def _supersedes(self, number: int, touch: int | None, *readings: Any) -> bool:
        """Called within the upsert for each reading that differs from the stored one; notes what it lets be replaced.

        (A trigger could note it too, but makes every insert twice as dear.)
        """
        stored, arriving = readings[:7], readings[7:]
        if arriving[5] == stored[5] and not self.holds(stored, arriving):
            return False
        if _content(arriving) != _content(stored):
            self._replaced.setdefault(number, (number, stored[2], stored[3], stored[4], touch))
        return True

    def still_there(self) -> None:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            raise StorageError(f"{self.path} was removed while it was open: restore it or start again, nothing more is written") from None
        if (found.st_dev, found.st_ino) != self._identity:
            raise StorageError(f"{self.path} was replaced by another file while it was open: start again to use the new one")

    def told(self, error: Exception, doing: str) -> StorageError:
        return failures.sqlite(error, doing, self.path, self.patience_seconds)

    def wanted_by(self, keys: Rows) -> dict[str, Any]:
        return {"wanted": failures.json_text(keys)}

    def rows(self, connection: Connection, sql: str, keys: Rows) -> Iterable[Row]:
        found: Iterable[Row] = _driver(connection).execute(sql, self.wanted_by(keys))
        return found

    def put_readings(self, connection: Connection, rows: Rows) -> tuple[int, list[Superseded]]:
        driver = _driver(connection)
        self._replaced.clear()
        before = _last(driver)
        driver.executemany(_SQLITE_PUT, rows)
        new = _last(driver) - before
        replaced = [row for row in self._replaced.values() if row[0] <= before]
        driver.executemany("UPDATE events SET id = (SELECT max(id) + 1 FROM events) WHERE id = ?", [row[:1] for row in replaced])
        return new, replaced

    def upsert(self, connection: Connection, table: Table, rows: Rows, *, add: str | None = None, only: Sequence[str] = ()) -> None:
        columns = [column.name for column in table.columns]
        sql = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) {_on_conflict(table, add, only)}"
        _driver(connection).executemany(sql, rows)

    def delete(self, connection: Connection, table: Table, keys: Rows, *columns: str) -> None:
        named = columns or tuple(table.primary_key.columns.keys())
        _driver(connection).executemany(f"DELETE FROM {table.name} WHERE {' AND '.join(f'{name} = ?' for name in named)}", keys)

    def check(self, engine: Engine) -> list[str]:
        with engine.connect() as connection:
            found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(20)")]
        return [] if found == ["ok"] else found

    @contextmanager
    def try_lock(self, engine: Engine, name: str) -> Iterator[bool]:
        """One process at a time holds locks on a file; within it, one thread each."""
        with self._lock:
            ours = name not in self._held and (bool(self._held) or self._lock_process())
            if ours:
                self._held.add(name)
        try:
            yield ours
        finally:
            if ours:
                with self._lock:
                    self._held.discard(name)
                    if not self._held and self._lock_file is not None:
                        os.close(self._lock_file)
                        self._lock_file = None

    def _lock_process(self) -> bool:
        opened = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(opened)
            return False
        self._lock_file = opened
        return True


_SQLITE_PUT = f"""
INSERT INTO events ({", ".join(READING)}) VALUES ({", ".join("?" * len(READING))})
ON CONFLICT (source, event_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in READING[2:])}
WHERE (excluded.revision > events.revision OR (excluded.revision = events.revision
  AND ({" OR ".join(f"excluded.{name} <> events.{name}" for name in _CONTENT)})
)) AND supersedes(events.id, events.touch, {", ".join(f"events.{name}" for name in _PLAIN)}, {", ".join(f"excluded.{name}" for name in _PLAIN)})
"""


def _last(driver: Any) -> int:
    return int(driver.execute("SELECT max(id) FROM events").fetchone()[0] or 0)


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _on_conflict(table: Table, add: str | None, only: Sequence[str]) -> str:
    keys = table.primary_key.columns.keys()
    if add is not None:
        changes = [f"{add} = {table.name}.{add} + excluded.{add}"]
    else:
        changes = [f"{name} = excluded.{name}" for name in only or table.columns.keys() if name not in keys]
    return f"ON CONFLICT ({', '.join(keys)}) DO " + (f"UPDATE SET {', '.join(changes)}" if changes else "NOTHING")


class Postgres(Dialect):
    """A server, shared by several processes."""

    blob = "bytea"
    wanted = (
        "(SELECT n - 1 AS n, case_source, case_id FROM"
        " unnest(CAST(:wanted_0 AS integer[]), CAST(:wanted_1 AS text[])) WITH ORDINALITY AS wanted (case_source, case_id, n))"
    )
    minutes = (  # OFFSET keeps the planner from joining otherwise than stretch by stretch
        "SELECT c.series, c.minute, c.amount FROM unnest(CAST(:wanted_0 AS integer[]), CAST(:wanted_1 AS integer[]), CAST(:wanted_2 AS integer[]))"
        " AS w (workflow, after, up_to) CROSS JOIN LATERAL (SELECT series, minute, amount FROM counts"
        " WHERE workflow = w.workflow AND minute > w.after AND minute <= w.up_to AND minute <> 0 AND amount <> 0 OFFSET 0) AS c"
    )

    def __init__(self, url: URL, patience_seconds: float) -> None:
        super().__init__(url, patience_seconds)
        try:
            import psycopg
        except ImportError:
            raise StorageError(f"{self.where} needs the PostgreSQL driver: pip install 'rollout-metrics[postgres]'") from None
        self.errors = (psycopg.Error,)
        self._writer_lock = _lock_number("writer")

    def engine(self) -> Engine:
        engine = create_engine(
            self.url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=-1,
            connect_args={"connect_timeout": 10, "application_name": "rollout-metrics"},
        )
        with engine.connect() as connection:
            version = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
        if int(version) < 150000:
            raise StorageError(f"{self.where} is PostgreSQL {int(version) // 10000}: 15 or newer is needed")
        return engine

    def begin(self, connection: Connection) -> None:
        pass

    def snapshot(self, connection: Connection) -> Connection:
        return connection.execution_options(isolation_level="REPEATABLE READ")

    def lock_writer(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(self.patience_seconds * 1000)}")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (self._writer_lock,))

    def still_there(self) -> None:
        pass

    def told(self, error: Exception, doing: str) -> StorageError:
        return failures.postgres(error, doing, self.url, self.patience_seconds)

    def wanted_by(self, keys: Rows) -> dict[str, Any]:
        return {f"wanted_{place}": [key[place] for key in keys] for place in range(len(keys[0]) if keys else 3)}

    def rows(self, connection: Connection, sql: str, keys: Rows) -> Iterable[Row]:
        parameters = self.wanted_by(keys)
        for name in parameters:
            sql = sql.replace(f":{name}", f"%({name})s")
        found: Iterable[Row] = _driver(connection).execute(sql, parameters, binary=True)
        return found

    def put_readings(self, connection: Connection, rows: Rows) -> tuple[int, list[Superseded]]:
        once: dict[tuple[int, str], Row] = {}
        for row in rows:
            other = once.setdefault(row[:2], row)
            if other is not row and (row[5] > other[5] or (row[5] == other[5] and self.holds(_untouched(other), _untouched(row)))):
                once[row[:2]] = row
        before = connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM events").scalar_one()
        self._stage(connection, events, READING, once.values())
        columns = ", ".join(READING)
        new = connection.exec_driver_sql(
            f"INSERT INTO events ({columns}) SELECT {columns} FROM staged_events ON CONFLICT (source, event_id) DO NOTHING"
        ).rowcount
        return new, [] if new == len(once) else self._supersede(connection, before)

    def _supersede(self, connection: Connection, before: int) -> list[Superseded]:
        replaced, renewed, revised = [], [], []
        for row in connection.exec_driver_sql(_POSTGRES_CONFLICTS, (before,)):
            number, stored, arriving = row[0], tuple(row[1:9]), tuple(row[9:17])
            before_, now = _untouched(stored), _untouched(arriving)
            if now[5] == before_[5] and not self.holds(before_, now):
                continue
            if _content(now) == _content(before_):
                revised.append((arriving[5], number))
            else:
                replaced.append((number, stored[2], stored[3], stored[4], stored[7]))
                renewed.append((*arriving[2:], number))
        cursor = _driver(connection).cursor()
        cursor.executemany("UPDATE events SET revision = %s WHERE id = %s", revised)
        changes = ", ".join(f"{name} = %s" for name in READING[2:])
        cursor.executemany(f"UPDATE events SET id = nextval(pg_get_serial_sequence('events', 'id')), {changes} WHERE id = %s", renewed)
        return replaced

    def upsert(self, connection: Connection, table: Table, rows: Rows, *, add: str | None = None, only: Sequence[str] = ()) -> None:
        if not rows:
            return
        names = tuple(table.columns.keys())
        self._stage(connection, table, names, rows)
        columns = ", ".join(names)
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM staged_{table.name} {_on_conflict(table, add, only)}")
        connection.exec_driver_sql(f"TRUNCATE staged_{table.name}")

    def delete(self, connection: Connection, table: Table, keys: Rows, *columns: str) -> None:
        if not keys:
            return
        named = columns or tuple(table.primary_key.columns.keys())
        self._stage(connection, table, named, keys, to=f"gone_{table.name}_{'_'.join(named)}")
        gone = f"gone_{table.name}_{'_'.join(named)}"
        matching = " AND ".join(f"{table.name}.{name} = {gone}.{name}" for name in named)
        connection.exec_driver_sql(f"DELETE FROM {table.name} USING {gone} WHERE {matching}")
        connection.exec_driver_sql(f"TRUNCATE {gone}")

    def _stage(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row], to: str = "") -> None:
        to = to or f"staged_{table.name}"
        named = ", ".join(columns)
        connection.exec_driver_sql(f"CREATE TEMP TABLE IF NOT EXISTS {to} ON COMMIT DELETE ROWS AS SELECT {named} FROM {table.name} WITH NO DATA")
        types = [_POSTGRES_TYPES[table.columns[name].type.__class__.__name__] for name in columns]
        with _driver(connection).cursor() as cursor, cursor.copy(f"COPY {to} ({named}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(types)
            write = copy.write_row
            for row in rows:
                write(row)

    @contextmanager
    def try_lock(self, engine: Engine, name: str) -> Iterator[bool]:
        """A session's advisory lock: it dies with its connection."""
        number = _lock_number(f"source {name}")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            ours = bool(connection.execute(select(text("pg_try_advisory_lock(:number)")), {"number": number}).scalar_one())
            try:
                yield ours
            finally:
                if ours:
                    connection.execute(select(text("pg_advisory_unlock(:number)")), {"number": number})


_POSTGRES_TYPES = {"BigInteger": "int8", "Integer": "int4", "SmallInteger": "int2", "Text": "text", "LargeBinary": "bytea"}
_POSTGRES_CONFLICTS = f"""
SELECT stored.id, {", ".join(f"stored.{name}" for name in READING)}, {", ".join(f"arriving.{name}" for name in READING)}
FROM staged_events AS arriving JOIN events AS stored ON stored.source = arriving.source AND stored.event_id = arriving.event_id
WHERE stored.id <= %s AND (arriving.revision > stored.revision OR (
  arriving.revision = stored.revision AND ({" OR ".join(f"arriving.{name} <> stored.{name}" for name in _CONTENT)})
))
"""


def _untouched(row: Row) -> Row:
    return row[:7]


def _content(plain: Row) -> Row:
    return plain[2:5] + plain[6:]


def _lock_number(name: str) -> int:
    return int.from_bytes(blake2b(f"rollout-metrics {name}".encode(), digest_size=8).digest(), signed=True)


__all__ = ["READING", "Dialect", "Postgres", "Row", "Rows", "Sqlite", "Superseded", "dialect_of"]
