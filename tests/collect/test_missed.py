"""Laws of what was refused: it stops nothing, is told, and is read of itself once it is given."""

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collect.test_sweep import KilledError, Landed
from rollout_metrics.collect.missed import Missing, with_given, with_refused
from rollout_metrics.collect.source import Page, Refused, Source, Told, Window
from rollout_metrics.collect.sweep import CHUNK, run
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, SECOND, Instant, Span

START = 20_000 * DAY
TALKS = "talks"


class Desk(Source):
    """Cases and what is said of them beside; one after the other, pages of two."""

    kind: ClassVar[str] = "desk"
    state: Any

    def endpoint(self) -> None:
        return None

    def pages(self, api: object, window: Window) -> Iterator[Page]:
        self.state.setdefault("windows", []).append(window)
        done, at = window.cursor or (TALKS, window.start)
        for part in (TALKS, "cases")[done != TALKS :]:
            since = at if part == done else window.start
            if part == TALKS and self.state["refused"]:
                yield Page(None, part, cursor=[part, since])
                continue
            rows = sorted((when, what) for when, what in self.state[part] if since <= when < window.end)
            while rows:
                taken, rows = rows[:2], rows[2:]
                since = rows[0][0] if rows else window.end
                yield Page([(part, *row) for row in taken], part, since if part == "cases" else None, [part, since])

    def events(self, page: Page) -> Iterator[Told]:
        if page.body is None:
            yield Refused(TALKS, "talks cannot be read: grant them")
        for part, at, number in page.body or ():
            yield Event(self.name, self.name, str(number % 3), f"{part}/{number}", at, Activity.CHANGED, ActorKind.OPERATOR)


class FollowedDesk(Desk):
    """The same, read on from where it stopped."""

    windowed: ClassVar[bool] = False

    def pages(self, api: object, window: Window) -> Iterator[Page]:
        for page in super().pages(api, Window(window.cursor or 0, window.end)):
            yield Page(page.body, page.where)
        yield Page([], "end", window.end, window.end)


def swept(kind: type[Desk], state: dict[str, Any], landed: Landed, now: Instant, *, depth: Span = 60 * DAY) -> None:
    run(kind(name="desk", state=state, depth=depth), None, landed.progress, lambda: now, landed)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["cases", TALKS]), st.integers(1, 3 * 3600), st.just(False)),
        st.tuples(st.just("sweep"), st.integers(-1, 5), st.booleans()),
        st.tuples(st.just("refused"), st.integers(0, 1), st.just(False)),
        st.tuples(st.just("long pause"), st.integers(1, 30), st.just(False)),
    ),
    max_size=30,
)


@pytest.mark.parametrize("kind", [Desk, FollowedDesk])
@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_whatever_was_refused_and_when_soon_after_it_is_given_all_is_there(kind: type[Desk], steps: list[tuple[str, int, bool]]) -> None:
    state: dict[str, Any] = {"cases": [(START - 20 * DAY, 0)], TALKS: [(START - 20 * DAY, 1)], "refused": False}
    landed, now = Landed(), START
    for number, (what, extra, after) in enumerate(steps, 2):
        match what:
            case "sweep":
                now += MINUTE
                landed.deadly, landed.after_commit = (extra, after) if extra >= 0 else (None, False)
                with contextlib.suppress(KilledError):
                    swept(kind, state, landed, now)
            case "refused":
                state["refused"] = bool(extra)
            case "long pause":
                now += extra * DAY
            case part:
                now += extra * SECOND
                state[part].append((now, number))
    landed.deadly, state["refused"] = None, False
    for _ in range(3):  # one may finish what a kill left half done
        now += HOUR
        swept(kind, state, landed, now)
    clean = Landed()
    swept(kind, state, clean, now, depth=5000 * DAY)
    connected_at = (landed.progress or {})["connected_at"]

    assert landed.events == {name: event for name, event in clean.events.items() if kind is FollowedDesk or event.occurred_at >= connected_at - 60 * DAY}
    assert not (landed.progress or {}).get("missing")


@pytest.mark.parametrize("kind", [Desk, FollowedDesk])
def test_what_is_refused_holds_nothing_up_and_is_told_with_the_instant_since_when(kind: type[Desk]) -> None:
    state: dict[str, Any] = {"cases": [(START, 0)], TALKS: [], "refused": True}
    landed = Landed()
    for now in (START + DAY, START + 2 * DAY):
        swept(kind, state, landed, now, depth=DAY)
    progress = landed.progress or {}

    assert progress["watermark"] == START + 2 * DAY
    assert progress["missing"] == {TALKS: {"since": START, "until": START + 2 * DAY, "message": "talks cannot be read: grant them"}}


def test_what_was_missed_is_read_in_pieces_after_the_newest() -> None:
    state: dict[str, Any] = {"cases": [], TALKS: [(START - 50 * DAY, 0)], "refused": True, "windows": []}
    landed = Landed()
    swept(Desk, state, landed, START)
    state["refused"] = False
    state["windows"].clear()
    now = START + HOUR
    swept(Desk, state, landed, now)

    first, *pieces = state["windows"]
    assert first.end == now
    assert (pieces[0].start, pieces[-1].end) == (START - 60 * DAY, first.start)
    assert all(one.end == other.start and one.end - one.start <= CHUNK for one, other in itertools.pairwise(pieces))
    assert set(landed.events) == {"talks/0"}


INTERVALS = st.tuples(st.integers(0, 20), st.integers(1, 10)).map(lambda one: (one[0], sum(one)))


@given(st.lists(st.tuples(INTERVALS, st.booleans()), max_size=12))
def test_no_instant_that_was_refused_and_not_read_since_is_forgotten(stretches: list[tuple[tuple[int, int], bool]]) -> None:
    missing: Missing = {}
    unread: set[int] = set()
    for (start, end), given_now in stretches:
        refused = {} if given_now else {TALKS: "no"}
        missing = with_given(with_refused(missing, start, end, refused), start, end, refused)
        unread = unread - set(range(start, end)) if given_now else unread | set(range(start, end))
        held = missing.get(TALKS)
        assert unread <= (set() if held is None else set(range(held.since, held.until)))
