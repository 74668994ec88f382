"""The listener for people and senders: the pages, the push endpoint, the receiver of spans and the webhook of Alertmanager."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from flask import Flask

from rollout_metrics.collect.source import Coverage, Rejected
from rollout_metrics.collect.spans import Outcome
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import Instant
from rollout_metrics.web.alerts import AlertSource, alerts_blueprint
from rollout_metrics.web.bounds import Held, Judge
from rollout_metrics.web.changes import changes_blueprint
from rollout_metrics.web.desk import Desk
from rollout_metrics.web.doors import Receiving, Sender, doors_of
from rollout_metrics.web.evidence import evidence_blueprint
from rollout_metrics.web.otlp import SpanSource, otlp_blueprint
from rollout_metrics.web.pages import pages_blueprint
from rollout_metrics.web.push import PushSource, push_blueprint
from rollout_metrics.web.reviews import review_blueprint


class AcceptAll(Protocol):
    """Lands a source's events, what was not understood and how much of it came, notes when the request came, and counts what became of spans."""

    def __call__(
        self,
        source: str,
        events: list[Event],
        rejected: list[Rejected] = ...,
        coverage: list[Coverage] = ...,
        /,
        *,
        spans: Mapping[Outcome, int] | None = ...,
    ) -> object: ...


def web_app(
    sources: Sequence[PushSource],
    accept: AcceptAll,
    clock: Callable[[], Instant],
    *,
    judge: Judge,
    held: Held,
    desk: Desk,
    alerts: Sequence[AlertSource] = (),
    spans: Sequence[SpanSource] = (),
) -> Flask:
    """The application. Raises `ConfigurationError` where two tokens share a secret."""
    pushing: list[tuple[Receiving, Sender]] = [(source, token) for source in sources for token in source.tokens]
    doors_of([*pushing, *((source, token) for source in alerts for token in source.tokens), *((source, token) for source in spans for token in source.tokens)])
    app = Flask(__name__, static_folder=None, template_folder=None)
    app.register_blueprint(alerts_blueprint(alerts, accept, clock))
    app.register_blueprint(push_blueprint(sources, accept, clock, judge=judge, held=held))
    app.register_blueprint(otlp_blueprint(spans, accept, clock, judge=judge, held=held))
    app.register_blueprint(pages_blueprint(desk))
    app.register_blueprint(evidence_blueprint(desk))
    app.register_blueprint(changes_blueprint(desk))
    app.register_blueprint(review_blueprint(desk))

    @app.get("/healthz")
    def health() -> tuple[str, int, dict[str, str]]:
        return "alive\n", 200, {"Content-Type": "text/plain; charset=utf-8"}

    return app
