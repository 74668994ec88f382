"""What a dashboard's variables stand for, found as Grafana does: choices asked of Prometheus one after the other, then put into every expression."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from rollout_metrics.domain.time import SECOND, parse_span
from rollout_metrics.generate.prometheus import Prometheus

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::(\w+))?\})")
_LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")
_RELATIVE = re.compile(r"now-(\w+)")


class Span(msgspec.Struct, frozen=True):
    """The stretch of time that is shown, in unix seconds, and how far apart samples are."""

    start: float
    end: float
    step: float

    @classmethod
    def of(cls, dashboard: Mapping[str, Any], now: float, points: int = 220) -> "Span":
        """That of a dashboard as it is opened."""
        since = _RELATIVE.fullmatch(dashboard["time"]["from"])
        assert since is not None, dashboard["time"]
        length = parse_span(since[1]) / SECOND
        step = max(60.0, round(length / points))
        return cls(now - round(length / step) * step, now, step)


Choices = Mapping[str, tuple[str, ...]]
"""A variable's name -> what is chosen; several values where all of them are."""


def chosen(dashboard: Mapping[str, Any], prometheus: Prometheus, span: Span, wanted: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Every variable's choice: the one wanted, else the dashboard's default where Prometheus knows it, else the first."""
    made: dict[str, tuple[str, ...]] = {}
    for variable in dashboard["templating"]["list"]:
        name = variable["name"]
        if name in wanted:
            made[name] = (wanted[name],)
        elif variable["type"] == "query":
            found = _LABEL_VALUES.fullmatch(variable["query"]["query"])
            assert found is not None, variable
            known = prometheus.label_values(interpolated(found[1], made, span), found[2], span.start, span.end)
            default = variable["current"]["value"]
            made[name] = tuple(known) if variable["includeAll"] else (default,) if default in known else tuple(known[:1])
        else:
            made[name] = (variable["current"]["value"],)
    return made


def interpolated(text: str, choices: Choices, span: Span) -> str:
    """The text with what is chosen in the place of its variables; several values become a pattern."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return _OWN[name](span) if name in _OWN else _as_pattern(choices[name]) if name in choices else match[0]

    return _VARIABLE.sub(value, text)


def _as_pattern(values: tuple[str, ...]) -> str:
    return values[0] if len(values) == 1 else f"({'|'.join(map(re.escape, values))})"


_OWN: Mapping[str, Any] = {
    "__rate_interval": lambda span: f"{max(240, int(span.step) * 2)}s",
    "__range": lambda span: f"{int(span.end - span.start)}s",
    "__interval": lambda span: f"{int(span.step)}s",
}
"""Grafana's own variables."""
