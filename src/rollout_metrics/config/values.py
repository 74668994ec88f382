"""The kinds of values people write in options: times, spans, texts, levels, actions, addresses."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from rollout_metrics.domain.policy import ACTION, Level
from rollout_metrics.domain.time import Instant, instant


class Options(BaseModel):
    """Strict, frozen options whose docstrings become the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _aware(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if _DATE.fullmatch(value) else datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is no date such as 2026-03-01 and no time such as 2026-03-01T10:00:00Z") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone: write {value.isoformat()}Z if it is UTC, or its offset")
        return value
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError("must be a date such as 2026-03-01 or a time such as 2026-03-01T10:00:00Z")


Moment = Annotated[AwareDatetime, BeforeValidator(_aware, json_schema_input_type=str)]
"""A date (midnight UTC) or a time with an offset."""


def _day(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value) if _DATE.fullmatch(value) else _no_day(value)
        except ValueError:
            _no_day(value)
    return value


def _no_day(value: str) -> date:
    raise ValueError(f"{value!r} is no date such as 2026-12-25")


Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=str)]
"""A calendar day."""

Ratio = Annotated[float, Field(ge=0, le=1)]
"""A share between 0 and 1."""


def one_or_many(value: Any) -> Any:
    """A single text as a list of one."""
    return [value] if isinstance(value, str) else value


def _strings(value: Any) -> Any:
    items = value if isinstance(value, list | tuple | set | frozenset) else [value]
    for item in items:
        if item is None:
            raise ValueError("has an empty value: write it or remove it")
        if isinstance(item, Mapping | list | tuple):
            raise ValueError("must be plain values: put a text that holds `: ` in quotes")
    return [("true" if item is True else "false" if item is False else str(item)) for item in items]


_Written = str | float | bool
Texts = Annotated[frozenset[str], BeforeValidator(_strings, json_schema_input_type=_Written | list[_Written])]
"""One text or a list of them, in no order."""

OrderedTexts = Annotated[tuple[str, ...], BeforeValidator(_strings, json_schema_input_type=_Written | list[_Written])]
"""One text or a list of them, in order."""


def _level(value: Any) -> Any:
    return "off" if value is False else value  # `off` where YAML 1.1 or JSON was read elsewhere


LevelName = Annotated[Literal["off", "shadow", "assisted", "low_risk_autonomous", "broad_autonomous", "high_risk"], BeforeValidator(_level)]
"""An autonomy level by name."""


def level_named(name: str) -> Level:
    """The level of that name."""
    return Level[name.upper()]


def _action(value: str) -> str:
    if not ACTION.fullmatch(value):
        own = "or a name of your own without spaces"
        raise ValueError(
            f"{value!r} is no action: use set:<attribute>, comment:public, comment:internal, create, close, reopen, absorb, delete, escalate, {own}"
        )
    return value


Action = Annotated[str, AfterValidator(_action)]
"""`set:<attribute>`, `comment:public`, `comment:internal`, a word such as `close`, or a name of one's own."""

_NAME = re.compile(r"[a-zA-Z][\w-]*", re.ASCII)


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name: use a letter, then letters, digits, _ and -")
    return value


Name = Annotated[str, AfterValidator(_name)]
"""A name that becomes a label."""


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port[:9]) > 65535 or any(c.isspace() for c in host):
        raise ValueError(f"{value!r} is no address such as 127.0.0.1:10877")
    return value


Address = Annotated[str, AfterValidator(_address)]
"""`host:port`."""


def at(value: datetime | None) -> Instant | None:
    """The instant of a moment in the configuration."""
    return None if value is None else instant(value)
