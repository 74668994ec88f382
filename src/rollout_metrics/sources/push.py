"""Events that are sent to us over HTTP: who may send what. The endpoint itself is `web.push`."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from rollout_metrics.collect.event_format import read_event
from rollout_metrics.collect.received import Received, Sender, own_secrets
from rollout_metrics.collect.source import Page, Rejected
from rollout_metrics.domain.events import Activity, ActorKind, Event


class Token(Sender):
    """One sender: its secret, and all it may speak of."""

    activities: frozenset[Activity] = frozenset({Activity.RECOMMENDED, Activity.EXECUTED, Activity.BLOCKED, Activity.EVALUATED})
    """What it may report."""
    actor_kinds: frozenset[ActorKind] = frozenset({ActorKind.AGENT})
    """Whom it may speak for: `agent`, `system`, `customer`; never `operator`."""
    workflows: Annotated[frozenset[str], Field(min_length=1)]
    """The workflows its events must belong to."""

    @field_validator("actor_kinds")
    @classmethod
    def _no_operators(cls, value: frozenset[ActorKind]) -> frozenset[ActorKind]:
        if ActorKind.OPERATOR in value:
            raise ValueError("no token may speak for an operator: what people decide is read from the ticketing system; take operator out")
        return value


class Push(Received):
    """Events in our own format, sent to `POST /api/v1/events`; `POST /api/v1/heartbeat` says that there is nothing new."""

    kind: ClassVar[str] = "push"

    tokens: tuple[Token, ...]
    """Who may send."""
    max_events: Annotated[int, Field(gt=0)] = 10_000
    """Most events in one request."""

    @model_validator(mode="after")
    def _own_secrets(self) -> Self:
        own_secrets(self.tokens)
        return self

    def events(self, page: Page) -> Iterator[Event | Rejected]:
        """The event of each record."""
        for record in page.body:
            event = read_event(record, self.name)
            yield event if isinstance(event, Event) else Rejected("format", page.where, "; ".join(map(str, event)), record)

    def page_of(self, payload: bytes, where: str) -> Page:
        """The page that holds only this record."""
        return Page([payload], where)
