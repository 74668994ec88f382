"""Multisets that stay in order, against plain sorted lists."""

from collections import Counter
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.domain.time import HOUR
from rollout_metrics.figures import ordered
from rollout_metrics.figures.ordered import Log, Ordered

_NUMBERS = st.lists(st.integers(-30, 30))


@settings(max_examples=100, deadline=None)
@given(_NUMBERS, _NUMBERS, st.data())
def test_numbers_stay_in_order_whatever_comes_and_goes(first: list[int], more: list[int], data: st.DataObject) -> None:
    with patch.object(ordered, "_CHUNK", 4):
        held = Ordered(np.array(sorted(first), np.int64))
        for number in more:
            held.add(number)
        going = data.draw(st.lists(st.sampled_from(first + more), max_size=len(first + more)) if first + more else st.just([]))
        going = [number for number, times in (Counter(going) & Counter(first + more)).items() for _ in range(times)]
        for number in going:
            held.discard(number)

    left = sorted((Counter(first + more) - Counter(going)).elements())
    assert held.numbers().tolist() == left
    assert held.first() == (left[0] if left else None)
    assert held.between(-5, 10).tolist() == [number for number in left if -5 < number <= 10]


def test_taking_out_what_is_not_there_says_to_load_again() -> None:
    held = Ordered(np.array([1, 3], np.int64))

    with pytest.raises(LookupError, match="load the figures again"):
        held.discard(2)
    with pytest.raises(LookupError, match="load the figures again"):
        held.discard(4)


_ENTRIES = st.lists(st.tuples(st.integers(-5 * HOUR, 5 * HOUR), st.integers(0, 3)))


@settings(max_examples=100, deadline=None)
@given(_ENTRIES, _ENTRIES, st.integers(-6 * HOUR, 6 * HOUR), st.integers(0, 4 * HOUR))
def test_a_log_knows_what_lies_in_a_stretch(first: list[tuple[int, int]], more: list[tuple[int, int]], after: int, length: int) -> None:
    log = Log(np.array(first, np.int64))
    for at, value in more:
        log.add(at, value)
    for at, value in first:
        log.discard(at, value)

    inside = sorted(entry for entry in more if after < entry[0] <= after + length)
    assert sorted(log.between(after, after + length)) == inside
    assert log.values(after, after + length).tolist() == sorted(value for _, value in inside)


def test_a_log_forgets_whole_hours_only() -> None:
    log = Log(np.array([(0, 1), (HOUR, 2), (HOUR + 1, 3)], np.int64))

    log.forget(HOUR + 1)

    assert sorted(log.between(-1, 2 * HOUR)) == [(HOUR, 2), (HOUR + 1, 3)]


def test_a_log_says_to_load_again_where_an_entry_is_missing() -> None:
    with pytest.raises(LookupError, match="load the figures again"):
        Log().discard(0, 1)
