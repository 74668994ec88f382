"""Pages on their way into the store: persons and texts taken out, several pages to a transaction, always with the progress that holds after them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rollout_metrics.collect.source import Rejected
from rollout_metrics.collect.sweep import Sweep
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.domain.records import ChangeReading
from rollout_metrics.pipeline.coverage import COVERAGE, Shares, added
from rollout_metrics.store import Store

BATCH = 10_000
"""Events in a transaction: from here on larger ones gain nothing."""


class Landing:
    """Takes a sweep's pages. Nothing is lost by waiting: progress is committed with the last of the events it covers, never before."""

    def __init__(self, store: Store, source: str, pseudonyms: Pseudonyms, sweep: Sweep, before: Shares) -> None:
        """`sweep` is the one whose pages come; `before`: what earlier ones covered."""
        self._store = store
        self._source = source
        self._pseudonyms = pseudonyms
        self._sweep = sweep
        self._before = before
        self._events: list[Event] = []
        self._rejected: list[Rejected] = []
        self._progress: Mapping[str, Any] | None = None
        self._changes: list[ChangeReading] = []

    def __call__(self, events: Sequence[Event], rejected: Sequence[Rejected], progress: Mapping[str, Any]) -> None:
        """Take one page; commit when there is enough."""
        self._events += self._pseudonyms.events(events)
        self._rejected += rejected
        self._progress = {**progress, COVERAGE: added(self._before, self._sweep.coverage)}
        if self._sweep.changes:
            self._changes += map(self._unnamed, self._sweep.changes)
            self._sweep.changes = []
        if len(self._events) >= BATCH or len(self._rejected) >= BATCH:
            self.commit()

    def commit(self) -> None:
        """Store what is waiting."""
        if self._progress is None and not self._events and not self._rejected:
            return
        self._store.land(self._source, self._events, self._rejected, self._progress, changes=self._changes)
        self._events, self._rejected, self._progress, self._changes = [], [], None, []

    def _unnamed(self, reading: ChangeReading) -> ChangeReading:
        """Who signed, as a keyed hash."""
        if reading.record is None or not any(reading.signatures()):
            return reading
        signed = msgspec.structs.replace(reading, record=msgspec.json.decode(msgspec.json.encode(reading.record)))
        for signature in signed.signatures():
            signature["by"] = self._pseudonyms.actor(str(signature["by"]))
        return signed
