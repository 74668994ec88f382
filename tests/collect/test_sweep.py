"""Laws of the sweep: whatever happens between vendor, sweeps and kills, the same events as one clean read."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.collect.source import Page, Rejected, Source, Window
from rollout_metrics.collect.sweep import CHUNK, Direction, Progress, Stretch, Sweep, next_stretch, run
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import DAY, MINUTE, SECOND, Instant, Span

START = 20_000 * DAY


class Vendor:
    """An in-memory system: changes with the time they were made, each visible only some time later."""

    def __init__(self) -> None:
        self.changes: list[tuple[Instant, int, Instant]] = []

    def change(self, at: Instant, *, visible_after: Span = 0) -> None:
        self.changes.append((at, len(self.changes), at + visible_after))

    def visible(self, start: Instant, end: Instant, now: Instant) -> list[tuple[Instant, int]]:
        return sorted((at, number) for at, number, seen in self.changes if start <= at < end and seen <= now)


class KilledError(Exception):
    pass


class Memory(Source):
    """A source over `Vendor`: pages of three, the last change's time as cursor."""

    kind: ClassVar[str] = "memory"
    hold_back: ClassVar[Span] = MINUTE
    vendor: Any
    clock: Any

    def endpoint(self) -> None:
        return None

    def pages(self, api: object, window: Window) -> Iterator[Page]:
        position = window.cursor if window.cursor is not None else window.start
        rows = self.vendor.visible(position, window.end, self.clock())
        while rows:
            taken, rows = rows[:3], rows[3:]
            reached = rows[0][0] if rows else taken[-1][0]
            yield Page(taken, f"page from {position}", read_up_to=reached, cursor=reached)
            position = reached

    def events(self, page: Page) -> Iterator[Event | Rejected]:
        for at, number in page.body:
            if number % 7 == 3:
                yield Rejected("malformed", page.where, "no", str(number).encode())
            else:
                yield Event(self.name, self.name, str(number % 4), f"{number:020d}", at, Activity.CHANGED, ActorKind.OPERATOR)


class Landed:
    """A database of one transaction per call; kills when told to, before or after the commit."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.rejected: set[bytes] = set()
        self.progress: Mapping[str, Any] | None = None
        self.deadly: int | None = None
        self.after_commit = False

    def __call__(self, events: list[Event], rejected: list[Rejected], progress: Mapping[str, Any]) -> None:
        if self.deadly == 0 and not self.after_commit:
            raise KilledError
        self.events.update({event.event_id: event for event in events})
        self.rejected.update(record.payload for record in rejected)
        self.progress = dict(progress)
        if self.deadly is not None:
            self.deadly -= 1
            if self.deadly < 0:
                raise KilledError


def swept(vendor: Vendor, landed: Landed, now: Instant, *, depth: Span = 60 * DAY, since: Instant | None = None) -> Sweep:
    source = Memory(name="memory", vendor=vendor, clock=lambda: now, depth=depth)
    return run(source, None, landed.progress, lambda: now, landed, since=since)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.integers(0, 60 * 60), st.integers(0, 5 * 60)),
        st.tuples(st.just("old change"), st.integers(0, 50 * 24 * 3600), st.just(0)),
        st.tuples(st.just("sweep"), st.integers(0, 3 * 3600), st.just(-1)),
        st.tuples(st.just("kill"), st.integers(0, 9), st.booleans()),
        st.tuples(st.just("long pause"), st.integers(0, 30), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=120, deadline=None)
@given(steps)
def test_any_interleaving_of_changes_sweeps_and_kills_ends_with_the_events_of_one_clean_read(steps: list[tuple[str, int, int]]) -> None:
    vendor, landed, now = Vendor(), Landed(), START
    connected = False
    for what, number, extra in steps:
        match what:
            case "change":
                now += number * SECOND
                vendor.change(now, visible_after=extra * SECOND)
            case "old change" if not connected:
                vendor.change(now - number * SECOND)
            case "long pause":
                now += number * DAY
            case "sweep" | "kill":
                now += SECOND
                landed.deadly, landed.after_commit = (number, bool(extra)) if what == "kill" else (None, False)
                with contextlib.suppress(KilledError):
                    swept(vendor, landed, now)
                connected = connected or landed.progress is not None
                progress = landed.progress or {}
                if "watermark" in progress:
                    delivered = {n for at, n, seen in vendor.changes if progress["delivered_from"] <= at < progress["watermark"] - 10 * MINUTE and seen <= now}
                    assert delivered <= {int(i) for i in landed.events} | {int(i) for i in landed.rejected}
                    assert progress["watermark"] <= now - MINUTE
    now += HOUR_LATER
    landed.deadly = None
    swept(vendor, landed, now)
    clean = Landed()
    swept(vendor, clean, now, depth=400 * DAY)
    connected_at = (landed.progress or {})["connected_at"]
    due = {name: event for name, event in clean.events.items() if event.occurred_at >= connected_at - 60 * DAY}

    assert landed.events == due
    assert not (landed.progress or {}).get("partial", False)


HOUR_LATER = 60 * MINUTE


def test_the_newest_fourteen_days_come_first_then_the_rest_backwards() -> None:
    vendor, landed = Vendor(), Landed()
    for day in range(1, 50):
        vendor.change(START - day * DAY)
    order: list[int] = []

    def land(events: list[Event], rejected: list[Rejected], progress: Mapping[str, Any]) -> None:
        order.extend((START - event.occurred_at) // DAY for event in events)
        landed(events, rejected, progress)

    run(Memory(name="m", vendor=vendor, clock=lambda: START, depth=40 * DAY), None, None, lambda: START, land)

    assert [day for day in order if day <= 14] == order[: len([day for day in order if day <= 14])]
    assert order[0] > order[1]
    assert max(order) == 40
    assert landed.progress is not None
    assert landed.progress["delivered_from"] == START - 40 * DAY


def test_a_source_stays_partial_until_its_depth_is_reached() -> None:
    vendor, landed = Vendor(), Landed()
    for day in range(1, 50):
        vendor.change(START - day * DAY)
    landed.deadly, landed.after_commit = 7, True

    with pytest.raises(KilledError):
        swept(vendor, landed, START)

    assert landed.progress is not None
    assert landed.progress["partial"] is True


def test_after_the_first_read_a_sweep_reads_from_the_watermark_less_the_lookback() -> None:
    progress = Progress(connected_at=START, delivered_from=START - 90 * DAY, watermark=START)

    stretch = next_stretch(progress, now=START + 5 * MINUTE, lookback=10 * MINUTE, depth=90 * DAY)

    assert stretch == Stretch(Direction.FORWARD, START - 10 * MINUTE, START + 5 * MINUTE)


def test_a_clock_that_was_set_back_does_not_turn_the_window_round() -> None:
    progress = Progress(connected_at=START, delivered_from=START - 90 * DAY, watermark=START)

    stretch = next_stretch(progress, now=START - DAY, lookback=10 * MINUTE, depth=0)

    assert stretch == Stretch(Direction.FORWARD, START - DAY - 10 * MINUTE, START - DAY)


def test_reading_again_from_an_instant_covers_it_and_extends_what_is_delivered() -> None:
    vendor, landed = Vendor(), Landed()
    swept(vendor, landed, START, depth=10 * DAY)
    vendor.change(START - 20 * DAY)

    swept(vendor, landed, START + DAY, depth=10 * DAY, since=START - 30 * DAY)

    assert len(landed.events) == 1
    assert landed.progress is not None
    assert landed.progress["delivered_from"] == START - 30 * DAY


def test_a_deeper_depth_continues_backwards() -> None:
    progress = Progress(connected_at=START, delivered_from=START - 10 * DAY, watermark=START)

    stretch = next_stretch(progress, now=START, lookback=0, depth=60 * DAY, swept=True)

    assert stretch == Stretch(Direction.BACKWARD, START - 10 * DAY - CHUNK, START - 10 * DAY)


def test_events_of_the_future_are_landed() -> None:
    vendor, landed = Vendor(), Landed()

    class Ahead(Memory):
        def events(self, page: Page) -> Iterator[Event]:
            for at, number in page.body:
                yield Event("m", "m", "1", str(number), at + 30 * DAY, Activity.CHANGED, ActorKind.SYSTEM)

    vendor.change(START - DAY)
    sweep = run(Ahead(name="m", vendor=vendor, clock=lambda: START), None, None, lambda: START, landed)

    assert [event.occurred_at for event in landed.events.values()] == [START + 29 * DAY]
    assert sweep.newest_event == START + 29 * DAY


def test_a_failed_sweep_still_tells_how_far_it_came() -> None:
    vendor, landed = Vendor(), Landed()
    for number in range(10):
        vendor.change(START - DAY + number * SECOND)
    landed.deadly = 2
    sweep = Sweep()

    with pytest.raises(KilledError):
        run(Memory(name="m", vendor=vendor, clock=lambda: START), None, None, lambda: START, landed, sweep=sweep)

    assert sweep.pages == 2
    assert sweep.events == 5
    assert sweep.rejected == {"malformed": 1}


def test_a_page_that_breaks_the_translation_is_a_payload_error_naming_it() -> None:
    class Broken(Memory):
        def events(self, page: Page) -> Iterator[Event]:
            yield page.body["x"]

    vendor = Vendor()
    vendor.change(START - DAY)

    with pytest.raises(PayloadError, match=r"^page from .* could not be translated by memory"):
        run(Broken(name="m", vendor=vendor, clock=lambda: START), None, None, lambda: START, Landed())
