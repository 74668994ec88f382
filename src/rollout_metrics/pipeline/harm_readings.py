"""Harm metrics from elsewhere, read while their deployments are watched, and kept with the instants at which they were read."""

import logging
from collections.abc import Callable, Iterator

import msgspec

from rollout_metrics.collect.harm_figures import of_expression, of_query
from rollout_metrics.collect.http import Api, Endpoint, bearer
from rollout_metrics.collect.queries import with_password
from rollout_metrics.config.load import Configuration
from rollout_metrics.derive.harm import Figure, crossings
from rollout_metrics.domain.changes import PRODUCTION, Change, HarmMetric
from rollout_metrics.domain.errors import ConfigurationError, RolloutMetricsError
from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.time import SECOND, Instant, floor_minute
from rollout_metrics.figures.situation import Readings
from rollout_metrics.publish.self_metrics import SelfMetrics
from rollout_metrics.store import Store

log = logging.getLogger(__name__)

LOCK = "harm readings"
_STORED = msgspec.json.Decoder(list[tuple[Instant, int, int, float | None]])


def readings(store: Store, workflow: Workflow) -> Readings:
    """All that was read for a workflow's deployments."""
    return {(change.id, metric.known_as): _read(store, workflow, change, metric) for change, metric in _elsewhere(workflow)}


class HarmReader:
    """Reads what is due; what cannot be read is said, counted, and tried again the next time."""

    def __init__(self, configuration: Configuration, store: Store, clock: Callable[[], Instant], metrics: SelfMetrics) -> None:
        self._options = configuration.settings.harm
        self._store = store
        self._clock = clock
        self._metrics = metrics

    def read_due(self, company: Company) -> list[str]:
        """Read every metric whose last reading is old enough; what went wrong, one sentence each."""
        problems: list[str] = []
        with self._store.lock(LOCK) as mine:
            if not mine:
                return []
            for workflow in company.workflows:
                for change, metric in _elsewhere(workflow):
                    problems += self._read(workflow, change, metric)
                unread = sum(self._unread(workflow, change, metric) for change, metric in _elsewhere(workflow))
                self._metrics.set("harm_metrics_unread", unread, workflow=workflow.name)
        return problems

    def _unread(self, workflow: Workflow, change: Change, metric: HarmMetric) -> bool:
        """Whether nobody knows what a watched metric is now."""
        now, known = self._clock(), _read(self._store, workflow, change, metric)
        last = known[-1].at if known else change.deployed_at
        return last is not None and _watched(workflow, change, metric, known, floor_minute(now)) and now - last >= 2 * self._options.every

    def _read(self, workflow: Workflow, change: Change, metric: HarmMetric) -> list[str]:
        now, known = floor_minute(self._clock()), _read(self._store, workflow, change, metric)
        if not _watched(workflow, change, metric, known, now) or (known and now < known[-1].at + self._options.every):
            return []
        try:
            figure = self._figure(change, metric, now)
        except RolloutMetricsError as error:
            said = f"harm metric {metric.known_as} of {change.id} could not be read: {error}"
            log.warning(
                "harm metric not read", extra={"fields": {"workflow": workflow.name, "change": change.id, "metric": metric.known_as, "error": str(error)}}
            )
            self._metrics.add("harm_readings_total", 1, outcome="failed")
            return [said]
        rows = [(item.at, item.count, item.total, item.value) for item in (*known, figure)]
        self._store.set_meta(_key(workflow, change, metric), msgspec.json.encode(rows).decode())
        self._metrics.add("harm_readings_total", 1, outcome="read")
        return []

    def _figure(self, change: Change, metric: HarmMetric, at: Instant) -> Figure:
        deployed_at = change.deployed_at or at
        if metric.sql is not None:
            return of_query(self._url(metric.database or ""), metric.sql, deployed_at=deployed_at, at=at, timeout=self._options.timeout)
        options = self._options.prometheus
        if options is None:
            raise ConfigurationError("no Prometheus is configured: name it in harm.prometheus")
        endpoint = Endpoint(
            base_url=options.url,
            authorization=None if options.token is None else bearer(options.token),
            ca_file=None if options.ca_file is None else str(options.ca_file),
            read_timeout=self._options.timeout / SECOND,
            attempts=2,
        )
        api = Api(endpoint)
        try:
            return of_expression(api, metric.promql or "", deployed_at=deployed_at, at=at)
        finally:
            api.close()

    def _url(self, database: str) -> str:
        if "://" in database:
            return database
        options = self._options.databases.get(database)
        if options is None:
            known = ", ".join(sorted(self._options.databases)) or "none"
            raise ConfigurationError(f"there is no database {database!r} in harm.databases: known are {known}")
        return with_password(options.url, None if options.password is None else options.password.get_secret_value())


def _elsewhere(workflow: Workflow) -> Iterator[tuple[Change, HarmMetric]]:
    for change in workflow.changes:
        if change.deployed_at is not None and change.environment == PRODUCTION:
            for metric in change.harm.metrics:
                if metric.outside and metric.limited:
                    yield change, metric


def _watched(workflow: Workflow, change: Change, metric: HarmMetric, known: tuple[Figure, ...], now: Instant) -> bool:
    """While its deployment is, and on while it lies beyond its limit."""
    deployed_at = change.deployed_at
    if deployed_at is None or now <= deployed_at:
        return False
    end = deployed_at + (change.harm.window or workflow.observation_window)
    return now <= end or any(crossing.ended_at is None for crossing in crossings(metric, known, deployed_at, end))


def _read(store: Store, workflow: Workflow, change: Change, metric: HarmMetric) -> tuple[Figure, ...]:
    stored = store.meta(_key(workflow, change, metric))
    return () if stored is None else tuple(Figure(*row) for row in _STORED.decode(stored))


def _key(workflow: Workflow, change: Change, metric: HarmMetric) -> str:
    return f"harm:{workflow.name}:{change.id}:{metric.known_as}"
