"""Autonomy levels at an instant."""

from typing import Any

import pytest

from builders import Around, after, change, company, ev
from rollout_metrics.derive.levels import level_at, levels_of
from rollout_metrics.domain.changes import Change, ChangeKind
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import Mode
from rollout_metrics.domain.policy import Level


def level(at: str | int, *changes: Change, events: tuple[Event, ...] = (), **options: Any) -> Level:
    made = company(options, changes=changes)
    return level_at(made.workflows[0], after(at), Around(events, made, after("90d")))


DATED = {"levels": [{"level": "shadow", "since": "2026-03-03"}, {"level": "assisted", "since": "2026-03-05"}]}


def test_before_the_first_entry_the_level_is_off() -> None:
    assert level(0, **DATED) is Level.OFF


def test_the_latest_configured_entry_holds_from_its_instant_on() -> None:
    assert level("15h", **DATED) is Level.SHADOW
    assert level("63h", **DATED) is Level.ASSISTED
    assert level(63 * 3_600_000_000 - 1, **DATED) is Level.SHADOW


def test_a_deployed_level_change_wins_over_configured_entries_from_its_deployment_on() -> None:
    assert level("1d", change(), **DATED) is Level.LOW_RISK_AUTONOMOUS
    assert level("5d", change(), **DATED) is Level.LOW_RISK_AUTONOMOUS
    assert level("23h", change(), **DATED) is Level.SHADOW


def test_the_latest_of_several_level_changes_holds() -> None:
    assert level("5d", change(id="c2", deployed_at=after("3d"), level=1), change(), **DATED) is Level.SHADOW


@pytest.mark.parametrize("options", [{"deployed_at": None}, {"environment": "test"}, {"kind": ChangeKind.PROMPT}])
def test_other_changes_and_what_is_not_in_production_leave_the_level_alone(options: dict[str, Any]) -> None:
    assert level("2d", change(**options), **DATED) is Level.SHADOW


def test_during_a_pause_the_level_is_off_up_to_its_end() -> None:
    paused = {"pauses": [{"start": "2026-03-06", "end": "2026-03-07"}], **DATED}

    assert level("87h", **paused) is Level.OFF
    assert level("111h", **paused) is Level.ASSISTED


def test_a_single_undated_level_is_off_before_the_first_agent_event_on_a_case_of_the_workflow() -> None:
    undated = {"levels": [{"level": "shadow"}]}
    seen = (ev("1h", "customer-1", "created"), ev("2h", "bot", "recommended", "priority", "high"))

    assert level("2h", events=seen, **undated) is Level.SHADOW
    assert level("119m", events=seen, **undated) is Level.OFF
    assert level("2h", **undated) is Level.OFF


def test_agent_events_before_a_case_is_in_scope_do_not_start_an_undated_level() -> None:
    undated = {"levels": [{"level": "shadow"}], "scope": {"channel": ["email"]}}
    seen = (
        ev("1h", "customer-1", "created", attributes={"channel": "chat"}),
        ev("2h", "bot", "recommended", "priority", "high"),
        ev("3h", "rule-1", "changed", "channel", "email"),
    )

    assert level("4h", events=seen, **undated) is Level.OFF


def test_shadow_is_the_only_level_that_is_not_live() -> None:
    made = company(DATED).workflows[0]

    assert [levels_of(made).mode_when_acting(after(at)) for at in (0, "1d", "4d")] == [Mode.LIVE, Mode.SHADOW, Mode.LIVE]
