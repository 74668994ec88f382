"""Rows of whole numbers by the column give what they give one by one."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.domain.time import MINUTE
from rollout_metrics.store.bulk import Collected, Contributed, Contributions, Samples, contributions, exchanged

FAR = 2**31 - 1
"""The greatest series or minute that a column takes."""

_SMALL = st.tuples(st.integers(1, 4), st.integers(0, 3), st.integers(-2, 3))
_WIDE = st.tuples(st.sampled_from((1, 2, FAR)), st.sampled_from((0, 1, FAR)), st.integers(-2, 3))
_CASES = st.one_of(st.lists(st.lists(rows, max_size=6), min_size=3, max_size=3) for rows in (_SMALL, _WIDE))

LAW = settings(deadline=None)

Sums = dict[tuple[int, int, int], int]


def columns(cases: list[list[Contributed]]) -> Contributions:
    collected = Collected(3)
    for rows in cases:
        collected.take(rows)
    return contributions(collected.columns(list), collected.lengths)


def added(cases: list[list[Contributed]]) -> Sums:
    found: Counter[tuple[int, int, int]] = Counter()
    for place, rows in enumerate(cases):
        for series, minute, amount in rows:
            found[series, minute, place] += amount
    return {key: amount for key, amount in found.items() if amount}


def rows_of(found: Contributions) -> list[tuple[tuple[int, int, int], int]]:
    return [((series, minute, place), amount) for series, minute, place, amount in zip(*(column.tolist() for column in found), strict=True)]


@LAW
@given(_CASES)
def test_sums_are_those_of_the_rows_one_by_one_and_in_order(cases: list[list[Contributed]]) -> None:
    found = rows_of(columns(cases).sums())

    assert found == sorted(added(cases).items())


@LAW
@given(_CASES)
def test_the_rows_of_each_place_are_its_own(cases: list[list[Contributed]]) -> None:
    found = columns(cases).sums().by_place(len(cases))

    assert found == [sorted((series, minute, amount) for (series, minute, where), amount in added(cases).items() if where == place) for place in range(3)]


@LAW
@given(_CASES)
def test_counts_are_the_sums_over_places_by_workflow_and_minute(cases: list[list[Contributed]]) -> None:
    found = columns(cases).counts(lambda series: series % 2)

    expected: Counter[tuple[int, int, int]] = Counter()
    for (series, minute, _), amount in added(cases).items():
        expected[series % 2, minute, series] += amount
    assert found == sorted((*key, amount) for key, amount in expected.items() if amount)


@LAW
@given(_CASES, _CASES)
def test_exchanged_rows_turn_what_was_there_into_what_is_to_be_there(before: list[list[Contributed]], now: list[list[Contributed]]) -> None:
    come, gone = map(rows_of, exchanged(columns(now).sums(), columns(before).sums()))

    stands = added(before)
    for key, amount in gone:
        assert stands.pop(key) == amount
    assert all(stands.get(key) != amount for key, amount in come)
    stands.update(come)
    assert stands == added(now)
    assert come == sorted(come)


def test_samples_lead_by_their_minute_and_are_kept_case_by_case() -> None:
    import numpy as np

    rows = np.array([(7, 1, 5, 1, 0, 0), (7, MINUTE, 6, 1, 0, 0), (8, MINUTE + 1, 7, 0, 0, 0)], np.int64)

    samples = Samples(rows, [2, 0, 1])

    assert rows_of(samples.contributions().sums()) == [((7, 1, 0), 2), ((8, 2, 2), 1)]
    assert [np.frombuffer(packed, "<i8").reshape(-1, 6).tolist() for packed in samples.packed()] == [rows[:2].tolist(), [], rows[2:].tolist()]
