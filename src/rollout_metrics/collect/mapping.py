"""From a row of a table to the values of an event: texts with `{column}` places, value maps, conditions, and times in declared formats."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from rollout_metrics.domain.events import text_value
from rollout_metrics.domain.time import Instant, instant

Row = Mapping[str, str | None]
"""A row: its columns as text, null tokens as None."""

_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]+?)(?::0(\d+))?\}")


class MappingOptions(BaseModel):
    """Strict, frozen options whose docstrings become the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)


def plain(value: Any) -> Any:
    """YAML's numbers and booleans as the text that a table has; null stays."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _plain_map(value: Any) -> Any:
    return {plain(key): plain(item) for key, item in value.items()} if isinstance(value, Mapping) else value


PlainMap = Annotated[dict[str, str | None], BeforeValidator(_plain_map)]
Texts = Annotated[tuple[str | None, ...], BeforeValidator(lambda value: tuple(map(plain, value)) if isinstance(value, list | tuple) else (plain(value),))]


class TextOptions(MappingOptions):
    """A text made from a row. A plain text in its stead is its `of`."""

    of: str
    """Text in which `{column}` stands for the row's value; `{column:06}` pads a number with zeros. `{{` and `}}` are braces."""
    map: PlainMap = {}
    """Value -> what it becomes; null makes it unset."""
    patterns: PlainMap = {}
    """Regular expression -> what a value becomes in which it is found; tried in order after `map`."""
    otherwise: Annotated[str | None, BeforeValidator(plain)] = None
    """What it is where the row has no value, or where `map` or `patterns` are given and none applies."""
    split: str | None = None
    """Separator of the members of a multi-valued column."""

    @field_validator("of")
    @classmethod
    def _braces(cls, value: str) -> str:
        if re.search(r"[{}]", _PLACE.sub("", value)):
            raise ValueError(f"{value!r} has a brace that belongs to no {{column}}: double it where it means itself")
        return value

    @field_validator("patterns")
    @classmethod
    def _expressions(cls, value: dict[str, str | None]) -> dict[str, str | None]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return value

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns it reads."""
        return frozenset(found[1] for found in _PLACE.finditer(self.of) if found[1])

    @cached_property
    def column(self) -> str | None:
        """The only column, where it is nothing but that."""
        found = _PLACE.fullmatch(self.of)
        return found[1] if found and found[1] and not found[2] else None

    @cached_property
    def _parts(self) -> list[tuple[str, str | None, int]]:
        parts, end = [], 0
        for found in _PLACE.finditer(self.of):
            literal = self.of[end : found.start()] + (found[0][0] if not found[1] else "")
            parts.append((literal, found[1], int(found[2] or 0)))
            end = found.end()
        parts.append((self.of[end:], None, 0))
        return parts

    @cached_property
    def _translates(self) -> bool:
        return bool(self.map or self.patterns or self.otherwise is not None or self.split)

    def read(self, row: Row) -> str | None:
        """The text for a row; None where all its columns are empty."""
        if self.column is not None:
            value = row[self.column]
        elif not self.columns:
            value = "".join(literal for literal, _, _ in self._parts)
        else:
            value = self._filled(row)
        return self._translated(value) if self._translates else value

    def _filled(self, row: Row) -> str | None:
        text, anything = "", False
        for literal, column, width in self._parts:
            value = row[column] if column is not None else None
            anything = anything or value is not None
            text += literal + (value or "").zfill(width) if value is not None else literal
        return text if anything else None

    def _translated(self, value: str | None) -> str | None:
        if value is None or not self.split:
            return self._meant(value)
        return text_value([self._meant(member.strip()) for member in value.split(self.split) if member.strip()])

    def _meant(self, value: str | None) -> str | None:
        if value is None:
            return self.otherwise
        if value in self.map:
            return self.map[value]
        for pattern, meaning in self.patterns.items():
            if re.search(pattern, value):
                return meaning
        return self.otherwise if self.map or (self.patterns and "otherwise" in self.model_fields_set) else value


def _text(value: Any) -> Any:
    if isinstance(value, Mapping) and len(value) == 1 and next(iter(value.values())) is None:
        raise ValueError(f'write "{{{next(iter(value))}}}" in quotes: without them YAML reads a mapping')
    value = plain(value)
    return {"of": value} if isinstance(value, str) else value


Text = Annotated[TextOptions, BeforeValidator(_text)]
"""A text with `{column}` places, or a mapping with `of`, `map`, `patterns`, `otherwise`, `split`."""


class TestOptions(MappingOptions):
    """A test of one column. A value or a list of values in its stead is its `in`; null means empty."""

    __test__ = False

    among: Texts = Field(default=(), alias="in")
    """The value is one of these."""
    never: Texts = Field(default=(), alias="not")
    """The value is none of these."""
    matches: str | None = None
    """A regular expression that is found in the value."""
    changed: bool | None = None
    """Whether the value differs from the one in the case's previous row; the first row has changed nothing. Needs `snapshots`."""
    before: Texts = Field(default=(), alias="from")
    """The value in the case's previous row is one of these. Needs `snapshots`."""

    def holds(self, column: str, row: Row, previous: Row | None) -> bool:
        """Whether the row passes."""
        value = row[column]
        return (
            (not self.among or value in self.among)
            and value not in self.never
            and (self.matches is None or (value is not None and re.search(self.matches, value) is not None))
            and (self.changed is None or (previous is not None and previous[column] != value) == self.changed)
            and (not self.before or (previous is not None and previous[column] in self.before))
        )


Test = Annotated[
    TestOptions, BeforeValidator(lambda value: value if isinstance(value, Mapping | TestOptions) else {"in": value if value is not None else [None]})
]
When = Annotated[
    tuple[dict[str, Test], ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, Mapping) else value),
]
"""Column -> test, all of which must hold; or a list of such mappings, of which one must."""


def holds(when: tuple[dict[str, TestOptions], ...], row: Row, previous: Row | None) -> bool:
    """Whether a condition holds for a row; an empty one always does."""
    return not when or any(all(test.holds(column, row, previous) for column, test in tests.items()) for tests in when)


def zone_name(value: str) -> str:
    """Check a time zone's name."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is no time zone name such as Europe/Berlin") from None
    return value


def _formats(value: tuple[str, ...]) -> tuple[str, ...]:
    for item in value:
        if item not in ("iso", "unix", "unix_ms") and "%" not in item:
            raise ValueError(f"{item!r} is no time format: use iso, unix, unix_ms or a pattern such as %d/%m/%Y %H:%M")
    return value


class TimeOptions(MappingOptions):
    """How times are written. Nothing is guessed: what is not ISO 8601 needs a format, what has no offset needs a zone."""

    format: Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value), AfterValidator(_formats)] = ("iso",)
    """`iso`, `unix` (seconds), `unix_ms`, or a pattern of strptime such as `%d/%m/%Y %H:%M` (day first); of several the first that fits."""
    zone: Annotated[str, AfterValidator(zone_name)] | None = None
    """Time zone of times without an offset."""
    repeated_hour: Literal["earlier", "later"] = "earlier"
    """Which of the two a local time is that comes twice when the clocks go back."""

    @cached_property
    def reader(self) -> Callable[[str], Instant]:
        """Text -> instant; raises `ValueError` where it fits none of the formats."""
        zone = ZoneInfo(self.zone) if self.zone else None
        fold = int(self.repeated_hour == "later")

        @lru_cache(1 << 16)
        def read(text: str) -> Instant:
            for form in self.format:
                try:
                    moment = _moment(text.strip(), form)
                except (ValueError, OverflowError):
                    continue
                if moment.tzinfo is None:
                    if zone is None:
                        raise ValueError(f"{text!r} has no time zone: say which one it is in as time.zone")
                    moment = moment.replace(tzinfo=zone, fold=fold)
                return instant(moment)
            raise ValueError(
                f"{text!r} is not {' or '.join(self.format)}: declare time.format, such as %d/%m/%Y %H:%M (day first) or %m/%d/%Y %H:%M (month first)"
            )

        return read


def _moment(text: str, form: str) -> datetime:
    if form == "iso":
        return datetime.fromisoformat(text)
    if form == "unix":
        return datetime.fromtimestamp(float(text), UTC)
    if form == "unix_ms":
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    return datetime.strptime(text, form)  # noqa: DTZ007  (the zone is declared beside the format)


Order = dict[str, Literal["number", "text", "time"]]
"""Column -> how its values compare; the first column first."""


def sort_key(order: Order, row: Row, time: TimeOptions) -> tuple[int | float | str, ...]:
    """What a row is sorted by; raises `ValueError` for a value that does not compare."""
    return tuple(_sortable(column, kind, row[column], time) for column, kind in order.items())


def _sortable(column: str, kind: str, value: str | None, time: TimeOptions) -> int | float | str:
    if value is None:
        raise ValueError(f"{column} is empty: rows cannot be put in order by it")
    if kind == "time":
        return time.reader(value)
    if kind == "number":
        try:
            return int(value) if value.lstrip("-").isdigit() else float(value)
        except ValueError:
            raise ValueError(f"{column}: {value!r} is no number to put rows in order by") from None
    return value


def padded(key: tuple[int | float | str, ...]) -> str:
    """A sort key as text that compares alike for numbers from zero up: part of an event's id."""
    return ":".join(f"{part:016d}" if isinstance(part, int) else str(part) for part in key)
