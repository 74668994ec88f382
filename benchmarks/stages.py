"""Where the CPU time of a whole pass goes, stage by stage: what is timed in the product's own functions, less what is timed within it.

The clock itself costs about a microsecond a call, so stages that are called for each case look a little dearer than they are.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.desk import desk
from benchmarks.desk_server import serving
from benchmarks.land_ours import everything
from benchmarks.landing import NOW
from rollout_metrics.collect.http import Api
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.pipeline import deriving, engine
from rollout_metrics.pipeline.garbage import leave_alone, quiet_collector
from rollout_metrics.pipeline.state import Figures
from rollout_metrics.sources import _zendesk_pages
from rollout_metrics.sources.zendesk import Zendesk
from rollout_metrics.store import Store
from rollout_metrics.store.sqlite import Sqlite

STAGES: tuple[tuple[str, Any, str], ...] = (
    ("fetching", Api, "get"),
    ("decoding", _zendesk_pages, "decode"),
    ("translating", Zendesk, "events"),
    ("pseudonyms", Pseudonyms, "events"),
    ("landing: rows and their bodies", Store, "_rows"),
    ("landing: the upsert", Sqlite, "put_readings"),
    ("landing: the rest, the commit", Store, "land"),
    ("sweeping, the rest", engine, "run"),
    ("what is due", Store, "due"),
    ("reading histories", Store, "histories"),
    ("deriving", deriving, "derive_each"),
    ("counting", deriving, "total"),
    ("samples", deriving, "kept"),
    ("storing cases", Store, "replace"),
    ("storing cases: rows of what they count and lead to", Sqlite, "upsert"),
    ("deriving, the rest", engine, "derive_due"),
    ("loading the figures", Figures, "advance"),
    ("figures", Figures, "families"),
    ("publishing", engine, "take"),
)
"""Words, and the owner and name of the function that is meant."""


class Clock:
    """CPU seconds by stage; a stage's own time stops while another one runs within it."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._within: list[str] = []
        self._since = time.process_time()

    def turn(self, change: Callable[[], object]) -> None:
        """Book the time since the last turn to the stage that ran, and enter or leave one."""
        now = time.process_time()
        if self._within:
            self.spent[self._within[-1]] += now - self._since
        change()
        self._since = now

    def watching(self, words: str, timed: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed, with every step of what it returns if that is an iterator."""

        @wraps(timed)
        def watched(*given: Any, **named: Any) -> Any:
            self.turn(lambda: self._within.append(words))
            try:
                found = timed(*given, **named)
            finally:
                self.turn(self._within.pop)
            return self._steps(words, found) if isinstance(found, Iterator) else found

        return watched

    def _steps(self, words: str, steps: Iterator[Any]) -> Iterator[Any]:
        while True:
            self.turn(lambda: self._within.append(words))
            try:
                step = next(steps)
            except StopIteration:
                return
            finally:
                self.turn(self._within.pop)
            yield step


def run(work: Path, *, full: bool) -> None:
    """One whole pass into SQLite, in this process."""
    count = 100_000 if full else 50_000
    quiet_collector()
    leave_alone()
    clock = Clock()
    with ExitStack() as stack, serving(desk(work, count)) as address, tempfile.TemporaryDirectory(dir=work) as scratch:
        for words, owner, name in STAGES:
            stack.enter_context(patch.object(owner, name, clock.watching(words, getattr(owner, name))))
        before = time.process_time()
        everything(address, f"sqlite:///{scratch}/stages.db", NOW)
        total = time.process_time() - before
    clock.spent["all else"] = total - sum(clock.spent.values())
    print(f"stages of a whole pass: {total / count * 1e6:.1f} us CPU an event without the start, n={count:,} events, 1 round; of that")
    for words, seconds in clock.spent.items():
        print(f"  {seconds / count * 1e6:6.1f}  {words}", flush=True)
