"""ServiceNow's rows as its tables write them: values, times, who did something, and where a person finds the record."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from rollout_metrics.collect.change_options import ChangeOptions
from rollout_metrics.collect.story import Who
from rollout_metrics.domain.events import ActorKind, text_value
from rollout_metrics.domain.time import SECOND, Instant, format_instant, parse_instant

MACHINES = frozenset(("system", "guest", ""))
"""User names under which the platform acts by itself."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_EPOCH = parse_instant("1970-01-01T00:00:00Z")

Row = dict[str, Any]


class Bundle(msgspec.Struct, gc=False):
    """A row of a table with what belongs to it. `caller`: the user name of whom the record is for."""

    table: str
    row: Row
    audits: list[Row] = []
    journal: list[Row] = []
    caller: str | None = None


class Account(msgspec.Struct, frozen=True):
    """What a source says of its rows. `attributes`: field -> name; `answers`: question of a survey -> the lowest answer that is good."""

    name: str
    address: str
    tables: frozenset[str]
    attributes: Mapping[str, str]
    closing_states: Mapping[str, frozenset[str]]
    answers: Mapping[str, float]
    timed: bool
    """Time is read from rows of its own, not from the audit."""
    changes: ChangeOptions | None

    def link(self, table: str, number: str) -> str:
        """Where a person finds a record."""
        return f"{self.address}/nav_to.do?uri={table}.do%3Fsys_id%3D{number}"


def text_of(value: Any) -> str | None:
    """A value as the table has it; references may come with a link, nothing is empty text."""
    if type(value) is str and value[:1] != "[":
        return value or None
    return text_value(value.get("value") if isinstance(value, dict) else value)


@lru_cache(maxsize=10_000)
def instant_of(text: Any) -> Instant:
    """A time of the table: UTC, whole seconds. Many rows share one. Raises `ValueError`."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise ValueError("no time such as 2026-01-15 10:05:33")
    return parse_instant(f"{text.replace(' ', 'T')}Z")


def stamp_of(value: Any) -> Instant | None:
    """A time, if it is one."""
    return instant_of(value) if isinstance(value, str) and _TIME.fullmatch(value) else None


def dated(text: str | None) -> str | None:
    """A value in which a time is written as everywhere else."""
    return format_instant(instant_of(text)) if text is not None and _TIME.fullmatch(text) else text


def seconds_of(duration: str | None) -> int:
    """Durations are times since 1970."""
    at = stamp_of(duration)
    return 0 if at is None else (at - _EPOCH) // SECOND


def written(at: Instant) -> str:
    """An instant as queries write it."""
    return format_instant(at - at % SECOND).removesuffix("Z").replace("T", " ")


def worker(user: str | None) -> Who:
    """Who works here, unless it is the platform itself."""
    return (ActorKind.SYSTEM if user is None or user in MACHINES else ActorKind.OPERATOR), user
