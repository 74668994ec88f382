"""Laws of reading spans: what protobuf's own library reads, whatever is asked for; nothing but its errors for anything else; little memory for any body."""

import contextlib
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from rollout_metrics.collect import traces
from rollout_metrics.collect.traces import Moment, Span, TooManySpansError, spans_in
from rollout_metrics.collect.wire import WireError

NAMES = st.sampled_from(["a", "b", "unwanted", "", "é" * 80, "n" * 200])
SCALARS = st.one_of(st.none(), st.text(max_size=5), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.binary(max_size=3))
VALUES = (
    SCALARS
    | st.lists(SCALARS | st.lists(SCALARS, max_size=2), max_size=2)
    | st.dictionaries(NAMES, SCALARS | st.dictionaries(NAMES, SCALARS, max_size=2), max_size=2)
)
ATTRIBUTES = st.dictionaries(NAMES, VALUES, max_size=3)
NANOS = st.integers(0, 2**64 - 1)


def value_of(value: Any) -> AnyValue:
    made = AnyValue()
    match value:
        case None:
            pass
        case bool():
            made.bool_value = value
        case str():
            made.string_value = value
        case int():
            made.int_value = value
        case float():
            made.double_value = value
        case bytes():
            made.bytes_value = value
        case list():
            made.array_value.SetInParent()
            made.array_value.values.extend(map(value_of, value))
        case dict():
            made.kvlist_value.SetInParent()
            made.kvlist_value.values.extend(KeyValue(key=key, value=value_of(each)) for key, each in value.items())
    return made


def plain(value: Any) -> Any:
    """A value as it is read."""
    match value:
        case bytes():
            return value.hex()
        case list():
            return [plain(each) for each in value]
        case dict():
            return {key: plain(each) for key, each in value.items()}
    return value


def wanted(name: str) -> bool:
    return name != "unwanted"


def read(attributes: dict[str, Any]) -> dict[str, Any]:
    return {key: plain(value) for key, value in attributes.items() if wanted(key)}


@st.composite
def requests(draw: st.DrawFn) -> tuple[ExportTraceServiceRequest, list[Span]]:
    """A request, and the spans in it."""
    request, spans = ExportTraceServiceRequest(), []
    for _ in range(draw(st.integers(0, 2))):
        of_resource, shared = request.resource_spans.add(), draw(ATTRIBUTES)
        of_resource.schema_url = draw(st.text(max_size=3))
        of_resource.resource.attributes.extend(KeyValue(key=key, value=value_of(value)) for key, value in shared.items())
        for _ in range(draw(st.integers(0, 2))):
            of_scope = of_resource.scope_spans.add()
            of_scope.scope.name = "agents"
            for _ in range(draw(st.integers(0, 2))):
                own, ids, ended_at, failed = draw(ATTRIBUTES), draw(st.binary(max_size=20)), draw(NANOS), draw(st.booleans())
                span = of_scope.spans.add(trace_id=ids, span_id=ids[:8], parent_span_id=ids, name="x", kind=3, end_time_unix_nano=ended_at, flags=256)
                span.attributes.extend(KeyValue(key=key, value=value_of(value)) for key, value in own.items())
                span.links.add(trace_id=ids)
                if failed:
                    span.status.code, span.status.message = span.status.STATUS_CODE_ERROR, "no"
                events = []
                for _ in range(draw(st.integers(0, 2))):
                    name, at, told = draw(st.text(max_size=4)), draw(NANOS), draw(ATTRIBUTES)
                    event = span.events.add(name=name, time_unix_nano=at, dropped_attributes_count=1)
                    event.attributes.extend(KeyValue(key=key, value=value_of(value)) for key, value in told.items())
                    events.append(Moment(name, at // 1000, read(told)))
                trace_id = ids.hex() if len(ids) == 16 and any(ids) else ""
                span_id = ids[:8].hex() if len(ids) >= 8 and any(ids[:8]) else ""
                spans.append(Span(trace_id, span_id, ended_at // 1000, failed, read(shared) | read(own), tuple(events)))
    return request, spans


@settings(max_examples=30, deadline=None)
@given(requests())
def test_what_protobuf_writes_is_read(made: tuple[ExportTraceServiceRequest, list[Span]]) -> None:
    request, spans = made

    assert spans_in(request.SerializeToString(), wanted, 100) == spans


@settings(max_examples=30, deadline=None)
@given(requests(), st.data())
def test_what_is_damaged_is_read_or_refused_and_nothing_else(made: tuple[ExportTraceServiceRequest, list[Span]], data: st.DataObject) -> None:
    body = bytearray(made[0].SerializeToString() + data.draw(st.binary(max_size=6)))
    for place in data.draw(st.lists(st.integers(0, max(0, len(body) - 1)), max_size=3)) if body else ():
        body[place] = data.draw(st.integers(0, 255))

    with contextlib.suppress(WireError, UnicodeDecodeError):
        spans_in(bytes(body), wanted, 100)


def field(number: int, content: bytes) -> bytes:
    """A field of a message within another."""
    size, length = bytearray(), len(content)
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2, *size, length]) + content


MANY = 20_000
IN_SPAN = {"attributes": 9, "events": 11, "links": 13}
HOSTILE = {
    "spans": field(1, field(2, b"\x12\0" * MANY)),
    "resources": b"\x0a\0" * MANY,
    "scopes": field(1, b"\x12\0" * MANY),
    **{name: field(1, field(2, field(2, bytes([number << 3 | 2, 0]) * MANY))) for name, number in IN_SPAN.items()},
    "attributes of a resource": field(1, field(1, b"\x0a\0" * MANY)),
    "values of an attribute": field(1, field(2, field(2, field(9, field(1, b"a") + field(2, field(5, b"\x0a\0" * MANY)))))),
    "a resource of many, for many": field(
        1,
        field(1, b"".join(field(1, field(1, b"%d" % number)) for number in range(1000))) + field(2, b"\x12\0" * 1000),
    ),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_small_body_that_holds_very_much_takes_little_memory(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "PARTS", 1000)
    tracemalloc.start()
    try:
        spans_in(body, wanted, 100)
    except TooManySpansError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 2**20


def test_values_that_lie_too_deep_within_each_other_are_no_request() -> None:
    value = b""
    for _ in range(60):
        value = field(5, field(1, value))

    with pytest.raises(WireError, match="too deep"):
        spans_in(field(1, field(2, field(2, field(9, field(1, b"a") + field(2, value))))), wanted, 10)
