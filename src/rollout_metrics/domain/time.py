"""Instants and spans: integers of microseconds, so that the core is exact and needs no clock.

An `Instant` counts microseconds since 1970-01-01T00:00:00Z; a `Span` is a difference of two.
Sources turn a vendor's text into instants at once; people see ISO 8601 in UTC.
"""

import re
from datetime import UTC, datetime, timedelta

Instant = int
Span = int

SECOND: Span = 1_000_000
MINUTE: Span = 60 * SECOND
HOUR: Span = 60 * MINUTE
DAY: Span = 24 * HOUR

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_read = datetime.fromisoformat


def instant(moment: datetime) -> Instant:
    """The instant of an aware `datetime`; a naive one raises `ValueError`."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: say which one it is in")
    since = moment - EPOCH
    return since.days * DAY + since.seconds * SECOND + since.microseconds


def moment(at: Instant) -> datetime:
    """The aware UTC `datetime` of an instant."""
    return EPOCH + timedelta(microseconds=at)


def parse_instant(text: str) -> Instant:
    """Read ISO 8601 with an offset or `Z`; anything else raises `ValueError`."""
    try:
        since = _read(text) - EPOCH
    except ValueError:
        raise ValueError(f"{text!r} is no ISO 8601 time such as 2026-03-01T10:00:00Z") from None
    except TypeError:  # no text, or no time zone
        return instant(_read(text))
    return since.days * DAY + since.seconds * SECOND + since.microseconds


def format_instant(at: Instant) -> str:
    """ISO 8601 in UTC with a `Z`; microseconds only where there are some."""
    return moment(at).isoformat().replace("+00:00", "Z")


def floor_minute(at: Instant) -> Instant:
    """The last whole minute at or before `at`."""
    return at - at % MINUTE


def minute_of(at: Instant) -> int:
    """The number of the minute bucket `((m - 1) min, m min]` that holds `at`: windows `(T - w, T]` of whole minutes are sums of these."""
    return -(-at // MINUTE)


_UNITS: dict[str, Span] = {"ms": 1000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_SPAN = re.compile(r"(\d+)(ms|s|m|h|d|w)")


def parse_span(text: str) -> Span:
    """Read a duration in Prometheus' style (`90d`, `1h30m`, `15s`); anything else raises `ValueError`."""
    if not text or _SPAN.sub("", text):
        raise ValueError(f"{text!r} is no duration such as 30s, 15m, 6h, 14d or 1h30m")
    return sum(int(number) * _UNITS[unit] for number, unit in _SPAN.findall(text))


def format_span(span: Span) -> str:
    """A duration in Prometheus' style, in the largest units that say it exactly."""
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        number, span = divmod(span, _UNITS[unit])
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
