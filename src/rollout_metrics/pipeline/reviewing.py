"""A quarter reviewed: every figure as of its end and as of the end of the one before, each out of all events up to there."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from rollout_metrics.catalog import DEFINITIONS, METRICS
from rollout_metrics.derive.delivery import Known
from rollout_metrics.derive.quarters import parse_quarter, quarter, quarter_of
from rollout_metrics.derive.standing import level_standing, level_steps
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.facts import Mode
from rollout_metrics.domain.policy import Company, Level, Workflow
from rollout_metrics.domain.time import DAY, HOUR, Instant, floor_minute, format_span
from rollout_metrics.figures import Trail
from rollout_metrics.figures.courses import course
from rollout_metrics.figures.spikes import EARLIER_DAYS, look, signals, spike_limit
from rollout_metrics.overview import Values, figure
from rollout_metrics.pipeline.as_of import Noted, Then, derived_then
from rollout_metrics.pipeline.engine import Pipeline, Watch, silent
from rollout_metrics.pipeline.exhibits import Exhibits
from rollout_metrics.pipeline.freshness import as_of_all, stale_sources
from rollout_metrics.pipeline.settled import began, settled_then
from rollout_metrics.review.findings import Told, changes_before, findings, gaps, unread
from rollout_metrics.review.said import Course, Findings, Review, Rise, Span
from rollout_metrics.stats.spike import BASELINE_DAYS, Spike

DRAWN = ("override_ratio", "correction_ratio", "acceptance_ratio", "bypass_ratio", "escalation_ratio", "complaint_ratio")
"""The rates that are drawn."""


def review(pipeline: Pipeline, name: str, *, watch: Watch = silent) -> Review:
    """The review of a quarter such as `2026Q3`. Raises `ConfigurationError` where there is no such quarter yet."""
    asked = _Asked(pipeline, name)
    pipeline.take_in(watch=watch)
    options = pipeline.configuration.settings.review
    return Review(
        quarter=asked.name,
        definitions=DEFINITIONS,
        currency=options.currency,
        pages_url=pipeline.configuration.settings.alerts.pages_url.rstrip("/"),
        findings=tuple(asked.findings(watch)),
    )


class _Asked:
    """One quarter of every workflow, by each one's calendar, as far as it has been read."""

    def __init__(self, pipeline: Pipeline, name: str) -> None:
        self._pipeline = pipeline
        self._workflows = pipeline.company.workflows
        try:
            year, number = parse_quarter(name)
        except ValueError as error:
            raise ConfigurationError(f"{error}: name a year and one of Q1 to Q4") from None
        self.name = f"{year}Q{number}"
        self._quarters = {w.name: quarter(w.calendar, year, number) for w in self._workflows}
        self._before = {w.name: quarter_of(w.calendar, self._quarters[w.name].start - 1) for w in self._workflows}
        self._readings = pipeline.readings()
        live = as_of_all(pipeline.company, self._readings)
        self._read = {name: live[name] > item.start for name, item in self._quarters.items()}
        if not any(self._read.values()) and all(item.start > pipeline.clock() for item in self._quarters.values()):
            raise ConfigurationError(f"{self.name} has not begun: name a quarter that has")
        self._now = {name: floor_minute(min(item.end, live[name])) if self._read[name] else item.start for name, item in self._quarters.items()}
        self._starts = {name: item.start for name, item in self._quarters.items()}

    def findings(self, watch: Watch) -> Iterator[Findings]:
        """What the quarter comes to for each workflow, in file order."""
        if not any(self._read.values()):
            yield from (unread(workflow, self._quarters[workflow.name]) for workflow in self._workflows)
            return
        exhibits = Exhibits(self._pipeline.company, {name: (self._starts[name], at) for name, at in self._now.items()})
        now = _State(self._pipeline, self._now, self._starts, f"{self.name}", watch, exhibits)
        if now.then.apart is not None:
            exhibits.search(self._pipeline.store, now.then.apart)
        before = _State(self._pipeline, self._starts, {name: item.start for name, item in self._before.items()}, "the quarter before", watch)
        for workflow in self._workflows:
            if self._read[workflow.name]:
                yield self._found(workflow, now, before, exhibits)
            else:
                yield unread(workflow, self._quarters[workflow.name])

    def _found(self, workflow: Workflow, now: "_State", before: "_State", exhibits: Exhibits) -> Findings:
        name, pipeline = workflow.name, self._pipeline
        at, own = self._now[name], self._quarters[name]
        options = pipeline.configuration.settings.review
        stale = len(list(stale_sources(workflow, self._readings))) if at < own.end else 0
        assessment = now.then.ledger.assessments[name]
        mode = Mode.LIVE if assessment.level > Level.SHADOW else Mode.SHADOW
        return findings(
            Told(
                workflow=workflow,
                quarter=own,
                as_of=at,
                now=(now.values, now.window(name)),
                before=(before.values, before.window(name)),
                assessment=assessment,
                deployments=now.known(name),
                steps=tuple(level_steps(workflow, at, now.then.around)),
                promotions=tuple(now.then.situations[name].promotions),
                rises=tuple(_rises(workflow, now.then, own.start, at, now.then.around)),
                courses=tuple(_courses(workflow, mode, (before, self._before[name].start, own.start), (now, own.start, at))),
                exhibits=exhibits.of(name, pipeline.store, at),
                recurred=_recurred(workflow, now.then.ledger.trail, own.start, at),
                gaps=tuple(gaps(workflow, own, at, began(pipeline.store, name), stale=stale)),
                rate=options.hourly_rates.get(name, options.hourly_rate),
                currency=options.currency,
            )
        )


class _State:
    """Everything as of one instant for each workflow, in one window that reaches back to the quarter's start."""

    def __init__(  # noqa: PLR0917
        self, pipeline: Pipeline, ends: Mapping[str, Instant], starts: Mapping[str, Instant], what: str, watch: Watch, note: Noted = lambda *_: None
    ) -> None:
        store = pipeline.store
        self._spans = {name: max(at - starts[name], DAY) for name, at in ends.items()}
        company = _with_windows(pipeline.company, self._spans)
        as_of = {**ends, "": min(ends.values())}
        settled = settled_then(store, company, as_of, watch=watch, what=what, note=note)
        self.then = derived_then(store, company, as_of, watch=watch, what=what, note=note) if settled is None else settled
        self.values = Values(self.then.ledger.families(self.then.situations))
        self.then.ledger.drop_samples()

    def window(self, name: str) -> str:
        """The label of a workflow's window."""
        return format_span(self._spans[name])

    def known(self, name: str) -> Known:
        """What became of its deployments."""
        known = self.then.ledger.deployments(name)
        assert known is not None
        return known


def _with_windows(company: Company, spans: Mapping[str, int]) -> Company:
    return msgspec.structs.replace(company, workflows=tuple(msgspec.structs.replace(w, windows=(spans[w.name],)) for w in company.workflows))


def _courses(workflow: Workflow, mode: Mode, *stretches: tuple[_State, Instant, Instant]) -> Iterator[Course]:
    for key in DRAWN:
        metric = METRICS[key]
        labels = tuple(mode.value for label in metric.labels if label == "mode")
        legs = tuple(
            Span(*leg)
            for state, start, end in stretches
            for leg in course(workflow, state.then.ledger.trail, metric, labels, max(start, state.then.ledger.trail.begins(workflow.name)), end)
        )
        if any(leg.total for leg in legs):
            title = figure(Values(()), key, dict.fromkeys(metric.all_labels, "")).title
            yield Course(key, title, legs)


def _rises(workflow: Workflow, then: Then, start: Instant, end: Instant, around: Surroundings) -> Iterator[Rise]:
    """The spikes of the quarter: looked for at the end of each of its days, days on which one is seen joined."""
    past = -(-(end - start) // DAY + BASELINE_DAYS + EARLIER_DAYS + 1) * DAY
    trail = Trail((workflow,), past=past)
    then.fill(trail, {workflow.name: end})
    seen: dict[str, list[tuple[Instant, Spike]]] = {}
    days = -(-(end - start) // DAY)
    for at in (min(start + day * DAY, end) for day in range(1, days + 1)):
        level, _ = level_standing(workflow, at, around)
        for signal in signals(level):
            found = look(workflow, signal, at, trail, spike_limit(workflow, level, signal))
            if found.alarm and found.since is not None:
                seen.setdefault(signal.value, []).append((at, found))
    for signal_name, looks in sorted(seen.items()):
        for run in _runs(looks):
            yield _rise(workflow, signal_name, run, end)


def _runs(looks: Sequence[tuple[Instant, Spike]]) -> Iterator[list[tuple[Instant, Spike]]]:
    run: list[tuple[Instant, Spike]] = []
    for item in looks:
        if run and item[0] - run[-1][0] > DAY:
            yield run
            run = []
        run.append(item)
    if run:
        yield run


def _rise(workflow: Workflow, signal: str, run: Sequence[tuple[Instant, Spike]], end: Instant) -> Rise:
    """One spike, told by the look that was surest of it."""
    since = min(found.since for _, found in run if found.since is not None) * HOUR
    last = run[-1][0]
    surest = max(run, key=lambda item: (item[1].statistic or 0, -item[0]))[1]
    return Rise(
        signal=signal,
        since=since,
        until=None if last >= end else last,
        events=surest.count,
        cases=surest.total,
        expected=surest.rate,
        changes=changes_before(workflow, since, last),
    )


def _recurred(workflow: Workflow, trail: Trail, start: Instant, end: Instant) -> dict[str, tuple[int, str]]:
    """Errors of the quarter that came after a deployed change which should have ended them."""
    found: dict[str, tuple[int, str]] = {}
    for change in workflow.changes:
        if change.deployed_at is None or change.deployed_at >= end or change.environment != "production":
            continue
        after = change.deployed_at if change.deployed_at > start else -(-start // HOUR) * HOUR
        sums = trail.sums(workflow.name, "errors", after, end)
        for category in change.fixes:
            if count := sums.get((category,), 0):
                found[category] = (count, change.id)
    return found
