"""What commands have in common: the configuration they were given, the store and pipeline they open, the log."""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from rollout_metrics.catalog import DEFINITIONS
from rollout_metrics.cli.talk import say
from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Source
from rollout_metrics.config.load import Configuration, load
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import Instant
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.publish.self_metrics import SelfMetrics
from rollout_metrics.publish.snapshot import Board
from rollout_metrics.store import Store, open_store

DEFAULT_CONFIG = "rollout-metrics.yaml"


def clock() -> Instant:
    """Now, in microseconds."""
    return time.time_ns() // 1000


def read_configuration(file: Path) -> Configuration:
    """Load the configuration and say its warnings. Raises `ConfigurationError`."""
    if not file.exists():
        raise ConfigurationError(f"{file}: there is no such file: name yours with --config, or start from rollout-metrics.example.yaml")
    configuration = load(file, os.environ)
    for warning in configuration.warnings:
        say(f"warning: {warning}")
    set_up_log(configuration)
    return configuration


def set_up_log(configuration: Configuration) -> None:
    """Log to stderr as configured."""
    options = configuration.settings.log
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if options.format == "json" else _Logfmt())
    root = logging.getLogger("rollout_metrics")
    root.handlers[:] = [handler]
    root.setLevel(options.level.upper())
    root.propagate = False
    for library in ("waitress", "apscheduler"):  # what they warn of (a queue, a run that was skipped) our figures show
        theirs = logging.getLogger(library)
        theirs.handlers[:] = [handler]
        theirs.setLevel(logging.ERROR)
        theirs.propagate = False


def database_url(configuration: Configuration) -> str:
    """The store's URL with its password, if that is in a file of its own. Raises `ConfigurationError`."""
    options = configuration.settings.store
    if options.password_file is None:
        return options.url
    try:
        password = options.password_file.read_text(encoding="utf-8").strip()
        return make_url(options.url).set(password=password).render_as_string(hide_password=False)
    except OSError as error:
        raise ConfigurationError(
            f"store.password_file: {options.password_file} cannot be read ({error.strerror}): check the path and its permissions"
        ) from None
    except ArgumentError:
        raise ConfigurationError("store.url: is no database URL such as sqlite:///rollout-metrics.db or postgresql://user@host/database") from None


@contextmanager
def opened_store(configuration: Configuration) -> Iterator[Store]:
    """The configured store, closed afterwards."""
    store = open_store(database_url(configuration), clock=clock, migrate=configuration.settings.store.migrate)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def opened(configuration: Configuration) -> Iterator[Pipeline]:
    """A pipeline on the configured store."""
    with opened_store(configuration) as store:
        yield new_pipeline(configuration, store, Board())


def new_pipeline(configuration: Configuration, store: Store, board: Board, metrics: SelfMetrics | None = None) -> Pipeline:
    """A pipeline on an open store, publishing on a board."""
    return Pipeline(configuration, store, clock, board, metrics or SelfMetrics(str(DEFINITIONS)))


def connection(source: Source) -> Api | None:
    """A connection of its own to a source, for a trial."""
    endpoint = source.endpoint()
    return None if endpoint is None else Api(msgspec.structs.replace(endpoint, then="check the address and the network, then try again"))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
    fields = {"time": at, "level": record.levelname.lower(), "msg": record.getMessage(), **getattr(record, "fields", {})}
    if record.exc_info:
        fields["trace"] = logging.Formatter().formatException(record.exc_info)
    return fields


class _Logfmt(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{name}={self._quoted(str(value))}" for name, value in _fields(record).items())

    @staticmethod
    def _quoted(text: str) -> str:
        return json.dumps(text, ensure_ascii=False) if not text or any(c in text for c in ' "=\n\t') else text


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_fields(record), ensure_ascii=False, default=str)
