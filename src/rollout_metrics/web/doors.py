"""How senders come in: each request bound to a token of a source, with a budget of requests, a largest body, and answers that say what to do."""

import hmac
import logging
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from gzip import GzipFile
from hashlib import sha256
from io import BytesIO
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from flask import Response, request
from pydantic import SecretStr

from rollout_metrics.collect.event_format import Problem
from rollout_metrics.domain.errors import ConfigurationError, RolloutMetricsError
from rollout_metrics.domain.time import MINUTE, SECOND, Instant

log = logging.getLogger(__name__)

RETRY_SECONDS = 30


class Sender(Protocol):
    """Who may send."""

    @property
    def name(self) -> str: ...
    @property
    def secret(self) -> SecretStr: ...


class Receiving(Protocol):
    """A configured source that is sent to us."""

    @property
    def name(self) -> str: ...
    @property
    def max_body(self) -> int: ...
    @property
    def requests_per_minute(self) -> int: ...


S = TypeVar("S", bound=Receiving)
T = TypeVar("T", bound=Sender)


class Refusal(Exception):  # noqa: N818  (an answer, not a mishap)
    """A request that is answered with a 4xx or 5xx; `problems`: `(index, problem)` of single records."""

    def __init__(self, status: int, message: str, problems: Sequence[tuple[int, Problem]] = (), **headers: str) -> None:
        super().__init__(message)
        self.status, self.problems = status, problems
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Door(Generic[S, T]):
    """One token of one source, with its budget of requests."""

    def __init__(self, source: S, token: T) -> None:
        self.source, self.token = source, token
        self.digest = sha256(token.secret.get_secret_value().encode()).digest()
        self._lock = Lock()
        self._left = float(source.requests_per_minute)
        self._seen: Instant | None = None

    def pass_one(self, now: Instant) -> None:
        """Take one request from the budget, which fills up within a minute."""
        most = self.source.requests_per_minute
        with self._lock:
            gone = 0 if self._seen is None else max(0, now - self._seen)
            self._left = min(float(most), self._left + gone * most / MINUTE)
            self._seen = now
            if self._left < 1:
                wait = -(-int((1 - self._left) * MINUTE / most) // SECOND) or 1
                raise Refusal(429, f"more than {most} requests a minute: send more events in each", Retry_After=str(wait))
            self._left -= 1


def doors_of(pairs: Iterable[tuple[S, T]]) -> list[Door[S, T]]:
    """A door for each token of each source. Raises `ConfigurationError` where two share a secret."""
    doors = [Door(source, token) for source, token in pairs]
    owners: dict[bytes, Door[S, T]] = {}
    for door in doors:
        other = owners.setdefault(door.digest, door)
        if other is not door:
            raise ConfigurationError(
                f"sources.{door.source.name}: token {door.token.name!r} has the same secret as {other.token.name!r} of {other.source.name}: give each its own"
            )
    return doors


def accepted(count: int) -> Response:
    """So many records were taken in."""
    return _json(200, {"accepted": count}, {})


def refused(refusal: Refusal) -> Response:
    """What was wrong, and with which records, as JSON."""
    body: dict[str, Any] = {"error": str(refusal)}
    if refusal.problems:
        body["problems"] = [{"index": index, "field": problem.field, "message": problem.message} for index, problem in refusal.problems]
    return _json(refusal.status, body, refusal.headers)


def answered(
    doors: Sequence[Door[S, T]],
    clock: Callable[[], Instant],
    handle: Callable[[Door[S, T]], Response],
    refused: Callable[[Refusal], Response] = refused,
) -> Response:
    """Answer a request that came in by one of these doors; `handle` may raise `Refusal`, which `refused` puts into words."""
    door: Door[S, T] | None = None
    try:
        door = _door(doors)
        door.pass_one(clock())
        return handle(door)
    except Refusal as refusal:
        fields = {"status": refusal.status, "problems": len(refusal.problems)}
        log.warning("push refused", extra={"fields": fields | ({"source": door.source.name, "token": door.token.name} if door else {})})
        return refused(refusal)
    except RolloutMetricsError as error:
        log.error("push failed", extra={"fields": {"error": str(error)}})
        return refused(Refusal(503, "the events could not be stored; send them again later", Retry_After=str(RETRY_SECONDS)))


def _json(status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    return Response(msgspec.json.encode(body) + b"\n", status, dict(headers), content_type="application/json")


def _door(doors: Sequence[Door[S, T]]) -> Door[S, T]:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    presented = sha256(given.strip().encode("utf-8", "surrogateescape")).digest()
    found = None
    for door in doors:  # all of them, so that time does not tell which one was close
        if hmac.compare_digest(door.digest, presented):
            found = door
    if found is None or scheme.lower() != "bearer":
        raise Refusal(401, "send Authorization: Bearer with a token of a push source", WWW_Authenticate='Bearer realm="rollout-metrics"')
    return found


def body_of(most: int) -> bytes:
    """The request's body, unpacked, of at most so many bytes."""
    if (request.content_length or 0) > most:
        raise Refusal(413, f"the body is larger than {most} bytes: send less in each")
    packed = request.headers.get("Content-Encoding", "identity").strip().lower()
    if packed not in ("identity", "gzip"):
        raise Refusal(415, f"the content encoding must be gzip or none, not {packed}")
    data = request.stream.read(most + 1)
    if packed == "gzip":
        data = _inflated(data, most)
    if len(data) > most:
        raise Refusal(413, f"the body is larger than {most} bytes: send less in each")
    return data


def _inflated(data: bytes, most: int) -> bytes:
    """At most `most + 1` bytes of what gzip packed, so that a small body cannot become a huge one."""
    try:
        return GzipFile(fileobj=BytesIO(data)).read(most + 1)
    except EOFError:
        raise Refusal(400, "the gzip body breaks off") from None
    except (OSError, zlib.error):
        raise Refusal(400, "the body is not gzip, as its content encoding says") from None
