"""Escalations: when the agent hands a case to people, how long people take to notice, and how it ends (definitions, section 5)."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from rollout_metrics.derive.calendar import elapsed, used_up
from rollout_metrics.derive.history import ENDINGS, History, Step
from rollout_metrics.derive.kept import kept
from rollout_metrics.derive.levels import levels_of
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.events import Activity, ActorKind, EventRef, any_of, members_of
from rollout_metrics.domain.facts import UNSPECIFIED, Escalated, EscalationState, Mode, Recommendation
from rollout_metrics.domain.policy import Company, Level, Workflow
from rollout_metrics.domain.time import Instant

# Looked up once: an enum's attribute costs more than what is done with it here.
_AGENT, _OPERATOR, _LIVE, _SHADOW = ActorKind.AGENT, ActorKind.OPERATOR, Mode.LIVE, Level.SHADOW
_WAITING, _ACKNOWLEDGED, _RESOLVED, _ENDED = (
    EscalationState.WAITING,
    EscalationState.ACKNOWLEDGED,
    EscalationState.RESOLVED,
    EscalationState.ENDED,
)
_CHANGED, _CLOSED, _ESCALATED, _EXECUTED = Activity.CHANGED, Activity.CLOSED, Activity.ESCALATED, Activity.EXECUTED


def escalations(history: History, company: Company, _surroundings: Surroundings, recommendations: Sequence[Recommendation]) -> list[Escalated]:
    """The case's escalations as of T, in order; all but the last are resolved. Nothing in them changes by time alone.

    Any agent can escalate a case of the workflow, not only the workflow's own. None opens in shadow. While the level is `off` (before the first level,
    in a pause) one does, as a recommendation is `live` then: people got the case, whether or not the agent was allowed to hand it over.
    """
    workflow, scoped_at = history.workflow, history.scoped_at
    if workflow is None or scoped_at is None:
        return []
    raised = raising(history)
    if not raised:
        return []
    takebacks = _takebacks(recommendations, raised)
    levels = levels_of(workflow)
    courses: list[_Course] = []
    current: _Course | None = None
    for step in history.steps[next(iter(raised)) :]:
        if step.place in raised:
            if current is not None:
                current.join(step)
            elif levels.when_acting(step.at) is not _SHADOW:
                current = _Course(step, _stated_reason(step), [step.ref])
                courses.append(current)
        elif current is not None and current.follow(step, takebacks):
            current = None
    owned = _somebody(history.value_now(workflow.escalation.owner_attribute), company.agents_as_written)
    return [_escalated(course, history, workflow, owned=owned) for course in courses]


def _takebacks(recommendations: Sequence[Recommendation], raised: Mapping[int, Step]) -> Collection[EventRef]:
    """The events by which the agent may take the case back. A shadow recommendation reaches nobody, and one made in the instant of an escalation belongs to
    the update that escalates: neither does."""
    first_at = next(iter(raised.values())).at
    later = [item for item in recommendations if item.opened_at > first_at and item.mode is _LIVE]
    if not later:
        return ()
    raised_at = {step.at for step in raised.values()}
    return {item.opened for item in later if item.opened_at not in raised_at}


class _Course(msgspec.Struct, eq=False, gc=False):
    """One escalation while its history is being read."""

    raised: Step
    reason: str | None
    evidence: list[EventRef]
    acknowledged_at: Instant | None = None
    resolved_at: Instant | None = None
    ended_at: Instant | None = None

    def join(self, step: Step) -> None:
        """Take in a further escalation: it may state the reason that the first left out, as a runtime's report beside the tracker's own event does."""
        self.reason = self.reason or _stated_reason(step)
        self.evidence.append(step.ref)

    def follow(self, step: Step, takebacks: Collection[EventRef]) -> bool:
        """Take in any other later event; whether the escalation is over with it."""
        over = True
        if step.activity in ENDINGS:
            self.ended_at = step.at
        elif step.activity is _CLOSED or (step.own and step.ref in takebacks):
            self.resolved_at = step.at
        else:
            over = False
        if step.kind is _OPERATOR and self.acknowledged_at is None:
            self.acknowledged_at = step.at
        elif not over:
            return False
        self.evidence.append(step.ref)
        return over

    @property
    def over_at(self) -> Instant | None:
        """When it was resolved or ended."""
        return self.ended_at if self.resolved_at is None else self.resolved_at

    @property
    def state(self) -> EscalationState:
        """Where it stands."""
        if self.resolved_at is not None:
            return _RESOLVED
        if self.ended_at is not None:
            return _ENDED
        return _WAITING if self.acknowledged_at is None else _ACKNOWLEDGED


@kept
def raising(history: History) -> Mapping[int, Step]:
    """The agents' events that escalate a case of a workflow, in order, each by its place."""
    assert history.workflow is not None
    escalation, agents = history.workflow.escalation, history.company.agents_as_written
    attributes, to = escalation.attributes, escalation.to
    found = {}
    for step in history.since(history.by[_AGENT]):
        activity = step.activity
        if activity is _CHANGED:
            event = step.event
            raises = event.attribute in attributes and (_somebody(event.after, agents) if to is None else any_of(event.after, to))
        else:
            raises = activity is _ESCALATED or (activity is _EXECUTED and step.action == "escalate")
        if raises:
            found[step.place] = step
    return found


def _somebody(value: str | None, agents: frozenset[str]) -> bool:
    """Whether a value (any member of a multi-valued one) is set and no agent."""
    return value is not None and value not in agents and (not value.startswith("[") or not members_of(value) <= agents)


def _stated_reason(step: Step) -> str | None:
    reason = step.event.detail.get("reason")
    return str(reason) if reason else None


def _reason(course: _Course, history: History, workflow: Workflow) -> str:
    """What the agent stated, else what the reason attribute said once all events of the raising instant were in: nobody fills it in afterwards."""
    attribute = workflow.escalation.reason_attribute
    if course.reason is None and attribute is not None:
        last = course.raised
        for step in history.steps[last.place + 1 :]:
            if step.at > last.at:
                break
            last = step
        return history.value_at(attribute, last) or UNSPECIFIED
    return course.reason or UNSPECIFIED


def _escalated(course: _Course, history: History, workflow: Workflow, *, owned: bool) -> Escalated:
    raised_at = course.raised.at
    reason = _reason(course, history, workflow)
    path = workflow.escalation.paths.get(reason)
    target = workflow.escalation.target if path is None or path.target is None else path.target
    waited_until = course.over_at if course.acknowledged_at is None else course.acknowledged_at
    return Escalated(
        workflow=workflow.name,
        raised_at=raised_at,
        reason=reason,
        owned=owned,
        owner_team=None if path is None else path.owner or None,
        target=target,
        acknowledged_at=course.acknowledged_at,
        resolved_at=course.resolved_at,
        ended_at=course.ended_at,
        state=course.state,
        worked=None if waited_until is None else elapsed(workflow.calendar, raised_at, waited_until),
        breach_at=used_up(workflow.calendar, raised_at, target),
        evidence=tuple(course.evidence),
    )
