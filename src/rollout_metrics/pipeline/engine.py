"""The pipeline: one source's sweep at a time, one refresh at a time, and whatever goes wrong said where people look."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import Any

import msgspec

from rollout_metrics.catalog import DEFINITIONS, TALLIES, Family
from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Coverage, Rejected, Source
from rollout_metrics.collect.spans import Outcome
from rollout_metrics.collect.sweep import Sweep, run
from rollout_metrics.config.load import Configuration
from rollout_metrics.derive.delivery import Known
from rollout_metrics.derive.gates import Assessment
from rollout_metrics.domain.errors import RolloutMetricsError, StorageError
from rollout_metrics.domain.events import CaseKey, Event
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import SECOND, Instant, format_instant
from rollout_metrics.overview import Picture
from rollout_metrics.pipeline.coverage import COVERAGE, UNDERIVABLE, added, coverage_of, covered
from rollout_metrics.pipeline.deriving import derive_due
from rollout_metrics.pipeline.freezing import freeze
from rollout_metrics.pipeline.freshness import Reading, as_of_all, readings_of, stale_sources
from rollout_metrics.pipeline.garbage import collect_young
from rollout_metrics.pipeline.harm_readings import HarmReader
from rollout_metrics.pipeline.landing import Landing
from rollout_metrics.pipeline.reach import source_states
from rollout_metrics.pipeline.retrying import retry
from rollout_metrics.pipeline.state import Figures
from rollout_metrics.pipeline.telling import sent, swept
from rollout_metrics.pipeline.turns import Turns
from rollout_metrics.publish.exposition import Renderer
from rollout_metrics.publish.self_metrics import SelfMetrics
from rollout_metrics.publish.snapshot import Board, Snapshot, take
from rollout_metrics.store import Saved, Store

log = logging.getLogger(__name__)

Watch = Callable[[str, float, float | None, str], None]
"""Progress of long work: what, how far, of how much (None: nobody knows), and in words."""


class Stopped(Exception):  # noqa: N818  (no mishap: somebody asked for it)
    """The pipeline was told to stop in the middle of a sweep; what was read is committed."""


class Collected(msgspec.Struct, frozen=True):
    """How one sweep ended. `error`: one sentence, None where it succeeded; `busy`: another process sweeps this source."""

    source: str
    sweep: Sweep
    error: str | None = None
    busy: bool = False


def silent(_name: str, _done: float, _of: float | None, _note: str = "") -> None:
    """Nobody watches."""


class Pipeline:
    """Sources, store, figures and the board they are published on, under one configuration."""

    def __init__(self, configuration: Configuration, store: Store, clock: Callable[[], Instant], board: Board, metrics: SelfMetrics) -> None:
        self._written = configuration
        self._held = store.change_readings()
        self.configuration, self.change_problems = configuration.with_changes_of(self._held)
        """The configuration with the change records that sources hold, and what is wrong with those."""
        self.sources: dict[str, Source] = configuration.sources
        self.store = store
        self.board = board
        self.metrics = metrics
        self.clock = clock
        self.pseudonyms = configuration.pseudonyms(_key(configuration, store))
        self.company: Company = configuration.company(self.pseudonyms)
        self._apis: dict[str, Api] = {}
        self._renderer = Renderer()
        self._figures = Figures(self.company)
        self.assessments: dict[str, Assessment] = {}
        """Each workflow's gates as of the last figures."""
        self._refreshing = threading.Lock()
        self._stopping = threading.Event()
        self._turns = Turns(store, self._pause)
        self._harm = HarmReader(configuration, store, clock, metrics)
        store.configure(self.company)
        self._adopt()

    def collect(self, name: str, *, since: Instant | None = None, watch: Watch = silent) -> Collected:
        """Sweep one source and refresh the figures."""
        started = time.monotonic()
        collected = self.sweep(name, since=since, watch=watch)
        if not self._stopping.is_set():
            self.refresh(watch=watch, started=started)
        return collected

    def sweep(self, name: str, *, since: Instant | None = None, watch: Watch = silent) -> Collected:
        """Sweep one source. One that fails is reported, and stops nobody else."""
        try:
            with self.store.lock(name) as mine:
                return self._sweep(name, since, watch) if mine else Collected(name, Sweep(), busy=True)
        except StorageError as error:
            self.board.unready(str(error))
            log.error("sweep failed", extra={"fields": {"source": name, "error": str(error)}})
            return Collected(name, Sweep(), str(error))

    def _sweep(self, name: str, since: Instant | None, watch: Watch) -> Collected:
        source = self.sources[name]
        sweep = Sweep()
        error: Exception | None = None

        def seen(state: Sweep) -> None:
            watch(name, *_progress(source, state))
            if self._stopping.is_set():
                raise Stopped

        try:
            saved = self.store.progress(name)
            landing = Landing(self.store, name, self.pseudonyms, sweep, covered(saved))
            try:
                run(source, self._api(source), saved, self.clock, landing, since=since, roll=partial(self.store.living, name), sweep=sweep, watch=seen)
            finally:
                landing.commit()
        except Stopped:
            pass
        except RolloutMetricsError as problem:
            error = problem
            log.warning("sweep failed", extra={"fields": {"source": name, "error": str(problem), "kind": type(problem).__name__}})
        except Exception as problem:  # one source's defect must not stop the others
            error = problem
            log.exception("sweep broke", extra={"fields": {"source": name}})
        for part, missed in sweep.progress.missing.items():
            if not missed.given:
                log.warning("part refused", extra={"fields": {"source": name, "part": part, "error": missed.message, "since": format_instant(missed.since)}})
        watch(name, 1, 1, f"{sweep.events:,} events" if error is None else "failed")
        swept(self.metrics, self.store, name, sweep, error, now=self.clock())
        return Collected(name, sweep, None if error is None else f"{error}" or type(error).__name__)

    def accept(
        self,
        name: str,
        events: Sequence[Event],
        rejected: Sequence[Rejected] = (),
        coverage: Sequence[Coverage] = (),
        *,
        spans: Mapping[Outcome, int] | None = None,
    ) -> None:
        """Store what was pushed to a source, what of it was not understood, and how much of it came; with none of these, its heartbeat.

        `spans`: what became of how many, for sources that take them.
        """

        def heard(saved: Saved) -> dict[str, Any]:
            return {"heard_at": self.clock(), COVERAGE: reduce(added, ({part.kind: (part.covered, part.total)} for part in coverage), covered(saved))}

        self.store.land(name, self.pseudonyms.events(events), rejected, heard)
        sent(self.metrics, name, events, rejected, spans)

    def refresh(self, *, watch: Watch = silent, started: float | None = None) -> str | None:
        """Derive what is due, move the figures to each workflow's T, and publish one snapshot. Returns why that was not possible, None where it was."""
        begun = time.monotonic() if started is None else started
        with self._refreshing:
            try:
                readings = self.readings()
                families = self.families(readings, watch=watch)
            except StorageError as error:
                self.board.unready(str(error))
                log.error("refresh failed", extra={"fields": {"error": str(error)}})
                return str(error)
            except Stopped:
                return None
            except Exception as error:  # a defect: whoever called tells of it, and nobody takes the last picture for a current one
                self.board.unready(f"the figures could not be computed ({type(error).__name__}): see the log")
                raise
            if families is None:
                return None
            now = self.clock()
            self.metrics.set("pass_duration_seconds", time.monotonic() - begun)
            self.metrics.set("snapshot_timestamp_seconds", now / SECOND)
            self.board.hang(self._taken(families, readings, now), _unread(readings))
        collect_young()
        return None

    def picture(self, *, watch: Watch = silent) -> Picture | None:
        """What a refresh would publish, for those who show it themselves; None while a rebuild is not through."""
        readings = self.readings()
        families = self.families(readings, watch=watch)
        return None if families is None else self._taken(families, readings, self.clock()).picture

    def _taken(self, families: Sequence[Family], readings: Mapping[str, Reading], now: Instant) -> Snapshot:
        sources = source_states(self.store, self.sources, readings)
        return take([*families, *self.metrics.families()], now, self._renderer, sources=sources, trends=self._figures.trends())

    def families(self, readings: Mapping[str, Reading] | None = None, *, watch: Watch = silent) -> list[Family] | None:
        """Every figure as far as sources have been read; None while a rebuild is not through."""
        readings = self.readings() if readings is None else readings
        self._take_in_changes()
        as_of = as_of_all(self.company, readings)
        with self._turns.alone():
            self._derive(as_of, watch)
            if self.store.rebuilding():
                return None
            if self._turns.others_have_derived():
                self._figures.forget()
            self._figures.advance(self.store, as_of)
        stale = {workflow.name: len(list(stale_sources(workflow, readings))) for workflow in self.company.workflows}
        feeds, aside = self.store.feeds(), self.store.quarantine_counts()
        for name in self.sources:
            self.metrics.set("source_quarantine_records", sum(count for (source, _), count in aside.items() if source == name), source=name)
        coverage = {workflow.name: coverage_of(workflow, feeds, aside) for workflow in self.company.workflows}
        freeze(self.store, self.company, {w.name: as_of[w.name] for w in self.company.workflows if not any(readings[name].partial for name in w.sources)})
        situations = self._figures.situations(self.store, as_of, stale, coverage)
        families = self._figures.families(situations)
        self.assessments = dict(self._figures.assessments)
        return families

    def take_in(self, *, watch: Watch = silent) -> None:
        """Derive what is due, so that whatever looks across cases sees all that has landed."""
        with self._turns.alone():
            self._derive(as_of_all(self.company, self.readings()), watch)

    def _derive(self, as_of: Mapping[str, Instant], watch: Watch) -> None:
        derived = derive_due(
            self.store, self.company, as_of, self._figures, lambda done: watch("deriving", done, None, f"{done} cases"), self._broken, self._turns.begin
        )
        if derived:
            watch("deriving", derived, derived, f"{derived} cases")
        self.store.sum_up(max(as_of.values()))

    def assessed(self) -> Mapping[str, Assessment]:
        """Each workflow's gates as of the last figures; where there are none yet, they are computed."""
        if not self.assessments:
            with self._refreshing:
                self.families()
        return self.assessments

    def deployments(self, workflow: str) -> Known | None:
        """What became of a workflow's deployments, as of the last figures; None while there are none of it."""
        return self._figures.deployments(workflow)

    def readings(self) -> dict[str, Reading]:
        """How far each source has been read."""
        now = self.clock()
        found = readings_of(self.sources, self.configuration.settings, self.store, now)
        for name, item in found.items():
            self.metrics.set("source_partial", item.partial, source=name)
            self.metrics.set("source_stale_after_seconds", item.stale_after / SECOND, source=name)
            if item.watermark is not None:
                self.metrics.set("source_watermark_timestamp_seconds", item.watermark / SECOND, source=name)
                self.metrics.set("source_lag_seconds", max(0, now - item.watermark) / SECOND, source=name)
        self.metrics.mark("source_part_refused", *({"source": name, "part": part} for name, item in found.items() for part in item.refused))
        return found

    def rebuild(self, *, watch: Watch = silent) -> int:
        """Derive every case again into the same tables; the last snapshot is served until all are through. Returns their number."""
        marked = self.store.rebuild()
        self.refresh(watch=watch)
        return marked

    def retain(self) -> None:
        """Drop what the retention says has been kept long enough."""
        kept = self.configuration.settings.store.retention
        dropped = self.store.retain(self.clock(), events=kept.events, persons=kept.persons)
        log.info("retention", extra={"fields": {"cases": dropped.cases, "anonymised": dropped.anonymised}})

    def erase(self, actor: str) -> int:
        """Remove a person from everything stored; returns the number of cases touched."""
        touched = self.store.erase(self.pseudonyms.actor(actor))
        self.refresh()
        return touched

    def retry_quarantined(self) -> tuple[int, int]:
        """Translate records set aside once more: how many are understood now, and how many are left."""
        counts = retry(self.store, self.sources, self.pseudonyms)
        self.refresh()
        return counts

    def stop(self) -> None:
        """End running sweeps after their current page, and begin no new ones."""
        self._stopping.set()

    def _api(self, source: Source) -> Api | None:
        if source.name not in self._apis:
            endpoint = source.endpoint()
            if endpoint is None:
                return None
            self._apis[source.name] = Api(endpoint, sleep=self._pause)
        return self._apis[source.name]

    def _pause(self, seconds: float) -> None:
        """Wait for a vendor, unless told to stop."""
        if self._stopping.wait(seconds):
            raise Stopped

    def read_harm(self) -> list[str]:
        """Read the harm metrics from elsewhere that are due; what went wrong, one sentence each."""
        return self._harm.read_due(self.company)

    def _broken(self, case: CaseKey) -> None:
        self.metrics.add("source_quarantined_total", 1, source=case[0], reason=UNDERIVABLE)

    def _take_in_changes(self) -> None:
        """Where sources now hold other change records, go by those: derive again if they deploy or fix something else, else only look at them anew."""
        held = self.store.change_readings()
        if held == self._held:
            return
        self._held = held
        configuration, problems = self._written.with_changes_of(held)
        if problems != self.change_problems:
            for problem in problems:
                log.warning("change record left out", extra={"fields": {"problem": problem}})
            self.change_problems = problems
        if configuration.records != self.configuration.records:
            self.configuration, self.company = configuration, configuration.company(self.pseudonyms)
            self.store.configure(self.company)
            self._figures = Figures(self.company)
            self._adopt()

    def _adopt(self) -> None:
        """Derive everything again where policies, definitions or what is counted have changed since it was last done."""
        fingerprint = f"{DEFINITIONS}:{self.configuration.fingerprint()}:{','.join(TALLIES)}"
        known = self.store.meta("policies")
        if known != fingerprint:
            if known is not None:
                log.info("policies changed: deriving all cases again", extra={"fields": {"cases": self.store.rebuild()}})
            self.store.set_meta("policies", fingerprint)


def _unread(readings: Mapping[str, Reading]) -> tuple[str, ...]:
    """Why figures made of these readings are not complete."""
    return tuple(f"source {name} has not been read yet" for name, item in readings.items() if item.watermark is None)


def _key(configuration: Configuration, store: Store) -> bytes:
    key = configuration.settings.privacy.key
    return key.get_secret_value().encode() if key is not None else store.pseudonym_key()


def _progress(source: Source, sweep: Sweep) -> tuple[float, float | None, str]:
    """How far a sweep is: the stretch delivered, of the depth wanted; nobody knows for sources that are not read by windows."""
    progress = sweep.progress
    note = f"{sweep.events:,} events"
    if not source.windowed or progress.connected_at is None:
        return 0, None, note
    delivered_from = progress.connected_at if progress.delivered_from is None else progress.delivered_from
    watermark = progress.connected_at if progress.watermark is None else progress.watermark
    reached = watermark - delivered_from
    stretch = progress.stretch
    if stretch is not None and stretch.read_up_to is not None and stretch.start < delivered_from:
        reached += min(stretch.read_up_to, delivered_from) - stretch.start
    return max(0, min(reached, source.depth)), source.depth, note
