"""OTLP over HTTP: the spans of a request in protobuf or JSON, and answers in the same encoding (opentelemetry-proto, docs/specification.md)."""

import binascii
from base64 import b64encode
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from rollout_metrics.collect.traces import Limit, Span, Wanted, spans_in
from rollout_metrics.collect.wire import WireError
from rollout_metrics.domain.errors import PayloadError

if TYPE_CHECKING:  # protobuf is brought in by the first request: most installations need none
    from google.protobuf.message import Message

_IDS = ("traceId", "spanId", "parentSpanId")


class Encoding(StrEnum):
    """How a request is written, by its content type; its answer is written likewise."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def spans_of(body: bytes, encoding: Encoding, wanted: Wanted, most: int) -> list[Span]:
    """The spans of an `ExportTraceServiceRequest`, in its order.

    Raises `TooManySpansError` for more than `most`, or very many parts within them, and `PayloadError` for what is no such request.
    """
    written = _from_json(body, wanted, Limit(most)) if encoding is Encoding.JSON else body
    try:
        return spans_in(written, wanted, most)
    except (WireError, UnicodeDecodeError):
        raise PayloadError(f"the body is no ExportTraceServiceRequest in {encoding.name.lower()}: check the exporter's endpoint and protocol") from None


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


def _from_json(body: bytes, wanted: Wanted, limit: Limit) -> bytes:
    """The same request in protobuf."""
    from google.protobuf.json_format import ParseDict, ParseError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        written = msgspec.json.decode(body, type=dict[str, Any])
        for span in _members(written, "resourceSpans", "scopeSpans", "spans"):
            limit.span()
            span.pop("links", None)  # has ids too, and says nothing for us
            for holder in (span, *_members(span, "events")):
                holder["attributes"] = _only(holder.get("attributes"), wanted)  # each one more costs as much as a span
            span.update({name: _as_base64(span[name]) for name in _IDS if name in span})
        return ParseDict(written, ExportTraceServiceRequest(), ignore_unknown_fields=True).SerializeToString()
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
