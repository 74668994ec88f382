"""Working time between two instants, and when a span of it is used up."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.derive.calendar import NEVER, elapsed, used_up
from rollout_metrics.domain.policy import Calendar
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, SECOND, Instant, instant, moment, parse_instant

ALL_DAY = ((0, 1440),)
NINE_TO_FIVE = ((9 * 60, 17 * 60),)
CLOSED: tuple[tuple[int, int], ...] = ()


def calendar(zone: str = "UTC", hours: tuple[tuple[tuple[int, int], ...], ...] = (ALL_DAY,) * 7, holidays: tuple[str, ...] = ()) -> Calendar:
    return Calendar(zone, hours, frozenset(date.fromisoformat(day) for day in holidays), 1)


OFFICE = calendar(hours=(*(NINE_TO_FIVE,) * 5, CLOSED, CLOSED))


def at(text: str) -> Instant:
    return parse_instant(text)


def test_an_always_open_calendar_counts_all_time() -> None:
    assert elapsed(calendar(), at("2026-03-06T16:00:00Z"), at("2026-03-09T10:00:00Z")) == 66 * HOUR
    assert used_up(calendar(), at("2026-03-06T16:00:00Z"), 66 * HOUR) == at("2026-03-09T10:00:00Z")


def test_nights_and_weekends_do_not_count() -> None:
    friday, monday = at("2026-03-06T16:00:00Z"), at("2026-03-09T10:00:00Z")

    assert elapsed(OFFICE, friday, monday) == 2 * HOUR


def test_time_before_opening_does_not_count() -> None:
    assert elapsed(OFFICE, at("2026-03-02T06:00:00Z"), at("2026-03-02T09:30:00Z")) == 30 * MINUTE
    assert used_up(OFFICE, at("2026-03-02T06:00:00Z"), 30 * MINUTE) == at("2026-03-02T09:30:00Z")


def test_a_holiday_is_closed_all_day() -> None:
    with_holiday = calendar(hours=OFFICE.hours, holidays=("2026-03-09",))

    assert elapsed(with_holiday, at("2026-03-06T16:00:00Z"), at("2026-03-10T10:00:00Z")) == 2 * HOUR
    assert used_up(with_holiday, at("2026-03-06T16:00:00Z"), 90 * MINUTE) == at("2026-03-10T09:30:00Z")


def test_a_holiday_closes_an_otherwise_always_open_calendar() -> None:
    assert elapsed(calendar(holidays=("2026-03-09",)), at("2026-03-08T00:00:00Z"), at("2026-03-11T00:00:00Z")) == 2 * DAY


def test_a_target_used_up_at_closing_time_holds_until_the_next_opening() -> None:
    breach_at = used_up(OFFICE, at("2026-03-06T16:00:00Z"), HOUR)

    assert breach_at == at("2026-03-09T09:00:00Z")
    assert elapsed(OFFICE, at("2026-03-06T16:00:00Z"), breach_at) == HOUR


def test_a_lunch_break_does_not_count() -> None:
    with_break = calendar(hours=(((540, 720), (780, 1020)),) * 7)

    assert elapsed(with_break, at("2026-03-02T09:00:00Z"), at("2026-03-02T17:00:00Z")) == 7 * HOUR


def test_overlapping_stretches_count_once() -> None:
    assert elapsed(calendar(hours=(((540, 720), (600, 780), (610, 620)),) * 7), at("2026-03-02T00:00:00Z"), at("2026-03-03T00:00:00Z")) == 4 * HOUR


def test_hours_that_run_over_midnight_are_clipped_there() -> None:
    nights = calendar(hours=(((22 * 60, 30 * 60),), *(CLOSED,) * 6))

    assert elapsed(nights, at("2026-03-02T00:00:00Z"), at("2026-03-09T00:00:00Z")) == 2 * HOUR


def test_a_night_shift_is_two_stretches_that_adjoin_at_midnight() -> None:
    nights = calendar("Europe/Berlin", hours=(((0, 360), (1320, 1440)),) * 7)

    assert elapsed(nights, at("2026-03-02T20:00:00Z"), at("2026-03-03T12:00:00Z")) == 8 * HOUR
    assert used_up(nights, at("2026-03-02T20:00:00Z"), 4 * HOUR) == at("2026-03-03T01:00:00Z")


def test_hours_are_those_of_the_time_zone() -> None:
    tokyo = calendar("Asia/Tokyo", OFFICE.hours)

    assert elapsed(tokyo, at("2026-03-02T00:00:00Z"), at("2026-03-02T01:00:00Z")) == HOUR
    assert elapsed(tokyo, at("2026-03-02T08:00:00Z"), at("2026-03-03T00:00:00Z")) == 0


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 4), ("2026-03-29", 3), ("2026-10-24", 4), ("2026-10-25", 5)])
def test_the_hour_that_clocks_skip_is_not_worked_and_the_one_that_comes_twice_is_worked_twice(day: str, hours: int) -> None:
    small_hours = calendar("Europe/Berlin", (((0, 240),),) * 7)
    noon = instant(datetime.combine(date.fromisoformat(day), datetime.min.time(), ZoneInfo("Europe/Berlin")).replace(hour=12).astimezone(UTC))

    assert elapsed(small_hours, noon - 14 * HOUR, noon) == hours * HOUR


def test_office_hours_move_with_the_clocks() -> None:
    berlin = calendar("Europe/Berlin", OFFICE.hours)

    assert used_up(berlin, at("2026-03-27T15:30:00Z"), HOUR) == at("2026-03-30T07:30:00Z")


def test_stretches_that_end_in_a_skipped_hour_end_when_it_is_skipped() -> None:
    until_half_past_two = calendar("Europe/Berlin", (((0, 150),),) * 7)
    from_half_past_two = calendar("Europe/Berlin", (((150, 240),),) * 7)
    start, end = at("2026-03-28T23:00:00Z"), at("2026-03-29T10:00:00Z")

    assert elapsed(until_half_past_two, start, end) == 2 * HOUR
    assert elapsed(from_half_past_two, start, end) == HOUR


def test_a_midnight_that_clocks_skip_starts_the_day_when_they_skip_it() -> None:
    cairo = calendar("Africa/Cairo", (ALL_DAY,) * 7, ("2030-01-01",))

    assert elapsed(cairo, at("2026-04-23T00:00:00Z"), at("2026-04-25T00:00:00Z")) == 2 * DAY


def test_a_day_that_a_zone_skipped_has_no_working_time() -> None:
    apia = calendar("Pacific/Apia", (NINE_TO_FIVE,) * 7)

    assert elapsed(apia, at("2011-12-29T10:00:00Z"), at("2011-12-31T10:00:00Z")) == 16 * HOUR


def test_nothing_passes_backwards() -> None:
    for any_calendar in (OFFICE, calendar()):
        assert elapsed(any_calendar, at("2026-03-03T12:00:00Z"), at("2026-03-02T12:00:00Z")) == 0


@pytest.mark.parametrize("hours", [(CLOSED,) * 7, (((5, 5),),) * 7])
def test_working_time_never_comes_where_nobody_works(hours: tuple[tuple[tuple[int, int], ...], ...]) -> None:
    closed = calendar(hours=hours)

    assert used_up(closed, at("2026-03-02T09:00:00Z"), HOUR) == NEVER
    assert elapsed(closed, at("2026-03-02T09:00:00Z"), at("2027-03-02T09:00:00Z")) == 0


instants = st.integers(at("2025-12-20T00:00:00Z") // SECOND, at("2026-12-20T00:00:00Z") // SECOND).map(lambda seconds: seconds * SECOND)
stretches = st.lists(st.tuples(st.integers(0, 1440), st.integers(0, 1500)), max_size=3).map(tuple)
zones = st.sampled_from(("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata", "America/New_York", "Pacific/Apia"))
calendars = st.builds(
    lambda zone, hours, holidays: Calendar(zone, hours, holidays, 1),
    zones,
    st.tuples(*(stretches,) * 6, st.just(((480, 1020),))),
    st.frozensets(st.dates(date(2026, 1, 1), date(2026, 12, 1)), max_size=4),
)


@settings(max_examples=80, deadline=None)
@given(calendars, st.lists(instants, min_size=3, max_size=3).map(sorted))
def test_working_time_is_additive_and_never_more_than_time(any_calendar: Calendar, ordered: list[Instant]) -> None:
    first, middle, last = ordered

    assert elapsed(any_calendar, first, middle) + elapsed(any_calendar, middle, last) == elapsed(any_calendar, first, last)
    assert 0 <= elapsed(any_calendar, first, middle) <= elapsed(any_calendar, first, last) <= last - first


@settings(max_examples=80, deadline=None)
@given(calendars, instants, st.integers(0, 60 * HOUR), st.integers(1, 3 * DAY))
def test_a_span_is_used_up_exactly_where_it_has_elapsed(any_calendar: Calendar, start: Instant, span: int, more: int) -> None:
    end = used_up(any_calendar, start, span)

    assert end >= start + span
    assert elapsed(any_calendar, start, end) == span
    assert elapsed(any_calendar, start, end + more) > span


@settings(max_examples=80, deadline=None)
@given(calendars, instants)
def test_an_instant_is_worked_exactly_if_its_wall_clock_is_in_the_hours(any_calendar: Calendar, start: Instant) -> None:
    local = moment(start).astimezone(ZoneInfo(any_calendar.time_zone))
    minute = local.hour * 60 + local.minute
    wanted = local.date() not in any_calendar.holidays and any(a <= minute < b for a, b in any_calendar.hours[local.weekday()])
    twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()

    # In an hour that comes twice the stretches are those of its first coming, up to a boundary in that hour: seconds near one may differ.
    assert twice or (elapsed(any_calendar, start, start + SECOND) == SECOND) is wanted
