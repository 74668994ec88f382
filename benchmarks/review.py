"""A quarterly review of a company in which people decide a million times a quarter: CPU time, wall time and peak memory of the command, start-up included."""

import sqlite3
import tempfile
import time
from pathlib import Path

from benchmarks.measure import process
from benchmarks.quarters import END, MIDDLE
from rollout_metrics.domain.time import minute_of

SECONDS, MEGABYTES = 20.0, 300.0
CASES = 20_000
ROUNDS = 3


def run(work: Path, *, full: bool) -> None:
    """Build a store with a quarter, the one before and the days after, and have it reviewed in processes of their own."""
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        path = f"{scratch}/quarters.db"
        # in a process of its own: the peak memory of a process includes that of the one that started it
        process(["-m", "benchmarks.quarters", path, str(CASES), str(118 if full else 3)])
        for _ in range(ROUNDS):
            begun = time.monotonic()
            spent = process(["-m", "benchmarks.review_once", f"sqlite:///{path}"])
            _told(decisions(path), spent.cpu, time.monotonic() - begun, spent.peak)


def decisions(path: str) -> int:
    """How many the quarter has that is reviewed."""
    connection = sqlite3.connect(path)
    query = (
        "SELECT sum(amount) FROM counts JOIN names ON no = series WHERE kind = 'series' AND name LIKE '[\"%\",\"decisions\",%' AND minute > ? AND minute <= ?"
    )
    found = connection.execute(query, (minute_of(MIDDLE), minute_of(END))).fetchone()[0]
    connection.close()
    return int(found)


def _told(count: int, cpu: float, wall: float, peak: float) -> None:
    met = cpu <= SECONDS and peak <= MEGABYTES
    print(
        f"{'ok  ' if met else 'MISS'} a review of a quarter with {count:,} decisions: {cpu:.1f} s CPU ({wall:.1f} s), {peak:.0f} MB;"
        f" target under {SECONDS:.0f} s and {MEGABYTES:.0f} MB at a million",
        flush=True,
    )
