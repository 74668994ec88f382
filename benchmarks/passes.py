"""A pass with a thousand new events on a big store against one on a small store."""

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

    def __init__(self, work: Path, count: int, scratch: str) -> None:
        """Draw the history of a desk over 90 days and the news after it, and read the history."""
        folder = Path(scratch) / f"desk-{count}"
        known = tickets(count, SPAN)
        write_pages(known, folder, end_of_stream=False)
        for number in range(ROUNDS + 2):
            write_pages(changes_of(known, NEWS, EVERY, start=START + SPAN + number * EVERY, seed=number), folder)
        del known
        self._serving = serving(folder)
        address = self._serving.__enter__()
        self.now = (START + SPAN + 61) * 1_000_000
        self._store = open_store(f"sqlite:///{scratch}/{count}.db", clock=lambda: self.now)
        self._pipeline = Pipeline(configuration(address, depth="91d", lookback="0s"), self._store, lambda: self.now, Board(), SelfMetrics("1"))
        self.events = self.once()

    def once(self) -> int:
        """One pass; how many events it brought."""
        collected = self._pipeline.collect("desk")
        assert collected.error is None, collected.error
        self.now += EVERY * 1_000_000
        return collected.sweep.events

    def close(self) -> None:
        """Stop the vendor, close the store."""
        self._store.close()
        self._serving.__exit__(None, None, None)


def run(work: Path, *, full: bool) -> None:
    """Two stores in one process, by turns."""
    small, big = (100_000, 10_000_000) if full else (5_000, 100_000)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        stores = {"small": Standing(work, small, scratch), "big": Standing(work, big, scratch)}
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
        f"a pass on {big:,} stored audits",
        found,
        "at most 2x",
        met=found[0] <= 2,
        against=f"the same pass on {small:,}",
        n=f"{NEWS:,} new audits, {ROUNDS} rounds",
        more=more,
    )
