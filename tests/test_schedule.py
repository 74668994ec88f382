"""The timetable: when sources are swept, and that nothing overlaps."""

from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from rollout_metrics.schedule import timetable
from rollout_metrics.sources.events import Events

MONDAY = datetime(2026, 3, 2, 9, 31, tzinfo=UTC)


def source(**options: str) -> Events:
    """A source with these options as in YAML."""
    return Events.model_validate({"name": "desk", "paths": ["x.jsonl"], **options})


def test_a_source_is_swept_at_its_interval() -> None:
    trigger = timetable(source(every="7m", jitter="0s"))

    assert isinstance(trigger, IntervalTrigger)
    assert trigger.get_next_fire_time(MONDAY, MONDAY) == MONDAY + timedelta(minutes=7)


def test_jitter_spreads_the_start_by_no_more_than_it_says() -> None:
    trigger = timetable(source(every="7m", jitter="30s"))

    fired = [trigger.get_next_fire_time(MONDAY, MONDAY) for _ in range(50)]

    assert all(abs(at - MONDAY - timedelta(minutes=7)) <= timedelta(seconds=30) for at in fired if at is not None)
    assert len(set(fired)) > 1


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("*/15 * * * *", datetime(2026, 3, 2, 9, 45, tzinfo=UTC)),
        ("0 6 * * *", datetime(2026, 3, 3, 6, tzinfo=UTC)),
        ("0 6 * * sun", datetime(2026, 3, 8, 6, tzinfo=UTC)),
        ("0 6 * * tue-fri", datetime(2026, 3, 3, 6, tzinfo=UTC)),
    ],
)
def test_a_cron_expression_is_read_in_utc(cron: str, expected: datetime) -> None:
    trigger = timetable(source(cron=cron, jitter="0s"))

    assert isinstance(trigger, CronTrigger)
    assert trigger.get_next_fire_time(None, MONDAY) == expected
