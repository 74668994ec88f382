"""The push endpoint: events and heartbeats over HTTP, each request bound to what its bearer token may say, all or nothing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import msgspec
from flask import Blueprint, Response, request

from rollout_metrics.collect.event_format import Problem, read_event
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import Instant
from rollout_metrics.web.bounds import BoundToken, Held, Judge, overstepping
from rollout_metrics.web.doors import Door, Receiving, Refusal, accepted, answered, body_of, doors_of

LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})


class PushSource(Receiving, Protocol):
    """A configured push source."""

    @property
    def tokens(self) -> Sequence[BoundToken]: ...
    @property
    def max_events(self) -> int: ...


PushDoor = Door[PushSource, BoundToken]
Accept = Callable[[str, list[Event]], object]
"""Lands a source's events and notes when the request came; an empty list is a heartbeat."""


def push_blueprint(
    sources: Iterable[PushSource],
    accept: Accept,
    clock: Callable[[], Instant],
    *,
    judge: Judge,
    held: Held,
) -> Blueprint:
    """`POST /api/v1/events` and `POST /api/v1/heartbeat` for all push sources; raises `ConfigurationError` where two share a secret."""
    doors = doors_of((source, token) for source in sources for token in source.tokens)
    blueprint = Blueprint("push", __name__)

    @blueprint.post("/api/v1/events")
    def events() -> Response:
        def handle(door: PushDoor) -> Response:
            found = _events(door)
            problems = list(overstepping(door.source.name, door.token, found, judge, held))
            if problems:
                raise Refusal(403, f"token {door.token.name!r} may not report this; none was accepted", problems)
            accept(door.source.name, found)
            return accepted(len(found))

        return answered(doors, clock, handle)

    @blueprint.post("/api/v1/heartbeat")
    def heartbeat() -> Response:
        def handle(door: PushDoor) -> Response:
            accept(door.source.name, [])
            return accepted(0)

        return answered(doors, clock, handle)

    return blueprint


def _events(door: PushDoor) -> list[Event]:
    lines = _lines_expected()
    records = list(_records(body_of(door.source.max_body), lines=lines))
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
