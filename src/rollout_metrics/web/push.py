"""The push endpoint: events and heartbeats over HTTP, each request bound to what its bearer token may say, all or nothing."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec
from flask import Blueprint, Response, request

from rollout_metrics.collect.event_format import Problem, read_event
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.domain.time import Instant
from rollout_metrics.web.doors import Door, Receiving, Refusal, Sender, answered, body_of, doors_of

log = logging.getLogger(__name__)

LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})


class PushToken(Sender, Protocol):
    """A sender and what it may speak of."""

    @property
    def activities(self) -> frozenset[Activity]: ...
    @property
    def actor_kinds(self) -> frozenset[ActorKind]: ...
    @property
    def workflows(self) -> frozenset[str]: ...


class PushSource(Receiving, Protocol):
    """A configured push source."""

    @property
    def tokens(self) -> Sequence[PushToken]: ...
    @property
    def max_events(self) -> int: ...


PushDoor = Door[PushSource, PushToken]
Accept = Callable[[str, list[Event]], object]
"""Lands a source's events and notes when the request came; an empty list is a heartbeat."""
Held = Callable[[str, Collection[str]], Mapping[str, Event]]
"""The stored events of a source that have one of these ids, by id."""


class Standing(msgspec.Struct, frozen=True):
    """What the configuration makes of an event: who really acted, and the names of the workflows it can have a say in."""

    kind: ActorKind
    workflows: frozenset[str]


Judge = Callable[[Event], Standing]


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
    doors = doors_of((source, token) for source in sources for token in source.tokens)
    blueprint = Blueprint("push", __name__)

    @blueprint.post("/api/v1/events")
    def events() -> Response:
        def handle(door: PushDoor) -> int:
            found = _events(door)
            _bound(door, found, judge, held)
            accept(door.source.name, found)
            return len(found)

        return answered(doors, clock, handle)

    @blueprint.post("/api/v1/heartbeat")
    def heartbeat() -> Response:
        def handle(door: PushDoor) -> int:
            accept(door.source.name, [])
            return 0

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


def _bound(door: PushDoor, events: Sequence[Event], judge: Judge, held: Held) -> None:
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
