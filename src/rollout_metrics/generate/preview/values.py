"""Values as people read them: Grafana's units, words for values, colours by threshold. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]

_SPANS = ((31_557_600.0, "year"), (604_800.0, "week"), (86_400.0, "day"), (3600.0, "hour"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"))


def said(value: float, unit: str, decimals: int | None = None) -> str:
    """A value in a unit."""
    if value != value:  # noqa: PLR0124  (not a number)
        return "NaN"
    if unit == "percentunit":
        return f"{value * 100:.{1 if decimals is None else decimals}f} %"
    if unit == "s":
        return _span(value, decimals)
    if unit == "locale":
        text = f"{value:,.{3 if decimals is None else decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    text = f"{value:.{decimals}f}" if decimals is not None else f"{value:.3g}"
    return text + {"cps": " c/s", "reqps": " req/s"}.get(unit, "")


def _span(value: float, decimals: int | None) -> str:
    for size, word in _SPANS:
        if abs(value) >= size:
            amount = value / size
            text = f"{amount:.{2 if decimals is None else decimals}f}"
            text = text.rstrip("0").rstrip(".") if "." in text else text
            return f"{text} {word}{'s' if word in ('year', 'week', 'day', 'hour', 'min') and text.lstrip('-') != '1' else ''}"
    return "0 s"


def word(value: float, mappings: Sequence[Json]) -> tuple[str, str] | None:
    """The word and colour that a value is mapped to."""
    for mapping in mappings:
        found = mapping["options"].get(f"{value:g}") if mapping["type"] == "value" else None
        if found:
            return str(found["text"]), str(found["color"])
    return None


def step_color(value: float, steps: Sequence[Json]) -> str:
    """The colour of the last threshold that a value has reached."""
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return str(reached[-1]) if reached else "text"


def overrides(panel: Json, name: str) -> dict[str, Any]:
    """What the overrides say of a series or column of this name."""
    found: dict[str, Any] = {}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == name:
            found |= {wanted["id"]: wanted["value"] for wanted in override["properties"]}
    return found


def instant(at: float, form: str = "%Y-%m-%d %H:%M") -> str:
    """An instant in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime(form)
