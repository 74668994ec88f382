"""One source over one window: which stretch to read next (pure), and the loop that reads, translates and lands it page by page."""

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.missed import Missing, again, with_given, with_refused
from rollout_metrics.collect.reconcile import Reconciled, Roll, due
from rollout_metrics.collect.source import MISSHAPEN, Coverage, Page, Refused, Rejected, Source, Told, Window
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.records import ChangeReading
from rollout_metrics.domain.time import DAY, HOUR, SECOND, Instant, Span, format_instant

CHUNK: Span = 14 * DAY
"""How much is read first when a source is connected, and at a time when going back."""


class Direction(StrEnum):
    """Which edge of what has been delivered a stretch moves."""

    FORWARD = "forward"
    BACKWARD = "backward"
    EXTRA = "extra"
    AGAIN = "again"
    """None: what was missed is read once it is given."""


TO_NOW = frozenset((Direction.FORWARD, Direction.EXTRA))


class Stretch(msgspec.Struct, frozen=True):
    """A window being read, as far as it has come: everything in [start, read_up_to) is landed; `cursor` resumes after the last landed page."""

    direction: Direction
    start: Instant
    end: Instant
    read_up_to: Instant | None = None
    cursor: Any = None
    refused: dict[str, str] = {}
    """The parts that were refused in it, and why."""


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a source has been read; saved as JSON in the transaction of the events. Everything in [delivered_from, watermark) is landed."""

    connected_at: Instant | None = None
    delivered_from: Instant | None = None
    watermark: Instant | None = None
    partial: bool = False
    """History back to the wanted depth is not complete yet."""
    stretch: Stretch | None = None
    cursor: Any = None
    """Where a source that is not read by windows goes on."""
    reconciled_at: Instant | None = None
    """When what increments do not show was last looked for."""
    missing: Missing = {}
    """Parts that were refused and have not been read since."""


class Sweep(msgspec.Struct):
    """What a sweep did, for self-metrics and progress bars; filled while it runs, so it is true also of one that failed."""

    pages: int = 0
    events: int = 0
    rejected: Counter[str] = msgspec.field(default_factory=Counter)
    newest_event: Instant | None = None
    coverage: dict[str, tuple[int, int]] = {}
    requests: int = 0
    retries: int = 0
    throttled_seconds: float = 0.0
    progress: Progress = Progress()
    stretches: int = 0
    where: str = ""
    """The page read last."""
    changes: list[ChangeReading] = []
    """Change records read and not landed yet: they go with the page's events."""


Land = Callable[[list[Event], list[Rejected], Mapping[str, Any]], object]
"""Commits a page's events, its rejected records and the progress in one transaction."""


def next_stretch(progress: Progress, *, now: Instant, lookback: Span, depth: Span, since: Instant | None = None, swept: bool = False) -> Stretch | None:
    """What to read next: an unfinished stretch, else forwards to `now` (unless `swept` already), else a chunk of what was refused and is given by now,
    else one chunk back until `depth`; None: done.

    A newly connected source reads its newest 14 days first. `since`: read again from there.
    """
    if progress.stretch is not None:
        return progress.stretch
    if progress.watermark is None or progress.delivered_from is None or progress.connected_at is None:
        return Stretch(Direction.FORWARD, now - min(CHUNK, depth), now)
    if not swept:
        start = min(progress.watermark, now) - lookback
        if since is not None and since < start:
            return Stretch(Direction.EXTRA, since, now)
        return Stretch(Direction.FORWARD, start, now)
    if (missed := again(progress.missing)) is not None:
        return Stretch(Direction.AGAIN, missed.since, min(missed.until, missed.since + CHUNK))
    goal = min(progress.connected_at - depth, since if since is not None else progress.connected_at)
    if progress.delivered_from > goal:
        return Stretch(Direction.BACKWARD, max(goal, progress.delivered_from - CHUNK), progress.delivered_from)
    return None


def begun(progress: Progress, stretch: Stretch, *, depth: Span) -> Progress:
    """The progress while `stretch` is being read."""
    connected_at = stretch.end if progress.connected_at is None else progress.connected_at
    delivered_from = progress.delivered_from
    partial = delivered_from is None or delivered_from > connected_at - depth
    return replace(progress, connected_at=connected_at, partial=partial, stretch=stretch)


def after_page(progress: Progress, stretch: Stretch, page: Page, refused: Mapping[str, str], *, hold_back: Span) -> Progress:
    """The progress once this page is landed; the watermark moves only over what is completely delivered, and never into what is held back.

    `refused`: the parts of which the page tells that they were, and why; no watermark waits for them.
    """
    read_up_to = stretch.read_up_to
    if page.read_up_to is not None:
        read_up_to = max(page.read_up_to, stretch.start if read_up_to is None else read_up_to)
    cursor = stretch.cursor if page.cursor is None else page.cursor
    grown = Stretch(stretch.direction, stretch.start, stretch.end, read_up_to, cursor, {**stretch.refused, **refused})
    progress = replace(progress, missing=with_refused(progress.missing, stretch.start, stretch.end, refused))
    return _moved(progress, grown, read_up_to, hold_back=hold_back, unfinished=grown)


def finished(progress: Progress, stretch: Stretch, *, hold_back: Span, depth: Span) -> Progress:
    """The progress once the whole stretch is landed."""
    moved = _moved(progress, stretch, stretch.end, hold_back=hold_back, unfinished=None)
    delivered_from = moved.delivered_from
    if stretch.direction is not Direction.FORWARD and delivered_from is not None and stretch.start < delivered_from <= stretch.end:
        delivered_from = stretch.start
    partial = delivered_from is None or moved.connected_at is None or delivered_from > moved.connected_at - depth
    missing = with_given(progress.missing, stretch.start, stretch.end, stretch.refused)
    return replace(moved, delivered_from=delivered_from, partial=partial, stretch=None, missing=missing)


def run(
    source: Source,
    api: Api | None,
    saved: Mapping[str, Any] | None,
    now: Callable[[], Instant],
    land: Land,
    *,
    since: Instant | None = None,
    roll: Roll | None = None,
    sweep: Sweep | None = None,
    watch: Callable[[Sweep], None] | None = None,
) -> Sweep:
    """Read what is due and land it page by page, saving progress with each page, so that a kill at any point loses nothing and repeats little.

    Every page is landed with the progress that holds after it. `roll` tells the living cases, for sources that are reconciled.
    `sweep` is filled while running (pass one to see how far a failed sweep came); `watch` is called after each page. Whatever `pages` or `land`
    raise goes through.
    """
    sweep = sweep if sweep is not None else Sweep()
    before = replace(api.counts) if api is not None else None
    sweep.progress = msgspec.convert(saved, Progress) if saved else Progress()
    try:
        reader = _Reader(source, api, land, sweep, watch)
        if source.windowed:
            _run(source, now, since, reader)
            if roll is not None and api is not None and isinstance(source, Reconciled):
                reader.reconcile(source, api, roll, now())
        else:
            reader.follow(now(), since)
    finally:
        if api is not None and before is not None:
            sweep.requests += api.counts.requests - before.requests
            sweep.retries += api.counts.retries - before.retries
            sweep.throttled_seconds += api.counts.throttled_seconds - before.throttled_seconds
    return sweep


def probe(source: Source, api: Api | None, now: Instant) -> str:
    """Read and translate the first page of the last hour, to see that credentials and permissions suffice; returns what was read."""
    for page in source.pages(api, Window(now - HOUR, now)):  # type: ignore[arg-type]
        count = sum(1 for _ in translated(source, page))
        return f"{page.where}: {count} records"
    return f"nothing in the hour before {format_instant(now)}"


def _run(source: Source, now: Callable[[], Instant], since: Instant | None, reader: "_Reader") -> None:
    progress = reader.sweep.progress
    forward_end: Instant | None = None
    swept = False
    while True:
        stretch = next_stretch(progress, now=now(), lookback=source.lookback, depth=source.depth, since=since, swept=swept)
        if stretch is None:
            return
        resumed = stretch is progress.stretch
        progress = reader.read(begun(progress, stretch, depth=source.depth), stretch)
        if stretch.direction is Direction.EXTRA and not resumed:
            since = None
        if not resumed and stretch.direction in TO_NOW:
            forward_end, swept = stretch.end, True
        else:  # a long way back must not keep the newest data waiting
            swept = forward_end is not None and now() - forward_end < source.every


class _Reader(msgspec.Struct, frozen=True):
    """Reads stretches of one source."""

    source: Source
    api: Api | None
    land: Land
    sweep: Sweep
    watch: Callable[[Sweep], None] | None

    def read(self, progress: Progress, stretch: Stretch) -> Progress:
        """Read a stretch to its end, landing each page with its progress."""
        source, api, sweep = self.source, self.api, self.sweep
        window = Window(stretch.start if stretch.read_up_to is None else max(stretch.start, stretch.read_up_to), stretch.end, stretch.cursor)
        hold_back = source.hold_back
        if window.start < window.end:
            for page in source.pages(api, window):  # type: ignore[arg-type]
                if api is not None:  # what our clock calls now may be the vendor's future
                    hold_back = source.hold_back + int(api.clock_ahead * SECOND)
                events, rejected, refused = _sorted_out(source, page, sweep)
                progress = after_page(progress, progress.stretch or stretch, page, refused, hold_back=hold_back)
                self.land(events, rejected, _saved(progress))
                _count(sweep, page, events, rejected, progress)
                if self.watch is not None:
                    self.watch(sweep)
        progress = finished(progress, progress.stretch or stretch, hold_back=hold_back, depth=source.depth)
        self.land([], [], _saved(progress))
        sweep.progress = progress
        sweep.stretches += 1
        return progress

    def reconcile(self, source: Reconciled, api: Api, roll: Roll, now: Instant) -> None:
        """Where it is time, look for what increments do not show."""
        progress = self.sweep.progress
        if not due(progress.reconciled_at, progress.connected_at, source.reconcile_every, now):
            return
        for page in source.reconcile(api, roll):
            events, rejected, _ = _sorted_out(source, page, self.sweep)
            if events or rejected:
                self.land(events, rejected, _saved(progress))
            _count(self.sweep, page, events, rejected, progress)
            if self.watch is not None:
                self.watch(self.sweep)
        self.sweep.progress = replace(progress, reconciled_at=now)
        self.land([], [], _saved(self.sweep.progress))

    def follow(self, now: Instant, since: Instant | None) -> None:
        """Read on from the cursor of the last landed page; with `since`, from the beginning. Such a source says itself how far it has been read."""
        source, sweep = self.source, self.sweep
        start = progress = sweep.progress
        anew = since is not None or again(start.missing) is not None
        cursor = None if anew else progress.cursor
        connected_at = now if start.connected_at is None else start.connected_at
        begin = now - source.depth if cursor is None or start.watermark is None else start.watermark
        missing, told = start.missing, dict[str, str]()
        for page in source.pages(self.api, Window(0, now, cursor)):  # type: ignore[arg-type]
            events, rejected, refused = _sorted_out(source, page, sweep)
            told |= refused
            missing = with_refused(missing, begin, now, refused)
            watermark = page.read_up_to if page.read_up_to is not None else progress.watermark
            delivered_from = None if watermark is None else 0
            cursor = page.cursor if page.cursor is not None else progress.cursor
            progress = Progress(connected_at, delivered_from, watermark, watermark is None, None, cursor, missing=missing)
            if events or rejected or progress != sweep.progress:
                self.land(events, rejected, _saved(progress))
            _count(sweep, page, events, rejected, progress)
            if self.watch is not None:
                self.watch(sweep)
        sweep.progress = replace(progress, missing=with_given(missing, 0 if anew else now, now, told))
        if sweep.progress != progress:
            self.land([], [], _saved(sweep.progress))
        sweep.stretches += 1


def _sorted_out(source: Source, page: Page, sweep: Sweep) -> tuple[list[Event], list[Rejected], dict[str, str]]:
    events: list[Event] = []
    rejected: list[Rejected] = []
    refused: dict[str, str] = {}
    for record in translated(source, page):
        if type(record) is Event:
            events.append(record)
        elif isinstance(record, Rejected):
            rejected.append(record)
        elif isinstance(record, Coverage):
            covered, total = sweep.coverage.get(record.kind, (0, 0))
            sweep.coverage[record.kind] = (covered + record.covered, total + record.total)
        elif isinstance(record, ChangeReading):
            sweep.changes.append(record)
        elif isinstance(record, Refused):
            refused[record.part] = record.message
    return events, rejected, refused


def translated(source: Source, page: Page) -> list[Told]:
    """Every record of a page. Raises `PayloadError`, which names the page, where its shape is unknown."""
    try:
        return list(source.events(page))
    except MISSHAPEN as error:
        raise PayloadError(f"{page.where} could not be translated by {source.kind} ({type(error).__name__}): its shape is unknown to this version") from error


def _moved(progress: Progress, stretch: Stretch, read_up_to: Instant | None, *, hold_back: Span, unfinished: Stretch | None) -> Progress:
    """The progress with everything in [stretch.start, read_up_to) landed; only stretches that touch what is delivered move the watermark."""
    watermark, delivered_from = progress.watermark, progress.delivered_from
    if read_up_to is not None and stretch.direction in TO_NOW:
        reached = min(read_up_to, stretch.end - hold_back)
        if watermark is None or delivered_from is None:
            if reached >= stretch.start:
                watermark, delivered_from = reached, stretch.start
        elif stretch.start <= watermark:
            watermark = max(watermark, reached)
    return replace(progress, delivered_from=delivered_from, watermark=watermark, stretch=unfinished)


def _count(sweep: Sweep, page: Page, events: list[Event], rejected: list[Rejected], progress: Progress) -> None:
    sweep.pages += 1
    sweep.events += len(events)
    sweep.rejected.update(record.reason for record in rejected)
    if events:
        newest = max([event.occurred_at for event in events])
        sweep.newest_event = newest if sweep.newest_event is None else max(newest, sweep.newest_event)
    sweep.where, sweep.progress = page.where, progress


def _saved(progress: Progress) -> dict[str, Any]:
    saved: dict[str, Any] = msgspec.to_builtins(progress)
    return saved
