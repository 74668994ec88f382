"""The OTLP receiver: spans over HTTP, each within the bounds of its token; what one span says wrongly stops no other."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from flask import Blueprint, Response, request

from rollout_metrics.collect.otlp import Encoding, refusal, spans_of, taken
from rollout_metrics.collect.source import Rejected
from rollout_metrics.collect.spans import Outcome, Said
from rollout_metrics.collect.traces import Span, TooManySpansError
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import Instant
from rollout_metrics.web.bounds import BoundToken, Held, Judge, overstepping
from rollout_metrics.web.doors import Door, Receiving, Refusal, answered, body_of, doors_of

log = logging.getLogger(__name__)

PATH = "/v1/traces"
SHOWN = 3
"""So many problems are told to the sender; the others are like them."""
WORDS = 400
"""Longest telling of one problem."""
ASIDE = 100
"""So many mistakes of one request are set aside: each holds the value that is wrong, so there could be as many as spans."""


class SpanSource(Receiving, Protocol):
    """A configured receiver of spans."""

    @property
    def tokens(self) -> Sequence[BoundToken]: ...
    @property
    def max_spans(self) -> int: ...
    def reads(self, attribute: str) -> bool: ...
    def read_span(self, span: Span, where: str) -> Said: ...


SpanDoor = Door[SpanSource, BoundToken]


class TakeSpans(Protocol):
    """Lands a source's events and what was set aside, notes when the request came, and counts what became of its spans."""

    def __call__(self, source: str, events: list[Event], rejected: list[Rejected], /, *, spans: Mapping[Outcome, int]) -> object: ...


def otlp_blueprint(sources: Iterable[SpanSource], take: TakeSpans, clock: Callable[[], Instant], *, judge: Judge, held: Held) -> Blueprint:
    """`POST /v1/traces` for all sources of spans; raises `ConfigurationError` where two share a secret."""
    doors = doors_of((source, token) for source in sources for token in source.tokens)
    blueprint = Blueprint("otlp", __name__)

    @blueprint.post(PATH)
    def traces() -> Response:
        encoding = next((encoding for encoding in Encoding if encoding == request.mimetype), None)

        def handle(door: SpanDoor) -> Response:
            if encoding is None:
                raise Refusal(415, f"the content type must be {' or '.join(Encoding)}, not {request.mimetype or 'missing'}")
            try:
                spans = spans_of(body_of(door.source.max_body), encoding, door.source.reads, door.source.max_spans)
            except PayloadError as error:
                raise Refusal(413 if isinstance(error, TooManySpansError) else 400, str(error)) from None
            said = [door.source.read_span(span, f"POST {PATH}") for span in spans]
            beyond = _beyond(door, said, judge, held)
            events = [event for number, one in enumerate(said) for event in one.events if number not in beyond]
            wrong = {number: one.rejected.message for number, one in enumerate(said) if one.rejected is not None}
            counts = Counter(Outcome.REJECTED if number in beyond else one.outcome for number, one in enumerate(said))
            take(door.source.name, events, _aside(door, wrong), spans=counts)
            wrong |= beyond
            if wrong:
                log.warning("spans rejected", extra={"fields": {"source": door.source.name, "token": door.token.name, "spans": len(wrong)}})
            told = [f"span {spans[number].span_id or number}: {message[:WORDS]}" for number, message in sorted(wrong.items())]
            return _response(200, encoding, taken(encoding, len(wrong), "; ".join(told[:SHOWN]) + (" ..." if len(told) > SHOWN else "")))

        def refused(refused: Refusal) -> Response:
            language = encoding or Encoding.JSON
            return _response(refused.status, language, refusal(language, str(refused)), refused.headers)

        return answered(doors, clock, handle, refused)

    return blueprint


def _aside(door: SpanDoor, wrong: Mapping[int, str]) -> list[Rejected]:
    """What is said wrongly, once for each mistake: a runtime repeats its own with every span, and to know of it once is enough."""
    mistakes = list(dict.fromkeys(wrong.values()))[:ASIDE]
    return [Rejected("format", f"POST {PATH} by {door.token.name}", message, message.encode()) for message in mistakes]


def _beyond(door: SpanDoor, said: Sequence[Said], judge: Judge, held: Held) -> dict[int, str]:
    """By its place, why a span is more than its token may say."""
    owners = [(number, event) for number, one in enumerate(said) for event in one.events]
    found: dict[int, str] = {}
    for index, problem in overstepping(door.source.name, door.token, [event for _, event in owners], judge, held):
        found.setdefault(owners[index][0], str(problem))
    return found


def _response(status: int, encoding: Encoding, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, dict(headers or {}), content_type=encoding)
