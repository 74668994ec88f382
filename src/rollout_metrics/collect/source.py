"""The contract of a source: options as a frozen model, an endpoint, pages (the only I/O), and events (pure)."""

import re
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, SecretStr, WithJsonSchema

from rollout_metrics.collect.limits import Budget
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.records import ChangeReading
from rollout_metrics.domain.time import DAY, MINUTE, SECOND, Instant, Span, format_span, parse_span

if TYPE_CHECKING:
    from rollout_metrics.collect.http import Api, Endpoint


def _span(value: Any) -> Any:
    return parse_span(value) if isinstance(value, str) else value


Duration = Annotated[
    int,
    BeforeValidator(_span),
    PlainSerializer(format_span, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(ms|s|m|h|d|w))+$", "examples": ["30s", "15m", "14d"]}),
]
"""A span in microseconds, written `90d`, `15m`, `1h30m` in YAML."""


def _some_time(value: int) -> int:
    if value <= 0:
        raise ValueError("must be longer than nothing")
    return value


Positive = Annotated[Duration, AfterValidator(_some_time)]
"""A duration that is not nothing."""

_MONTHS = ("", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CRON_FIELDS = (("minute", 0, 59, ()), ("hour", 0, 23, ()), ("day", 1, 31, ()), ("month", 1, 12, _MONTHS), ("weekday", 0, 6, _WEEKDAYS))
_CRON_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d?))?", re.ASCII)


def _cron(text: str) -> str:
    """Check a cron expression. Weekdays must be names: their numbers mean different days to different programs."""
    fields = text.lower().split()
    if len(fields) != len(_CRON_FIELDS):
        raise ValueError(f"{text!r} is no cron expression of five fields such as '*/15 6-20 * * mon-fri'")
    for field, (name, least, most, words) in zip(fields, _CRON_FIELDS, strict=True):
        for part in field.split(","):
            found = _CRON_PART.fullmatch(part)
            ends = [_cron_number(end, words, named=name == "weekday") for end in found.group("first", "last") if end] if found else [-1]
            if any(not least <= end <= most for end in ends) or ends != sorted(ends):
                means = "write weekdays by name, such as mon-fri" if name == "weekday" else f"use {least} to {most}"
                raise ValueError(f"{text!r} is no cron expression: {part!r} is no {name}; {means}")
    return " ".join(fields)


def _cron_number(text: str, words: tuple[str, ...], *, named: bool) -> int:
    if text in words:
        return words.index(text)
    return int(text) if text.isdigit() and not named else -1


class Window(msgspec.Struct, frozen=True):
    """What a sweep is to read: the half-open stretch [start, end) of the vendor's change time; `cursor` as the last page of the same stream left it."""

    start: Instant
    end: Instant
    cursor: Any = None


class Page(msgspec.Struct, frozen=True):
    """One response. `where` names it in errors; `read_up_to`: everything before this instant has been delivered; `cursor`: JSON to resume after this page."""

    body: Any
    where: str
    read_up_to: Instant | None = None
    cursor: Any = None


class Rejected(msgspec.Struct, frozen=True):
    """A record that could not be understood: kept aside with its reason (a short code), where it was, and its payload for a retry after an upgrade."""

    reason: str
    where: str
    message: str
    payload: bytes


MISSHAPEN = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What may be raised by reading a record that has another shape than its source knows."""


def why(error: Exception) -> str:
    """What is wrong with a record, without a word of what is in it."""
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    return f"lacks {error}" if isinstance(error, KeyError) else f"{type(error).__name__} while reading it"


class Coverage(msgspec.Struct, frozen=True):
    """How much of what a page should hold the vendor still had: `covered` of `total`, of one `kind` (`history`: property histories not cut off)."""

    kind: str
    covered: int
    total: int


class Refused(msgspec.Struct, frozen=True):
    """A part of a source read by windows (a table, a kind of record) that it would not give while it gave the rest; `message`: one sentence with the remedy.

    The sweep goes on without it. When the part is given again, what was missed is read of itself.
    """

    part: str
    message: str


Told = Event | Rejected | Coverage | ChangeReading | Refused
"""What a page tells."""


class Named(msgspec.Struct, frozen=True):
    """What people call a value of an attribute (group `501`: `Refunds`) or, without a value, the attribute itself (`custom:360005`: `Risk class`)."""

    attribute: str
    value: str | None
    name: str


class Source(BaseModel):
    """What every source has. A kind is a subclass in its own module of `sources`; its module name is its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kind: ClassVar[str]
    pulled: ClassVar[bool] = True
    """False for sources that are sent to us: they have no pages."""
    windowed: ClassVar[bool] = True
    """False for sources that read on from where they stopped (files) instead of by windows of time: each sweep gets one window from the
    beginning to now with the cursor of the last page ever landed, and the watermark is what their pages say."""
    record: ClassVar[msgspec.json.Decoder[Any] | None] = None
    """How one record is decoded that was kept aside, where pages are lists of records."""
    hold_back: ClassVar[Span] = 0
    """How long the vendor keeps the newest data back: the watermark stays this far behind now."""

    name: str = Field(exclude=True, default="")
    every: Positive = 5 * MINUTE
    """How often to sweep."""
    cron: Annotated[str, AfterValidator(_cron)] | None = None
    """A cron expression in UTC instead of `every`, such as `*/15 6-20 * * mon-fri`; weekdays by name."""
    jitter: Duration = 10_000_000
    """Spread of the sweep's start."""
    lookback: Duration = 10 * MINUTE
    """How far behind the watermark each sweep reads again."""
    depth: Positive = 90 * DAY
    """How much history to read when the source is connected."""
    stale_after: Positive | None = None
    """How old its watermark may be before it counts as stale; without it `alerts.stale_after`."""
    agents: frozenset[str] = frozenset()
    """Actor ids of AI agents in this system."""
    agent_markers: frozenset[str] = frozenset()
    """Tags, apps or labels that mark an event as an AI agent's, whoever's login it was made under."""
    systems: frozenset[str] = frozenset()
    """Actor ids of rules, automations and integrations."""
    system_markers: frozenset[str] = frozenset()
    """Tags, apps or labels that mark an event as an automation's."""

    @abstractmethod
    def endpoint(self) -> "Endpoint | None":
        """Where and how to reach the system; None for sources that use no HTTP."""

    @abstractmethod
    def pages(self, api: "Api", window: Window) -> Iterator[Page]:
        """Read a window, oldest first. The only method that does I/O."""

    def newest(self, api: "Api | None", now: Instant) -> Iterator[Iterator[Page]]:
        """For a look at a source that is not read by windows: its pages in stretches, the newest first as far as it can tell; else all in one."""
        yield self.pages(api, Window(0, now))  # type: ignore[arg-type]

    @abstractmethod
    def events(self, page: Page) -> Iterator[Told]:
        """Translate a page. Pure: no clock, no policy. Where the system holds change records too, they are among it."""

    def lacking(self, api: "Api") -> Iterator[str]:
        """What besides wrong credentials stands in the way of a whole reading: missing permissions, audit that is switched off.

        Each a sentence with its remedy. `check --connect` asks, sweeps do not.
        """
        return iter(())

    def names(self, api: "Api") -> Iterator[Named]:
        """What people call the ids that attributes and their values go by here; never persons. Only `discover` asks, to write files people can read."""
        return iter(())

    def page_of(self, payload: bytes, where: str) -> Page:
        """The page that holds only this rejected record, to translate it once more after an upgrade."""
        if self.record is None:
            return Page(payload, where)
        try:
            return Page([self.record.decode(payload)], where)
        except msgspec.ValidationError as error:
            return Page([Rejected("malformed", where, str(error), payload)], where)


class HttpSource(Source):
    """A source read over HTTP: how to get through to it."""

    ca_file: Path | None = None
    """A file of certificates to trust instead of the system's."""
    proxy: SecretStr | None = None
    """The proxy's URL; without it HTTPS_PROXY and NO_PROXY are followed."""
    connect_timeout: Positive = 10_000_000
    """How long to wait for a connection."""
    read_timeout: Positive = 90_000_000
    """How long to wait for the next bytes of an answer."""
    requests_per_minute: Annotated[int, Field(gt=0)] | None = None
    """A request budget below the vendor's own limits, to leave room for other integrations."""

    def connection(self) -> dict[str, Any]:
        """The `Endpoint` fields these options say."""
        own = () if self.requests_per_minute is None else (Budget(self.requests_per_minute),)
        return {
            "ca_file": None if self.ca_file is None else str(self.ca_file),
            "proxy": self.proxy,
            "connect_timeout": self.connect_timeout / SECOND,
            "read_timeout": self.read_timeout / SECOND,
            "budgets": own,
        }
