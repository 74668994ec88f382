"""From the spans of an agent's runtime to figures: the receiver before a real pipeline, and Langfuse read by one."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from builders import T0, ev
from documents import blocks
from pipeline.worlds import Desk, Place, configured, desk, settings, values
from rollout_metrics.domain.time import HOUR, MINUTE, Instant, format_instant
from rollout_metrics.sources.otlp import Otlp
from rollout_metrics.web.bounds import standing_of
from rollout_metrics.web.otlp import otlp_blueprint
from sources.server import Reply, Request, serving

SECRET = "runtime-secret-0001"
TRACES = {
    "kind": "otlp",
    "case_source": "desk",
    "tokens": [{"name": "sdk", "secret": "${KEY}", "workflows": ["w"]}],
    "tools": {"issue_refund": "refund"},
    "refusals": ["limit_exceeded"],
    "evaluations": {"regression": {"labels": ["pass"]}},
}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "issue_refund"}
PROPOSAL = {"rollout_metrics.activity": "recommended", "rollout_metrics.action": "set:priority", "rollout_metrics.value": "high"}


class Spans(SpanExporter):
    """Collects what the SDK hands over."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def export(self, spans: Any) -> SpanExportResult:
        self.ended += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def runtime() -> Any:
    """Makes spans that end at an instant."""
    spans, provider = Spans(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))

    def span(at: Instant, event: tuple[str, dict[str, Any]] | None = None, case: str | None = "1", **attributes: Any) -> None:
        told = {name.replace("__", "."): value for name, value in attributes.items()} | ({"rollout_metrics.case_id": case} if case else {})
        made = provider.get_tracer("agent").start_span("span", attributes={"gen_ai.agent.name": "bot", "gen_ai.agent.version": "v7", **told})
        if event is not None:
            made.add_event(*event, timestamp=at * 1000)
        made.end(at * 1000)

    span.ended = spans.ended  # type: ignore[attr-defined]
    return span


def send(place: Desk, ended: list[ReadableSpan]) -> None:
    pipeline = place.pipeline
    app = Flask("test")
    sources = [source for source in pipeline.sources.values() if isinstance(source, Otlp)]
    judge = standing_of(pipeline.company, pipeline.pseudonyms)
    app.register_blueprint(otlp_blueprint(sources, pipeline.accept, lambda: place.now, judge=judge, held=place.store.held))
    headers = {"Authorization": "Bearer a key of thirty-two characters !!", "Content-Type": "application/x-protobuf"}
    answer = app.test_client().post("/v1/traces", data=encode_spans(ended).SerializeToString(), headers=headers)
    assert answer.status_code == 200


def test_spans_become_figures_whatever_their_order_and_however_often_they_come(sqlite_place: Place, tmp_path: Path, runtime: Any) -> None:
    options = settings(privacy={"min_operators": 1, "key": "${KEY}"})
    options["sources"]["traces"] = TRACES
    options["workflows"][0]["sources"].append("traces")
    options["workflows"][0]["block_reasons"] = ["limit_exceeded"]
    runtime(T0 + HOUR, ("proposal", PROPOSAL), gen_ai__operation__name="invoke_agent")
    runtime(T0 + 2 * HOUR, **{**TOOL, "error.type": "limit_exceeded"})
    runtime(
        T0 + 2 * HOUR + 5 * MINUTE,
        case=None,
        event=("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "regression", "gen_ai.evaluation.score.label": "no"}),
    )
    runtime(T0 + HOUR, case=None, **TOOL)
    runtime(T0 + HOUR, gen_ai__operation__name="chat")
    runtime(T0 + HOUR, rollout_metrics__activity="no such")
    with desk(configured(options, tmp_path), sqlite_place, T0 + 5 * HOUR) as made:
        made.land(
            [
                ev(0, "customer-1", "created", attributes={"team": "a", "priority": "low"}),
                ev("90m", "op-1", "changed", "priority", "high", before="low"),
            ]
        )
        for _ in range(2):
            send(made, runtime.ended[::-1])
        made.figures_at(T0 + 5 * HOUR)
        found = values(made.families(), workflow="w", window="1d")
        coverage = values(made.families(), workflow="w")
        told = values(made.metrics.families(), source="traces")
        (aside,) = made.store.quarantined("traces")

    assert found["decisions{how=applied,mode=live,outcome=accepted}"] == 1
    assert found["blocked_actions{reason=limit_exceeded}"] == 1
    assert found["evaluations{passed=false}"] == 1
    assert coverage["coverage_ratio{kind=linked}"] == 1  # what is about no case lacks none
    assert {key: value for key, value in told.items() if key.startswith("source_spans_total")} == {
        "source_spans_total{outcome=mapped}": 6,
        "source_spans_total{outcome=without_case}": 2,
        "source_spans_total{outcome=passed_over}": 2,
        "source_spans_total{outcome=rejected}": 2,
    }
    assert told["source_quarantined_total{reason=format}"] == 2
    assert aside.message.startswith("rollout_metrics.activity: 'no such' is none of")


def test_the_collector_of_the_document_sends_to_the_receivers_path_with_the_token() -> None:
    (text,) = [block.text for block in blocks(Path(__file__).parents[2] / "docs/sources/otlp.md") if "otlphttp/rollout:" in block.text]
    collector = yaml.safe_load(text)
    exporter = collector["exporters"]["otlphttp/rollout"]

    assert exporter["traces_endpoint"].endswith(":10878/v1/traces")
    assert exporter["compression"] == "gzip"
    assert exporter["headers"] == {"Authorization": "Bearer ${env:OTLP_TOKEN}"}
    assert all("otlphttp/rollout" in pipeline["exporters"] for pipeline in collector["service"]["pipelines"].values())


def test_approvals_and_feedback_given_in_langfuse_become_figures(sqlite_place: Place, tmp_path: Path) -> None:
    case = {"rollout_metrics.case_id": "1"}
    asked = {**case, "rollout_metrics.activity": "approval_requested", "rollout_metrics.action": "refund", "gen_ai.agent.name": "bot"}
    at, later = format_instant(T0 + HOUR), format_instant(T0 + 2 * HOUR)
    observation = {"id": "o1", "traceId": "t1", "type": "SPAN", "startTime": at, "endTime": at, "metadata": asked}
    fixed = {"timestamp": later, "traceId": "t1", "dataType": "BOOLEAN", "value": 1, "stringValue": "True"}
    scores = [
        {**fixed, "id": "s1", "name": "approve", "source": "ANNOTATION", "observationId": "o1", "authorUserId": "op-1"},
        {**fixed, "id": "s2", "name": "thumbs", "source": "API", "value": 0, "stringValue": "False"},
    ]

    def answer(request: Request) -> Reply:
        if "/traces/" in request.path:
            return Reply({"id": "t1", "name": "bot", "userId": "customer-1", "metadata": case})
        if request.path.endswith("scores"):
            return Reply({"data": scores, "meta": {"totalItems": 2, "totalPages": 1}})
        return Reply({"data": [observation], "meta": {}})

    options = settings(privacy={"min_operators": 1, "key": "${KEY}"})
    options["workflows"][0]["sources"].append("langfuse")
    with serving(answer) as server:
        judged = {"approvals": {"approve": {"labels": ["True"]}}, "ratings": {"thumbs": {"at_least": 1}}}
        keys = {"kind": "langfuse", "base_url": server.url, "public_key": "pk-lf-1", "token": "${KEY}", "depth": "1d"}
        options["sources"]["langfuse"] = {**keys, "case_source": "desk", **judged}
        with desk(configured(options, tmp_path), sqlite_place, T0 + 12 * HOUR) as made:
            made.land([ev(0, "customer-1", "created", attributes={"team": "a"})])
            assert made.pipeline.sweep("langfuse").error is None
            made.figures_at(T0 + 12 * HOUR)
            found = values(made.families(), workflow="w", window="1d")

    assert found["decisions{how=approved,mode=live,outcome=accepted}"] == 1
    assert found["complaint_cohort_cases"] == 1
