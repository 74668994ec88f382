"""Events that are sent to us over HTTP: who may send what. The endpoint itself is `web.push`."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from rollout_metrics.collect.event_format import read_event
from rollout_metrics.collect.http import Api, Endpoint
from rollout_metrics.collect.source import Duration, Page, Rejected, Source, Window
from rollout_metrics.domain.events import Activity, ActorKind, Event

SHORTEST_SECRET = 16


class Token(BaseModel):
    """One sender: its secret, and all it may speak of."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str = Field(min_length=1)
    """Names the sender in logs."""
    secret: SecretStr
    """The bearer token, at least 16 characters: `openssl rand -hex 32` makes one."""
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

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"the secret is shorter than {SHORTEST_SECRET} characters: make a longer one, such as by `openssl rand -hex 32`")
        return value


class Push(Source):
    """Events in our own format, sent to `POST /api/v1/events`; `POST /api/v1/heartbeat` says that there is nothing new."""

    kind: ClassVar[str] = "push"
    pulled: ClassVar[bool] = False
    windowed: ClassVar[bool] = False

    tokens: tuple[Token, ...]
    """Who may send."""
    heartbeat: Annotated[Duration, Field(gt=0)] | None = None
    """The source counts as read up to now while its last accepted request is at most this old, else up to that request; default: `schedule.heartbeat`."""
    max_body: Annotated[int, Field(gt=0)] = 8 << 20
    """Largest body in bytes, unpacked."""
    max_events: Annotated[int, Field(gt=0)] = 10_000
    """Most events in one request."""
    requests_per_minute: Annotated[int, Field(gt=0)] = 600
    """Most requests of one token."""

    @model_validator(mode="after")
    def _own_secrets(self) -> Self:
        names = [token.name for token in self.tokens]
        secrets = [token.secret.get_secret_value() for token in self.tokens]
        if not names:
            raise ValueError("name at least one token, or nobody can send")
        if len(set(names)) < len(names):
            raise ValueError("two tokens have the same name: give each sender its own")
        if len(set(secrets)) < len(secrets):
            raise ValueError("two tokens have the same secret: give each sender its own")
        return self

    def endpoint(self) -> Endpoint | None:
        """We are the endpoint."""
        return None

    def pages(self, api: Api | None, window: Window) -> Iterator[Page]:
        """None: events come when they are sent."""
        return iter(())

    def events(self, page: Page) -> Iterator[Event | Rejected]:
        """The event of each record."""
        for record in page.body:
            event = read_event(record, self.name)
            yield event if isinstance(event, Event) else Rejected("format", page.where, "; ".join(map(str, event)), record)

    def page_of(self, payload: bytes, where: str) -> Page:
        """The page that holds only this record."""
        return Page([payload], where)
