"""Options of a working-time calendar, and how they are compiled."""

import re
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from rollout_metrics.collect.mapping import zone_name
from rollout_metrics.config.values import Day, Options, OrderedTexts, one_or_many
from rollout_metrics.domain.policy import Calendar

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "weekdays", "weekend"]
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NAMED = {"weekdays": range(5), "weekend": range(5, 7)} | {day: range(number, number + 1) for number, day in enumerate(DAYS)}
_DAY = 24 * 60
_STRETCH = re.compile(r"(\d{1,2}):([0-5]\d)\s*-\s*(\d{1,2}):([0-5]\d)", re.ASCII)


def _one_day(stretches: tuple[str, ...]) -> tuple[str, ...]:
    read = sorted((minutes_of(stretch), stretch) for stretch in stretches)
    for ((_, end), earlier), ((start, _), later) in pairwise(read):
        if start < end:
            raise ValueError(f"{earlier} and {later} overlap: write them as one")
    return stretches


class CalendarOptions(Options):
    """Working time; always open by default."""

    time_zone: Annotated[str, AfterValidator(zone_name)] = "UTC"
    """The zone the hours are meant in, such as `Europe/Berlin`."""
    hours: dict[Weekday, Annotated[OrderedTexts, AfterValidator(_one_day)]] = Field(default={})
    """Weekday -> stretches such as `09:00-17:30`; weekdays that are not named are closed. Empty: always open. `weekdays` and `weekend` name several."""
    holidays: Annotated[frozenset[Day], BeforeValidator(one_or_many)] = frozenset()
    """Days that are closed."""
    first_month: Annotated[int, Field(ge=1, le=12)] = 1
    """First month of the year; quarters follow it."""

    def calendar(self) -> Calendar:
        """The calendar as the core reads it. A single day's hours go before those of `weekdays` and `weekend`."""
        hours: list[tuple[tuple[int, int], ...]] = [() if self.hours else ((0, _DAY),) for _ in DAYS]
        for name, stretches in sorted(self.hours.items(), key=lambda item: len(_NAMED[item[0]]), reverse=True):
            for day in _NAMED[name]:
                hours[day] = tuple(sorted(minutes_of(stretch) for stretch in stretches))
        return Calendar(self.time_zone, tuple(hours), self.holidays, self.first_month)


def minutes_of(stretch: str) -> tuple[int, int]:
    """The minutes of the day of a stretch such as `09:00-17:30`; `24:00` ends the day."""
    found = _STRETCH.fullmatch(stretch.strip())
    if found is None:
        raise ValueError(f"{stretch!r} is no stretch such as 09:00-17:30")
    hour, minute, last_hour, last_minute = map(int, found.groups())
    start, end = hour * 60 + minute, last_hour * 60 + last_minute
    if not start < end <= _DAY:
        raise ValueError(f"{stretch!r} must run forwards within one day (00:00 to 24:00)")
    return start, end
