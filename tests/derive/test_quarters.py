"""Quarters cover all time without gap or overlap, whatever the year begins with."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import workflow
from rollout_metrics.derive.quarters import quarter, quarter_of, quarters
from rollout_metrics.domain.time import DAY, format_instant, parse_instant

CALENDAR = workflow().calendar


@pytest.mark.parametrize(
    ("zone", "first_month", "at", "name", "start"),
    [
        ("UTC", 1, "2026-07-01T00:00:00Z", "2026Q3", "2026-07-01T00:00:00Z"),
        ("Europe/Berlin", 1, "2026-06-30T22:00:00Z", "2026Q3", "2026-06-30T22:00:00Z"),
        ("UTC", 4, "2026-03-31T23:59:00Z", "2025Q4", "2026-01-01T00:00:00Z"),
        ("UTC", 10, "2026-11-27T12:00:00Z", "2026Q1", "2026-10-01T00:00:00Z"),
    ],
)
def test_a_quarter_follows_the_calendar(zone: str, first_month: int, at: str, name: str, start: str) -> None:
    calendar = msgspec.structs.replace(CALENDAR, time_zone=zone, first_month=first_month)

    found = quarter_of(calendar, parse_instant(at))

    assert (found.name, format_instant(found.start)) == (name, start)


@given(st.integers(0, 40_000), st.integers(1, 12), st.sampled_from(("UTC", "Europe/Berlin", "Pacific/Auckland")))
def test_every_instant_lies_in_its_quarter_and_quarters_adjoin(day: int, first_month: int, zone: str) -> None:
    calendar = msgspec.structs.replace(CALENDAR, time_zone=zone, first_month=first_month)
    found = quarter_of(calendar, day * DAY)

    assert found.start <= day * DAY < found.end
    assert found == quarter(calendar, found.year, found.number)
    assert quarter_of(calendar, found.end).start == found.end
    latest = list(quarters(calendar, day * DAY, 3))
    assert [item.start for item in latest[:-1]] == [item.end for item in latest[1:]]
