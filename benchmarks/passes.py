"""A pass with a thousand new events on a big store against one on a small store.

Nobody waits for ten million audits to be drawn and read: a store of a quarter of a million is multiplied in SQL, each event, case and decision under new names.
"""

import sqlite3
import tempfile
from pathlib import Path

from benchmarks.company import configuration
from benchmarks.desk import START, changes_of, tickets, write_pages
from benchmarks.desk_server import serving
from benchmarks.measure import Spent, by_turns, function, median, ratio, told
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.publish.self_metrics import SelfMetrics
from rollout_metrics.publish.snapshot import Board
from rollout_metrics.store import open_store

NEWS = 1000
EVERY = 15 * 60
"""Seconds from one pass to the next."""
SPAN = 90 * 86_400
ROUNDS = 7


class Standing:
    """A store that has been read and published once, and passes on it: each one finds its news at the vendor's."""

    def __init__(self, count: int, times: int, scratch: str) -> None:
        """Draw the history of a desk over 90 days and the news after it, read the history, and keep it `times` times."""
        folder = Path(scratch) / f"desk-{count}"
        known = tickets(count, SPAN)
        write_pages(known, folder, end_of_stream=False)
        for number in range(ROUNDS + 2):
            write_pages(changes_of(known, NEWS, EVERY, start=START + SPAN + number * EVERY, seed=number), folder)
        del known
        self._serving = serving(folder)
        address = self._serving.__enter__()
        self.now = (START + SPAN + 61) * 1_000_000
        self._path, self._settings = f"{scratch}/{count}.db", configuration(address, depth="91d", lookback="0s")
        self.left = ROUNDS + 3
        """Passes for which there is news."""
        self._open()
        self.once()
        if times > 1:
            self._store.close()
            multiply(self._path, times)
            self._open()
            self.pipeline.refresh()

    def _open(self) -> None:
        self._store = open_store(f"sqlite:///{self._path}", clock=lambda: self.now)
        self.pipeline = Pipeline(self._settings, self._store, lambda: self.now, Board(), SelfMetrics("1"))

    def once(self) -> int:
        """One pass; how many events it brought."""
        collected = self.pipeline.collect("desk")
        assert collected.error is None, collected.error
        self.now += EVERY * 1_000_000
        self.left -= 1
        return collected.sweep.events

    def close(self) -> None:
        """Stop the vendor, close the store."""
        self._store.close()
        self._serving.__exit__(None, None, None)


def multiply(path: str, times: int) -> None:
    """Keep every event, case and decision of a store `times` times, the copies under new names at the same instants; touches a microsecond apart each."""
    connection = sqlite3.connect(path)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -262144"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TEMP TABLE copies (n INTEGER)")
    connection.executemany("INSERT INTO copies VALUES (?)", [(number,) for number in range(1, times)])
    for table, renamed in RENAMED.items():
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
        chosen = ", ".join(renamed.get(column, f"t.{column}") for column in columns)
        copied = f"SELECT {chosen} FROM {table} AS t CROSS JOIN copies AS c"
        connection.execute(f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) {copied}")
    connection.execute("UPDATE counts SET amount = amount * ?", (times,))
    connection.execute("UPDATE meta SET value = (SELECT max(id) FROM events) WHERE key = 'arrived'")
    connection.commit()
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


_CASE = {"case_id": "t.case_id || '~' || c.n"}
RENAMED = {
    "events": {"event_id": "t.event_id || '~' || c.n"} | _CASE,
    "cases": _CASE,
    "elsewhere": _CASE,
    "decisions": _CASE,
    "receipts": _CASE,
    "touches": {"at": "t.at + c.n"},
}


def run(work: Path, *, full: bool) -> None:
    """Two stores in one process, by turns."""
    small, big, times = (100_000, 250_000, 40) if full else (5_000, 100_000, 1)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        stores = {"small": Standing(small, 1, scratch), "big": Standing(big, times, scratch)}
        brought: dict[str, int] = {}

        def once(name: str) -> Spent:
            def one_pass() -> None:
                brought[name] = stores[name].once()

            return function(one_pass)

        for name in stores:  # what is only done once per process
            once(name)
        spent = by_turns({name: lambda name=name: once(name) for name in stores}, ROUNDS)  # type: ignore[misc]
        for store in stores.values():
            store.close()
    found = ratio(spent["big"], spent["small"])
    more = f"{median(spent['big']) * 1e3:.0f} ms against {median(spent['small']) * 1e3:.0f} ms CPU for {brought['big']:,} and {brought['small']:,} events"
    told(
        f"a pass on {big * times:,} stored audits" + (f" ({big:,} multiplied)" if times > 1 else ""),
        found,
        "at most 2x",
        met=found[0] <= 2,
        against=f"the same pass on {small:,}",
        n=f"{NEWS:,} new audits, {ROUNDS} rounds",
        more=more,
    )
