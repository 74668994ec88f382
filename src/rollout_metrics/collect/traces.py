"""The spans of an `ExportTraceServiceRequest` in protobuf (opentelemetry-proto): what is asked for is built, all else is stepped over."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

from rollout_metrics.collect.wire import FIXED64, LENGTH, VARINT, Field, WireError, double, fields, signed, tag, unsigned64
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.time import Instant

Attributes = dict[str, Any]
"""Name -> text, number, boolean, list or mapping."""
Wanted = Callable[[str], bool]
"""Whether an attribute is to be read: others, which may hold whole conversations, are not even unpacked."""

TRACE_ID, SPAN_ID = 16, 8
"""Bytes of the ids."""
PARTS, PARTS_OF_SPAN = 50_000, 10
"""So many events and values that are read the spans of a request may have together, or for each span that it may hold."""
DEEPEST = 32
"""How deep values may lie within each other."""


class Moment(msgspec.Struct, frozen=True):
    """An event within a span."""

    name: str
    at: Instant
    attributes: Attributes


class Span(msgspec.Struct, frozen=True):
    """A span as far as it was asked for: ids in hexadecimal, empty where they are not valid; the resource's attributes stand below its own."""

    trace_id: str
    span_id: str
    ended_at: Instant
    failed: bool
    attributes: Attributes
    events: tuple[Moment, ...] = ()
    revision: int = 0
    """Which reading it is, where the one who brings it can tell."""


class TooManySpansError(PayloadError):
    """A request holds more spans than are taken at once: send them in several."""


def spans_in(data: bytes, wanted: Wanted, most: int) -> list[Span]:
    """The spans of a request, in its order.

    What it takes of memory follows `most` and the size, whatever is in it: a part of two bytes is built only where it was asked for. Raises
    `TooManySpansError` for more spans than `most`, or very many parts within them, and `WireError` or `UnicodeDecodeError` for what is no such request.
    """
    return list(_Reading(data, wanted, Limit(most)).spans())


class Limit:
    """How many spans a request may hold, and how many events, attributes that are read and values within these."""

    def __init__(self, most: int) -> None:
        self.most = self.spans = most
        self.parts = self.most_parts = max(PARTS, PARTS_OF_SPAN * most)

    def span(self) -> None:
        """Take one span more."""
        self.spans -= 1
        if self.spans < 0:
            raise TooManySpansError(f"more than {self.most} spans in one request: send them in several")

    def part(self, count: int = 1) -> None:
        """Take so many of what spans have."""
        self.parts -= count
        if self.parts < 0:
            raise TooManySpansError(f"more than {self.most_parts} events and values within the spans of one request: send them in several")


# Fields of opentelemetry-proto by tag: collector/trace/v1/trace_service.proto, trace/v1/trace.proto, resource/v1, common/v1.
_RESOURCE_SPANS = tag(1, LENGTH)
_RESOURCE, _SCOPE_SPANS = tag(1, LENGTH), tag(2, LENGTH)
_SPAN = tag(2, LENGTH)
_TRACE_ID, _SPAN_ID, _END, _ATTRIBUTES, _EVENTS, _STATUS = tag(1, LENGTH), tag(2, LENGTH), tag(8, FIXED64), tag(9, LENGTH), tag(11, LENGTH), tag(15, LENGTH)
_EVENT_TIME, _EVENT_NAME, _EVENT_ATTRIBUTES = tag(1, FIXED64), tag(2, LENGTH), tag(3, LENGTH)
_STATUS_CODE, _ERROR = tag(3, VARINT), 2
_OF_RESOURCE = tag(1, LENGTH)
_KEY, _VALUE = tag(1, LENGTH), tag(2, LENGTH)
_STRING, _BOOLEAN, _INTEGER, _DOUBLE, _ARRAY, _MAPPING, _BYTES = (
    *(tag(1, LENGTH), tag(2, VARINT), tag(3, VARINT), tag(4, FIXED64)),
    *(tag(5, LENGTH), tag(6, LENGTH), tag(7, LENGTH)),
)
_ITEM = tag(1, LENGTH)


class _Reading:
    """One request: what is asked for is built, all else is stepped over."""

    def __init__(self, data: bytes, wanted: Wanted, limit: Limit) -> None:
        self.data, self.limit = data, limit
        self._wanted = lru_cache(1000)(lambda key: wanted(key.decode()))

    def spans(self) -> Iterator[Span]:
        """Its spans, in order."""
        for _, start, end in self._only(_RESOURCE_SPANS, 0, len(self.data)):
            shared: Attributes = {}
            for _, at, until in self._only(_RESOURCE, start, end):
                self._attributes(shared, _OF_RESOURCE, at, until)
            for _, at, until in self._only(_SCOPE_SPANS, start, end):
                for _, first, last in self._only(_SPAN, at, until):
                    self.limit.span()
                    yield self._span(shared, first, last)

    def _only(self, wanted: int, start: int, end: int) -> Iterator[Field]:
        return (field for field in fields(self.data, start, end) if field[0] == wanted)

    def _span(self, shared: Attributes, start: int, end: int) -> Span:
        data, trace_id, span_id, ended_at, failed = self.data, "", "", 0, False
        attributes = dict(shared)
        self.limit.part(len(shared))
        events: list[Moment] = []
        for key, at, until in fields(data, start, end):
            if key == _ATTRIBUTES:
                self._attribute(attributes, at, until)
            elif key == _TRACE_ID:
                trace_id = _id(data[at:until], TRACE_ID)
            elif key == _SPAN_ID:
                span_id = _id(data[at:until], SPAN_ID)
            elif key == _END:
                ended_at = unsigned64(data, at) // 1000
            elif key == _EVENTS:
                events.append(self._event(at, until))
            elif key == _STATUS:
                failed = any(code == _ERROR for _, code, _ in self._only(_STATUS_CODE, at, until))
        return Span(trace_id, span_id, ended_at, failed, attributes, tuple(events))

    def _event(self, start: int, end: int) -> Moment:
        self.limit.part()
        name, when = "", 0
        attributes: Attributes = {}
        for key, at, until in fields(self.data, start, end):
            if key == _EVENT_ATTRIBUTES:
                self._attribute(attributes, at, until)
            elif key == _EVENT_NAME:
                name = self.data[at:until].decode()
            elif key == _EVENT_TIME:
                when = unsigned64(self.data, at) // 1000
        return Moment(name, when, attributes)

    def _attributes(self, found: Attributes, listed: int, start: int, end: int) -> None:
        for _, at, until in self._only(listed, start, end):
            self._attribute(found, at, until)

    def _attribute(self, found: Attributes, start: int, end: int) -> None:
        """Add an attribute, if it is asked for. Most are not, and have a short name first, as all exporters write them: one look suffices."""
        data, name, value = self.data, b"", (0, 0)
        if end - start > 2 and data[start] == _KEY and (past := start + 2 + data[start + 1]) <= end and data[start + 1] < 128:
            name = data[start + 2 : past]
            if not self._wanted(name):
                return
        for key, at, until in fields(data, start, end):
            if key == _KEY:
                name = data[at:until]
                if not self._wanted(name):
                    return
            elif key == _VALUE:
                value = (at, until)
        if name or self._wanted(name):
            found[name.decode()] = self._value(*value, 0)

    def _value(self, start: int, end: int, depth: int) -> Any:
        """What an `AnyValue` holds: the last of its kinds, null where there is none."""
        self.limit.part()
        if depth > DEEPEST:
            raise WireError("values lie too deep within each other")
        data = self.data
        found: Any = None
        for key, at, until in fields(data, start, end):
            if key == _STRING:
                found = data[at:until].decode()
            elif key == _BOOLEAN:
                found = bool(at)
            elif key == _INTEGER:
                found = signed(at)
            elif key == _DOUBLE:
                found = double(data, at)
            elif key == _ARRAY:
                found = [self._value(first, last, depth + 1) for _, first, last in self._only(_ITEM, at, until)]
            elif key == _MAPPING:
                found = dict(self._pair(first, last, depth + 1) for _, first, last in self._only(_ITEM, at, until))
            elif key == _BYTES:
                found = data[at:until].hex()
        return found

    def _pair(self, start: int, end: int, depth: int) -> tuple[str, Any]:
        name, value = "", (0, 0)
        for key, at, until in fields(self.data, start, end):
            if key == _KEY:
                name = self.data[at:until].decode()
            elif key == _VALUE:
                value = (at, until)
        return name, self._value(*value, depth)


def _id(value: bytes, length: int) -> str:
    return value.hex() if len(value) == length and any(value) else ""
