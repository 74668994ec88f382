"""The contract of a source: options as a frozen model, an endpoint, pages (the only I/O), and events (pure)."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import DAY, MINUTE, Instant, Span, format_span, parse_span

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


class Source(BaseModel):
    """What every source has. A kind is a subclass in its own module of `sources`; its module name is its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: ClassVar[str]
    pulled: ClassVar[bool] = True
    """False for sources that are sent to us: they have no pages."""

    name: str = Field(exclude=True, default="")
    every: Duration = 5 * MINUTE
    """How often to sweep."""
    cron: str | None = None
    """A cron expression in UTC instead of `every`."""
    jitter: Duration = 10_000_000
    """Spread of the sweep's start."""
    lookback: Duration = 10 * MINUTE
    """How far behind the watermark each sweep reads again."""
    depth: Duration = 90 * DAY
    """How much history to read when the source is connected."""
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

    @abstractmethod
    def events(self, page: Page) -> Iterator[Event | Rejected]:
        """Translate a page. Pure: no clock, no policy."""
