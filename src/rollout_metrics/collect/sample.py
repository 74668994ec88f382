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

    Sources with windows are read newest stretch first. Those that read on from where they stopped (files, tables) are read from their beginning, and only
    what lies within `depth` of their newest event is kept. Whatever `pages` raises goes through.
    """
    look = _Look(source, bounds, elapsed, watch)
    stretches = _stretches(now, bounds.depth) if source.windowed else iter((Window(0, now),))
    cut = next((reason for window in stretches if (reason := look.read(source.pages(api, window))) is not None), None)  # type: ignore[arg-type]
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


def _stretches(now: Instant, depth: Span) -> Iterator[Window]:
    end, span = now, min(FIRST_STRETCH, depth)
    while end > now - depth:
        start = max(end - span, now - depth)
        yield Window(start, end)
        end, span = start, now - start


class _Look:
    """What has been seen so far."""

    def __init__(self, source: Source, bounds: Bounds, elapsed: Callable[[], float], watch: Callable[[int, int], None]) -> None:
        self.pages = 0
        self.rejected: Counter[str] = Counter()
        self.coverage: dict[str, tuple[int, int]] = {}
        self._events: list[Event] = []
        self._source, self._bounds, self._elapsed, self._watch = source, bounds, elapsed, watch

    def read(self, pages: Iterator[Page]) -> str | None:
        """Read pages until they or a bound end; the one that did, in words."""
        bounds = self._bounds
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
            elif isinstance(record, Rejected):
                self.rejected[record.reason] += 1
            elif isinstance(record, Coverage):
                covered, total = self.coverage.get(record.kind, (0, 0))
                self.coverage[record.kind] = (covered + record.covered, total + record.total)
