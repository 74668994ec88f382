"""Working time: how much of it lies between two instants, and when a given amount of it is used up.

A calendar's hours are wall-clock minutes of local days; what they last is real time, so the day on which clocks go forward is an
hour shorter if that hour was to be worked. A wall time that clocks skip means the instant they skip it, one that comes twice its first coming:
adjoining stretches adjoin on every day of the year.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from rollout_metrics.domain.policy import Calendar
from rollout_metrics.domain.time import SECOND, Instant, Span, instant, moment

NEVER: Instant = instant(datetime(9999, 12, 31, tzinfo=UTC))
"""Where working time that never comes would be."""

_DAY_MINUTES = 1440
_LAST_DAY = date.max.toordinal() - 2

Stretch = tuple[Instant, Instant]
"""A half-open stretch of working time."""


def elapsed(calendar: Calendar, start: Instant, end: Instant) -> Span:
    """The working time in [start, end); 0 where `end` is not after `start`. Additive over adjoining stretches and never decreasing with `end`."""
    if calendar.always_open:
        return max(end - start, 0)
    total = 0
    for opens, closes in _stretches_from(calendar, start):
        if opens >= end:
            break
        total += min(closes, end) - max(opens, start)
    return total


def used_up(calendar: Calendar, start: Instant, span: Span) -> Instant:
    """The last instant at which no more than `span` of working time has passed since `start`; `NEVER` where the calendar has too little.

    So `elapsed(start, used_up(start, span)) == span`, and `elapsed(start, at) > span` exactly when `at > used_up(start, span)`: time that runs out
    at closing time is exceeded from the next opening on, not overnight.
    """
    if calendar.always_open:
        return start + span
    left = span
    for opens, closes in _stretches_from(calendar, start):
        begins = max(opens, start)
        if closes - begins > left:
            return begins + left
        left -= closes - begins
    return NEVER


def _stretches_from(calendar: Calendar, start: Instant) -> Iterator[Stretch]:
    """The working stretches that end after `start`, in order, to the end of the calendar's days."""
    if any(opens < closes for stretches in calendar.hours for opens, closes in stretches):
        local = moment(start).astimezone(ZoneInfo(calendar.time_zone))
        for day in range(local.toordinal(), _LAST_DAY):
            for stretch in _working(calendar, day):
                if stretch[1] > start:
                    yield stretch


@lru_cache(maxsize=20_000)
def _working(calendar: Calendar, day: int) -> tuple[Stretch, ...]:
    """The working stretches of one local day (a proleptic ordinal), in order and apart."""
    local = date.fromordinal(day)
    if local in calendar.holidays:
        return ()
    zone = ZoneInfo(calendar.time_zone)
    stretches = []
    reached = 0
    for opens, closes in sorted(calendar.hours[local.weekday()]):
        # Overlaps count once, and what runs over midnight ends there: the next day has its own hours.
        first, last = max(opens, reached), min(closes, _DAY_MINUTES)
        if first < last:
            reached = last
            stretch = (_instant_of(zone, local, first), _instant_of(zone, local, last))
            if stretch[0] < stretch[1]:
                stretches.append(stretch)
    return tuple(stretches)


def _instant_of(zone: ZoneInfo, day: date, minute: int) -> Instant:
    """The first instant at which the wall clock of `zone` shows this minute of the day or a later one."""
    wall = datetime.combine(day, time(), zone) + timedelta(minutes=minute)
    early, late = instant(wall.replace(fold=1)), instant(wall)
    if early >= late:
        return late
    # Skipped by the clocks: the instant they jumped lies between the readings by the later and the earlier offset.
    after = moment(late).astimezone(zone).utcoffset()
    while late - early > SECOND:
        middle = (early + late) // 2 // SECOND * SECOND
        if moment(middle).astimezone(zone).utcoffset() == after:
            late = middle
        else:
            early = middle
    return late
