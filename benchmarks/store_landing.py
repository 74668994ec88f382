"""Landing in the store against a hand-written floor: the same rows by driver batches into eleven columns with a primary key and an (item, at) index.

Both sides get decoded events and write batches of 10,000 in the same run, by turns; figures are CPU per row (client, and server where there is one), medians.

    python -m benchmarks.store_landing [rows=150000] [rounds=5] [sqlite|postgresql ...]
"""

import random
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from benchmarks.landing import each
from benchmarks.measure import Spent, by_turns, function, ratio, server_cpu, told
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import SECOND
from rollout_metrics.store import open_store
from servers import postgres

BATCH = 10_000
START = 1_767_225_600 * SECOND
FLOOR = "item, event_id, number, at, actor, via, kind, field, old, new"
TABLE = (
    "CREATE TABLE floor (id BIGINT PRIMARY KEY, item BIGINT NOT NULL, event_id BIGINT NOT NULL, number INTEGER NOT NULL, at BIGINT NOT NULL,"
    " actor BIGINT NOT NULL, via TEXT NOT NULL, kind TEXT NOT NULL, field TEXT, old TEXT, new TEXT)"
)
INDEX = "CREATE INDEX floor_item ON floor (item, at)"
CHANGES = ", ".join(f"{name} = excluded.{name}" for name in FLOOR.split(", "))


def history(rows: int) -> list[Event]:
    """Ticket events as a help desk gives them: in order of time, two rows to an audit, some forty thousand cases in work at once."""
    draw = random.Random(1)
    people = [f"actor:{draw.getrandbits(72):018x}" for _ in range(200)]
    customers = [f"actor:{draw.getrandbits(72):018x}" for _ in range(20_000)]
    events = []
    for number in range(rows):
        audit = number // 2
        case = str(100_000 + abs(int(number / 11) - int(draw.expovariate(1 / 3000))))
        chosen = audit * 2_654_435_761 % 100
        kind, actor = (
            (ActorKind.OPERATOR, people[audit * 7919 % 200])
            if chosen < 50
            else (ActorKind.AGENT, people[0])
            if chosen < 75
            else (ActorKind.CUSTOMER, customers[audit * 7919 % 20_000])
        )
        events.append(
            Event(
                "zendesk",
                "zendesk",
                case,
                f"{926_000_000_000 + audit:020}-{number % 2}",
                START + audit * 4 * SECOND,
                Activity.CHANGED,
                kind,
                actor,
                "priority",
                "low",
                "high",
                {"via": ["web_form"]},
            )
        )
    return events


def floor_rows(events: Sequence[Event]) -> list[tuple[object, ...]]:
    """What somebody would write by hand of the same events."""
    return [
        (926_000_000_000 + place, int(e.case_id), place // 2, place % 2, e.occurred_at, 900_001, "web_form", "Change", e.attribute, e.before, e.after)
        for place, e in enumerate(events)
    ]


def floor_sqlite(rows: Sequence[tuple[object, ...]], url: str) -> None:
    """SQLite's executemany upsert."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(TABLE.replace("BIGINT PRIMARY", "INTEGER PRIMARY"))
    connection.execute(INDEX)
    for start in range(0, len(rows), BATCH):
        connection.execute("BEGIN")
        connection.executemany(f"INSERT INTO floor VALUES ({', '.join('?' * 11)}) ON CONFLICT (id) DO UPDATE SET {CHANGES}", rows[start : start + BATCH])
        connection.execute("COMMIT")
    connection.close()


def floor_postgres(rows: Sequence[tuple[object, ...]], url: str) -> None:
    """PostgreSQL's binary COPY into a staging table and one upsert."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
        connection.execute(INDEX)
        connection.execute("CREATE TEMP TABLE staged (LIKE floor)")
        for start in range(0, len(rows), BATCH):
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy("COPY staged FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types(["int8", "int8", "int8", "int4", "int8", "int8", "text", "text", "text", "text", "text"])
                    for row in rows[start : start + BATCH]:
                        copy.write_row(row)
                cursor.execute(f"INSERT INTO floor SELECT * FROM staged ON CONFLICT (id) DO UPDATE SET {CHANGES}")
                cursor.execute("TRUNCATE staged")


def ours(events: Sequence[Event], url: str) -> None:
    """The store."""
    with open_store(url, clock=lambda: START) as store:
        for start in range(0, len(events), BATCH):
            store.land("zendesk", events[start : start + BATCH])


def compare(name: str, events: Sequence[Event], rounds: int, floor: Callable[..., None], database: Callable[[], str], server: Callable[[], float]) -> None:
    """The floor, the store, and the store given the same once more, each round in databases of its own."""
    plain, urls = floor_rows(events), list[str]()

    def first() -> Spent:
        urls.append(database())
        return function(lambda: ours(events, urls[-1]), server=server)

    spent = by_turns(
        {
            "floor": lambda: function(lambda: floor(plain, database()), server=server),
            "ours": first,
            "again": lambda: function(lambda: ours(events, urls[-1]), server=server),
        },
        rounds,
    )
    more = f"{each(spent['ours'], len(events))} a row against {each(spent['floor'], len(events))}; read again unchanged {each(spent['again'], len(events))}"
    told(f"store, {name}", ratio(spent["ours"], spent["floor"]), "none", met=True, against="driver batches", n=f"n={len(events):,}, {rounds} rounds", more=more)


def main(rows: int, rounds: int, databases: Sequence[str]) -> None:
    """Measure and print."""
    events, numbers = history(rows), count()
    if "sqlite" in databases:
        with tempfile.TemporaryDirectory() as folder:
            compare("SQLite", events, rounds, floor_sqlite, lambda: f"sqlite:///{folder}/{next(numbers)}.db", lambda: 0.0)
    if "postgresql" in databases:
        with postgres() as server:
            compare("PostgreSQL, client and server", events, rounds, floor_postgres, server.new_database, lambda: server_cpu(server.data))


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    words = [word for word in sys.argv[1:] if not word.isdigit()]
    main(*([*numbers, 150_000, 5][: max(2, len(numbers))] if len(numbers) != 1 else [numbers[0], 5]), words or ["sqlite", "postgresql"])
