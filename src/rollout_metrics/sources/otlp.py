"""Spans of agents' runtimes by OTLP: what their attributes say of cases. The endpoint itself is `web.otlp`."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from rollout_metrics.collect.received import Bounded
from rollout_metrics.collect.runtimes import Runtime
from rollout_metrics.collect.source import Page, Rejected
from rollout_metrics.domain.events import Event


class Otlp(Bounded, Runtime):
    """Spans of agents' runtimes by OpenTelemetry's protocol (OTLP/HTTP), sent to `POST /v1/traces` in protobuf or JSON.

    A span may name the case's source itself, by `rollout_metrics.case_source`; tools are told by `gen_ai.tool.name`, evaluations by `gen_ai.evaluation.name`.
    """

    kind: ClassVar[str] = "otlp"

    max_spans: Annotated[int, Field(gt=0)] = 50_000
    """Most spans in one request."""

    def events(self, page: Page) -> Iterator[Event | Rejected]:
        """What the spans of a request say."""
        for span in page.body:
            yield from self.read_span(span, page.where).records()

    def page_of(self, payload: bytes, where: str) -> Page:
        """Nothing: what is set aside is what was wrong with spans, not the spans, since what a sender may say is judged only when it sends."""
        return Page((), where)
