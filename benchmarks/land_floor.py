"""The least that lands a desk, written by hand: urllib3, msgspec and driver batches into eleven columns with a primary key and an (item, at) index.

`python -m benchmarks.land_floor ADDRESS DATABASE-URL NOW`; it knows none of what the product has to know: it keeps names in the clear, forgets where it was,
takes the last reading of an event for the right one, and stops at the first surprise.
"""

import sys
from typing import Any

import msgspec
import urllib3

BATCH = 10_000
ENVELOPE = frozenset(("id", "via", "via_reference_id", "event_type", "type", "previous_value", "comment_present", "comment_public"))
COLUMNS = ("id", "event_id", "item", "place", "at", "actor", "via", "kind", "field", "before", "after")
TABLE = (
    "CREATE TABLE floor (id BIGINT PRIMARY KEY, event_id BIGINT NOT NULL, item BIGINT NOT NULL, place INTEGER NOT NULL, at BIGINT NOT NULL,"
    " actor BIGINT NOT NULL, via TEXT NOT NULL, kind TEXT NOT NULL, field TEXT, before TEXT, after TEXT)"
)
INDEX = "CREATE INDEX floor_item ON floor (item, at)"
CHANGES = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
TYPES = ["int8", "int8", "int8", "int4", "int8", "int8", "text", "text", "text", "text", "text"]

Row = tuple[Any, ...]


class Audit(msgspec.Struct, gc=False):
    """An audit, as far as it is kept."""

    id: int
    ticket_id: int
    timestamp: int
    updater_id: int
    via: str
    child_events: list[dict[str, Any]]


class Page(msgspec.Struct):
    """A page, as far as it is read."""

    ticket_events: list[Audit]
    end_time: int
    end_of_stream: bool


def rows_of(page: Page) -> list[Row]:
    """One row for each child; the field it changes is the key that is none of the envelope's."""
    rows: list[Row] = []
    for audit in page.ticket_events:
        for place, child in enumerate(audit.child_events):
            kind = child["event_type"]
            field = after = None
            if kind == "Change":
                for key in child:
                    if key not in ENVELOPE:
                        field, after = key, child[key]
            rows.append(
                (child["id"], audit.id, audit.ticket_id, place, audit.timestamp, audit.updater_id, audit.via, kind, field, child.get("previous_value"), after)
            )
    return rows


class Sqlite:
    """SQLite's executemany upsert."""

    def __init__(self, url: str) -> None:
        import sqlite3

        self._connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -65536"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(TABLE.replace("id BIGINT PRIMARY", "id INTEGER PRIMARY"))
        self._connection.execute(INDEX)

    def put(self, rows: list[Row]) -> None:
        """One transaction."""
        self._connection.execute("BEGIN")
        self._connection.executemany(f"INSERT INTO floor VALUES ({', '.join('?' * 11)}) ON CONFLICT (id) DO UPDATE SET {CHANGES}", rows)
        self._connection.execute("COMMIT")


class Postgres:
    """PostgreSQL's binary COPY into a staging table, and one upsert."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(TABLE)
        self._connection.execute(INDEX)
        self._connection.execute("CREATE TEMP TABLE staged (LIKE floor)")

    def put(self, rows: list[Row]) -> None:
        """One transaction."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            with cursor.copy("COPY staged FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(TYPES)
                for row in rows:
                    copy.write_row(row)
            cursor.execute(f"INSERT INTO floor SELECT * FROM staged ON CONFLICT (id) DO UPDATE SET {CHANGES}")
            cursor.execute("TRUNCATE staged")


def main(address: str, url: str) -> None:
    """Read to the end of the stream."""
    database = Sqlite(url) if url.startswith("sqlite") else Postgres(url)
    decode = msgspec.json.Decoder(Page).decode
    pool = urllib3.PoolManager(headers={"accept-encoding": "gzip"})
    position, waiting, done = 0, list[Row](), False
    while not done:
        page = decode(pool.request("GET", f"{address}/api/v2/incremental/ticket_events.json?start_time={position}").data)
        position, done = page.end_time, page.end_of_stream
        waiting += rows_of(page)
        if len(waiting) >= BATCH or done:
            database.put(waiting)
            waiting = []


if __name__ == "__main__":
    main(*sys.argv[1:3])
