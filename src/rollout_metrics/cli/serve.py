"""The long-running command: listeners, schedule, reload and a clean stop."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from flask import Flask

from rollout_metrics.catalog import DEFINITIONS
from rollout_metrics.cli.session import clock, database_url, new_pipeline, opened_store
from rollout_metrics.cli.talk import say
from rollout_metrics.config.load import Configuration
from rollout_metrics.config.privacy import terms
from rollout_metrics.domain.errors import ConfigurationError, RolloutMetricsError
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.pipeline.evidence import explain
from rollout_metrics.pipeline.signing import Cabinet
from rollout_metrics.publish.app import Environ, StartResponse, metrics_app
from rollout_metrics.publish.listener import Listener
from rollout_metrics.publish.self_metrics import SelfMetrics
from rollout_metrics.publish.snapshot import Board
from rollout_metrics.schedule import Schedule
from rollout_metrics.sources.alertmanager import Alertmanager
from rollout_metrics.sources.otlp import Otlp
from rollout_metrics.sources.push import Push
from rollout_metrics.web.app import web_app
from rollout_metrics.web.bounds import standing_of
from rollout_metrics.web.desk import Desk

log = logging.getLogger(__name__)

SWITCH_SECONDS = 0.0005
"""How long one thread may keep the interpreter: short, so that a pass does not keep scrapes waiting."""


class Service:
    """A pipeline with its listeners, and what a reload exchanges."""

    def __init__(self, configuration: Configuration, pipeline: Pipeline, board: Board) -> None:
        self.configuration = configuration
        self.pipeline = pipeline
        self.pages = ""
        """The URL of the pages, once they are served."""
        self._board = board
        self._web = _web(configuration, pipeline)

    def web(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """The application of the listener for people and senders, as the configuration is now."""
        return self._web(environ, start_response)

    def reload(self, read: Callable[[], Configuration]) -> Pipeline:
        """A pipeline of the configuration as it is now; the running one, with a report, where that is not usable."""
        try:
            configuration = read()
            settings, running = configuration.settings, self.configuration.settings
            if database_url(configuration) != database_url(self.configuration) or settings.listen != running.listen:
                log.warning("store and listen take effect at the next start only")
            pipeline = new_pipeline(configuration, self.pipeline.store, self._board, self.pipeline.metrics)
            web = _web(configuration, pipeline)
        except RolloutMetricsError as error:
            for problem in str(error).splitlines():
                log.error("configuration not taken over", extra={"fields": {"problem": problem}})
            return self.pipeline
        log.info("configuration taken over", extra={"fields": {"sources": len(configuration.sources), "workflows": len(settings.workflows)}})
        self.configuration, self.pipeline, self._web = configuration, pipeline, web
        return pipeline


def _web(configuration: Configuration, pipeline: Pipeline) -> Flask:
    configured = pipeline.sources.values()
    sources = [source for source in configured if isinstance(source, Push)]
    alerts = [source for source in configured if isinstance(source, Alertmanager)]
    spans = [source for source in configured if isinstance(source, Otlp)]
    settings = configuration.settings
    desk = Desk(
        pipeline.board, pipeline.company, settings.web, partial(explain, pipeline), lambda: pipeline.configuration.records, terms(settings), Cabinet(pipeline)
    )
    judge, held = standing_of(pipeline.company, pipeline.pseudonyms), pipeline.store.held
    return web_app(sources, pipeline.accept, clock, judge=judge, held=held, desk=desk, alerts=alerts, spans=spans)


@contextmanager
def serving(configuration: Configuration) -> Iterator[tuple[Service, str]]:
    """A pipeline whose figures are served; yields it with the URL of the metrics listener."""
    sys.setswitchinterval(SWITCH_SECONDS)
    listen = configuration.settings.listen
    board = Board()
    with opened_store(configuration) as store:
        pipeline = new_pipeline(configuration, store, board, SelfMetrics(str(DEFINITIONS)))
        service = Service(configuration, pipeline, board)
        listeners = [
            Listener(metrics_app(board, pages_url=configuration.settings.alerts.pages_url), listen.metrics, web_config=listen.metrics_web_config).start()
        ]
        try:
            listeners.append(Listener(service.web, listen.web, web_config=listen.web_web_config, open_to=("/api/v1/", "/v1/traces")).start())
            service.pages = listeners[1].url
            yield service, listeners[0].url
        finally:
            for listener in listeners:
                listener.close()


def run(read: Callable[[], Configuration]) -> None:
    """Collect on schedule and serve until stopped."""
    configuration = read()
    if not configuration.sources:
        raise ConfigurationError("there are no sources: add at least one under `sources`")
    with serving(configuration) as (service, url):
        feeding = f"{len(configuration.sources)} sources for {len(configuration.settings.workflows)} workflows"
        say(f"pages at {service.pages}/, figures at {url}/metrics, from {feeding}")
        Schedule(service.pipeline, grace=configuration.settings.schedule.grace, reload=lambda: service.reload(read)).run()
    say("stopped; everything read so far is kept")
