"""Sums from a fixed start moved step by step, against counting from scratch."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import T0, Around, after, change, company
from rollout_metrics.catalog import TALLIES
from rollout_metrics.domain.changes import ChangeKind
from rollout_metrics.domain.time import HOUR, MINUTE, minute_of
from rollout_metrics.figures.since import Since, starts
from rollout_metrics.figures.windows import Stretch
from rollout_metrics.rollup import STATE, Bucket, Contribution

COMPANY = company({"cohort_age": "90m"}, {"name": "v"})
SERIES = [("w", "acts"), ("w", "decisions", "live", "accepted", "kept"), ("v", "acts"), ("gone", "acts")]
BASE = T0 // MINUTE


def rows(counts: Counter[Bucket], stretches: Iterable[Stretch] | None = None) -> list[Contribution]:
    """The store's rows: all, or those of some stretches."""
    return [
        (series, minute, amount)
        for (series, minute), amount in counts.items()
        if amount and (stretches is None or any(s.workflow == series[0] and s.after < minute <= s.up_to for s in stretches))
    ]


def expected(counts: Counter[Bucket], workflow: str, tally: str, start: int | None, now: int) -> dict[tuple[str, ...], int]:
    """Counting from scratch."""
    age = TALLIES[tally].age_in(next(item for item in COMPANY.workflows if item.name == workflow))
    sums: Counter[tuple[str, ...]] = Counter()
    for (series, minute), amount in counts.items():
        if series[:2] == (workflow, tally) and minute != STATE and minute <= now // MINUTE and (start is None or minute > minute_of(start + age)):
            sums[series[2:]] += amount
    return {labels: total for labels, total in sums.items() if total}


_MINUTE = st.integers(-3000, 3000).map(lambda minute: BASE + minute)
_DELTAS = st.dictionaries(st.tuples(st.sampled_from(SERIES), _MINUTE | st.just(STATE)), st.integers(-3, 5).filter(bool), max_size=8)
_START = st.none() | st.integers(-3000, 3000).map(lambda minute: T0 + minute * MINUTE - 7)
_STEPS = st.lists(_DELTAS | st.tuples(st.integers(0, 1500), _START) | st.integers(0, 1500), max_size=8)


@settings(max_examples=100, deadline=None)
@given(_DELTAS, _START, _STEPS, st.booleans())
def test_sums_since_a_start_moved_step_by_step_equal_counting_from_scratch(begin: Any, start: int | None, steps: list[Any], all_rows: bool) -> None:
    counts: Counter[Bucket] = Counter(begin)
    since = Since(COMPANY.workflows)
    now, began = {"w": T0, "v": T0 - 7 * MINUTE}, {"w": start, "v": None}
    since.load(now, began, rows(counts, since.needed(now, began)))
    for step in steps:
        if isinstance(step, dict):
            counts.update(step)
            since.apply(step)
        else:
            by, began = (step, began) if isinstance(step, int) else (step[0], {**began, "w": step[1]})
            now = {"w": now["w"] + by * MINUTE, "v": now["v"] + by // 2 * MINUTE}
            since.advance(now, began, rows(counts, None if all_rows else since.stretches(now, began)))

    for workflow, at in now.items():
        assert since.start(workflow) == began[workflow]
        for tally in ("acts", "decisions"):
            assert since.sums(workflow, tally) == expected(counts, workflow, tally, began[workflow], at)


def test_what_happened_before_the_start_and_is_judged_after_it_is_in_no_sum() -> None:
    since = Since(COMPANY.workflows)
    since.load({"w": T0 + 5 * HOUR}, {"w": T0}, [(("w", "acts"), BASE + 90, 1), (("w", "acts"), BASE + 91, 1)])

    assert since.sums("w", "acts") == {(): 1}


def test_a_start_that_stands_wants_only_what_enters() -> None:
    since = Since(COMPANY.workflows)
    since.load({"w": T0}, {"w": T0 - HOUR}, ())

    assert since.stretches({"w": T0 + MINUTE}, {"w": T0 - HOUR}) == [Stretch("w", BASE, BASE + 1)]


def test_sums_never_go_back() -> None:
    since = Since(COMPANY.workflows)
    since.load({"w": T0}, {}, ())

    with pytest.raises(ValueError, match="load the figures again"):
        since.advance({"w": T0 - MINUTE}, {}, ())


def test_the_start_is_that_of_level_and_version() -> None:
    of = company(changes=[change(deployed_at=after("1d"), risk_class="high"), change(id="c2", deployed_at=after("2d"), kind=ChangeKind.PROMPT, level=None)])

    assert starts(of.workflows, {"w": after("3d")}, Around([], of, after("3d"))) == {"w": after("1d")}
    assert starts(of.workflows, {}, Around([], of, after("3d"))) == {}
