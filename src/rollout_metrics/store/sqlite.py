"""SQLite: a file, its pragmas and locks, and upserts that ask back which of two readings holds."""

# ruff: noqa: S608  (statements are put together from the names in the schema, never from values)

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.engine import URL

from rollout_metrics.domain.errors import StorageError
from rollout_metrics.store import failures
from rollout_metrics.store.dialects import CONTENT, PLAIN, READING, Dialect, Row, Rows, Superseded, content_of, driver_of, on_conflict

TOGETHER = 50
"""Rows that one statement inserts: by fewer each costs more, by more no less."""


class Sqlite(Dialect):
    """A file, written by one process."""

    errors = (sqlite3.Error,)
    blob = "BLOB"
    own_caches = True
    wanted = "(SELECT key AS n, json_extract(value, '$[0]') AS case_source, json_extract(value, '$[1]') AS case_id FROM json_each(:wanted))"
    minutes = (
        "SELECT c.series, c.minute, c.amount FROM (SELECT json_extract(value, '$[0]') AS workflow, json_extract(value, '$[1]') AS after,"
        " json_extract(value, '$[2]') AS up_to FROM json_each(:wanted)) AS w CROSS JOIN counts AS c"
        " WHERE c.workflow = w.workflow AND c.minute > w.after AND c.minute <= w.up_to AND c.minute <> 0 AND c.amount <> 0"
    )
    hours = (
        "SELECT h.series, h.hour, h.amount FROM (SELECT json_extract(value, '$[0]') AS series, json_extract(value, '$[1]') AS after,"
        " json_extract(value, '$[2]') AS up_to FROM json_each(:wanted)) AS w CROSS JOIN hours AS h"
        " WHERE h.series = w.series AND h.hour > w.after AND h.hour <= w.up_to AND h.amount <> 0"
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
            driver = driver_of(connection)
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
        if content_of(arriving) != content_of(stored):
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
        found: Iterable[Row] = driver_of(connection).execute(sql, self.wanted_by(keys))
        return found

    def put_readings(self, connection: Connection, rows: Rows) -> tuple[int, list[Superseded]]:
        driver = driver_of(connection)
        self._replaced.clear()
        before = _last(driver)
        driver.executemany(_PUT, rows)
        new = _last(driver) - before
        replaced = [row for row in self._replaced.values() if row[0] <= before]
        driver.executemany("UPDATE events SET id = (SELECT max(id) + 1 FROM events) WHERE id = ?", [row[:1] for row in replaced])
        return new, replaced

    def upsert(self, connection: Connection, table: Table, rows: Rows, *, add: str | None = None, only: Sequence[str] = ()) -> None:
        columns = [column.name for column in table.columns]
        values, conflict = f"({', '.join('?' * len(columns))})", on_conflict(table, add, only)
        whole = len(rows) - len(rows) % TOGETHER
        many = (tuple(chain.from_iterable(rows[start : start + TOGETHER])) for start in range(0, whole, TOGETHER))
        for number, given in ((TOGETHER, many), (1, rows[whole:])):
            sql = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES {', '.join([values] * number)} {conflict}"
            driver_of(connection).executemany(sql, given)

    def delete(self, connection: Connection, table: Table, keys: Rows, *columns: str) -> None:
        named = columns or tuple(table.primary_key.columns.keys())
        driver_of(connection).executemany(f"DELETE FROM {table.name} WHERE {' AND '.join(f'{name} = ?' for name in named)}", keys)

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


_PUT = f"""
INSERT INTO events ({", ".join(READING)}) VALUES ({", ".join("?" * len(READING))})
ON CONFLICT (source, event_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in READING[2:])}
WHERE (excluded.revision > events.revision OR (excluded.revision = events.revision
  AND ({" OR ".join(f"excluded.{name} <> events.{name}" for name in CONTENT)})
)) AND supersedes(events.id, events.touch, {", ".join(f"events.{name}" for name in PLAIN)}, {", ".join(f"excluded.{name}" for name in PLAIN)})
"""


def _last(driver: Any) -> int:
    return int(driver.execute("SELECT max(id) FROM events").fetchone()[0] or 0)
