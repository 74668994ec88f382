"""Instants and spans."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout_metrics.domain.time import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    floor_minute,
    format_instant,
    format_span,
    instant,
    minute_of,
    moment,
    parse_instant,
    parse_span,
)

moments = st.datetimes(timezones=st.timezones() | st.just(UTC), min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1))


@given(moments)
def test_a_moment_survives_being_an_instant(when: datetime) -> None:
    assert moment(instant(when)) == when.astimezone(UTC)


@given(moments)
def test_an_instant_survives_being_written(when: datetime) -> None:
    written = format_instant(instant(when))

    assert written.endswith("Z")
    assert parse_instant(written) == instant(when)


@given(moments, moments)
def test_instants_differ_by_what_moments_differ_by(first: datetime, second: datetime) -> None:
    assert instant(second) - instant(first) == (second.astimezone(UTC) - first.astimezone(UTC)) // timedelta(microseconds=1)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="2026-03-01T10:00:00 has no time zone: say which one it is in"):
        instant(datetime(2026, 3, 1, 10))
    with pytest.raises(ValueError, match="has no time zone"):
        parse_instant("2026-03-01")


def test_offsets_count() -> None:
    assert instant(datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=1)))) == parse_instant("2026-03-01T09:00:00Z")


def test_what_is_no_time_is_named() -> None:
    with pytest.raises(ValueError, match="'soon' is no ISO 8601 time such as 2026-03-01T10:00:00Z"):
        parse_instant("soon")


@given(st.integers(min_value=0, max_value=10**17).map(lambda n: n * 1000))
def test_a_span_survives_being_written(span: int) -> None:
    assert parse_span(format_span(span)) == span


@pytest.mark.parametrize(
    ("text", "span"),
    [("30s", 30 * SECOND), ("15m", 15 * MINUTE), ("1h30m", 90 * MINUTE), ("2w", 14 * DAY), ("1500ms", 1_500_000), ("0s", 0), ("6h", 6 * HOUR)],
)
def test_spans_are_read(text: str, span: int) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["", "7", "7 days", "-1d", "1.5h", "1d ", "d", "1y", "1M"])
def test_what_is_no_span_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration such as 30s, 15m, 6h, 14d or 1h30m"):
        parse_span(text)


def test_nothing_is_written_as_seconds() -> None:
    assert format_span(0) == "0s"
    assert format_span(DAY + 90 * SECOND) == "1d1m30s"


@given(st.integers(min_value=-(10**16), max_value=10**16))
def test_the_minute_of_an_instant_is_the_bucket_that_ends_at_or_after_it(at: int) -> None:
    minute = minute_of(at)

    assert (minute - 1) * MINUTE < at <= minute * MINUTE


@given(st.integers(min_value=-(10**16), max_value=10**16))
def test_the_floor_of_an_instant_is_the_last_whole_minute_up_to_it(at: int) -> None:
    floor = floor_minute(at)

    assert floor % MINUTE == 0
    assert floor <= at < floor + MINUTE
