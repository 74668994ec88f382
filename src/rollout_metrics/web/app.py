"""The listener for people and senders: the pages, and the push endpoint."""

from collections.abc import Callable, Iterable

from flask import Flask

from rollout_metrics.domain.time import Instant
from rollout_metrics.web.desk import Desk
from rollout_metrics.web.evidence import evidence_blueprint
from rollout_metrics.web.pages import pages_blueprint
from rollout_metrics.web.push import Accept, Held, Judge, PushSource, push_blueprint


def web_app(sources: Iterable[PushSource], accept: Accept, clock: Callable[[], Instant], *, judge: Judge, held: Held, desk: Desk) -> Flask:
    """The application. Raises `ConfigurationError` where two tokens share a secret."""
    app = Flask(__name__, static_folder=None, template_folder=None)
    app.register_blueprint(push_blueprint(sources, accept, clock, judge=judge, held=held))
    app.register_blueprint(pages_blueprint(desk))
    app.register_blueprint(evidence_blueprint(desk))

    @app.get("/healthz")
    def health() -> tuple[str, int, dict[str, str]]:
        return "alive\n", 200, {"Content-Type": "text/plain; charset=utf-8"}

    return app
