"""Since when a workflow is assisted, and what else is told of it at T."""

from typing import Any

import pytest

from builders import AGENT, Around, after, company, ev
from rollout_metrics.domain.changes import Change, ChangeKind
from rollout_metrics.domain.policy import Level, Workflow
from rollout_metrics.domain.time import Instant, parse_instant
from rollout_metrics.figures import assisted_since, situation

DATED = [{"level": "shadow", "since": "2026-03-01"}, {"level": "assisted", "since": "2026-03-05"}, {"level": "low_risk_autonomous", "since": "2026-03-10"}]


def since(options: dict[str, Any], as_of: str = "30d", changes: tuple[Change, ...] = ()) -> Instant | None:
    of = company(options, changes=changes)
    events = [ev("1d", AGENT, "recommended", action="set:priority"), ev("2d", AGENT, "recommended", action="set:priority")]
    return assisted_since(of.workflows[0], after(as_of), Around(events, of, after(as_of)))


@pytest.mark.parametrize(
    ("levels", "pauses", "expected"),
    [
        (DATED, [], "2026-03-05"),
        (DATED[:1], [], None),
        (DATED[1:], [{"start": "2026-03-04", "end": "2026-03-07"}], "2026-03-07"),
        ([{"level": "assisted"}], [], "1d"),
        ([{"level": "shadow"}], [], None),
    ],
)
def test_a_workflow_is_assisted_since_the_level_first_was(levels: list[Any], pauses: list[Any], expected: str | None) -> None:
    found = since({"levels": levels, "pauses": pauses})

    day = None if expected is None else after("1d") if expected == "1d" else parse_instant(expected + "T00:00:00Z")
    assert found == day


def test_what_comes_after_t_has_not_come() -> None:
    assert since({"levels": DATED}, as_of="1d") is None


def test_a_deployed_level_change_counts_from_its_deployment() -> None:
    level = Change(
        id="1",
        workflow="w",
        kind=ChangeKind.LEVEL,
        title="",
        version=None,
        environment="production",
        risk_class="low",
        proposed_at=after("1d"),
        reviewed_at=None,
        approved_at=None,
        deployed_at=after("4d"),
        recovered_at=None,
        level=2,
        reworks=None,
        fixes=(),
        incidents=(),
        interventions=(),
    )

    assert since({"levels": DATED[:1]}, changes=(level,)) == after("4d")


def test_a_situation_is_taken_as_of_t() -> None:
    of = company({"levels": DATED})
    workflow: Workflow = of.workflows[0]

    found = situation(workflow, after("4d"), Around([], of, after("4d")), sources_stale=2, coverage={"mapped": (1, 2)})

    assert (found.level, found.sources_stale, found.coverage) == (Level.ASSISTED, 2, {"mapped": (1, 2)})
    assert found.assisted_since == assisted_since(workflow, after("30d"), Around([], of, after("30d")))
