"""Since when the agent is what it is."""

from typing import Any

import pytest

from builders import AGENT, Around, after, change, company, ev
from rollout_metrics.derive.standing import standing_since
from rollout_metrics.domain.changes import Change, ChangeKind
from rollout_metrics.domain.time import Instant

ASSISTED = [{"level": "shadow", "since": "2026-02-01"}, {"level": "assisted", "since": "2026-03-02T09:00:00Z"}]


def since(changes: tuple[Change, ...] = (), **options: Any) -> Instant | None:
    of = company({"levels": ASSISTED} | options, changes=changes)
    return standing_since(of.workflows[0], after("30d"), Around([ev("2d", AGENT, "recommended", action="set:priority")], of, after("30d")))


def deployed(at: str, **options: Any) -> Change:
    return change(**{"kind": ChangeKind.PROMPT, "level": None, "deployed_at": after(at), "risk_class": "medium"} | options)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((), "0s"),
        ((deployed("5d"), deployed("9d", id="c2")), "9d"),
        ((deployed("5d"), deployed("9d", id="c2", risk_class="low")), "5d"),
        ((deployed("5d"), deployed("9d", id="c2", environment="staging")), "5d"),
        ((deployed("5d"), deployed("31d", id="c2")), "5d"),
        ((deployed("5d"), change(id="c2", level=3, deployed_at=after("8d"))), "8d"),
        ((change(id="c2", level=2, deployed_at=after("8d")),), "0s"),
    ],
)
def test_evidence_begins_with_the_level_or_the_last_deployment_that_was_not_of_low_risk(changes: tuple[Change, ...], expected: str) -> None:
    assert since(changes) == after(expected)


def test_a_pause_does_not_end_a_level() -> None:
    assert since(pauses=[{"start": "2026-03-10", "end": "2026-03-12"}]) == after(0)


def test_a_single_undated_level_begins_with_the_agents_first_event() -> None:
    assert since(levels=[{"level": "assisted"}]) == after("2d")
