"""The five delivery metrics, adapted to changes of an agent: from change records with explicit incidents and interventions (SIGNALS section 8)."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from rollout_metrics.derive.levels import PRODUCTION
from rollout_metrics.domain.changes import Change, InterventionKind
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import DAY, Instant, Span
from rollout_metrics.stats.kaplan_meier import Bounds, kaplan_meier
from rollout_metrics.stats.quantiles import quantile

REWORK = frozenset((InterventionKind.ROLLBACK, InterventionKind.HOTFIX))


class FailureCause(StrEnum):
    """By what a deployment failed, as far as records say it explicitly."""

    INCIDENT = "incident"
    INTERVENTION = "intervention"


class Failure(msgspec.Struct, frozen=True):
    """That a deployment failed: the `cause` that started first, when, and when all causes were over (None: some is not yet)."""

    cause: FailureCause
    started_at: Instant
    recovered_at: Instant | None


class Deployment(msgspec.Struct, frozen=True):
    """A change that was deployed to production, as known at T. `judged`: its observation window is over. `rework`: it counts as a rollback or hotfix."""

    change: str
    deployed_at: Instant
    lead_time: Span
    """deployed_at - proposed_at."""
    approval_lead_time: Span | None
    """approved_at - proposed_at; None while it is not approved."""
    judged: bool
    rework: bool
    failure: Failure | None


class Spread(msgspec.Struct, frozen=True):
    """Median and p90 of spans that all ended: the least span that half (nine tenths) do not exceed."""

    cases: int
    median: Span
    p90: Span


class Recovery(msgspec.Struct, frozen=True):
    """Kaplan-Meier median and p90 of recovery with their bounds; what has not recovered is censored at T."""

    cases: int
    median: Span | None
    median_bounds: Bounds
    p90: Span | None
    p90_bounds: Bounds


class Delivery(msgspec.Struct, frozen=True):
    """The delivery metrics of one workflow in one window (T - w, T].

    `failed` are judged deployments, each under its first cause, so that their sum over `judged` is the change fail rate; `reworks` over `deployments` is
    the rework rate. Without deployments the spreads are None and neither rate has a denominator. `safe`: judged and not failed.
    """

    deployments: int
    per_day: float
    safe: int
    judged: int
    failed: dict[FailureCause, int]
    reworks: int
    lead_time: Spread | None
    approval_lead_time: Spread | None
    recovery: Recovery | None


def delivery(workflow: Workflow, as_of: Instant, window: Span) -> Delivery:
    """The delivery metrics as of T; whatever a record dates after T does not exist."""
    known = deployments(workflow, as_of)
    start = as_of - window
    inside = [item for item in known if item.deployed_at > start]
    judged = [item for item in inside if item.judged]
    failed = [item.failure.cause for item in judged if item.failure is not None]
    return Delivery(
        deployments=len(inside),
        per_day=len(inside) * DAY / window,
        safe=len(judged) - len(failed),
        judged=len(judged),
        failed={cause: failed.count(cause) for cause in FailureCause},
        reworks=sum(item.rework for item in inside),
        lead_time=_spread([item.lead_time for item in inside]),
        approval_lead_time=_spread([item.approval_lead_time for item in inside if item.approval_lead_time is not None]),
        recovery=_recovery([item.failure for item in known if item.failure is not None and item.failure.started_at > start], as_of),
    )


def deployments(workflow: Workflow, as_of: Instant) -> list[Deployment]:
    """The workflow's deployments to production up to T, in order of `(deployed_at, id)`, with what became of them by T."""
    deployed = [
        (change.deployed_at, change)
        for change in workflow.changes
        if change.environment == PRODUCTION and change.deployed_at is not None and change.deployed_at <= as_of
    ]
    deployed.sort(key=lambda item: (item[0], item[1].id))
    return [_deployment(workflow, change, at, deployed, as_of) for at, change in deployed]


Deployed = tuple[Instant, Change]


def _deployment(workflow: Workflow, change: Change, at: Instant, deployed: Sequence[Deployed], as_of: Instant) -> Deployment:
    # Without the numbers of recommendations, no deployment is pooled with the next: the next one always ends the observation.
    following = min((later for later, _ in deployed if later > at), default=as_of + 1)
    reworked_at = [later for later, other in deployed if other.reworks == change.id]
    # A rollback or hotfix without a change record of its own is seen only on the change it was done against, so it is counted there.
    unrecorded = not reworked_at and any(item.kind in REWORK and item.at <= as_of for item in change.interventions)
    return Deployment(
        change=change.id,
        deployed_at=at,
        lead_time=at - change.proposed_at,
        approval_lead_time=change.approved_at - change.proposed_at if change.approved_at is not None and change.approved_at <= as_of else None,
        judged=min(at + workflow.observation_window, following) <= as_of,
        rework=change.reworks is not None or unrecorded,
        failure=_failure(workflow, change, reworked_at, as_of),
    )


def _failure(workflow: Workflow, change: Change, reworked_at: Sequence[Instant], as_of: Instant) -> Failure | None:
    """Per cause the first remedy ends it, over causes the last end counts; a remedy from before a cause began does not help against it."""
    incidents = [item for item in change.incidents if item.started_at <= as_of]
    interventions = [item for item in change.interventions if item.at <= as_of]
    if not incidents and not interventions:
        return None
    remedies = [*reworked_at, *(item.in_force_at for item in change.interventions), change.recovered_at]
    known = [at for at in remedies if at is not None and at <= as_of]
    causes: list[tuple[Instant, FailureCause, Instant | None]] = []
    for incident in incidents:
        ended = [incident.ended_at] if incident.ended_at is not None and incident.ended_at <= as_of else []
        causes.append((incident.started_at, FailureCause.INCIDENT, _first_end(workflow, incident.started_at, [*known, *ended], as_of)))
    causes.extend((item.at, FailureCause.INTERVENTION, _first_end(workflow, item.at, known, as_of)) for item in interventions)
    started_at, cause, _ = min(causes, key=lambda item: item[:2])
    ends = [end for _, _, end in causes if end is not None]
    return Failure(cause, started_at, max(ends) if len(ends) == len(causes) else None)


def _first_end(workflow: Workflow, started_at: Instant, remedies: Sequence[Instant], as_of: Instant) -> Instant | None:
    paused = (max(pause.start, started_at) for pause in workflow.pauses if pause.start <= as_of and (pause.end is None or pause.end > started_at))
    return min((at for at in (*remedies, *paused) if at >= started_at), default=None)


def _spread(spans: Sequence[Span]) -> Spread | None:
    median, p90 = quantile(spans, 0.5), quantile(spans, 0.9)
    return None if median is None or p90 is None else Spread(len(spans), int(median), int(p90))


def _recovery(failures: Sequence[Failure], as_of: Instant) -> Recovery | None:
    if not failures:
        return None
    curve = kaplan_meier(
        [(as_of if item.recovered_at is None else item.recovered_at) - item.started_at for item in failures],
        [item.recovered_at is not None for item in failures],
    )
    median, p90 = curve.quantile(0.5), curve.quantile(0.9)
    return Recovery(
        cases=curve.cases,
        median=None if median is None else int(median),
        median_bounds=curve.quantile_bounds(0.5),
        p90=None if p90 is None else int(p90),
        p90_bounds=curve.quantile_bounds(0.9),
    )
