"""Counts by the hour moved step by step, against counting from scratch."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import T0, after, change, company
from rollout_metrics.catalog import TALLIES
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, minute_of
from rollout_metrics.figures.trail import Trail
from rollout_metrics.figures.windows import Stretch
from rollout_metrics.rollup import STATE, Bucket, Contribution

PAST = 30 * HOUR
CUT = T0 + 5 * HOUR + 17 * MINUTE
COMPANY = company({"cohort_age": "90m"}, {"name": "v"}, changes=[change(deployed_at=CUT)])
WORKFLOW = COMPANY.workflows[0]
SERIES = [("w", "acts"), ("w", "decisions", "live", "accepted", "kept"), ("v", "acts"), ("gone", "acts"), ("w", "operators", "somebody")]
EDGES = {tally: CUT + TALLIES[tally].age_in(WORKFLOW) for tally in ("acts", "decisions")}
BASE = T0 // MINUTE


def rows(counts: Counter[Bucket], stretches: Iterable[Stretch] | None = None) -> list[Contribution]:
    """The store's rows: all, or those of some stretches."""
    return [
        (series, minute, amount)
        for (series, minute), amount in counts.items()
        if amount and (stretches is None or any(s.workflow == series[0] and s.after < minute <= s.up_to for s in stretches))
    ]


def edges(trail: Trail, workflow: str, tally: str, now: int) -> list[int]:
    begins = trail.begins(workflow)
    cut = [EDGES[tally]] if workflow == "w" and EDGES[tally] > begins else []
    return sorted({*range(begins, now, HOUR), *cut, now})


def expected(counts: Counter[Bucket], workflow: str, tally: str, first: int, last: int) -> dict[tuple[str, ...], int]:
    """Counting from scratch."""
    sums: Counter[tuple[str, ...]] = Counter()
    for (series, minute), amount in counts.items():
        if series[:2] == (workflow, tally) and minute != STATE and minute_of(first) < minute <= minute_of(last):
            sums[series[2:]] += amount
    return {labels: total for labels, total in sums.items() if total}


_MINUTE = st.integers(-3000, 3000).map(lambda minute: BASE + minute)
_AMOUNTS = st.integers(-3, 5).filter(bool)
_DELTAS = st.dictionaries(st.tuples(st.sampled_from(SERIES), _MINUTE | st.just(STATE)), _AMOUNTS, max_size=8)
_STEPS = st.lists(_DELTAS | st.integers(0, 1500), max_size=8)


@settings(max_examples=100, deadline=None)
@given(_DELTAS, _STEPS, st.booleans(), st.randoms(use_true_random=False))
def test_a_trail_moved_step_by_step_equals_counting_from_scratch(begin: Any, steps: list[Any], all_rows: bool, draw: Any) -> None:
    counts: Counter[Bucket] = Counter(begin)
    trail = Trail(COMPANY.workflows, PAST)
    now = {"w": T0, "v": T0 - 7 * MINUTE}
    needed = rows(counts, trail.needed(now))
    draw.shuffle(needed)
    trail.load(now, needed)
    for step in steps:
        if isinstance(step, dict):
            counts.update(step)
            trail.apply(step)
        else:
            now = {"w": now["w"] + step * MINUTE, "v": now["v"] + step // 2 * MINUTE}
            trail.advance(now, rows(counts, None if all_rows else trail.stretches(now)))

    for workflow, at in now.items():
        assert at - trail.begins(workflow) in range(PAST, PAST + HOUR)
        for tally in ("acts", "decisions"):
            known = edges(trail, workflow, tally, at)
            first, last = sorted((draw.choice(known), draw.choice(known)))
            sums = trail.sums(workflow, tally, first, last)
            assert sums == expected(counts, workflow, tally, first, min(last, at))
            by_hour: Counter[tuple[str, ...]] = Counter()
            ends = []
            for end, part in trail.hours(workflow, tally, first, last):
                ends.append(end)
                by_hour.update(part)
            assert {labels: total for labels, total in by_hour.items() if total} == sums
            assert ends == sorted(set(ends))
            assert all(minute_of(end) in {*map(minute_of, known), minute_of(end) // 60 * 60} for end in ends)


def test_an_hour_is_cut_where_a_deployment_falls_later_by_the_age_of_what_is_counted() -> None:
    trail = Trail(COMPANY.workflows, PAST)
    trail.load({"w": T0 + 9 * HOUR}, [(("w", "acts"), minute_of(CUT) + 90 + n, 1) for n in (0, 1)] + [(("w", "evaluations", "true"), minute_of(CUT) + 1, 1)])

    assert trail.sums("w", "acts", CUT + 90 * MINUTE, T0 + 9 * HOUR) == {(): 1}
    assert trail.sums("w", "evaluations", CUT, T0 + 9 * HOUR) == {("true",): 1}


def test_a_stretch_that_ends_after_t_ends_at_t() -> None:
    trail = Trail(COMPANY.workflows, PAST)
    trail.load({"w": T0 + 20 * MINUTE}, [(("w", "acts"), BASE + minute, 1) for minute in (20, 21)])

    assert trail.sums("w", "acts", T0, T0 + DAY) == {(): 1}


@pytest.mark.parametrize(("first", "last"), [(T0 - 40 * HOUR, T0), (T0 - 61 * MINUTE, T0), (T0 - 3 * HOUR, T0 - MINUTE)])
def test_what_a_trail_cannot_tell_it_refuses(first: int, last: int) -> None:
    trail = Trail(COMPANY.workflows, PAST)
    trail.load({"w": T0}, ())

    with pytest.raises(ValueError, match="trail of w"):
        trail.sums("w", "acts", first, last)


def test_a_trail_never_goes_back() -> None:
    trail = Trail(COMPANY.workflows)
    trail.load({"w": T0}, ())

    with pytest.raises(ValueError, match="load the figures again"):
        trail.advance({"w": T0 - MINUTE}, ())


def test_a_past_of_hours_costs_two_numbers_for_each() -> None:
    trail = Trail(COMPANY.workflows)
    trail.load({"w": after("120d")}, [(("w", "acts"), BASE + 10 * number, 1) for number in range(1, 120 * 24 * 6)])

    (track,) = trail._tracks["w", "acts"].values()
    assert len(track._ends) == len(track._amounts) <= 120 * 24 + 2
