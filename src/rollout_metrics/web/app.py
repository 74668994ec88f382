"""The listener for people and senders: for now the push endpoint and a page that says so."""

from collections.abc import Callable, Iterable

from flask import Flask

from rollout_metrics.domain.time import Instant
from rollout_metrics.web.push import Accept, Held, Judge, PushSource, push_blueprint


def web_app(sources: Iterable[PushSource], accept: Accept, clock: Callable[[], Instant], *, judge: Judge, held: Held) -> Flask:
    """The application. Raises `ConfigurationError` where two tokens share a secret."""
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(push_blueprint(sources, accept, clock, judge=judge, held=held))

    @app.get("/")
    def landing() -> tuple[str, int, dict[str, str]]:
        text = "rollout-metrics: send events to POST /api/v1/events and heartbeats to POST /api/v1/heartbeat, with a bearer token\n"
        return text, 200, {"Content-Type": "text/plain; charset=utf-8"}

    @app.get("/healthz")
    def health() -> tuple[str, int, dict[str, str]]:
        return "alive\n", 200, {"Content-Type": "text/plain; charset=utf-8"}

    return app
