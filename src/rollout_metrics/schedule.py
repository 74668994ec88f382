"""Passes on a timetable: a job per source, one that refreshes the figures; no overlap, missed runs made up once, a graceful stop."""

import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from rollout_metrics.collect.source import Source
from rollout_metrics.domain.time import MINUTE, SECOND, Span
from rollout_metrics.pipeline import Pipeline

REFRESH_EVERY: Span = MINUTE
READ_HARM_EVERY: Span = 5 * MINUTE
"""How often is looked whether a harm metric is due to be read."""
RETENTION_CRON = "17 3 * * *"


class Schedule:
    """Runs a pipeline until it is told to stop; `reload` is called on SIGHUP and returns the pipeline to go on with."""

    def __init__(self, pipeline: Pipeline, *, grace: Span, reload: Callable[[], Pipeline] | None = None) -> None:
        self._pipeline = pipeline
        self._grace = grace
        self._reload = reload
        self._wake = threading.Event()
        self._signals: list[int] = []
        self._scheduler = self._made()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; SIGHUP reads the configuration again.

        Returns within the grace period, or ends the process: a killed sweep loses nothing.
        """
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        self._scheduler.start()
        try:
            while True:
                self._wake.wait()
                self._wake.clear()
                while self._signals:
                    if self._signals.pop(0) != signal.SIGHUP:
                        return
                    self._reread()
        finally:
            self._stop()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)
        self._wake.set()

    def _reread(self) -> None:
        """Go on with the new configuration, or with the old one where the new one is not usable (`reload` reports why)."""
        if self._reload is None:
            return
        pipeline = self._reload()
        if pipeline is self._pipeline:
            return
        self._shut_down()
        self._pipeline = pipeline
        self._scheduler = self._made()
        self._scheduler.start()

    def _stop(self) -> None:
        if not self._shut_down():
            os._exit(0)  # a sweep hangs in the network; what it had read is committed

    def _shut_down(self) -> bool:
        """End all jobs; whether they ended within the grace period."""
        self._pipeline.stop()
        ended = threading.Thread(target=self._scheduler.shutdown, daemon=True)
        ended.start()
        ended.join(self._grace / SECOND)
        return not ended.is_alive()

    def _made(self) -> BackgroundScheduler:
        pipeline = self._pipeline
        pulled = [source for source in pipeline.sources.values() if source.pulled]
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(len(pulled) + 3)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        soon = datetime.now(UTC)
        for source in pulled:
            scheduler.add_job(pipeline.collect, timetable(source), [source.name], id=f"sweep {source.name}", next_run_time=soon)
        refresh = IntervalTrigger(seconds=REFRESH_EVERY // SECOND, timezone=UTC)
        scheduler.add_job(pipeline.refresh, refresh, id="refresh", next_run_time=soon)
        scheduler.add_job(pipeline.read_harm, IntervalTrigger(seconds=READ_HARM_EVERY // SECOND, timezone=UTC), id="harm", next_run_time=soon)
        scheduler.add_job(pipeline.retain, CronTrigger.from_crontab(RETENTION_CRON, timezone=UTC), id="retention")
        return scheduler


def timetable(source: Source) -> BaseTrigger:
    """When a source is swept: its cron expression, else its interval, both with jitter."""
    jitter = source.jitter // SECOND or None
    if source.cron is not None:
        fields: dict[str, Any] = dict(zip(("minute", "hour", "day", "month", "day_of_week"), source.cron.split(), strict=True))
        return CronTrigger(**fields, timezone=UTC, jitter=jitter)
    return IntervalTrigger(seconds=max(1, source.every // SECOND), timezone=UTC, jitter=jitter)
