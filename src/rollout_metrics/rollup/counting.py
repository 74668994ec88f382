"""Which fact counts in which tally, at which instant, under which labels: one row each."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from rollout_metrics.catalog.tallies import (
    AGREED,
    BETWEEN_NAMES,
    CHEAP,
    DANGEROUS,
    EXPLICIT_HOWS,
    LATENCY_BUCKETS,
    bounded,
    reasons,
)
from rollout_metrics.domain.events import EventRef
from rollout_metrics.domain.facts import (
    DECIDED,
    EXPLICIT_ROWS,
    UNCATEGORISED,
    UNSPECIFIED,
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

# Looked up once: an enum's attribute costs more than what is done with it here.
_LIVE, _SHADOW = Mode.LIVE, Mode.SHADOW
_PENDING, _ACCEPTED, _OVERRIDDEN, _EDITED, _UNREVIEWED = Outcome.PENDING, Outcome.ACCEPTED, Outcome.OVERRIDDEN, Outcome.EDITED, Outcome.UNREVIEWED
_BYPASS, _CORRECTION, _COMPLAINT, _ESCALATION, _OVERRIDE = (
    signal.value for signal in (Signal.BYPASS, Signal.CORRECTION, Signal.COMPLAINT, Signal.ESCALATION, Signal.OVERRIDE)
)

F = TypeVar("F")
_UNKNOWN: frozenset[str] = frozenset()


class Row(msgspec.Struct, Generic[F], frozen=True):
    """A fact counts in `tally` if `when`, in the minute of its field `at` (None: of what stands at T), by `amount`; without `amount` by one.

    Where the field or its `labels` are None it does not count: whether it does may depend on the workflow.
    """

    tally: str
    at: str | None
    when: Callable[[F], bool] | None = None
    labels: Callable[[F, Workflow | None], tuple[str, ...] | None] | None = None
    amount: Callable[[F], int] | None = None


def _bucket(fact: Recommendation) -> str:
    latency = _latency(fact)
    return next((str(bound) for bound in LATENCY_BUCKETS if latency <= bound * SECOND), "+Inf")


def _latency(fact: Recommendation) -> int:
    return 0 if fact.first_decided_at is None else fact.first_decided_at - fact.opened_at


def _live(fact: Recommendation) -> bool:
    return fact.mode is _LIVE


def _explicit(fact: Recommendation) -> bool:
    return fact.row in EXPLICIT_ROWS and fact.mode is _LIVE


def is_settled(fact: Recommendation) -> bool:
    """Whether it counts as a settled decision."""
    return fact.settled_at is not None and fact.mode is _LIVE and fact.outcome in DECIDED


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
    if fact.outcome is not _OVERRIDDEN:
        return AGREED
    costs = ErrorCosts() if workflow is None else workflow.error_costs
    return DANGEROUS if costs.of(fact.action, fact.value, fact.given) >= costs.dangerous else CHEAP


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
    return (_OVERRIDE, _said(at is not None and at <= until))


def _corrected_early(fact: Act, workflow: Workflow | None) -> tuple[str, ...] | None:
    if workflow is None:
        return None
    return (_CORRECTION, _said(fact.reversed_at is not None and fact.reversed_at <= fact.at + workflow.spike_age))


def _clarity(fact: Escalated, workflow: Workflow | None) -> tuple[str, ...]:
    """Whether it has a reason and an owner; whether its reason, if it has one, has a path with owner and next step; whether that reason says nothing."""
    stated = fact.reason != UNSPECIFIED
    path = None if workflow is None else workflow.escalation.paths.get(fact.reason)
    led = not stated or (path is not None and bool(path.owner) and bool(path.next_step))
    return (_said(stated and fact.owned), _said(led), _said(workflow is not None and plain_reason(fact.reason) in workflow.escalation.catch_all))


_EDITED_OR_OVERRIDDEN = (_EDITED, _OVERRIDDEN)


def _erred(fact: Recommendation) -> bool:
    return fact.outcome in _EDITED_OR_OVERRIDDEN and _live(fact)


def _recurred(fact: Recommendation, workflow: Workflow | None) -> tuple[str, ...] | None:
    """The category of an error about something recommended after a change was deployed that fixes it; what was recommended before could not know of it."""
    if workflow is None or fact.category is None:
        return None
    fixed_at = workflow.fixed_since.get(fact.category)
    return None if fixed_at is None or fact.opened_at <= fixed_at else (bounded(fact.category, workflow.categories, UNCATEGORISED),)


_RECOMMENDATION: tuple[Row[Recommendation], ...] = (
    Row("decisions", "decided_at", lambda f: f.outcome in DECIDED, lambda f, _: (f.mode.value, f.outcome.value, f.how or "")),
    Row("recommendations", "opened_at", None, lambda f, _: (f.mode.value, f.outcome.value)),
    Row("recommendations_pending", None, lambda f: f.outcome is _PENDING, lambda f, _: (f.mode.value,)),
    Row("versioned", "opened_at", None, lambda f, _: ("true" if f.version else "false",)),
    Row(
        "errors",
        "decided_at",
        _erred,
        lambda f, workflow: (bounded(f.category, _categories(workflow), UNCATEGORISED),),
    ),
    Row("recurred_errors", "decided_at", _erred, _recurred),
    Row("error_categories", "decided_at", _erred, lambda f, _: (f.category or UNCATEGORISED,)),
    Row("explicit_decisions", "first_decided_at", _explicit),
    Row("review_latency", None, _explicit, lambda f, _: (_bucket(f),)),
    Row("review_latency_total", None, _explicit, amount=_latency),
    Row("shadow_comparisons", "decided_at", lambda f: f.mode is _SHADOW and f.outcome in DECIDED, lambda f, w: (compared(f, w),)),
    Row("decisions_settled", None, is_settled, lambda f, _: (f.outcome.value,)),
    Row("spike_cohort", "opened_at", None, _overridden_early),
    Row("throughput", "decided_at", lambda f: _live(f) and f.outcome in (_ACCEPTED, _UNREVIEWED)),
    Row(
        "reviewers",
        "decided_at",
        lambda f: _live(f) and f.outcome in DECIDED and f.decider is not None,
        lambda f, _: (_said(f.outcome is _ACCEPTED and f.how in EXPLICIT_HOWS), f.decider or ""),
    ),
)

_ACT: tuple[Row[Act], ...] = (
    Row("acts", "judged_at"),
    Row("corrected_acts", "judged_at", lambda f: f.corrected),
    Row("edited_acts", "judged_at", lambda f: f.edited),
    Row("spike_cohort", "at", None, _corrected_early),
)

_REFERENCE: tuple[Row[ReferenceValue], ...] = (
    Row("reference_values", "judged_at"),
    Row("reference_corrections", "judged_at", lambda f: f.corrected),
)

_ESCALATED: tuple[Row[Escalated], ...] = (
    Row(
        "escalations",
        "raised_at",
        None,
        lambda f, workflow: (bounded(f.reason, _UNKNOWN if workflow is None else reasons(workflow), UNSPECIFIED),),
    ),
    Row("escalation_targets", "breach_at", _due, lambda f, _: ("true" if _met(f) else "false",)),
    Row("escalations_open", None, _open),
    Row("escalations_unowned", None, lambda f: _open(f) and not f.owned),
    Row("escalation_clarity", "raised_at", None, _clarity),
)

_AGENT_FIRST = (HandlingKind.ASSISTED, HandlingKind.REDONE)

_HANDLING: tuple[Row[Handling], ...] = (
    Row("handled_cases", "at", None, lambda f, _: (f.handling.value,)),
    Row(
        "spike_cohort",
        "at",
        lambda f: f.bypassed_early is not None,
        lambda f, _: (_BYPASS, _said(f.bypassed_early is True)),
    ),
    Row("assisted_cases", "at", lambda f: f.handling in _AGENT_FIRST, lambda f, _: (_said(f.cleaned),)),
)


def _reviewed(fact: CaseSummary) -> bool:
    return fact.review_effort is not None


def _basis(effort: Effort | None) -> tuple[str, ...]:
    return () if effort is None else (effort.basis,)


def microseconds(effort: Effort | None) -> int:
    """An effort as whole microseconds, so that sums are exact."""
    return 0 if effort is None else round(effort.seconds * SECOND)


# Correct escalation is asked of agent-handled cases and belongs to their first handling: what came before the agent could not have been escalated by it.
_CASE: tuple[Row[CaseSummary], ...] = (
    Row("handled_cohort_cases", "judged_at"),
    Row("escalated_cohort_cases", "judged_at", lambda f: f.escalated_in_cohort),
    Row("complaint_cohort_cases", "judged_at", lambda f: f.complained_in_cohort),
    Row("drop_cohort_cases", "drop_judged_at"),
    Row("dropped_cases", "drop_judged_at", lambda f: not f.touched),
    Row("appearances", "drop_judged_at", None, lambda f, _: (BETWEEN_NAMES.join(f.names),)),
    Row(
        "review_effort",
        "reviewed_at",
        _reviewed,
        lambda f, _: _basis(f.review_effort),
        lambda f: microseconds(f.review_effort),
    ),
    Row("reviewed_cases", "reviewed_at", _reviewed, lambda f, _: _basis(f.review_effort)),
    Row("spike_cohort", "handled_at", None, lambda f, _: (_ESCALATION, _said(f.escalated_early))),
    Row("spike_cohort", "handled_at", None, lambda f, _: (_COMPLAINT, _said(f.complained_early))),
    Row(
        "case_comments",
        "concluded_at",
        lambda f: f.verdict is not None,
        lambda f, _: ("" if f.verdict is None else f.verdict.value, str(min(f.comments, MOST_COMMENTS))),
    ),
    Row("judged_escalated_cases", "handled_at", lambda f: f.escalated and f.should_escalate is not None),
    Row("should_escalate_cases", "handled_at", lambda f: f.should_escalate is True),
    Row("correctly_escalated_cases", "handled_at", lambda f: f.escalated and f.should_escalate is True),
)

_VIOLATION: tuple[Row[Violation], ...] = (Row("violations", "at", None, lambda f, _: (f.kind.value,)),)
_BLOCKED: tuple[Row[Blocked], ...] = (
    Row("blocked_actions", "at", None, lambda f, workflow: (bounded(f.reason, _UNKNOWN if workflow is None else workflow.block_reasons, UNSPECIFIED),)),
)
_USED: tuple[Row[Used], ...] = (Row("used", "at", None, lambda f, _: (f.action,)),)
_EVALUATED: tuple[Row[Evaluated], ...] = (
    Row("evaluations", "at", None, lambda f, _: ("true" if f.passed else "false",)),
    Row("failed_runs", None, lambda f: not f.passed, lambda f, _: (str(f.at), f.version or "", *f.evidence[-1])),
)
_INCIDENT: tuple[Row[IncidentSeen], ...] = (
    Row("incident_cases", None, None, lambda f, _: (str(f.at), "" if f.ended_at is None else str(f.ended_at), f.change or "", *f.case, *f.evidence[0])),
)
_UNRECORDED: tuple[Row[Unrecorded], ...] = (Row("unrecorded_version_events", "at", None, lambda f, _: (f.version,)),)
_REPORTED: tuple[Row[Reported], ...] = (Row("linked", "at", None, lambda f, _: ("true" if f.linked else "false",), lambda f: f.events),)

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

_Group = tuple[Callable[[Any], bool] | None, tuple[tuple[Any, ...], ...]]
_Plan = tuple[tuple[Callable[[Any], Instant | None] | None, tuple[_Group, ...]], ...]
"""The rows of one kind by what tells the instant, then by the condition, so that each is asked once."""


def _plan(kind: type[Fact], rows: Iterable[Row[Any]]) -> _Plan:
    fields = {name: attrgetter(name) for name in kind.__struct_fields__}
    grouped: dict[str | None, dict[Callable[[Any], bool] | None, list[tuple[Any, ...]]]] = {}
    for row in rows:
        grouped.setdefault(row.at, {}).setdefault(row.when, []).append((row.tally, row.labels, row.amount))
    return tuple((None if at is None else fields[at], tuple((when, tuple(these)) for when, these in conditions.items())) for at, conditions in grouped.items())


_PLANS = {kind: _plan(kind, rows) for kind, rows in ROWS.items()}


def counted(fact: Fact, workflow: Workflow | None) -> list[Contribution]:
    """What one fact counts, by the rows of its kind."""
    found: list[Contribution] = []
    name = fact.workflow
    for at_of, groups in _PLANS[type(fact)]:
        minute = STATE
        if at_of is not None:
            at = at_of(fact)
            if at is None:
                continue
            minute = minute_of(at)
        for when, rows in groups:
            if when is None or when(fact):
                for tally, labels, amount in rows:
                    values = () if labels is None else labels(fact, workflow)
                    if values is not None:
                        found.append(((name, tally) + values, minute, 1 if amount is None else amount(fact)))  # noqa: RUF005  (half the time)
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
