"""The five delivery metrics, adapted to changes of an agent (definitions, section 8)."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from rollout_metrics.derive.failures import Failure, FailureCause, Incident, Observed, Trouble, failure, linked
from rollout_metrics.derive.observation import Watch, deployed, watches
from rollout_metrics.domain.changes import Change, InterventionKind
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import Instant, Span
from rollout_metrics.stats.kaplan_meier import Bounds, kaplan_meier
from rollout_metrics.stats.quantiles import quantile

REWORK = frozenset((InterventionKind.ROLLBACK, InterventionKind.HOTFIX))


class Link(StrEnum):
    """How an incident belongs to a change: one of them names the other, it only falls into the time in which one was watched, or neither."""

    EXPLICIT = "explicit"
    INFERRED = "inferred"
    UNATTRIBUTED = "unattributed"


class Deployment(msgspec.Struct, frozen=True):
    """A change that was deployed to production, as known at T. `judged`: its observation window is over. `rework`: it counts as a rollback or hotfix."""

    change: str
    deployed_at: Instant
    lead_time: Span
    """deployed_at - proposed_at."""
    approval_lead_time: Span | None
    """approved_at - proposed_at; None while it is not approved."""
    watched_until: Instant
    judged: bool
    rework: bool
    failure: Failure | None
    inferred: tuple[Incident, ...] = ()
    """Incidents that nobody linked and that only fall into its observation window."""


class Attributed(msgspec.Struct, frozen=True):
    """An incident, by the instant it started, with how it belongs to a change, and to which."""

    at: Instant
    link: Link
    incident: str
    change: str | None = None
    seen: Incident | None = None

    @property
    def number(self) -> tuple[str, ...]:
        """What tells it from others, whatever it belongs to."""
        return (self.incident,) if self.seen is None else self.seen.case


class Known(msgspec.Struct, frozen=True):
    """All deployments of a workflow up to T in order of `(deployed_at, id)`, and all its incidents in order of time."""

    as_of: Instant
    deployments: tuple[Deployment, ...]
    incidents: tuple[Attributed, ...]

    @property
    def open_failures(self) -> int:
        """Deployments that failed and have not recovered, judged or not."""
        return sum(item.failure is not None and item.failure.recovered_at is None for item in self.deployments)

    @property
    def harmful(self) -> tuple[Deployment, ...]:
        """Deployments of which a harm metric is beyond its limit at T, and nothing has been done about it."""
        return tuple(item for item in self.deployments if item.failure is not None and any(_harms(trouble) for trouble in item.failure.evidence))


def _harms(trouble: Trouble) -> bool:
    return trouble.cause is FailureCause.HARM and trouble.ended_at is None


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
    the rework rate. Without deployments the spreads are None and neither rate has a denominator. `safe`: judged and not failed; `inferred_failed`: safe
    but for an incident that nobody linked. `incidents`: by their start.
    """

    deployments: int
    safe: int
    judged: int
    failed: dict[FailureCause, int]
    inferred_failed: int
    reworks: int
    lead_time: Spread | None
    approval_lead_time: Spread | None
    recovery: Recovery | None
    incidents: dict[Link, int]


def delivery(known: Known, window: Span) -> Delivery:
    """The delivery metrics of what is known at T."""
    start = known.as_of - window
    inside = [item for item in known.deployments if item.deployed_at > start]
    judged = [item for item in inside if item.judged]
    failed = [item.failure.cause for item in judged if item.failure is not None]
    links = [link for link, _ in {(item.link, item.number) for item in known.incidents if item.at > start}]
    return Delivery(
        deployments=len(inside),
        safe=len(judged) - len(failed),
        judged=len(judged),
        failed={cause: failed.count(cause) for cause in FailureCause},
        inferred_failed=sum(item.failure is None and bool(item.inferred) for item in judged),
        reworks=sum(item.rework for item in inside),
        lead_time=_spread([item.lead_time for item in inside]),
        approval_lead_time=_spread([item.approval_lead_time for item in inside if item.approval_lead_time is not None]),
        recovery=_recovery([item.failure for item in known.deployments if item.failure is not None and item.failure.started_at > start], known.as_of),
        incidents={link: links.count(link) for link in Link},
    )


def deployments(workflow: Workflow, as_of: Instant, observed: Observed) -> Known:
    """What became of the workflow's deployments to production and its incidents by T; whatever is dated after T does not exist."""
    changes = deployed(workflow, as_of)
    watched = watches(workflow, changes, observed.opened)
    incidents = _attributed(workflow, changes, watched, observed, as_of)
    reworked = {change.reworks for _, change in changes if change.reworks is not None}
    found = tuple(_deployment(workflow, change, at, watched[at], observed, incidents, reworked, as_of) for at, change in changes)
    return Known(as_of, found, tuple(sorted(incidents, key=lambda item: (item.at, item.incident, item.change or ""))))


def _deployment(  # noqa: PLR0917
    workflow: Workflow, change: Change, at: Instant, watch: Watch, observed: Observed, incidents: Sequence[Attributed], reworked: set[str], as_of: Instant
) -> Deployment:
    # A rollback or hotfix without a change record of its own is seen only on the change it was done against, so it is counted there.
    unrecorded = change.id not in reworked and any(item.kind in REWORK and item.at <= as_of for item in change.interventions)
    return Deployment(
        change=change.id,
        deployed_at=at,
        lead_time=at - change.proposed_at,
        approval_lead_time=change.approved_at - change.proposed_at if change.approved_at is not None and change.approved_at <= as_of else None,
        watched_until=watch.end,
        judged=watch.end <= as_of,
        rework=change.reworks is not None or unrecorded,
        failure=failure(workflow, change, watch, observed, as_of),
        inferred=tuple(item.seen for item in incidents if item.link is Link.INFERRED and item.change == change.id and item.seen is not None),
    )


Deployed = Sequence[tuple[Instant, Change]]


def _attributed(workflow: Workflow, changes: Deployed, watched: Mapping[Instant, Watch], observed: Observed, as_of: Instant) -> list[Attributed]:
    """Every incident that began by T, once: as the records and the incidents themselves link it, else by the deployment it followed within its window."""
    found = [Attributed(item.started_at, Link.EXPLICIT, item.id, change.id) for _, change in changes for item in change.incidents if item.started_at <= as_of]
    told = {item.incident for item in found}
    explicit = {item.case: change.id for change in workflow.changes for item in linked(change, observed.incidents)}
    for item in observed.incidents:
        if item.started_at > as_of:
            continue
        number, change_id = item.case[1], explicit.get(item.case)
        if change_id is not None:
            if number not in told:
                found.append(Attributed(item.started_at, Link.EXPLICIT, number, change_id, item))
            continue
        before = [(at, change) for at, change in changes if at < item.started_at]
        last = before[-1][0] if before else None
        if last is not None and item.started_at <= watched[last].own_end:
            found.append(Attributed(item.started_at, Link.INFERRED, number, before[-1][1].id, item))
        else:
            found.append(Attributed(item.started_at, Link.UNATTRIBUTED, number, None, item))
    return found


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
