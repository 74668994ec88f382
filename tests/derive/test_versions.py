"""The agent's version behind an event."""

from builders import after, change, company, ev
from rollout_metrics.derive.versions import version_at
from rollout_metrics.domain.changes import ChangeKind

PROMPT = ChangeKind.PROMPT
FLOW = company(
    {},
    changes=[
        change(id="a", kind=PROMPT, version="v1", deployed_at=after("1d")),
        change(id="b", kind=PROMPT, version="v2", deployed_at=after("2d")),
        change(id="c", kind=ChangeKind.LEVEL, version=None, deployed_at=after("3d")),
        change(id="d", kind=PROMPT, version="v3", deployed_at=after("3d"), environment="test"),
    ],
).workflows[0]


def test_an_event_that_says_its_version_is_believed() -> None:
    assert version_at(FLOW, ev("5d", "bot", "recommended", version="v9")) == "v9"


def test_else_it_is_the_version_deployed_last_before() -> None:
    assert version_at(FLOW, ev("36h", "bot", "recommended")) == "v1"
    assert version_at(FLOW, ev("49h", "bot", "recommended")) == "v2"


def test_a_deployment_at_the_same_instant_is_not_before() -> None:
    assert version_at(FLOW, ev("2d", "bot", "recommended")) == "v1"


def test_changes_without_version_or_outside_production_leave_the_version_running() -> None:
    assert version_at(FLOW, ev("5d", "bot", "recommended")) == "v2"


def test_before_any_deployment_the_version_is_unknown() -> None:
    assert version_at(FLOW, ev(0, "bot", "recommended")) is None
