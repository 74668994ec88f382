"""What the agent recommended on a case and what became of it, one fact each (SIGNALS section 3)."""

from bisect import bisect_right
from operator import attrgetter

from rollout_metrics.derive.history import CHANGES, History, Step
from rollout_metrics.derive.levels import mode_when_acting
from rollout_metrics.derive.outcomes import REVERSIBLE, Course, spoken
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.derive.versions import version_at
from rollout_metrics.derive.walk import walk
from rollout_metrics.domain.events import Activity, ActorKind
from rollout_metrics.domain.facts import DECIDED, EXPLICIT_ROWS, Mode, Outcome, Recommendation
from rollout_metrics.domain.policy import AttributeType, Workflow
from rollout_metrics.domain.time import MINUTE, Instant

_at = attrgetter("at")

UNCATEGORISED = "uncategorised"
"""The error category of a decision for which nobody gave a reason."""

REASON_WITHIN = 10 * MINUTE
"""How far from a decision, either side, the reason attribute speaks of it."""


def recommendations(history: History, _surroundings: Surroundings) -> tuple[list[Recommendation], Instant | None]:
    """The case's recommendations as of T, in order of opening, and the next instant at which one changes by time alone.

    Other cases have no say: at an own agent's event a single undated level has begun.
    """
    workflow = history.workflow
    if workflow is None:
        return [], None
    found = [_fact(course, history, workflow) for course in walk(history).courses]
    return [fact for fact, _ in found], min((change for _, change in found if change is not None), default=None)


def _fact(course: Course, history: History, workflow: Workflow) -> tuple[Recommendation, Instant | None]:
    """A course as it stands at T, and when it changes by time alone."""
    opened, decides = course.opened, course.decides
    outcome, how, provisional = course.outcome, course.how, False
    first_decided_at = decided_at = settled_at = change_at = ended_at = None
    evidence = list(course.refs)
    deciding = None
    decider = None
    if course.decided is None:
        asked_approval = opened.activity is Activity.APPROVAL_REQUESTED
        settle_at = opened.at + (decides.settle_after_approval if asked_approval else decides.settle_after)
        if history.as_of < min(settle_at, course.expires_at):
            outcome, change_at = Outcome.PENDING, min(settle_at, course.expires_at)
        else:
            outcome = Outcome.IGNORED if course.acted_at is None else Outcome.UNREVIEWED
            how = "timeout"
            provisional = history.as_of < course.expires_at
            decided_at = settle_at if provisional else course.expires_at
            first_decided_at = ended_at = decided_at
            if provisional:
                change_at = course.expires_at
            else:
                settled_at = decided_at
    else:
        assert outcome is not None
        last = course.reversed or course.decided
        first_decided_at, decided_at = course.decided.at, last.at
        deciding = last.event.ref
        evidence.append(course.decided.event.ref)
        if course.reversed is not None:
            evidence.append(deciding)
        if course.row == 13 or outcome not in DECIDED:
            ended_at = first_decided_at
        if course.row and course.decided.kind is ActorKind.OPERATOR:
            decider = course.decided.event.actor_id
        settles_at = decided_at + decides.reversal_window if outcome in REVERSIBLE else decided_at
        if settles_at <= history.as_of:
            settled_at = settles_at
        else:
            change_at = settles_at
    fact = Recommendation(
        workflow=workflow.name,
        action=course.action,
        opened=opened.event.ref,
        opened_at=opened.at,
        mode=mode_when_acting(workflow, opened.at),
        asked=not opened.acts,
        acted_at=course.acted_at,
        outcome=outcome,
        how=how,
        row=course.row,
        provisional=provisional,
        decided_at=decided_at,
        first_decided_at=first_decided_at,
        ended_at=ended_at,
        settled_at=settled_at,
        decider=decider,
        deciding=deciding,
        version=version_at(workflow, opened.event),
        category=_category(course, history, workflow),
        value=course.value,
        standing=course.standing,
        evidence=tuple(evidence),
        stranger_before=_stranger_before(history, first_decided_at) if decider is None and course.row in EXPLICIT_ROWS else None,
        given=_given_instead(course, history) if outcome is Outcome.OVERRIDDEN and mode_when_acting(workflow, opened.at) is Mode.SHADOW else None,
    )
    return fact, change_at


def _given_instead(course: Course, history: History) -> str | None:
    """What a person decided where the agent's value did not stand; None also where nothing was said in its place."""
    last = course.reversed or course.decided
    assert last is not None
    if course.decides.type is not AttributeType.SINGLE or last.activity is Activity.REOPENED:
        return None
    if course.reversed is None and course.row == 11:
        attribute = course.terms.attribute
        return None if attribute is None else history.value_at(attribute, last)
    return spoken(course.terms, last)


def _stranger_before(history: History, decided_at: Instant | None) -> Instant | None:
    """The last event before an instant of operators whom the source does not name: on one case they are one."""
    steps = (step for step in reversed(history.steps) if step.kind is ActorKind.OPERATOR and step.event.actor_id is None)
    return next((step.at for step in steps if decided_at is not None and step.at < decided_at), None)


def _category(course: Course, history: History, workflow: Workflow) -> str | None:
    """Why an edited or overridden decision was made: as the deciding event says, else as operators filled in around it."""
    if course.outcome not in (Outcome.EDITED, Outcome.OVERRIDDEN):
        return None
    deciding = course.reversed or course.decided
    assert deciding is not None
    # A reversal rejects (as row 1), replaces (as row 7) or undoes (as row 3, which gives no reason).
    if course.row in (1, 6, 7) if course.reversed is None else deciding.activity is not Activity.REOPENED:
        reason = deciding.event.detail.get("reason")
        if reason:
            return str(reason)
    attribute = workflow.reason_attribute
    if attribute is None:
        return UNCATEGORISED
    given = _given(history, attribute)
    place = bisect_right(given, deciding.at + REASON_WITHIN, key=_at) - 1
    if place < 0 or given[place].at < deciding.at - REASON_WITHIN:
        return UNCATEGORISED
    return given[place].event.after or UNCATEGORISED  # a reason taken back is none


def _given(history: History, attribute: str) -> list[Step]:
    """Operators' changes of the reason attribute; looked up once per history."""
    known: list[Step] | None = history.__dict__.get("_reasons")
    if known is None:
        known = history.__dict__["_reasons"] = [
            step for step in history.steps if step.event.attribute == attribute and step.kind is ActorKind.OPERATOR and step.activity in CHANGES
        ]
    return known
