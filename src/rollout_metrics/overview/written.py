"""Numbers, durations and instants as people read them; one way for pages, command line and review."""

from datetime import UTC, datetime
from functools import lru_cache

NONE = "no data"

_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0))


def ratio(value: float | None) -> str:
    """`12.3 %`; figures below one tenth of a percent keep a second decimal, so that little is not read as nothing."""
    if value is None:
        return NONE
    percent = value * 100
    return f"{percent:.2f} %" if 0 < percent < 0.1 else f"{percent:.1f} %"


def stated(label: str, value: str) -> str:
    """A label's value as people read it; `passed="false"` is `not passed`."""
    return {"true": name(label), "false": f"not {name(label)}"}.get(value, name(value))


def between(low: str, high: str) -> str:
    """`10.2 to 14.8 %`: two written numbers, a unit that both have said once."""
    unit = high.rpartition(" ")[2]
    return f"{low.removesuffix(unit).rstrip() if high.endswith(f' {unit}') else low} to {high}"


def duration(seconds: float | None) -> str:
    """`2.5 h`: the largest unit that leaves at least one of it."""
    if seconds is None:
        return NONE
    sign, size = ("-" if seconds < 0 else ""), abs(seconds)
    for unit, length in _UNITS:
        if size >= length:
            return f"{sign}{size / length:,.1f} {unit}"
    return f"{sign}{size:.0f} s"


def count(value: float | None) -> str:
    """`1,234`; amounts that are no whole numbers keep one decimal."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


@lru_cache(maxsize=4096)
def instant(seconds: float | None) -> str:
    """`2026-03-01 10:00 UTC`."""
    return NONE if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(" ", "minutes").replace("+00:00", " UTC")


def machine_instant(seconds: float) -> str:
    """ISO 8601 to the second, for `<time datetime>` and for programs."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def name(text: str) -> str:
    """A word of the catalogue or configuration as people read it: `low_risk_autonomous` is `low risk autonomous`."""
    return text.replace("_", " ")
