"""Sources that are sent to us: who may send, and how much."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from rollout_metrics.collect.http import Api, Endpoint
from rollout_metrics.collect.source import Duration, Page, Source, Window

SHORTEST_SECRET = 16


class Sender(BaseModel):
    """One sender and its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, defer_build=True)

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


class Received(Source):
    """A source without pages of its own: events come when they are sent, to the listener `listen.web`."""

    pulled: ClassVar[bool] = False
    windowed: ClassVar[bool] = False

    heartbeat: Annotated[Duration, Field(gt=0)] | None = None
    """The source counts as read up to now while its last accepted request is at most this old, else up to that request; default: `schedule.heartbeat`."""
    max_body: Annotated[int, Field(gt=0)] = 8 << 20
    """Largest body in bytes, unpacked."""
    requests_per_minute: Annotated[int, Field(gt=0)] = 600
    """Most requests of one token."""

    def endpoint(self) -> Endpoint | None:
        """We are the endpoint."""
        return None

    def pages(self, api: Api | None, window: Window) -> Iterator[Page]:
        """None."""
        return iter(())


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
