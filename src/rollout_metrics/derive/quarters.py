"""The quarters of a workflow's calendar: three months each, from the first month of its year, in its own time zone."""

import re
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from rollout_metrics.domain.policy import Calendar
from rollout_metrics.domain.time import Instant, instant, moment

MONTHS = 3
_NAME = re.compile(r"([1-9]\d{3})[Qq]([1-4])", re.ASCII)


class Quarter(msgspec.Struct, frozen=True):
    """The half-open stretch [start, end). `year` is that in which its business year begins."""

    year: int
    number: int
    start: Instant
    end: Instant

    @property
    def name(self) -> str:
        """As people write it: `2026Q3`."""
        return f"{self.year}Q{self.number}"


def quarter(calendar: Calendar, year: int, number: int) -> Quarter:
    """A quarter by its year and number, 1 to 4."""
    first = year * 12 + calendar.first_month - 1 + (number - 1) * MONTHS
    return Quarter(year, number, _month(calendar, first), _month(calendar, first + MONTHS))


def parse_quarter(text: str) -> tuple[int, int]:
    """Year and number of a quarter as people write it: `2026Q3`; anything else raises `ValueError`."""
    found = _NAME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no quarter such as 2026Q3")
    return int(found[1]), int(found[2])


def quarter_of(calendar: Calendar, at: Instant) -> Quarter:
    """The quarter in which an instant lies."""
    local = moment(at).astimezone(ZoneInfo(calendar.time_zone))
    months = local.year * 12 + local.month - calendar.first_month
    return quarter(calendar, months // 12, months % 12 // MONTHS + 1)


def quarters(calendar: Calendar, now: Instant, count: int = 5) -> Iterator[Quarter]:
    """The quarter of an instant and those before it, the latest first."""
    found = quarter_of(calendar, now)
    for _ in range(count):
        yield found
        found = quarter_of(calendar, found.start - 1)


def _month(calendar: Calendar, months: int) -> Instant:
    """The beginning of a month, counted from the year 0."""
    return instant(datetime(months // 12, months % 12 + 1, 1, tzinfo=ZoneInfo(calendar.time_zone)))
