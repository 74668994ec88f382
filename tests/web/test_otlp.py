"""The OTLP receiver: what hand-made requests after the specification are answered with, and what the real OpenTelemetry SDK makes of it."""

import gzip
import itertools
import json
import logging
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from flask import Flask
from google.protobuf.json_format import ParseDict
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status as SpanStatus
from opentelemetry.trace import StatusCode
from werkzeug.test import TestResponse

from builders import Plain, company
from rollout_metrics.collect.source import Rejected
from rollout_metrics.collect.spans import Outcome
from rollout_metrics.domain.errors import ConfigurationError, StorageError
from rollout_metrics.domain.events import Activity, Event
from rollout_metrics.domain.time import parse_instant
from rollout_metrics.publish.listener import Listener
from rollout_metrics.sources.otlp import Otlp
from rollout_metrics.web.bounds import standing_of
from rollout_metrics.web.otlp import otlp_blueprint

SECRET = "runtime-secret-0001"
OTHER = "billing-secret-0001"
JSON, PROTOBUF = "application/json", "application/x-protobuf"
COMPANY = company(
    {"name": "refunds", "sources": ["helpdesk", "runtime"], "agents": ["refund-runtime"]},
    {"name": "billing", "sources": ["helpdesk", "runtime"], "agents": ["billing-bot"]},
)
TRACE = "5B8EFFF798038103D269B633813FC60C"


class Receiver:
    """The receiver in an app of its own, with what it took in."""

    def __init__(self, **options: Any) -> None:
        self.taken: list[tuple[list[Event], list[Rejected], Mapping[Outcome, int]]] = []
        self.broken = 0
        self.source = Otlp.model_validate(
            {
                "name": "runtime",
                "case_source": "helpdesk",
                "tokens": [{"name": "sdk", "secret": SECRET, "workflows": ["refunds"]}, {"name": "billing", "secret": OTHER, "workflows": ["billing"]}],
                "tools": {"issue_refund": "refund"},
                "refusals": ["limit_exceeded"],
                "evaluations": {"regression": {"labels": ["pass"]}},
                **options,
            }
        )
        self.app = Flask("test")
        judge = standing_of(COMPANY, Plain())
        self.app.register_blueprint(otlp_blueprint([self.source], self.take, lambda: 0, judge=judge, held=self.held))

    def take(self, source: str, events: list[Event], rejected: list[Rejected], /, *, spans: Mapping[Outcome, int]) -> None:
        assert source == "runtime"
        if self.broken:
            self.broken -= 1
            raise StorageError("disk full at /secret/place")
        self.taken.append((events, rejected, spans))

    def held(self, source: str, ids: Collection[str]) -> Mapping[str, Event]:
        return {event.event_id: event for event in self.events if event.event_id in ids}

    @property
    def events(self) -> list[Event]:
        return [event for events, _, _ in self.taken for event in events]

    def post(self, body: Any, content_type: str = JSON, *, token: str | None = SECRET, **headers: str) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()} | ({"Authorization": f"Bearer {token}"} if token is not None else {})
        return self.app.test_client().post("/v1/traces", data=data, content_type=content_type, headers=given)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def pair(key: str, value: Any) -> dict[str, Any]:
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return {"key": key, "value": {kinds[type(value)]: str(value) if type(value) is int else value}}  # 64-bit integers are texts in protobuf's JSON


def span(number: int = 1, *, agent: str = "refund-runtime", **attributes: Any) -> dict[str, Any]:
    """A tool's call as OTLP/JSON writes it: ids in hexadecimal of either case, enums as numbers, nanoseconds as text."""
    said = {"rollout_metrics.case_id": 4712, "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "issue_refund", "gen_ai.agent.name": agent}
    return {
        "traceId": TRACE,
        "spanId": f"EEE19B7EC3C1B{number:03d}",
        "parentSpanId": "eee19b7ec3c1b173",
        "name": "execute_tool issue_refund",
        "kind": 1,
        "startTimeUnixNano": "1772445599000000000",
        "endTimeUnixNano": "1772445600123456789",
        "attributes": [pair(key, value) for key, value in {**said, **{name.replace("__", "."): value for name, value in attributes.items()}}.items()],
        "status": {"code": 1},
        "links": [{"traceId": "5b8efff798038103d269b633813fc60d", "spanId": "eee19b7ec3c1b175"}],
    }


def request_of(*spans: Any, **more: Any) -> dict[str, Any]:
    resource = {"attributes": [pair("service.name", "runtime"), pair("service.version", "v7")]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "agents", "version": "1"}, "spans": list(spans)}]}], **more}


def binary(*spans: dict[str, Any]) -> bytes:
    """The same request in protobuf."""
    ids = {"traceId", "spanId", "parentSpanId"}
    plain = [{key: value for key, value in one.items() if key not in {*ids, "links"}} for one in spans]
    message = ParseDict(request_of(*plain), ExportTraceServiceRequest())
    for written, made in zip(spans, message.resource_spans[0].scope_spans[0].spans, strict=True):
        made.trace_id, made.span_id = bytes.fromhex(written["traceId"]), bytes.fromhex(written["spanId"])
    return message.SerializeToString()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
def test_a_span_becomes_the_same_event_in_every_encoding(receiver: Receiver, content_type: str, packed: bool) -> None:
    body = json.dumps(request_of(span())).encode() if content_type == JSON else binary(span())
    answer = receiver.post(gzip.compress(body), content_type, Content_Encoding="gzip") if packed else receiver.post(body, content_type)
    (event,) = receiver.events

    assert (answer.status_code, answer.content_type) == (200, content_type)
    assert answer.data == (b"{}" if content_type == JSON else b"")  # partial_success must stay unset
    assert event.case == ("helpdesk", "4712")
    assert event.event_id == f"{TRACE.lower()}/eee19b7ec3c1b001"
    assert event.occurred_at == parse_instant("2026-03-02T10:00:00.123456Z")
    assert (event.activity, event.detail) == (Activity.EXECUTED, {"action": "refund", "version": "v7"})


@pytest.mark.parametrize(("body", "content_type"), [({}, JSON), ({"resourceSpans": []}, JSON), (request_of(), JSON), (b"", PROTOBUF)])
def test_a_request_without_spans_is_a_sign_of_life(receiver: Receiver, body: Any, content_type: str) -> None:
    assert receiver.post(body, content_type).status_code == 200
    assert receiver.taken == [([], [], {})]


def test_fields_that_are_not_known_are_ignored(receiver: Receiver) -> None:
    body = request_of({**span(), "flags": 257, "mood": {"new": [1]}}, surprise=1)

    assert receiver.post(body).status_code == 200
    assert len(receiver.events) == 1


def test_one_span_that_is_wrong_stops_no_other_and_is_told(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    bad = [span(number, rollout_metrics__activity="refunded") for number in range(2, 7)]
    answer = receiver.post(request_of(span(1), *bad, span(8, gen_ai__tool__name="search"), {**span(7), "spanId": "xyz"}))
    partial = answer.get_json()["partialSuccess"]
    ((events, rejected, spans),) = receiver.taken

    assert answer.status_code == 200
    assert partial["rejectedSpans"] == "6"
    assert partial["errorMessage"].startswith("span eee19b7ec3c1b002: rollout_metrics.activity: 'refunded' is none of")
    assert partial["errorMessage"].endswith(" ...")
    assert len(events) == 1
    assert [record.message[:40] for record in rejected] == ["rollout_metrics.activity: 'refunded' is ", "has no valid trace_id and span_id"]
    assert {record.where for record in rejected} == {"POST /v1/traces by sdk"}
    assert spans == {Outcome.MAPPED: 1, Outcome.PASSED_OVER: 1, Outcome.REJECTED: 6}
    assert "refunded" not in caplog.text


def test_of_many_different_mistakes_some_are_set_aside_and_all_are_counted(receiver: Receiver) -> None:
    receiver.post(request_of(*(span(number, rollout_metrics__activity=f"odd {number}") for number in range(150))))
    ((_, rejected, spans),) = receiver.taken

    assert (len(rejected), spans) == (100, {Outcome.REJECTED: 150})


def test_partial_success_is_told_in_protobuf_to_those_who_speak_it(receiver: Receiver) -> None:
    answer = receiver.post(binary(span(1), span(2, rollout_metrics__actor_kind="operator")), PROTOBUF)
    partial = ExportTraceServiceResponse.FromString(answer.data).partial_success

    assert (answer.status_code, answer.content_type, partial.rejected_spans) == (200, PROTOBUF, 1)
    assert partial.error_message == "span eee19b7ec3c1b002: rollout_metrics.actor_kind: comes from the span itself: leave it out"


def test_a_span_beyond_its_tokens_rights_is_neither_taken_nor_set_aside(receiver: Receiver) -> None:
    spans = (span(1), span(2, agent="billing-bot"), span(3, rollout_metrics__activity="escalated"))
    answer = receiver.post(request_of(*spans))
    ((events, rejected, counts),) = receiver.taken

    assert [event.event_id[-3:] for event in events] == ["001"]
    assert (rejected, counts) == ([], {Outcome.MAPPED: 1, Outcome.REJECTED: 2})
    assert "this token may report on refunds; this event can concern billing" in answer.get_json()["partialSuccess"]["errorMessage"]
    assert "this token may report blocked, evaluated, executed, recommended, not escalated" in answer.get_json()["partialSuccess"]["errorMessage"]


def test_nobody_corrects_what_another_said(receiver: Receiver) -> None:
    receiver.post(request_of(span(1)))
    answer = receiver.post(request_of(span(1, agent="billing-bot")), token=OTHER)

    assert "may not correct" in answer.get_json()["partialSuccess"]["errorMessage"]
    assert len(receiver.events) == 1


def test_the_same_span_sent_again_is_the_same_event(receiver: Receiver) -> None:
    for _ in range(2):
        assert receiver.post(request_of(span(1), span(1))).data == b"{}"

    assert len(receiver.events) == 4
    assert len(set(map(repr, receiver.events))) == 1


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(1, 7)), cuts=st.sets(st.integers(1, 5)), again=st.integers(0, 2))
def test_in_whatever_batches_and_order_and_however_often_spans_come_they_say_the_same(order: list[int], cuts: set[int], again: int) -> None:
    receiver = Receiver()
    ends = [0, *sorted(cuts), len(order)]
    batches = [[span(number) for number in order[start:end]] for start, end in itertools.pairwise(ends)]
    for batch in (*batches, *batches[:again]):
        assert receiver.post(binary(*batch), PROTOBUF).data == b""

    assert {event.event_id: event for event in receiver.events} == {event.event_id: event for event in sent_at_once()}


@cache
def sent_at_once() -> tuple[Event, ...]:
    receiver = Receiver()
    receiver.post(request_of(*(span(number) for number in range(1, 7))))
    return tuple(receiver.events)


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
@pytest.mark.parametrize("body", [b"\xff\xff", b"[]", b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 7}]}]}]}', b'{"resourceSpans": [', b"[" * 9000])
def test_what_is_no_request_is_bad_data_never_to_be_sent_again(receiver: Receiver, content_type: str, body: bytes) -> None:
    answer = receiver.post(body, content_type)

    assert (answer.status_code, answer.content_type) == (400, content_type)
    assert "is no ExportTraceServiceRequest in" in message_of(answer)
    assert receiver.taken == []


def message_of(answer: TestResponse) -> str:
    """The message of the `google.rpc.Status` in an answer's own encoding."""
    return str(answer.get_json()["message"] if answer.content_type == JSON else Status.FromString(answer.data).message)


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
@pytest.mark.parametrize("token", [None, "", "wrong", SECRET + "1"])
def test_nobody_else_may_send(receiver: Receiver, token: str | None, content_type: str) -> None:
    answer = receiver.post(b"", content_type, token=token)

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="rollout-metrics"')
    assert "Bearer" in message_of(answer)


@pytest.mark.parametrize(("content_type", "encoding"), [("text/plain", ""), ("application/grpc", ""), (JSON, "deflate"), (JSON, "zstd")])
def test_other_types_and_encodings_are_refused_for_good(receiver: Receiver, content_type: str, encoding: str) -> None:
    answer = receiver.post(b"{}", content_type, **({"Content_Encoding": encoding} if encoding else {}))

    assert answer.status_code == 415
    assert "must be" in message_of(answer)


def test_a_body_is_bounded_before_and_after_unpacking() -> None:
    receiver = Receiver(max_body=1000)
    bomb = gzip.compress(b" " * 100_000)

    assert receiver.post(b" " * 1001).status_code == 413
    assert len(bomb) < 1000
    assert receiver.post(bomb, Content_Encoding="gzip").status_code == 413
    assert receiver.post(b"no gzip", Content_Encoding="gzip").status_code == 400


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
def test_the_number_of_spans_is_bounded_since_a_small_body_can_hold_very_many(content_type: str) -> None:
    receiver = Receiver(max_spans=2)
    few, many = ((request_of(*spans) if content_type == JSON else binary(*spans)) for spans in ([span(1), span(2)], [span(1), span(2), span(3)]))
    answer = receiver.post(many, content_type)

    assert (answer.status_code, message_of(answer)) == (413, "more than 2 spans in one request: send them in several")
    assert receiver.taken == []
    assert receiver.post(few, content_type).status_code == 200


def test_a_receiver_that_is_busy_or_cannot_store_asks_to_be_tried_again() -> None:
    receiver = Receiver(requests_per_minute=2)
    receiver.broken = 1
    answers = [receiver.post(binary(span(1)), PROTOBUF) for _ in range(3)]

    assert [(answer.status_code, answer.headers.get("Retry-After")) for answer in answers] == [(503, "30"), (200, None), (429, "30")]
    assert "disk" not in message_of(answers[0])


def test_two_sources_cannot_share_a_secret() -> None:
    sources = [Receiver(name=name).source for name in ("one", "two")]
    with pytest.raises(ConfigurationError, match="same secret"):
        otlp_blueprint(sources, lambda *_: None, lambda: 0, judge=standing_of(COMPANY, Plain()), held=lambda *_: {})


@contextmanager
def sdk(url: str, compression: Compression = Compression.NoCompression, certificate: Path | None = None, token: str = SECRET) -> Iterator[TracerProvider]:
    """The OpenTelemetry SDK as agents' runtimes use it: spans in batches to an OTLP exporter."""
    exporter = OTLPSpanExporter(
        f"{url}/v1/traces",
        headers={"Authorization": f"Bearer {token}"},
        compression=compression,
        certificate_file=str(certificate) if certificate else None,
        timeout=5,
    )
    provider = TracerProvider(resource=Resource({"service.name": "refund-runtime", "service.version": "v7"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider
        provider.force_flush()
    finally:
        provider.shutdown()


@contextmanager
def listening(receiver: Receiver, web_config: Path | None = None) -> Iterator[str]:
    listener = Listener(receiver.app, "127.0.0.1:0", web_config=web_config, open_to=("/v1/traces",)).start()
    try:
        yield listener.url
    finally:
        listener.close()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_what_the_real_sdk_exports_becomes_events(receiver: Receiver, compression: Compression) -> None:
    with listening(receiver) as url, sdk(url, compression) as provider:
        tracer = provider.get_tracer("refunds")
        with tracer.start_as_current_span("invoke_agent refunds", attributes={"gen_ai.operation.name": "invoke_agent"}) as run:
            run.add_event("proposal", {"rollout_metrics.case_id": 4712, "rollout_metrics.activity": "recommended", "rollout_metrics.action": "refund"})
            run.add_event("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "regression", "gen_ai.evaluation.score.label": "pass"})
            tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "issue_refund", "rollout_metrics.case_id": "4712"}
            with tracer.start_as_current_span("execute_tool issue_refund", attributes={**tool, "rollout_metrics.value": 12.5}):
                pass
            with tracer.start_as_current_span("execute_tool issue_refund", attributes={**tool, "error.type": "limit_exceeded"}) as refused:
                refused.set_status(SpanStatus(StatusCode.ERROR))
            with tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat", "gen_ai.input.messages": "a customer's words"}):
                pass

    activities = {event.activity: event for event in receiver.events}
    trace = f"{run.get_span_context().trace_id:032x}"
    assert set(activities) == {Activity.RECOMMENDED, Activity.EXECUTED, Activity.BLOCKED, Activity.EVALUATED}
    assert {event.case_id for event in receiver.events} == {"4712", f"evaluation:{trace}/{run.get_span_context().span_id:016x}/002"}
    assert all(event.event_id.startswith(trace) and event.detail["version"] == "v7" for event in receiver.events)
    assert activities[Activity.EXECUTED].detail["value"] == "12.5"
    assert activities[Activity.BLOCKED].detail["reason"] == "limit_exceeded"
    assert sum(spans[Outcome.PASSED_OVER] for _, _, spans in receiver.taken) == 1
    assert "a customer's words" not in repr(receiver.taken)


def test_the_real_sdk_sends_again_what_could_not_be_stored_and_nothing_is_doubled(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollout_metrics.web.doors.RETRY_SECONDS", 0)
    receiver.broken = 2
    with listening(receiver) as url, sdk(url) as provider, provider.get_tracer("x").start_as_current_span("call") as call:
        call.set_attributes({"rollout_metrics.case_id": "1", "rollout_metrics.activity": "recommended", "rollout_metrics.action": "refund"})

    assert receiver.broken == 0
    assert len(receiver.events) == 1


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A listener's web configuration with TLS and a password for people."""
    folder = tmp_path_factory.mktemp("tls")
    made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem", "-out", "cert.pem")
    named = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
    subprocess.run([*made, *named], cwd=folder, check=True, capture_output=True)
    file = folder / "web.yaml"
    hashed = bcrypt.hashpw(b"password", bcrypt.gensalt(4)).decode()
    file.write_text(f"tls_server_config: {{cert_file: cert.pem, key_file: key.pem}}\nbasic_auth_users: {{ada: '{hashed}'}}\n")
    return file


@pytest.mark.parametrize("token", [SECRET, "wrong"])
def test_the_real_sdk_gets_through_tls_with_its_token_alone(
    receiver: Receiver, token: str, secured: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)  # requests would prefer it to the exporter's certificate
    caplog.set_level(logging.ERROR, "opentelemetry")
    with listening(receiver, secured) as url:
        assert url.startswith("https://")
        with sdk(url, certificate=secured.parent / "cert.pem", token=token) as provider, provider.get_tracer("x").start_as_current_span("call") as call:
            call.set_attributes({"rollout_metrics.case_id": "1", "rollout_metrics.activity": "recommended", "rollout_metrics.action": "refund"})

    assert len(receiver.events) == (token == SECRET)
    assert ("401" in caplog.text) == (token != SECRET)
