from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from rollout_metrics.domain.events import Activity, Event, resolve
from rollout_metrics.domain.time import parse_instant

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def events(collect: Callable[[str], Any]) -> list[Event]:
    found = collect("uci498.yaml")
    assert found.rejected == []
    assert found.watermarks == {"servicenow": parse_instant("2017-02-18T15:00:00Z")}
    held = resolve(found.events)
    assert len(held) == len(found.events) == 128_536
    return held


def test_every_incident_is_a_case_created_once(events: list[Event]) -> None:
    created = [event.case_id for event in events if event.activity is Activity.CREATED]

    assert len(created) == len(set(created)) == len({event.case_id for event in events}) == 24_918


def test_incidents_that_left_resolved_or_closed_are_reopened(events: list[Event]) -> None:
    reopened = Counter(event.case_id for event in events if event.activity is Activity.REOPENED)

    assert (len(reopened), reopened.total()) == (276, 332)


def test_changes_of_the_assignment_group_are_those_between_two_known_groups(events: list[Event]) -> None:
    changes = [event for event in events if event.activity is Activity.CHANGED and event.attribute == "group"]

    assert sum(event.before is not None and event.after is not None for event in changes) == 17_915


def test_incidents_whose_priority_was_raised(events: list[Event]) -> None:
    raised = {event.case_id for event in events if event.attribute == "priority" and str(event.before)[0] > str(event.after)[0]}

    assert len(raised) == 300


def test_no_value_was_known_before_its_time(events: list[Event]) -> None:
    """resolved_at, closed_at, closed_code and resolved_by stand on every row from the first on; nothing here comes from them."""
    initial = [event.detail["attributes"] for event in events if event.activity is Activity.CREATED]

    assert {name for attributes in initial for name in attributes} == {"assignee", "category", "channel", "group", "priority", "status"}
    assert all(event.occurred_at <= parse_instant("2017-02-18T15:00:00Z") for event in events)
