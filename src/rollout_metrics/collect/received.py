"""Sources that are sent to us: who may send, and how much."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from rollout_metrics.collect.http import Api, Endpoint
from rollout_metrics.collect.source import Duration, Page, Source, Window
from rollout_metrics.domain.events import Activity, ActorKind

SHORTEST_SECRET = 16


class Sender(BaseModel):
    """One sender and its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str = Field(min_length=1)
    """Names the sender in logs."""
    secret: SecretStr
    """The bearer token, at least 16 characters: `openssl rand -hex 32` makes one."""

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"the secret is shorter than {SHORTEST_SECRET} characters: make a longer one, such as by `openssl rand -hex 32`")
        return value


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


class Received(Source):
    """A source without pages of its own: events come when they are sent, to the listener `listen.web`."""

    pulled: ClassVar[bool] = False
    windowed: ClassVar[bool] = False

    heartbeat: Annotated[Duration, Field(gt=0)] | None = None
    """The source counts as read up to now while its last accepted request is at most this old, else up to that request; default: `schedule.heartbeat`."""
    max_body: Annotated[int, Field(gt=0)] = 8 << 20
    """Largest body in bytes, unpacked; as it is sent the listener takes at most 16 MiB."""
    requests_per_minute: Annotated[int, Field(gt=0)] = 600
    """Most requests of one token."""

    def endpoint(self) -> Endpoint | None:
        """We are the endpoint."""
        return None

    def pages(self, api: Api | None, window: Window) -> Iterator[Page]:
        """None."""
        return iter(())


class Bounded(Received):
    """A source whose senders speak for agents and others, each within the bounds of its token."""

    tokens: tuple[Token, ...]
    """Who may send."""

    @model_validator(mode="after")
    def _own_secrets(self) -> Self:
        own_secrets(self.tokens)
        return self


def own_secrets(senders: Sequence[Sender]) -> None:
    """Raise `ValueError` where nobody may send, or two senders cannot be told apart."""
    names = [sender.name for sender in senders]
    secrets = [sender.secret.get_secret_value() for sender in senders]
    if not names:
        raise ValueError("name at least one token, or nobody can send")
    if len(set(names)) < len(names):
        raise ValueError("two tokens have the same name: give each sender its own")
    if len(set(secrets)) < len(secrets):
        raise ValueError("two tokens have the same secret: give each sender its own")
