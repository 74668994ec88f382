"""By what a deployment failed, from when to when, with the evidence of each cause (definitions, section 8)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec

from rollout_metrics.derive.harm import Crossing
from rollout_metrics.derive.observation import Opened, Watch
from rollout_metrics.derive.versions import version_in_force
from rollout_metrics.domain.changes import Change, HarmMetric
from rollout_metrics.domain.events import CaseKey, EventRef
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import Instant


class FailureCause(StrEnum):
    """By what a deployment failed."""

    INCIDENT = "incident"
    INTERVENTION = "intervention"
    EVALUATION = "evaluation"
    HARM = "harm"


class FailedRun(msgspec.Struct, frozen=True):
    """A run of the evaluation suite that did not pass; `version`: what it tried, or what was in force."""

    at: Instant
    version: str | None
    event: EventRef


class Incident(msgspec.Struct, frozen=True):
    """An incident as its source tells it; `change`: the one it names."""

    case: CaseKey
    started_at: Instant
    ended_at: Instant | None
    change: str | None
    event: EventRef


class Observed(msgspec.Struct, frozen=True):
    """What happened to a workflow's deployments beside their records.

    `crossed(change, metric, begun, end)`: the crossings of a harm metric in that stretch; `opened`: how many recommendations were.
    """

    failed_runs: tuple[FailedRun, ...] = ()
    incidents: tuple[Incident, ...] = ()
    opened: Opened = lambda _after, _up_to: None
    crossed: Callable[[Change, HarmMetric, Instant, Instant], tuple[Crossing, ...]] = lambda _change, _metric, _begun, _end: ()


class Trouble(msgspec.Struct, frozen=True):
    """One cause of a failure with its evidence: in words, and where it can be looked at. `ended_at`: None while it is not over."""

    cause: FailureCause
    started_at: Instant
    ended_at: Instant | None
    said: str
    event: EventRef | None = None
    case: CaseKey | None = None
    url: str | None = None


class Failure(msgspec.Struct, frozen=True):
    """That a deployment failed: the `cause` that started first, when, when all causes were over (None: some is not yet), and every cause."""

    cause: FailureCause
    started_at: Instant
    recovered_at: Instant | None
    evidence: tuple[Trouble, ...]


def failure(workflow: Workflow, change: Change, watch: Watch, observed: Observed, as_of: Instant) -> Failure | None:
    """Why the deployment of a change failed, by what is known at T; None if it did not.

    Per cause the first remedy ends it, over causes the last end counts; a remedy from before a cause began does not help against it.
    """
    remedies = _remedies(workflow, change, as_of)

    def first_end(started_at: Instant, own: Instant | None) -> Instant | None:
        paused = (max(pause.start, started_at) for pause in workflow.pauses if pause.start <= as_of and (pause.end is None or pause.end > started_at))
        own_end = () if own is None or own > as_of else (max(own, started_at),)
        return min((*(at for at in remedies if at >= started_at), *paused, *own_end), default=None)

    evidence = sorted(
        (
            msgspec.structs.replace(item, ended_at=first_end(item.started_at, item.ended_at))
            for item in _troubles(workflow, change, watch, observed, as_of)
            if item.started_at <= as_of
        ),
        key=lambda item: (item.started_at, item.cause, item.said, item.event or ("", "")),
    )
    if not evidence:
        return None
    ends = [item.ended_at for item in evidence if item.ended_at is not None]
    return Failure(evidence[0].cause, evidence[0].started_at, max(ends) if len(ends) == len(evidence) else None, tuple(evidence))


def linked(change: Change, incidents: Iterable[Incident]) -> Iterator[Incident]:
    """The incidents that name the change, or that its record names."""
    named = {item.id for item in change.incidents}
    return (item for item in incidents if item.change == change.id or item.case[1] in named)


def _remedies(workflow: Workflow, change: Change, as_of: Instant) -> Sequence[Instant]:
    known = (*(at for at, _ in _reworks(workflow, change)), *(item.in_force_at for item in change.interventions), change.recovered_at)
    return [at for at in known if at is not None and at <= as_of]


def _reworks(workflow: Workflow, change: Change) -> Iterator[tuple[Instant, Change]]:
    """The deployed changes that roll it back or hotfix it."""
    for other in workflow.changes:
        if other.reworks == change.id and other.environment == change.environment and other.deployed_at is not None:
            yield other.deployed_at, other


def _troubles(workflow: Workflow, change: Change, watch: Watch, observed: Observed, as_of: Instant) -> Iterator[Trouble]:
    """Every cause, as yet without the remedies that ended it. What a pool had crossed before this deployment is none of it unless it goes on."""
    deployed_at = change.deployed_at or watch.begun
    seen = {item.case[1]: item for item in linked(change, observed.incidents)}
    for item in change.incidents:
        told = seen.pop(item.id, None)
        ended_at = item.ended_at if item.ended_at is not None or told is None else told.ended_at
        event, case = (None, None) if told is None else (told.event, told.case)
        yield Trouble(FailureCause.INCIDENT, item.started_at, ended_at, f"incident {item.id}", event, case, item.url)
    for told in seen.values():
        yield Trouble(FailureCause.INCIDENT, told.started_at, told.ended_at, f"incident {told.case[1]}", told.event, told.case)
    for intervention in change.interventions:
        yield Trouble(FailureCause.INTERVENTION, intervention.at, None, intervention.kind.value.replace("_", " "))
    for at, other in _reworks(workflow, change):
        yield Trouble(FailureCause.INTERVENTION, at, None, f"rolled back or hotfixed by {other.id}")
    for run in observed.failed_runs:
        if deployed_at < run.at <= watch.own_end and _tried(workflow, run):
            yield Trouble(FailureCause.EVALUATION, run.at, None, "evaluation failed", run.event)
    for metric in change.harm.metrics:
        if metric.limited:
            for crossing in observed.crossed(change, metric, watch.begun, min(watch.end, as_of)):
                if crossing.ended_at is None or crossing.ended_at > deployed_at:
                    yield Trouble(FailureCause.HARM, max(crossing.started_at, deployed_at), crossing.ended_at, crossing.said)


def _tried(workflow: Workflow, run: FailedRun) -> bool:
    """Whether the run tried what was in production; one of another version says nothing of it."""
    in_force = version_in_force(workflow, run.at)
    return run.version is None or in_force is None or run.version == in_force
