"""A bounded look at a source: its newest events, read through the same contract as sweeps but kept nowhere, with no progress moved."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Coverage, Named, Page, Rejected, Source, Window
from rollout_metrics.collect.sweep import translated
from rollout_metrics.domain.errors import RolloutMetricsError
from rollout_metrics.domain.events import Event, resolve
from rollout_metrics.domain.time import DAY, Instant, Span

T = TypeVar("T")

FIRST_STRETCH: Span = DAY
"""What is read first; each further stretch goes back as far again as all before it together."""


class Bounds(msgspec.Struct, frozen=True):
    """Where a look ends: `depth` back from the newest, or sooner after so many pages, events or seconds."""

    depth: Span
    pages: int
    events: int
    seconds: float


class Sample(msgspec.Struct, frozen=True):
    """What was seen of one source: its events, one reading each, and how it was read.

    `cut`: the bound that ended the look early, in words. `lacking`: sentences of `Source.lacking`, and what kept it or
    `Source.names` from answering.
    """

    source: str
    events: list[Event]
    pages: int
    rejected: Counter[str]
    coverage: dict[str, tuple[int, int]]
    names: tuple[Named, ...]
    lacking: tuple[str, ...]
    cut: str | None


def sample(
    source: Source,
    api: Api | None,
    bounds: Bounds,
    *,
    now: Instant,
    elapsed: Callable[[], float],
    watch: Callable[[int, int], None] = lambda pages, events: None,
) -> Sample:
    """Look at a source as of `now`. `elapsed`: seconds since the look began; `watch` is told pages and events after each page.

    The newest stretch is read first. Sources that read on from where they stopped (files, tables) begin with the newest as well as they can tell, and only
    what lies within `depth` of their newest event is kept. Whatever `pages` raises goes through.
    """
    look = _Look(source, bounds, elapsed, watch)
    cut = None
    for pages in _stretches(source, api, now, bounds.depth):
        if look.passed():
            break
        cut = look.full() or look.read(pages)
        if cut is not None:
            break
    errors: dict[str, None] = {}
    lacking = () if api is None else tuple(_answers(source.lacking, api, errors))
    names = () if api is None else tuple(_answers(source.names, api, errors))
    return Sample(source.name, look.newest(), look.pages, look.rejected, look.coverage, names, (*lacking, *errors), cut)


def _answers(asked: Callable[[Api], Iterator[T]], api: Api, errors: dict[str, None]) -> Iterator[T]:
    """What is answered until something stands in the way. The events are there: what is asked beside them must not lose them."""
    try:
        yield from asked(api)
    except RolloutMetricsError as error:
        errors[str(error)] = None


def _stretches(source: Source, api: Api | None, now: Instant, depth: Span) -> Iterator[Iterator[Page]]:
    if not source.windowed:
        yield from source.newest(api, now)
        return
    end, span = now, min(FIRST_STRETCH, depth)
    while end > now - depth:
        start = max(end - span, now - depth)
        yield source.pages(api, Window(start, end))  # type: ignore[arg-type]
        end, span = start, now - start


class _Look:
    """What has been seen so far."""

    def __init__(self, source: Source, bounds: Bounds, elapsed: Callable[[], float], watch: Callable[[int, int], None]) -> None:
        self.pages = 0
        self.rejected: Counter[str] = Counter()
        self.coverage: dict[str, tuple[int, int]] = {}
        self._events: list[Event] = []
        self._latest: Instant = 0
        self._stretch: Instant | None = None
        """Instants of the newest event of all, and of the stretch that is being read."""
        self._source, self._bounds, self._elapsed, self._watch = source, bounds, elapsed, watch

    def read(self, pages: Iterator[Page]) -> str | None:
        """Read the pages of a stretch until they or a bound end; the one that did, in words."""
        bounds, self._stretch = self._bounds, None
        for page in pages:
            self._take(page)
            self.pages += 1
            self._watch(self.pages, len(self._events))
            if not self._source.windowed and len(self._events) > 2 * bounds.events:
                self._events = self.newest()
            elif self._source.windowed and len(self._events) >= bounds.events:
                return f"on events ({bounds.events:,})"
            if self.pages >= bounds.pages:
                return f"on pages ({bounds.pages:,})"
            if self._elapsed() >= bounds.seconds:
                return f"on time ({bounds.seconds:,.0f} s)"
        return None

    def passed(self) -> bool:
        """Whether the stretch that was read last lies wholly before the depth: what comes now is older still."""
        return not self._source.windowed and self._stretch is not None and self._stretch <= self._latest - self._bounds.depth

    def full(self) -> str | None:
        """The bound on events, in words, where as many as it allows have been seen within the depth."""
        if not self._source.windowed and len(self._events) >= self._bounds.events:
            self._events = self.newest()
        return f"on events ({self._bounds.events:,})" if len(self._events) >= self._bounds.events else None

    def newest(self) -> list[Event]:
        """The events kept: one reading each, the newest within the bounds."""
        held = sorted(resolve(self._events), key=lambda event: (event.occurred_at, event.event_id), reverse=True)
        if not self._source.windowed and held:
            held = [event for event in held[: self._bounds.events] if event.occurred_at > held[0].occurred_at - self._bounds.depth]
        return held[::-1]

    def _take(self, page: Page) -> None:
        for record in translated(self._source, page):
            if isinstance(record, Event):
                self._events.append(record)
                at = record.occurred_at
                self._latest, self._stretch = max(self._latest, at), at if self._stretch is None else max(self._stretch, at)
            elif isinstance(record, Rejected):
                self.rejected[record.reason] += 1
            elif isinstance(record, Coverage):
                covered, total = self.coverage.get(record.kind, (0, 0))
                self.coverage[record.kind] = (covered + record.covered, total + record.total)
