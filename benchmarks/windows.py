"""Moving every window sum on by one pass against recomputing the windows by GROUP BY from the decisions."""

import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.measure import Spent, by_turns, function, median, ratio, server_cpu, told
from rollout_metrics.domain.time import DAY, MINUTE
from rollout_metrics.figures.windows import Stretch, Windows
from rollout_metrics.rollup import Bucket, Contribution
from rollout_metrics.store import Store, open_store
from rollout_metrics.store.cases import Due

NOW = 1_800_000_000_000_000
NEWS = 1000
STEP = 15 * MINUTE
HELD = 90 * DAY
SPANS = (DAY, 7 * DAY, 28 * DAY, 90 * DAY)
FLOWS = tuple(f"flow-{number}" for number in range(12))
OUTCOMES = ("accepted", "edited", "rejected", "overridden", "expired", "escalated")
ROUNDS = 5
Decision = tuple[int, int, int, int]
"""`(workflow, outcome, at, seconds)`."""


def run(work: Path, *, full: bool) -> None:
    """On SQLite, and on PostgreSQL where it is installed."""
    count = 10_000_000 if full else 1_000_000
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        connection = sqlite3.connect(f"{scratch}/plain.db", isolation_level=None)
        connection.execute("PRAGMA cache_size = -65536")
        compare(
            "SQLite",
            count,
            f"sqlite:///{scratch}/ours.db",
            lambda sql: connection.execute(sql).fetchall(),
            connection.executemany,
            lambda: 0.0,
            50,
        )
        connection.close()
    from servers import postgres, postgres_programs

    if postgres_programs() is None:
        print("skip windows on PostgreSQL: no server is installed (15 or newer)")
        return
    with postgres() as server:
        import psycopg

        with psycopg.connect(server.new_database(), autocommit=True) as other:

            def fetch(sql: str) -> list[Any]:
                cursor = other.execute(sql.encode())
                return cursor.fetchall() if cursor.description else []

            def put(_sql: str, rows: list[Decision]) -> None:
                with other.cursor() as cursor, cursor.copy(b"COPY plain_decisions FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)

            compare("PostgreSQL, client and server", count, server.new_database(), fetch, put, lambda: server_cpu(server.data), 5)


def compare(
    what: str, count: int, url: str, ask: Callable[[str], list[Any]], put: Callable[[str, list[Decision]], object], server: Callable[[], float], target: int
) -> None:
    """The same decisions on both sides; each round brings a thousand more and moves T on by a quarter of an hour."""
    draw = Random(3)
    ask("CREATE TABLE plain_decisions (workflow INTEGER NOT NULL, outcome INTEGER NOT NULL, at BIGINT NOT NULL, seconds INTEGER NOT NULL)")
    with open_store(url, clock=lambda: NOW) as store:

        def rows_of(stretches: Iterable[Stretch]) -> Iterable[Contribution]:
            return store.contributions((stretch.workflow, stretch.after, stretch.up_to) for stretch in stretches)

        windows = Windows(dict.fromkeys(FLOWS, SPANS))
        for start in range(0, count, 200_000):
            rows = decisions(draw, min(200_000, count - start), NOW - HELD, HELD)
            ask("BEGIN")
            put("INSERT INTO plain_decisions VALUES (?, ?, ?, ?)", rows)
            ask("COMMIT")
            keep(store, counted(rows))
        ask("CREATE INDEX plain_decisions_at ON plain_decisions (at, workflow, outcome, seconds)")
        ask("ANALYZE")
        at = NOW
        windows.load(dict.fromkeys(FLOWS, at), rows_of(windows.needed(dict.fromkeys(FLOWS, at))))

        def refreshed() -> None:
            windows.apply(news)
            as_of = dict.fromkeys(FLOWS, at)
            windows.advance(as_of, rows_of(windows.stretches(as_of)))

        def grouped() -> None:
            for span in SPANS:
                ask(f"SELECT workflow, outcome, count(*), sum(seconds) FROM plain_decisions WHERE at > {at - span} AND at <= {at} GROUP BY workflow, outcome")

        spent: dict[str, list[Spent]] = defaultdict(list)
        for _ in range(ROUNDS):
            rows = decisions(draw, NEWS, at, STEP)
            put("INSERT INTO plain_decisions VALUES (?, ?, ?, ?)", rows)
            news = keep(store, counted(rows))
            at += STEP
            for name, runs in by_turns({"ours": lambda: function(refreshed, server=server), "grouped": lambda: function(grouped, server=server)}, 1).items():
                spent[name] += runs
        check(windows, at, ask)
    found = ratio(spent["grouped"], spent["ours"])
    more = f"{median(spent['ours']) * 1e3:.1f} ms against {median(spent['grouped']) * 1e3:.0f} ms CPU"
    told(
        f"windows, {what}",
        found,
        f"at least {target}x",
        met=found[0] >= target,
        against="GROUP BY over a covering index",
        n=f"n={count:,} decisions, {NEWS:,} new, {len(SPANS)} windows, {ROUNDS} rounds",
        more=more,
    )


def decisions(draw: Random, count: int, after: int, within: int) -> list[Decision]:
    """Decisions at any instant of a stretch."""
    return [(draw.randrange(len(FLOWS)), draw.randrange(len(OUTCOMES)), after + 1 + draw.randrange(within), draw.randrange(5000)) for _ in range(count)]


def counted(rows: list[Decision]) -> dict[Bucket, int]:
    """What they count: how many, and their seconds."""
    counts: dict[Bucket, int] = defaultdict(int)
    for flow, outcome, at, seconds in rows:
        minute = -(-at // MINUTE)
        counts[(FLOWS[flow], "decisions", OUTCOMES[outcome]), minute] += 1
        counts[(FLOWS[flow], "seconds", OUTCOMES[outcome]), minute] += seconds
    return counts


def keep(store: Store, counts: dict[Bucket, int]) -> dict[Bucket, int]:
    """Add to the counts in the store; what was added."""
    return store.replace(Due([], {}), [], added=counts).counts


def check(windows: Windows, at: int, ask: Callable[[str], list[Any]]) -> None:
    """Both sides must say the same."""
    for span in SPANS:
        rows = ask(f"SELECT workflow, outcome, count(*), sum(seconds) FROM plain_decisions WHERE at > {at - span} AND at <= {at} GROUP BY workflow, outcome")
        for flow, outcome, number, seconds in rows:
            labels = (OUTCOMES[outcome],)
            assert windows.sums(FLOWS[flow], span, "decisions")[labels] == number, (span, flow, outcome)
            assert windows.sums(FLOWS[flow], span, "seconds")[labels] == seconds
