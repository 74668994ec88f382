"""Window sums moved step by step, against sums computed at once."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.domain.time import DAY, HOUR, MINUTE
from rollout_metrics.figures.windows import Stretch, Windows
from rollout_metrics.rollup import STATE, Bucket, Contribution

SPANS = {"w": (HOUR, DAY), "v": (DAY,)}
SERIES = [("w", "acts"), ("w", "decisions", "live", "accepted", "kept"), ("v", "acts"), ("gone", "acts")]


def rows(counts: Counter[Bucket], stretches: Iterable[Stretch] | None = None) -> list[Contribution]:
    """The store's rows: all, or those of some stretches."""
    return [
        (series, minute, amount)
        for (series, minute), amount in counts.items()
        if amount and (stretches is None or any(s.workflow == series[0] and s.after < minute <= s.up_to for s in stretches))
    ]


def content(windows: Windows) -> dict[Any, Any]:
    sums = {(w, span, tally): dict(windows.sums(w, span, tally)) for w, spans in SPANS.items() for span in spans for tally in ("acts", "decisions")}
    return sums | {(w, tally): dict(windows.states(w, tally)) for w in SPANS for tally in ("acts", "decisions")}


_T = st.integers(3000, 9000)
_DELTAS = st.dictionaries(st.tuples(st.sampled_from(SERIES), st.integers(1000, 11000) | st.just(STATE)), st.integers(-3, 5).filter(bool), max_size=8)
_STEPS = st.lists(_DELTAS | st.tuples(_T, _T), max_size=8)


@settings(max_examples=150, deadline=None)
@given(st.tuples(_T, _T), _DELTAS, _STEPS, st.booleans())
def test_windows_moved_step_by_step_equal_windows_computed_at_once(first: tuple[int, int], begin: Any, steps: list[Any], all_rows: bool) -> None:
    counts: Counter[Bucket] = Counter(begin)
    windows = Windows(SPANS)
    now = {"w": first[0] * MINUTE, "v": first[1] * MINUTE}
    windows.load(now, rows(counts))
    for step in steps:
        if isinstance(step, dict):
            counts.update(step)
            windows.apply(step)
        else:
            now = {"w": step[0] * MINUTE, "v": step[1] * MINUTE}
            windows.advance(now, rows(counts, None if all_rows else windows.stretches(now)))

        at_once = Windows(SPANS)
        at_once.load(now, rows(counts))
        assert content(windows) == content(at_once)


@settings(max_examples=80, deadline=None)
@given(st.tuples(_T, _T), _DELTAS)
def test_the_minutes_needed_are_enough_to_load(first: tuple[int, int], begin: Any) -> None:
    counts, now = Counter(begin), {"w": first[0] * MINUTE, "v": first[1] * MINUTE}
    everything, needed = Windows(SPANS), Windows(SPANS)
    everything.load(now, rows(counts))

    standing = [row for row in rows(counts) if row[1] == STATE]
    needed.load(now, rows(counts, needed.needed(now)) + standing)

    assert content(needed) == content(everything)


@settings(max_examples=80, deadline=None)
@given(_T, _T)
def test_no_two_stretches_of_a_workflow_overlap(before: int, now: int) -> None:
    windows = Windows(SPANS)
    windows.load({"w": before * MINUTE}, ())

    stretches = sorted((s.after, s.up_to) for s in windows.stretches({"w": now * MINUTE}))

    assert all(one[1] < other[0] for one, other in pairwise(stretches))
    assert sum(up_to - after for after, up_to in stretches) <= 3 * abs(now - before)


def test_a_window_holds_its_last_minute_and_not_its_first() -> None:
    windows = Windows({"w": (HOUR,)})
    windows.load({"w": 100 * MINUTE}, [(("w", "acts"), minute, 1) for minute in (40, 41, 100, 101)])

    assert windows.sums("w", HOUR, "acts") == {(): 2}


def test_a_future_count_enters_when_t_gets_there() -> None:
    windows = Windows({"w": (HOUR,)})
    future = (("w", "acts"), 105)
    windows.load({"w": 100 * MINUTE}, ())

    windows.apply({future: 1})
    before = dict(windows.sums("w", HOUR, "acts"))
    windows.advance({"w": 105 * MINUTE}, [(*future, 1)])

    assert (before, windows.sums("w", HOUR, "acts")) == ({}, {(): 1})


def test_a_series_that_comes_to_nothing_disappears() -> None:
    windows = Windows({"w": (HOUR,)})
    windows.load({"w": 100 * MINUTE}, [(("w", "operators", "op-1"), 90, 1)])

    windows.apply({(("w", "operators", "op-1"), 90): -1})

    assert windows.sums("w", HOUR, "operators") == {}


def test_a_workflow_that_stands_still_wants_nothing() -> None:
    windows = Windows({"w": (HOUR,)})
    windows.load({"w": 100 * MINUTE}, ())

    assert windows.stretches({"w": 100 * MINUTE}) == []
