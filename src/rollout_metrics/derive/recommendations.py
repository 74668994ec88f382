"""What the agent recommended on a case and what became of it, one fact each (definitions, section 3)."""

from bisect import bisect_right
from operator import attrgetter

from rollout_metrics.derive.history import ACTS, CHANGES, History, Step
from rollout_metrics.derive.kept import kept
from rollout_metrics.derive.levels import levels_of
from rollout_metrics.derive.outcomes import REVERSIBLE, Course, spoken
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.derive.versions import version_at
from rollout_metrics.derive.walk import walk
from rollout_metrics.domain.events import Activity, ActorKind
from rollout_metrics.domain.facts import DECIDED, EXPLICIT_ROWS, UNCATEGORISED, Mode, Outcome, Recommendation
from rollout_metrics.domain.policy import AttributeType, Workflow
from rollout_metrics.domain.time import MINUTE, Instant

_at = attrgetter("at")

# Looked up once: an enum's attribute costs more than what is done with it here.
_OPERATOR, _APPROVAL_REQUESTED, _REOPENED, _SHADOW = ActorKind.OPERATOR, Activity.APPROVAL_REQUESTED, Activity.REOPENED, Mode.SHADOW
_PENDING, _IGNORED, _UNREVIEWED = Outcome.PENDING, Outcome.IGNORED, Outcome.UNREVIEWED
_EDITED, _OVERRIDDEN = Outcome.EDITED, Outcome.OVERRIDDEN

REASON_WITHIN = 10 * MINUTE
"""How far from a decision, either side, the reason attribute speaks of it."""


def recommendations(history: History, _surroundings: Surroundings) -> tuple[list[Recommendation], Instant | None]:
    """The case's recommendations as of T, in order of opening, and the next instant at which one changes by time alone.

    Other cases have no say: at an own agent's event a single undated level has begun.
    """
    workflow = history.workflow
    if workflow is None:
        return [], None
    courses = walk(history).courses
    if not courses:
        return [], None
    levels = levels_of(workflow)
    found = []
    next_change_at: Instant | None = None
    for course in courses:
        fact, change_at = _fact(course, history, workflow, levels.mode_when_acting(course.opened.at))
        found.append(fact)
        if change_at is not None and (next_change_at is None or change_at < next_change_at):
            next_change_at = change_at
    return found, next_change_at


def _fact(course: Course, history: History, workflow: Workflow, mode: Mode) -> tuple[Recommendation, Instant | None]:
    """A course as it stands at T, and when it changes by time alone."""
    opened, decided, decides = course.opened, course.decided, course.decides
    opened_at, acted_at, row = opened.at, course.acted_at, course.row
    outcome, how, provisional = course.outcome, course.how, False
    first_decided_at = decided_at = settled_at = change_at = ended_at = None
    deciding = decider = stranger_before = category = given = None
    evidence = tuple(course.refs)
    if decided is None:
        settle_at = opened_at + (decides.settle_after_approval if opened.activity is _APPROVAL_REQUESTED else decides.settle_after)
        if history.as_of < min(settle_at, course.expires_at):
            outcome, change_at = _PENDING, min(settle_at, course.expires_at)
        else:
            outcome = _IGNORED if acted_at is None else _UNREVIEWED
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
        last = decided if course.reversed is None else course.reversed
        first_decided_at, decided_at = decided.at, last.at
        deciding = last.ref
        evidence += (deciding,) if last is decided else (decided.ref, deciding)
        if row == 13 or outcome not in DECIDED:
            ended_at = first_decided_at
        if row and decided.kind is _OPERATOR:
            decider = decided.event.actor_id
            if decider is None and row in EXPLICIT_ROWS:
                stranger_before = _stranger_before(history, first_decided_at)
        settles_at = decided_at + decides.reversal_window if outcome in REVERSIBLE else decided_at
        if settles_at <= history.as_of:
            settled_at = settles_at
        else:
            change_at = settles_at
        if outcome is _OVERRIDDEN or outcome is _EDITED:
            category = _category(course, last, history)
            if mode is _SHADOW and outcome is _OVERRIDDEN:
                given = _given_instead(course, last, history)
    # By place, each under its field's name: beyond fifteen names Python makes a dictionary of them, which takes five times as long.
    fact = Recommendation(
        workflow.name,
        course.action,
        opened.ref,
        opened_at,
        mode,
        opened.activity not in ACTS,
        acted_at,
        outcome,
        how,
        row,
        provisional,
        decided_at,
        first_decided_at,
        ended_at,
        settled_at,
        decider,
        deciding,
        version_at(workflow, opened.event),
        category,
        course.value,
        course.standing,
        evidence,
        stranger_before,
        given,
    )
    return fact, change_at


def _given_instead(course: Course, last: Step, history: History) -> str | None:
    """What a person decided where the agent's value did not stand; None also where nothing was said in its place."""
    if course.decides.type is not AttributeType.SINGLE or last.activity is _REOPENED:
        return None
    if course.reversed is None and course.row == 11:
        attribute = course.terms.attribute
        return None if attribute is None else history.value_at(attribute, last)
    return spoken(course.terms, last)


def _stranger_before(history: History, decided_at: Instant) -> Instant | None:
    """The last event before an instant of operators whom the source does not name: on one case they are one."""
    return next((step.at for step in reversed(history.by[_OPERATOR]) if step.event.actor_id is None and step.at < decided_at), None)


def _category(course: Course, last: Step, history: History) -> str:
    """Why an edited or overridden decision was made: as the deciding event says, else as operators filled in around it."""
    # A reversal rejects (as row 1), replaces (as row 7) or undoes (as row 3, which gives no reason).
    if course.row in (1, 6, 7) if course.reversed is None else last.activity is not _REOPENED:
        reason = last.event.detail.get("reason")
        if reason:
            return str(reason)
    given = _reasons(history)
    place = bisect_right(given, last.at + REASON_WITHIN, key=_at) - 1
    if place < 0 or given[place].at < last.at - REASON_WITHIN:
        return UNCATEGORISED
    return given[place].event.after or UNCATEGORISED  # a reason taken back is none


@kept
def _reasons(history: History) -> list[Step]:
    """Operators' changes of the workflow's reason attribute."""
    attribute = None if history.workflow is None else history.workflow.reason_attribute
    return [step for step in history.by[_OPERATOR] if step.event.attribute == attribute and step.activity in CHANGES] if attribute is not None else []
