"""Counts summed by the hour: whatever stretch is read, the sums between its cuts are those of the minutes; and whatever changes later, both agree."""

from collections import defaultdict
from collections.abc import Mapping
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollout_metrics.domain.time import DAY, MINUTE
from rollout_metrics.store import Store, open_store
from rollout_metrics.store.cases import Due
from rollout_metrics.store.hours import LEFT, STEP
from store.conftest import NewUrl

SERIES = (("w", "acts"), ("w", "decisions", "accepted"), ("v", "acts"), ("none", "violations"))
SPAN = 5 * STEP


def counted(random: Random, rows: int) -> dict[tuple[tuple[str, ...], int], int]:
    return {(random.choice(SERIES), random.choice((0, 1, 59, 60, 61, STEP, random.randrange(1, SPAN)))): random.choice((-3, 1, 2, 9)) for _ in range(rows)}


def add(store: Store, counts: Mapping[tuple[tuple[str, ...], int], int], into: dict[tuple[tuple[str, ...], int], int]) -> None:
    store.replace(Due([], {}), [], added=[(series, minute, amount) for (series, minute), amount in counts.items()])
    for bucket, amount in counts.items():
        into[bucket] += amount


@given(st.integers(0, 2**32))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sums_between_cuts_are_those_of_the_minutes(new_url: NewUrl, seed: int) -> None:
    random = Random(seed)
    with open_store(new_url(), clock=lambda: 0) as store:
        stored: dict[tuple[tuple[str, ...], int], int] = defaultdict(int)
        for _ in range(random.randrange(1, 5)):
            add(store, counted(random, 60), stored)
            if random.random() < 0.7:
                store.sum_up(random.randrange(SPAN) * MINUTE + LEFT)
        cuts = {workflow: {random.randrange(SPAN) for _ in range(random.randrange(3))} for workflow in ("w", "v", "none")}
        stretches = [(workflow, after, after + random.randrange(1, SPAN)) for workflow in cuts for after in (random.randrange(-90, SPAN),)]
        found = [(series, minutes.tolist(), amounts.tolist()) for series, minutes, amounts in store.tracks(stretches, cuts)]

        assert store.check() == []
        for workflow, after, up_to in stretches:
            edges = sorted({after, up_to, *(cut for cut in cuts[workflow] if after < cut < up_to)})
            for first, last in zip(edges, edges[1:], strict=False):
                for series in SERIES:
                    if series[0] == workflow:
                        read = sum(amount for name, *rows in found if name == series for minute, amount in zip(*rows, strict=True) if first < minute <= last)
                        assert read == sum(amount for (name, minute), amount in stored.items() if name == series and first < minute <= last and minute)
        assert all(minutes == sorted(set(minutes)) for _, minutes, _ in found)


def test_old_counts_are_read_by_the_hour_and_young_ones_by_the_minute(store: Store) -> None:
    add(store, {(SERIES[0], minute): 1 for minute in (1, 2, 61, STEP + 1, STEP + 2)}, defaultdict(int))
    store.sum_up(STEP * MINUTE + LEFT + DAY - MINUTE)

    ((_, hours, sums), (_, minutes, amounts)) = store.tracks([("w", 0, 2 * STEP)], {"w": {90}})

    assert (minutes.tolist(), amounts.tolist()) == ([61, STEP + 1, STEP + 2], [1, 1, 1])
    assert (hours.tolist(), sums.tolist()) == ([60], [2])


def test_a_broken_hour_is_found(store: Store) -> None:
    add(store, {(SERIES[0], 1): 1, (SERIES[2], 61): 1}, defaultdict(int))
    store.sum_up(STEP * MINUTE + LEFT)
    with store._writing() as connection:
        connection.exec_driver_sql("UPDATE hours SET amount = 7 WHERE hour = 1")
        connection.exec_driver_sql("DELETE FROM hours WHERE hour = 2")

    assert store.check() == [f"hour 1 of {SERIES[0]} is 7, its minutes come to 1", f"hour 2 of {SERIES[2]} is missing"]
