"""Pages on their way into the store: persons and texts taken out, several pages to a transaction, always with the progress that holds after them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rollout_metrics.collect.source import Rejected
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.store import Store

BATCH = 10_000
"""Events in a transaction: from here on larger ones gain nothing."""


class Landing:
    """Takes a sweep's pages. Nothing is lost by waiting: progress is committed with the last of the events it covers, never before."""

    def __init__(self, store: Store, source: str, pseudonyms: Pseudonyms, stored: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._source = source
        self._pseudonyms = pseudonyms
        self._stored = stored
        self._events: list[Event] = []
        self._rejected: list[Rejected] = []
        self._progress: Mapping[str, Any] | None = None

    def __call__(self, events: Sequence[Event], rejected: Sequence[Rejected], progress: Mapping[str, Any]) -> None:
        """Take one page; commit when there is enough."""
        pseudonymised = self._pseudonyms.event
        self._events += [pseudonymised(event) for event in events]
        self._rejected += rejected
        self._progress = progress
        if len(self._events) >= BATCH or len(self._rejected) >= BATCH:
            self.commit()

    def commit(self) -> None:
        """Store what is waiting."""
        if self._progress is None and not self._events and not self._rejected:
            return
        self._store.land(self._source, self._events, self._rejected, self._progress)
        self._events, self._rejected, self._progress = [], [], None
        self._stored()
