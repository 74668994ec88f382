"""Lists by time of change, read by a filter that moves: nothing is lost or told twice, whatever shifts while they are read."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from rollout_metrics.collect.http import Answer
from rollout_metrics.collect.paging import Slice, moving
from rollout_metrics.domain.time import Instant

END: Instant = 1000


@dataclass
class Listing:
    """Records by time of change, of which a vendor shows so many at a time, by a filter as coarse as `step`; before each request `stirred` may change some."""

    records: dict[int, Instant]
    size: int
    step: int = 1
    unreadable: frozenset[int] = frozenset()
    stirred: Callable[[dict[int, Instant]], None] = lambda _: None

    def ask(self, since: Instant, number: int | None) -> Slice[tuple[int, Instant]]:
        self.stirred(self.records)
        number = number or 1
        there = sorted((at, one) for one, at in self.records.items() if at >= self.begins(since))
        page = [(one, at) for at, one in there[(number - 1) * self.size : number * self.size]]
        body = msgspec.json.encode([page, since, number])
        return Slice(page, Answer(body, "list", 200, {}), number + 1 if number * self.size < len(there) else None)

    def begins(self, at: Instant) -> Instant:
        return at - at % self.step

    def read(self, start: Instant = 0, end: Instant = END, **options: Any) -> list[tuple[tuple[int, Instant], Instant]]:
        slices = moving(
            self.ask,
            start,
            end,
            key=lambda record: record[0],
            changed_at=lambda record: None if record[0] in self.unreadable else record[1],
            begins=self.begins,
            **options,
        )
        return [one for fresh, _ in slices for one in fresh]


@given(seed=st.integers(0, 2**32), step=st.integers(1, 40), size=st.integers(2, 5))
def test_each_record_of_the_window_is_told_once_with_how_far_all_have_been(seed: int, step: int, size: int) -> None:
    random = Random(seed)
    records = {number: random.randrange(0, 2 * END, 7) for number in range(40)}  # many at one time
    start = random.randrange(0, END)
    unreadable = frozenset(random.sample(range(40), 4))

    told = Listing(records, size, step, unreadable).read(start)

    expected = [number for number, at in records.items() if start <= at < END and number not in unreadable]
    assert sorted(record[0] for record, _ in told if record[0] not in unreadable) == expected
    assert [reached for _, reached in told] == sorted(reached for _, reached in told)
    for place, (_, reached) in enumerate(told):
        assert not {record[0] for record, _ in told[place + 1 :] if record[0] not in unreadable and record[1] < reached}


@given(seed=st.integers(0, 2**32), size=st.integers(2, 5))
def test_what_changes_meanwhile_pushes_nothing_over_an_edge(seed: int, size: int) -> None:
    random = Random(seed)
    times = random.sample(range(END // 2), 42)  # no two at once: among those of one step the next page is asked for by place
    still, busy, clock = dict(enumerate(times[:30])), dict(enumerate(times[30:], 100)), iter(range(END // 2, END))

    def stirred(records: dict[int, Instant]) -> None:
        if random.random() < 0.7:
            records[random.choice(list(busy))] = next(clock)

    listing = Listing(still | busy, size, stirred=stirred)
    told = [record for record, _ in listing.read()]

    assert len(told) == len(set(told))
    assert {number for number, _ in told if number < 100} == set(still)


def test_what_a_coarse_filter_lists_beyond_the_window_is_told_where_it_is_asked_for() -> None:
    listing = Listing({1: 12, 2: 17, 3: 23}, size=5, step=10)

    assert [record[0] for record, _ in listing.read(15)] == [2, 3]
    assert [record[0] for record, _ in listing.read(15, exact=False)] == [1, 2, 3]
