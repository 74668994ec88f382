"""What the agent did itself and whether people put it right; and, beside it, how often they change values that no agent touched (definitions, section 3)."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from heapq import merge
from operator import attrgetter

from rollout_metrics.derive.history import ACTS, History, Step
from rollout_metrics.derive.levels import levels_of
from rollout_metrics.derive.outcomes import DOES, named_action
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.derive.terms import AllTerms, Terms, decided_terms, terms_of
from rollout_metrics.derive.walk import REOPENERS, walk
from rollout_metrics.domain.events import Activity, ActorKind
from rollout_metrics.domain.facts import Act, Mode, Recommendation, ReferenceValue
from rollout_metrics.domain.policy import Workflow

_GIVERS = (ActorKind.OPERATOR, ActorKind.SYSTEM)
_AGENT, _OPERATOR, _REJECTED, _REOPENED, _LIVE = ActorKind.AGENT, ActorKind.OPERATOR, Activity.REJECTED, Activity.REOPENED, Mode.LIVE
_place = attrgetter("place")


def acts(history: History, _surroundings: Surroundings, _recommendations: list[Recommendation]) -> list[Act]:
    """The live acts of the workflow's own agent on the case, in order, each as judged by the end of its cohort age or by T.

    Every event that acts is one, also one for an action that the workflow does not decide; only `reversible: false` actions stay out.
    Nothing in an act changes by time alone: it counts from `judged_at` on.
    """
    workflow = history.workflow
    if workflow is None:
        return []
    levels, terms_by_action = levels_of(workflow), terms_of(workflow)
    answers: _Answers | None = None
    found = []
    for step in history.since(history.by[_AGENT]):
        if step.own and step.activity in ACTS and levels.mode_when_acting(step.at) is _LIVE:
            terms = terms_by_action[step.action or step.activity.value]
            if terms.reversible:
                if answers is None:
                    answers = _Answers(history, terms_by_action)
                edited_by, reversed_by = answers.to(step, terms) if answers.about(step) else (None, None)
                found.append(_judged(step, workflow, terms, edited_by, reversed_by))
    return found


def _judged(act: Step, workflow: Workflow, terms: Terms, edited_by: Step | None, reversed_by: Step | None) -> Act:
    at = act.at
    judged_at = at + workflow.cohort_age
    if edited_by is reversed_by is None:
        return Act(workflow.name, terms.action, at, judged_at, False, False, None, (act.ref,))
    corrected_by = reversed_by if reversed_by is not None and reversed_by.at <= judged_at else None
    if edited_by is not None and (corrected_by is not None or edited_by.at > judged_at):
        edited_by = None
    proof = reversed_by or edited_by
    return Act(
        workflow=workflow.name,
        action=terms.action,
        at=at,
        judged_at=judged_at,
        corrected=corrected_by is not None,
        edited=edited_by is not None,
        reversed_at=None if reversed_by is None else reversed_by.at,
        evidence=(act.ref,) if proof is None else (act.ref, proof.ref),
    )


class _Answers:
    """The events of a history that could put acts right, by what they are about: a case can have thousands of acts.

    They are rejections, reopenings of what was closed, and operators who do the action. Once the agent does the action again, with another value
    (or closes again), it was the agent who replaced the act; only a rejection that names an event of the agent may still mean the old one.
    """

    def __init__(self, history: History, terms: AllTerms) -> None:
        self._rejections = _Rejections(history) if _REJECTED in history.of else None
        self._reopened = [step for step in history.of.get(_REOPENED, ()) if step.kind in REOPENERS]
        self._done: dict[str, list[Step]] = {}
        # That the agent did an action again matters where somebody could have answered what it did before.
        answered = {step.action for step in history.by[_OPERATOR] if step.activity in DOES}
        if self._reopened:
            answered.add("close")
        if answered or self._rejections is not None:
            for step in history.steps:
                action = step.action
                if action is None or (action not in answered and self._rejections is None):
                    continue
                if step.activity in ACTS if step.own else step.kind is _OPERATOR and step.activity in DOES:
                    self._do(step, terms[action])

    def _do(self, step: Step, terms: Terms) -> None:
        """Keep what can make a difference: repeating a value does not, nor does an operator's comment, which replaces nothing."""
        if terms.comment and not step.own:
            return
        done = self._done.get(terms.action)
        if done is None:
            self._done[terms.action] = [step]
            return
        if terms.action != "close" and terms.value(done[-1].event) == terms.value(step.event) and (done[-1].own or not step.own):
            return
        done.append(step)

    def about(self, act: Step) -> bool:
        """Whether any could be about the act."""
        return act.action in self._done or self._rejections is not None

    def to(self, act: Step, terms: Terms) -> tuple[Step | None, Step | None]:
        """The first answer that edits the act, if it comes before the first that reverses it; and that one."""
        edited_by, reversed_by, replaced = self._operators(act, terms)
        rejected = None if self._rejections is None else self._rejections.first(act, replaced)
        reopened = next(_after(self._reopened, act), None) if self._reopened and act.action == "close" else None
        if reopened is not None and replaced is not None and replaced.place < reopened.place:
            reopened = None
        if rejected is not None or reopened is not None:
            reversed_by = min([step for step in (reversed_by, rejected, reopened) if step is not None], key=_place)
        if edited_by is not None and reversed_by is not None and reversed_by.place < edited_by.place:
            edited_by = None
        return edited_by, reversed_by

    def _operators(self, act: Step, terms: Terms) -> tuple[Step | None, Step | None, Step | None]:
        """The first operator's doing of the action that edits the act, the first that reverses it, and the own act that replaced it before."""
        edited_by = None
        done = self._done.get(act.action or "", ())
        if not done or done[-1].place <= act.place:
            return None, None, None
        value = terms.value(act.event)
        for step in _after(done, act):
            given = terms.value(step.event)
            if step.own:
                if act.action == "close" or not terms.same(value, given):
                    return edited_by, None, step
            elif terms.replaces(value, given):
                return edited_by, step, None
            elif edited_by is None and _edits(terms, value, given):
                edited_by = step
        return edited_by, None, None


class _Rejections:
    """Operators' rejections: those of a recommendation by the place of its opening, those of all for an action by the action; where an act belongs to no
    recommendation, by the event or action that they name."""

    def __init__(self, history: History) -> None:
        self._walked = walk(history)
        self._of_course: dict[int, list[Step]] = {}
        self._of_courses: dict[str, list[Step]] = {}
        self._of_event: dict[str, list[Step]] = {}
        self._of_action: dict[str, list[Step]] = {}
        self._naming: set[int] = set()
        own_ids: set[str] = set()
        for step in history.steps:
            if step.own:
                own_ids.add(step.event.event_id)
            elif step.activity is _REJECTED and step.kind is _OPERATOR:
                self._take(step, own_ids)

    def _take(self, step: Step, own_ids: Collection[str]) -> None:
        meant = self._walked.meant.get(step.place)
        if meant is not None:
            if meant.first is meant.newest:
                self._of_course.setdefault(meant.newest.opened.place, []).append(step)
            else:
                self._of_courses.setdefault(meant.newest.action, []).append(step)
        named, action = step.event.detail.get("recommendation"), named_action(step.event)
        if named is not None and str(named) in own_ids:
            self._naming.add(step.place)
            self._of_event.setdefault(str(named), []).append(step)
        elif action is not None:
            self._of_action.setdefault(action, []).append(step)

    def first(self, act: Step, replaced: Step | None) -> Step | None:
        """The first that means the act; once the agent `replaced` it, only one that names an event of the agent."""
        course = self._walked.of.get(act.place)
        if course is None:
            one, other = self._of_event.get(act.event.event_id, []), self._of_action.get(act.action or "", [])
        else:
            one, other = self._of_course.get(course.opened.place, []), self._of_courses.get(course.action, [])
        meaning = merge(_after(one, act), _after(other, act), key=_place)
        return next((step for step in meaning if replaced is None or step.place < replaced.place or step.place in self._naming), None)


def _after(steps: Sequence[Step], act: Step) -> Iterator[Step]:
    place = bisect_right(steps, act.place, key=_place)
    return map(steps.__getitem__, range(place, len(steps)))


def _edits(terms: Terms, value: str | None, given: str | None) -> bool:
    return not (terms.comment or terms.same(value, given) or terms.advances(value, given)) and terms.alike(value, given)


def references(history: History) -> list[ReferenceValue]:
    """The first values that operators or systems gave to decided attributes, where no agent's event is on the case by `judged_at` (or T).

    Like acts: `reversible: false` actions stay out. Unsetting gives no value.
    """
    workflow, scoped_at = history.workflow, history.scoped_at
    if workflow is None or scoped_at is None:
        return []
    agents = history.by[_AGENT]
    first_agent_at = agents[0].at if agents else None
    if first_agent_at is not None and first_agent_at <= scoped_at + workflow.cohort_age:
        return []  # whatever value came first, the agent was there by the end of its age
    terms = {action: terms for action, terms in decided_terms(workflow).items() if terms.attribute is not None and terms.reversible}
    found = []
    for step in history.since(history.steps):
        if step.action in terms and _gives(step):
            judged = terms.pop(step.action)
            if first_agent_at is None or first_agent_at > step.at + workflow.cohort_age:
                found.append(_reference(step, judged, history, workflow))
    return found


def _gives(step: Step) -> bool:
    return step.kind in _GIVERS and step.activity in DOES and step.event.after is not None


def _reference(first: Step, terms: Terms, history: History, workflow: Workflow) -> ReferenceValue:
    age = workflow.cohort_age
    replacing = next(
        (
            step
            for step in history.by[_OPERATOR]
            if step.place > first.place
            and step.action == first.action
            and step.activity in DOES
            and step.at <= first.at + age
            and terms.replaces(first.event.after, step.event.after)
        ),
        None,
    )
    return ReferenceValue(
        workflow=workflow.name,
        action=terms.action,
        at=first.at,
        judged_at=first.at + age,
        corrected=replacing is not None,
        evidence=(first.ref,) if replacing is None else (first.ref, replacing.ref),
    )
