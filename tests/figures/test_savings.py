"""Time saved: which cases are compared with which."""

from typing import Any

from builders import after, workflow
from facts import case
from rollout_metrics.domain.facts import Closing, Effort
from rollout_metrics.domain.time import DAY
from rollout_metrics.figures.samples import Samples
from rollout_metrics.figures.savings import savings
from rollout_metrics.rollup import samples
from rollout_metrics.stats.trimmed import time_saved, trimmed


def efforts(first: str, number: int, basis: str, seconds: float, **fields: Any) -> list[Any]:
    """Cases closed minute by minute, each taking a second more than the one before."""
    start = after(first)
    return [
        case(0, scoped_at=start, closed_at=start + minute * 60_000_000, effort=Effort(seconds + minute, basis), **fields) for minute in range(1, number + 1)
    ]


def found(facts: list[Any], assisted_since: str | None = "91d", **options: Any) -> dict[str, Any]:
    held = Samples({"w": (7 * DAY,)})
    held.load({"w": after("100d")}, samples(facts))
    return dict(savings(workflow(**options), 7 * DAY, held, None if assisted_since is None else after(assisted_since)))


def test_both_sides_are_of_one_basis() -> None:
    before = efforts("80d", 40, "measured", 300) + efforts("80d", 40, "estimated", 100)
    now = efforts("95d", 5, "estimated", 50, assisted=True, agent_involved=True)

    saved = found(before + now)

    baseline, assisted = trimmed([101 + n for n in range(40)]), trimmed([51 + n for n in range(5)])
    assert baseline is not None
    assert assisted is not None
    expected = time_saved(baseline, assisted)
    assert {basis: (item.value, item.lower, item.upper, item.cases) for basis, item in saved.items()} == {
        "estimated": (expected.value, expected.lower, expected.upper, 5)
    }


def test_the_baseline_is_of_the_90_days_before_and_frozen() -> None:
    now = efforts("95d", 5, "measured", 50, assisted=True, agent_involved=True)
    inside, too_early, too_late = (efforts(start, 30, "measured", 100) for start in ("2d", "0s", "92d"))

    assert found(inside + now).keys() == {"measured"}
    assert not found(too_early + now)
    assert not found(too_late + now)
    assert found(inside + too_late + now) == found(inside + now)


def test_a_case_reopened_or_met_by_the_agent_later_stays_in_the_frozen_baseline() -> None:
    now = efforts("95d", 5, "measured", 50, assisted=True, agent_involved=True)
    as_they_were = efforts("80d", 40, "measured", 100)

    def later(until: str) -> list[Any]:
        return [case(0, scoped_at=item.scoped_at, agent_involved=True, unaided=(Closing(item.closed_at, after(until), item.effort),)) for item in as_they_were]

    assert found(later("93d") + now) == found(as_they_were + now)
    assert not found(later("91d") + now)


def test_cases_with_the_agent_involved_are_no_baseline() -> None:
    now = efforts("95d", 5, "measured", 50, assisted=True, agent_involved=True)

    assert not found(efforts("80d", 40, "measured", 100, agent_involved=True) + now)


def test_an_assumed_baseline_is_compared_with_every_assisted_case() -> None:
    now = efforts("95d", 5, "measured", 50, assisted=True) + efforts("95d", 4, "estimated", 50, assisted=True)

    saved = found(now, assisted_since=None, baseline_seconds=100)

    assert saved.keys() == {"assumed"}
    assert saved["assumed"].cases == 9
