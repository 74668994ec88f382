"""PostgreSQL: a server, its advisory locks, and binary COPY into staging tables."""

# ruff: noqa: S608  (statements are put together from the names in the schema, never from values)

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, select, text
from sqlalchemy.engine import URL

from rollout_metrics.domain.errors import StorageError
from rollout_metrics.store import failures
from rollout_metrics.store.dialects import CONTENT, READING, Dialect, Row, Rows, Superseded, content_of, driver_of, on_conflict
from rollout_metrics.store.schema import events


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
    hours = (
        "SELECT h.series, h.hour, h.amount FROM unnest(CAST(:wanted_0 AS integer[]), CAST(:wanted_1 AS integer[]), CAST(:wanted_2 AS integer[]))"
        " AS w (series, after, up_to) CROSS JOIN LATERAL (SELECT series, hour, amount FROM hours"
        " WHERE series = w.series AND hour > w.after AND hour <= w.up_to AND amount <> 0 OFFSET 0) AS h"
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
        found: Iterable[Row] = driver_of(connection).execute(sql, parameters, binary=True)
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
        for row in connection.exec_driver_sql(_CONFLICTS, (before,)):
            number, stored, arriving = row[0], tuple(row[1:9]), tuple(row[9:17])
            before_, now = _untouched(stored), _untouched(arriving)
            if now[5] == before_[5] and not self.holds(before_, now):
                continue
            if content_of(now) == content_of(before_):
                revised.append((arriving[5], number))
            else:
                replaced.append((number, stored[2], stored[3], stored[4], stored[7]))
                renewed.append((*arriving[2:], number))
        cursor = driver_of(connection).cursor()
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
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM staged_{table.name} {on_conflict(table, add, only)}")
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
        types = [_TYPES[table.columns[name].type.__class__.__name__] for name in columns]
        with driver_of(connection).cursor() as cursor, cursor.copy(f"COPY {to} ({named}) FROM STDIN (FORMAT BINARY)") as copy:
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


_TYPES = {"BigInteger": "int8", "Integer": "int4", "SmallInteger": "int2", "Text": "text", "LargeBinary": "bytea"}
_CONFLICTS = f"""
SELECT stored.id, {", ".join(f"stored.{name}" for name in READING)}, {", ".join(f"arriving.{name}" for name in READING)}
FROM staged_events AS arriving JOIN events AS stored ON stored.source = arriving.source AND stored.event_id = arriving.event_id
WHERE stored.id <= %s AND (arriving.revision > stored.revision OR (
  arriving.revision = stored.revision AND ({" OR ".join(f"arriving.{name} <> stored.{name}" for name in CONTENT)})
))
"""


def _untouched(row: Row) -> Row:
    return row[:7]


def _lock_number(name: str) -> int:
    return int.from_bytes(blake2b(f"rollout-metrics {name}".encode(), digest_size=8).digest(), signed=True)
