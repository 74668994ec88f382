"""Which fact counts in which tally, at which instant, under which labels: one row each."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from rollout_metrics.catalog.tallies import (
    AGREED,
    BETWEEN_NAMES,
    CHEAP,
    DANGEROUS,
    EXPLICIT_HOWS,
    LATENCY_BUCKETS,
    TALLIES,
    UNCATEGORISED,
    UNSPECIFIED,
    bounded,
    reasons,
)
from rollout_metrics.domain.events import EventRef
from rollout_metrics.domain.facts import (
    DECIDED,
    EXPLICIT_ROWS,
    Act,
    Blocked,
    CaseSummary,
    Effort,
    Escalated,
    EscalationState,
    Evaluated,
    Fact,
    Handling,
    HandlingKind,
    IncidentSeen,
    Mode,
    Outcome,
    Recommendation,
    ReferenceValue,
    Reported,
    Unrecorded,
    Used,
    Violation,
)
from rollout_metrics.domain.gates import ErrorCosts
from rollout_metrics.domain.policy import Workflow, plain_reason
from rollout_metrics.domain.time import SECOND, Instant, minute_of
from rollout_metrics.domain.trust import Signal

Series = tuple[str, ...]
"""`(workflow, tally, *label values)`."""

Contribution = tuple[Series, int, int]
"""`(series, minute, amount)`."""

STATE = 0
"""The minute of what belongs to no window: it stands at T, or counts all there ever was."""

Workflows = Mapping[str, Workflow]
"""Workflows by name."""

F = TypeVar("F")
_UNKNOWN: frozenset[str] = frozenset()


class Row(msgspec.Struct, Generic[F], frozen=True):
    """A fact counts in `tally` if `when`, in the minute of `at` (unused by what stands at T), by `amount`; without `amount` by one.

    Where its `labels` are None it does not count: whether it does depends on the workflow.
    """

    tally: str
    at: Callable[[F], Instant | None]
    when: Callable[[F], bool] | None = None
    labels: Callable[[F, Workflow | None], tuple[str, ...] | None] | None = None
    amount: Callable[[F], int] | None = None


def _bucket(fact: Recommendation) -> str:
    latency = _latency(fact)
    return next((str(bound) for bound in LATENCY_BUCKETS if latency <= bound * SECOND), "+Inf")


def _latency(fact: Recommendation) -> int:
    return 0 if fact.first_decided_at is None else fact.first_decided_at - fact.opened_at


def _live(fact: Recommendation) -> bool:
    return fact.mode is Mode.LIVE


def _explicit(fact: Recommendation) -> bool:
    return fact.row in EXPLICIT_ROWS and fact.mode is Mode.LIVE


def is_settled(fact: Recommendation) -> bool:
    """Whether it counts as a settled decision."""
    return fact.settled_at is not None and fact.mode is Mode.LIVE and fact.outcome in DECIDED


def _categories(workflow: Workflow | None) -> frozenset[str]:
    return _UNKNOWN if workflow is None else workflow.categories


def _open(fact: Escalated) -> bool:
    return fact.state in (EscalationState.WAITING, EscalationState.ACKNOWLEDGED)


def _met(fact: Escalated) -> bool:
    return fact.acknowledged_at is not None and fact.worked is not None and fact.worked <= fact.target


def _due(fact: Escalated) -> bool:
    """Whether its target speaks: not where it ended before the target was over and nobody had noticed it."""
    over_at = fact.ended_at if fact.resolved_at is None else fact.resolved_at
    return fact.acknowledged_at is not None or over_at is None or over_at > fact.breach_at


def compared(fact: Recommendation, workflow: Workflow | None) -> str:
    """What a decision about a recommendation in shadow says of it."""
    if fact.outcome is not Outcome.OVERRIDDEN:
        return AGREED
    costs = ErrorCosts() if workflow is None else workflow.error_costs
    return DANGEROUS if costs.of(fact.action, fact.value, fact.given) >= costs.dangerous else CHEAP


def _now(_fact: object) -> Instant:
    return STATE


def _said(claim: bool) -> str:
    return "true" if claim else "false"


MOST_COMMENTS = 10_000
"""Beyond so many comments on a case all is alike."""

_OVERRIDING_ROWS = frozenset((1, 3, 7, 11))


def _overridden_early(fact: Recommendation, workflow: Workflow | None) -> tuple[str, ...] | None:
    """Whether a recommendation was overridden within `spike_age` of its opening. Of all: people override fast and accept late."""
    if workflow is None:
        return None
    until = fact.opened_at + workflow.spike_age
    at = fact.first_decided_at if fact.row in _OVERRIDING_ROWS else fact.decided_at if fact.how == "reversed" else None
    return (Signal.OVERRIDE.value, _said(at is not None and at <= until))


def _corrected_early(fact: Act, workflow: Workflow | None) -> tuple[str, ...] | None:
    if workflow is None:
        return None
    return (Signal.CORRECTION.value, _said(fact.reversed_at is not None and fact.reversed_at <= fact.at + workflow.spike_age))


def _clarity(fact: Escalated, workflow: Workflow | None) -> tuple[str, ...]:
    """Whether it has a reason and an owner; whether its reason, if it has one, has a path with owner and next step; whether that reason says nothing."""
    stated = fact.reason != UNSPECIFIED
    path = None if workflow is None else workflow.escalation.paths.get(fact.reason)
    led = not stated or (path is not None and bool(path.owner) and bool(path.next_step))
    return (_said(stated and fact.owned), _said(led), _said(workflow is not None and plain_reason(fact.reason) in workflow.escalation.catch_all))


_EDITED_OR_OVERRIDDEN = (Outcome.EDITED, Outcome.OVERRIDDEN)


def _erred(fact: Recommendation) -> bool:
    return fact.outcome in _EDITED_OR_OVERRIDDEN and _live(fact)


def _recurred(fact: Recommendation, workflow: Workflow | None) -> tuple[str, ...] | None:
    """The category of an error about something recommended after a change was deployed that fixes it; what was recommended before could not know of it."""
    if workflow is None or fact.category is None:
        return None
    fixed_at = workflow.fixed_since.get(fact.category)
    return None if fixed_at is None or fact.opened_at <= fixed_at else (bounded(fact.category, workflow.categories, UNCATEGORISED),)


_RECOMMENDATION: tuple[Row[Recommendation], ...] = (
    Row("decisions", lambda f: f.decided_at, lambda f: f.outcome in DECIDED, lambda f, _: (f.mode.value, f.outcome.value, f.how or "")),
    Row("recommendations", lambda f: f.opened_at, None, lambda f, _: (f.mode.value, f.outcome.value)),
    Row("recommendations_pending", _now, lambda f: f.outcome is Outcome.PENDING, lambda f, _: (f.mode.value,)),
    Row("versioned", lambda f: f.opened_at, None, lambda f, _: ("true" if f.version else "false",)),
    Row(
        "errors",
        lambda f: f.decided_at,
        _erred,
        lambda f, workflow: (bounded(f.category, _categories(workflow), UNCATEGORISED),),
    ),
    Row("recurred_errors", lambda f: f.decided_at, _erred, _recurred),
    Row("error_categories", lambda f: f.decided_at, _erred, lambda f, _: (f.category or UNCATEGORISED,)),
    Row("explicit_decisions", lambda f: f.first_decided_at, _explicit),
    Row("review_latency", _now, _explicit, lambda f, _: (_bucket(f),)),
    Row("review_latency_total", _now, _explicit, amount=_latency),
    Row("shadow_comparisons", lambda f: f.decided_at, lambda f: f.mode is Mode.SHADOW and f.outcome in DECIDED, lambda f, w: (compared(f, w),)),
    Row("decisions_settled", _now, is_settled, lambda f, _: (f.outcome.value,)),
    Row("spike_cohort", lambda f: f.opened_at, None, _overridden_early),
    Row("throughput", lambda f: f.decided_at, lambda f: _live(f) and f.outcome in (Outcome.ACCEPTED, Outcome.UNREVIEWED)),
    Row(
        "reviewers",
        lambda f: f.decided_at,
        lambda f: _live(f) and f.outcome in DECIDED and f.decider is not None,
        lambda f, _: (_said(f.outcome is Outcome.ACCEPTED and f.how in EXPLICIT_HOWS), f.decider or ""),
    ),
)

_ACT: tuple[Row[Act], ...] = (
    Row("acts", lambda f: f.judged_at),
    Row("corrected_acts", lambda f: f.judged_at, lambda f: f.corrected),
    Row("edited_acts", lambda f: f.judged_at, lambda f: f.edited),
    Row("spike_cohort", lambda f: f.at, None, _corrected_early),
)

_REFERENCE: tuple[Row[ReferenceValue], ...] = (
    Row("reference_values", lambda f: f.judged_at),
    Row("reference_corrections", lambda f: f.judged_at, lambda f: f.corrected),
)

_ESCALATED: tuple[Row[Escalated], ...] = (
    Row(
        "escalations",
        lambda f: f.raised_at,
        None,
        lambda f, workflow: (bounded(f.reason, _UNKNOWN if workflow is None else reasons(workflow), UNSPECIFIED),),
    ),
    Row("escalation_targets", lambda f: f.breach_at, _due, lambda f, _: ("true" if _met(f) else "false",)),
    Row("escalations_open", _now, _open),
    Row("escalations_unowned", _now, lambda f: _open(f) and not f.owned),
    Row("escalation_clarity", lambda f: f.raised_at, None, _clarity),
)

_AGENT_FIRST = (HandlingKind.ASSISTED, HandlingKind.REDONE)

_HANDLING: tuple[Row[Handling], ...] = (
    Row("handled_cases", lambda f: f.at, None, lambda f, _: (f.handling.value,)),
    Row(
        "spike_cohort",
        lambda f: f.at,
        lambda f: f.bypassed_early is not None,
        lambda f, _: (Signal.BYPASS.value, _said(f.bypassed_early is True)),
    ),
    Row("assisted_cases", lambda f: f.at, lambda f: f.handling in _AGENT_FIRST, lambda f, _: (_said(f.cleaned),)),
)


def _basis(effort: Effort | None) -> tuple[str, ...]:
    return () if effort is None else (effort.basis,)


def microseconds(effort: Effort | None) -> int:
    """An effort as whole microseconds, so that sums are exact."""
    return 0 if effort is None else round(effort.seconds * SECOND)


# Correct escalation is asked of agent-handled cases and belongs to their first handling: what came before the agent could not have been escalated by it.
_CASE: tuple[Row[CaseSummary], ...] = (
    Row("handled_cohort_cases", lambda f: f.judged_at),
    Row("escalated_cohort_cases", lambda f: f.judged_at, lambda f: f.escalated_in_cohort),
    Row("complaint_cohort_cases", lambda f: f.judged_at, lambda f: f.complained_in_cohort),
    Row("drop_cohort_cases", lambda f: f.drop_judged_at),
    Row("dropped_cases", lambda f: f.drop_judged_at, lambda f: not f.touched),
    Row("appearances", lambda f: f.drop_judged_at, None, lambda f, _: (BETWEEN_NAMES.join(f.names),)),
    Row(
        "review_effort",
        lambda f: f.reviewed_at,
        lambda f: f.review_effort is not None,
        lambda f, _: _basis(f.review_effort),
        lambda f: microseconds(f.review_effort),
    ),
    Row("reviewed_cases", lambda f: f.reviewed_at, lambda f: f.review_effort is not None, lambda f, _: _basis(f.review_effort)),
    Row("spike_cohort", lambda f: f.handled_at, None, lambda f, _: (Signal.ESCALATION.value, _said(f.escalated_early))),
    Row("spike_cohort", lambda f: f.handled_at, None, lambda f, _: (Signal.COMPLAINT.value, _said(f.complained_early))),
    Row(
        "case_comments",
        lambda f: f.concluded_at,
        lambda f: f.verdict is not None,
        lambda f, _: ("" if f.verdict is None else f.verdict.value, str(min(f.comments, MOST_COMMENTS))),
    ),
    Row("judged_escalated_cases", lambda f: f.handled_at, lambda f: f.escalated and f.should_escalate is not None),
    Row("should_escalate_cases", lambda f: f.handled_at, lambda f: f.should_escalate is True),
    Row("correctly_escalated_cases", lambda f: f.handled_at, lambda f: f.escalated and f.should_escalate is True),
)

_VIOLATION: tuple[Row[Violation], ...] = (Row("violations", lambda f: f.at, None, lambda f, _: (f.kind.value,)),)
_BLOCKED: tuple[Row[Blocked], ...] = (
    Row(
        "blocked_actions", lambda f: f.at, None, lambda f, workflow: (bounded(f.reason, _UNKNOWN if workflow is None else workflow.block_reasons, UNSPECIFIED),)
    ),
)
_USED: tuple[Row[Used], ...] = (Row("used", lambda f: f.at, None, lambda f, _: (f.action,)),)
_EVALUATED: tuple[Row[Evaluated], ...] = (
    Row("evaluations", lambda f: f.at, None, lambda f, _: ("true" if f.passed else "false",)),
    Row("failed_runs", _now, lambda f: not f.passed, lambda f, _: (str(f.at), f.version or "", *f.evidence[-1])),
)
_INCIDENT: tuple[Row[IncidentSeen], ...] = (
    Row("incident_cases", _now, None, lambda f, _: (str(f.at), "" if f.ended_at is None else str(f.ended_at), f.change or "", *f.case, *f.evidence[0])),
)
_UNRECORDED: tuple[Row[Unrecorded], ...] = (Row("unrecorded_version_events", lambda f: f.at, None, lambda f, _: (f.version,)),)
_REPORTED: tuple[Row[Reported], ...] = (Row("linked", lambda f: f.at, None, lambda f, _: ("true" if f.linked else "false",), lambda f: f.events),)

ROWS: Mapping[type[Fact], tuple[Row[Any], ...]] = {
    Recommendation: _RECOMMENDATION,
    Act: _ACT,
    ReferenceValue: _REFERENCE,
    Escalated: _ESCALATED,
    Handling: _HANDLING,
    CaseSummary: _CASE,
    Violation: _VIOLATION,
    Blocked: _BLOCKED,
    Used: _USED,
    Evaluated: _EVALUATED,
    IncidentSeen: _INCIDENT,
    Unrecorded: _UNRECORDED,
    Reported: _REPORTED,
}
"""The rows of each kind of fact. Two tallies have none: glances, which are told from outside, and operators, of whom a case has several."""

_PLANS = {kind: tuple((r.tally, TALLIES[r.tally].standing, r.when, r.at, r.labels, r.amount) for r in rows) for kind, rows in ROWS.items()}


def counted(fact: Fact, workflow: Workflow | None) -> list[Contribution]:
    """What one fact counts, by the rows of its kind."""
    found: list[Contribution] = []
    name = fact.workflow
    for tally, stands, when, at_of, labels, amount in _PLANS[type(fact)]:
        if when is None or when(fact):
            at = at_of(fact)
            if at is not None:
                values = () if labels is None else labels(fact, workflow)
                if values is not None:
                    found.append(((name, tally, *values), STATE if stands else minute_of(at), 1 if amount is None else amount(fact)))
    if type(fact) is CaseSummary:
        # who was there is never published: how many differ in a window decides what may be shown of it
        found += [((name, "operators", operator), minute_of(at), 1) for operator, at in fact.operators]
    return found


def glances(facts: Iterable[Fact], glanced: Collection[EventRef]) -> Iterator[Contribution]:
    """The first decisions by rows 2 and 4 among the facts that were made at a glance; `glanced` names the opening events of those recommendations."""
    if glanced:
        for fact in facts:
            if type(fact) is Recommendation and fact.row in (2, 4) and fact.opened in glanced and _explicit(fact) and fact.first_decided_at is not None:
                yield (fact.workflow, "glanced_decisions"), minute_of(fact.first_decided_at), 1
