"""Metric families as bytes, in Prometheus' text format and in OpenMetrics; series prefixes are rendered once and kept.

Our own because a scrape of many thousand series must not cost seconds: prometheus-client renders an order of magnitude slower
(`make bench` measures it), and its parsers check every byte of this in the tests.
"""

import math
from collections.abc import Iterable
from typing import Protocol

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels, float]
"""`(suffix, labels, value)`: the suffix is `""`, `_total`, `_info`, `_bucket`, `_sum` or `_count`."""

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class FamilyLike(Protocol):
    """What is rendered: the name without its samples' suffixes."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def help(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def samples(self) -> Iterable[Sample]: ...


_TEXT_TYPES = {"info": "gauge", "unknown": "untyped", "stateset": "gauge"}
_TEXT_SUFFIXES = {"counter": "_total", "info": "_info"}
_CACHED_PREFIXES = 1_000_000


class Renderer:
    """Renders families again and again; keeps the text before each value."""

    def __init__(self) -> None:
        self._prefixes: dict[tuple[str, str, Labels], str] = {}

    def render(self, families: Iterable[FamilyLike]) -> tuple[bytes, bytes]:
        """The same families in the text format and in OpenMetrics."""
        text: list[bytes] = []
        openmetrics: list[bytes] = []
        for family in families:
            body = self._body(family).encode()
            named = family.name + _TEXT_SUFFIXES.get(family.type, "")
            described = f"# HELP {named} {_help(family.help, quotes=False)}\n# TYPE {named} {_TEXT_TYPES.get(family.type, family.type)}\n"
            text += (described.encode(), body)
            openmetrics += (header(family).encode(), body)
        openmetrics.append(b"# EOF\n")
        return b"".join(text), b"".join(openmetrics)

    def _body(self, family: FamilyLike) -> str:
        prefixes, name = self._prefixes, family.name
        if len(prefixes) > _CACHED_PREFIXES:
            prefixes.clear()
        lines: list[str] = []
        for suffix, labels, value in family.samples:
            key = (name, suffix, labels)
            before = prefixes.get(key)
            if before is None:
                before = prefixes[key] = prefix(name + suffix, labels)
            lines.append(f"{before}{value if type(value) is int else number(value)}\n")
        return "".join(lines)


def number(value: float) -> str:
    """A sample's value: shortest text that reads back the same."""
    value = float(value)
    if value.is_integer():
        return str(int(value)) if -1e15 < value < 1e15 else repr(value)
    if value - value == 0:
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def header(family: FamilyLike) -> str:
    """What OpenMetrics says of a family before its samples."""
    unit = f"# UNIT {family.name} {family.unit}\n" if family.unit else ""
    return f"# HELP {family.name} {_help(family.help, quotes=True)}\n# TYPE {family.name} {family.type}\n{unit}"


def prefix(name: str, labels: Labels) -> str:
    """A sample's text before its value."""
    if not labels:
        return f"{name} "
    written = ",".join(f'{label}="{_label(value)}"' for label, value in labels)
    return f"{name}{{{written}}} "


def _label(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _help(text: str, *, quotes: bool) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n")
    return escaped.replace('"', r"\"") if quotes else escaped
