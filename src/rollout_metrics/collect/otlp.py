"""OTLP over HTTP: the spans of a request in protobuf or JSON, and answers in the same encoding (opentelemetry-proto, docs/specification.md)."""

import binascii
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.time import Instant

if TYPE_CHECKING:  # protobuf is brought in by the first request: most installations need none
    from google.protobuf.message import Message
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Attributes = dict[str, Any]
"""Name -> text, number, boolean, list or mapping."""
Wanted = Callable[[str], bool]
"""Whether an attribute is to be read: others, which may hold whole conversations, are not even unpacked."""

TRACE_ID, SPAN_ID = 16, 8
"""Bytes of the ids."""
_IDS = ("traceId", "spanId", "parentSpanId")


class Encoding(StrEnum):
    """How a request is written, by its content type; its answer is written likewise."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


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


def spans_of(body: bytes, encoding: Encoding, wanted: Wanted, most: int) -> list[Span]:
    """The spans of an `ExportTraceServiceRequest`, in its order. Raises `TooManySpansError` for more than `most`, `PayloadError` for what is none."""
    request = _from_json(body, wanted, most) if encoding is Encoding.JSON else _from_protobuf(body, most)
    return list(_spans(request, wanted))


def taken(encoding: Encoding, rejected: int, message: str) -> bytes:
    """The answer to a request that was taken in, but for so many spans."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    answer = ExportTraceServiceResponse()
    if rejected:
        answer.partial_success.rejected_spans = rejected
        answer.partial_success.error_message = message
    return _written(answer, encoding)


def refusal(encoding: Encoding, message: str) -> bytes:
    """The answer to a request that was refused: a `google.rpc.Status`, whose code OTLP does not use."""
    from google.rpc.status_pb2 import Status

    return _written(Status(message=message), encoding)


def _written(message: "Message", encoding: Encoding) -> bytes:
    from google.protobuf.json_format import MessageToJson

    return MessageToJson(message, indent=None).encode() if encoding is Encoding.JSON else message.SerializeToString()


def _bounded(count: int, most: int) -> None:
    if count > most:
        raise TooManySpansError(f"{count} spans are more than {most} in one request: send them in several")


def _from_protobuf(body: bytes, most: int) -> "ExportTraceServiceRequest":
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise PayloadError("the body is no ExportTraceServiceRequest in protobuf: check the exporter's endpoint and protocol") from None
    _bounded(sum(len(of_scope.spans) for of_resource in request.resource_spans for of_scope in of_resource.scope_spans), most)
    return request


def _from_json(body: bytes, wanted: Wanted, most: int) -> "ExportTraceServiceRequest":
    from google.protobuf.json_format import ParseDict, ParseError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        written = msgspec.json.decode(body, type=dict[str, Any])
        spans = list(_members(written, "resourceSpans", "scopeSpans", "spans"))
        _bounded(len(spans), most)
        for span in spans:
            span.pop("links", None)  # has ids too, and says nothing for us
            for holder in (span, *_members(span, "events")):
                holder["attributes"] = _only(holder.get("attributes"), wanted)  # each one more costs as much as a span
            span.update({name: _as_base64(span[name]) for name in _IDS if name in span})
        return ParseDict(written, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ParseError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise PayloadError(f"the body is no ExportTraceServiceRequest in JSON ({reason}): check the exporter's endpoint and protocol") from None


def _members(value: Any, *names: str) -> Iterator[dict[str, Any]]:
    """The innermost objects of nested lists."""
    if not isinstance(value, dict):
        return
    if not names:
        yield value
        return
    listed = value.get(names[0])
    for item in listed if isinstance(listed, list) else ():
        yield from _members(item, *names[1:])


def _only(pairs: Any, wanted: Wanted) -> Any:
    if not isinstance(pairs, list):
        return pairs
    return [pair for pair in pairs if not isinstance(pair, dict) or wanted(str(pair.get("key")))]


def _as_base64(value: Any) -> str:
    """An id as protobuf's JSON has it; OTLP writes ids in hexadecimal. Empty for what is none: that span alone is refused later."""
    try:
        return b64encode(binascii.unhexlify(value)).decode()
    except (binascii.Error, ValueError, TypeError):
        return ""


def _spans(request: "ExportTraceServiceRequest", wanted: Wanted) -> Iterator[Span]:
    for of_resource in request.resource_spans:
        shared = _attributes(of_resource.resource.attributes, wanted)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Span(
                    _id(span.trace_id, TRACE_ID),
                    _id(span.span_id, SPAN_ID),
                    span.end_time_unix_nano // 1000,
                    span.status.code == span.status.STATUS_CODE_ERROR,
                    shared | _attributes(span.attributes, wanted),
                    tuple(Moment(event.name, event.time_unix_nano // 1000, _attributes(event.attributes, wanted)) for event in span.events),
                )


def _id(value: bytes, length: int) -> str:
    return value.hex() if len(value) == length and any(value) else ""


def _attributes(pairs: "Iterable[KeyValue]", wanted: Wanted) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs if wanted(pair.key)}


def _value(value: "AnyValue") -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return None if kind is None else getattr(value, kind)
