"""The push endpoint: events and heartbeats over HTTP, each request bound to what its bearer token may say, all or nothing."""

import hmac
import logging
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from threading import Lock
from typing import Any, Protocol

import msgspec
from flask import Blueprint, Response, request
from pydantic import SecretStr

from rollout_metrics.collect.event_format import Problem, read_event
from rollout_metrics.domain.errors import ConfigurationError, RolloutMetricsError
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.domain.time import MINUTE, SECOND, Instant

log = logging.getLogger(__name__)

LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})
RETRY_SECONDS = 30


class PushToken(Protocol):
    """A sender and what it may speak of."""

    @property
    def name(self) -> str: ...
    @property
    def secret(self) -> SecretStr: ...
    @property
    def activities(self) -> frozenset[Activity]: ...
    @property
    def actor_kinds(self) -> frozenset[ActorKind]: ...
    @property
    def workflows(self) -> frozenset[str]: ...


class PushSource(Protocol):
    """A configured push source."""

    @property
    def name(self) -> str: ...
    @property
    def tokens(self) -> Sequence[PushToken]: ...
    @property
    def max_body(self) -> int: ...
    @property
    def max_events(self) -> int: ...
    @property
    def requests_per_minute(self) -> int: ...


Accept = Callable[[str, list[Event]], object]
"""Lands a source's events and notes when the request came; an empty list is a heartbeat."""
Held = Callable[[str, Collection[str]], Mapping[str, Event]]
"""The stored events of a source that have one of these ids, by id."""


class Standing(msgspec.Struct, frozen=True):
    """What the configuration makes of an event: who really acted, and the names of the workflows it can have a say in."""

    kind: ActorKind
    workflows: frozenset[str]


Judge = Callable[[Event], Standing]


class Refusal(Exception):  # noqa: N818  (an answer, not a mishap)
    """A request that is answered with a 4xx or 5xx; `problems`: `(index, problem)` of single records."""

    def __init__(self, status: int, message: str, problems: Sequence[tuple[int, Problem]] = (), **headers: str) -> None:
        super().__init__(message)
        self.status, self.problems = status, problems
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def standing_of(company: Company, pseudonyms: Pseudonyms) -> Judge:
    """How the company's configuration sees an event: an agent's workflows are those that name it, else those that read its source or its case's."""

    def of(event: Event) -> Standing:
        actor = event.actor_id
        stored = event if actor is None else msgspec.structs.replace(event, actor_id=pseudonyms.actor(actor))
        kind = company.kind_of(stored)
        if kind is ActorKind.AGENT:
            return Standing(kind, frozenset(workflow.name for workflow in company.workflows_of_agent(stored)))
        read_by = (workflow.name for workflow in company.workflows if not workflow.sources.isdisjoint((event.source, event.case_source)))
        return Standing(kind, frozenset(read_by))

    return of


def push_blueprint(
    sources: Iterable[PushSource],
    accept: Accept,
    clock: Callable[[], Instant],
    *,
    judge: Judge,
    held: Held,
) -> Blueprint:
    """`POST /api/v1/events` and `POST /api/v1/heartbeat` for all push sources; raises `ConfigurationError` where two share a secret."""
    doors = _doors(sources)
    blueprint = Blueprint("push", __name__)

    @blueprint.post("/api/v1/events")
    def events() -> Response:
        def handle(door: _Door) -> int:
            found = _events(door)
            _bound(door, found, judge, held)
            accept(door.source.name, found)
            return len(found)

        return _answered(doors, clock, handle)

    @blueprint.post("/api/v1/heartbeat")
    def heartbeat() -> Response:
        def handle(door: _Door) -> int:
            accept(door.source.name, [])
            return 0

        return _answered(doors, clock, handle)

    return blueprint


class _Door:
    """One token of one source, with its budget of requests."""

    def __init__(self, source: PushSource, token: PushToken) -> None:
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


def _doors(sources: Iterable[PushSource]) -> list[_Door]:
    doors = [_Door(source, token) for source in sources for token in source.tokens]
    owners: dict[bytes, _Door] = {}
    for door in doors:
        other = owners.setdefault(door.digest, door)
        if other is not door:
            raise ConfigurationError(
                f"sources.{door.source.name}: token {door.token.name!r} has the same secret as {other.token.name!r} of {other.source.name}: give each its own"
            )
    return doors


def _answered(doors: Sequence[_Door], clock: Callable[[], Instant], handle: Callable[[_Door], int]) -> Response:
    door: _Door | None = None
    try:
        door = _door(doors)
        door.pass_one(clock())
        return _json(200, {"accepted": handle(door)}, {})
    except Refusal as refusal:
        fields = {"status": refusal.status, "problems": len(refusal.problems)}
        log.warning("push refused", extra={"fields": fields | ({"source": door.source.name, "token": door.token.name} if door else {})})
        body: dict[str, Any] = {"error": str(refusal)}
        if refusal.problems:
            body["problems"] = [{"index": index, "field": problem.field, "message": problem.message} for index, problem in refusal.problems]
        return _json(refusal.status, body, refusal.headers)
    except RolloutMetricsError as error:
        log.error("push failed", extra={"fields": {"error": str(error)}})
        return _json(503, {"error": "the events could not be stored; send them again later"}, {"Retry-After": str(RETRY_SECONDS)})


def _json(status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    return Response(msgspec.json.encode(body) + b"\n", status, dict(headers), content_type="application/json")


def _door(doors: Sequence[_Door]) -> _Door:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    presented = sha256(given.strip().encode("utf-8", "surrogateescape")).digest()
    found = None
    for door in doors:  # all of them, so that time does not tell which one was close
        if hmac.compare_digest(door.digest, presented):
            found = door
    if found is None or scheme.lower() != "bearer":
        raise Refusal(401, "send Authorization: Bearer with a token of a push source", WWW_Authenticate='Bearer realm="rollout-metrics"')
    return found


def _events(door: _Door) -> list[Event]:
    lines = _lines_expected()
    records = list(_records(_body(door.source.max_body), lines=lines))
    if len(records) > door.source.max_events:
        raise Refusal(413, f"{len(records)} events are more than {door.source.max_events} in one request: send them in several")
    events: list[Event] = []
    problems: list[tuple[int, Problem]] = []
    for index, record in records:
        event = read_event(record, door.source.name)
        if isinstance(event, Event):
            events.append(event)
        else:
            problems.extend((index, problem) for problem in event)
    if problems:
        count = len({index for index, _ in problems})
        raise Refusal(422, f"{count} of {len(records)} events are not as the event format says; none was accepted", problems)
    return events


def _lines_expected() -> bool:
    if request.mimetype in LINES:
        return True
    if request.mimetype == "application/json":
        return False
    raise Refusal(415, f"the content type must be application/json or application/x-ndjson, not {request.mimetype or 'missing'}")


def _body(most: int) -> bytes:
    if (request.content_length or 0) > most:
        raise Refusal(413, f"the body is larger than {most} bytes: send fewer events in each request")
    packed = request.headers.get("Content-Encoding", "identity").strip().lower()
    if packed not in ("identity", "gzip"):
        raise Refusal(415, f"the content encoding must be gzip or none, not {packed}")
    data = request.stream.read(most + 1)
    if packed == "gzip":
        data = _inflated(data, most)
    if len(data) > most:
        raise Refusal(413, f"the body is larger than {most} bytes: send fewer events in each request")
    return data


def _inflated(data: bytes, most: int) -> bytes:
    """At most `most + 1` bytes of what gzip packed, so that a small body cannot become a huge one."""
    found = b""
    while data and len(found) <= most:
        member = zlib.decompressobj(wbits=31)
        try:
            found += member.decompress(data, most + 1 - len(found))
        except zlib.error:
            raise Refusal(400, "the body is not gzip, as its content encoding says") from None
        if not member.eof and len(found) <= most:
            raise Refusal(400, "the gzip body breaks off")
        data = member.unused_data
    return found


class _Wrapped(msgspec.Struct, forbid_unknown_fields=True):
    events: list[msgspec.Raw]


def _records(body: bytes, *, lines: bool) -> Iterator[tuple[int, bytes]]:
    if lines:
        yield from ((index, line) for index, line in enumerate(body.split(b"\n")) if line.strip())
        return
    try:
        wrapped = body.lstrip()[:1] == b"{"
        raws = msgspec.json.decode(body, type=_Wrapped).events if wrapped else msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, f'the body must be a JSON array of events or {{"events": [...]}}: {error}') from None
    yield from ((index, bytes(raw)) for index, raw in enumerate(raws))


def _bound(door: _Door, events: Sequence[Event], judge: Judge, held: Held) -> None:
    """Refuse a request that says what its token may not, or that would correct what another one said."""
    indices = {id(event): index for index, event in enumerate(events)}
    problems = [(indices[id(event)], problem) for event in events for problem in _beyond(door.token, event, judge(event))]
    stored = held(door.source.name, {event.event_id for event in events}) if events and not problems else {}
    for index, event in enumerate(events):
        earlier = stored.get(event.event_id)
        if earlier is not None and any(_beyond(door.token, earlier, judge(earlier))):
            problems.append((index, Problem("event_id", "names an event that this token may not correct")))
    if problems:
        raise Refusal(403, f"token {door.token.name!r} may not report this; none was accepted", problems)


def _beyond(token: PushToken, event: Event, standing: Standing) -> Iterator[Problem]:
    if event.activity not in token.activities:
        yield Problem("activity", f"this token may report {_listed(token.activities)}, not {event.activity}")
    for kind in sorted({event.actor_kind, standing.kind}):
        if kind not in token.actor_kinds or kind is ActorKind.OPERATOR:
            known = "" if kind is event.actor_kind else ", as which the configuration knows this actor"
            yield Problem("actor_kind", f"this token may speak for {_listed(token.actor_kinds)}, not {kind}{known}")
    if not standing.workflows:
        yield Problem("case_source", f"{event.case_source!r} is read by no workflow, nor is the actor an agent of one")
    elif not token.workflows.issuperset(standing.workflows):
        yield Problem("case_source", f"this token may report on {_listed(token.workflows)}; this event can concern {_listed(standing.workflows)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(str(name) for name in names))
