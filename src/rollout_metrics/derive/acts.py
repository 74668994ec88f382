"""What the agent did itself and whether people put it right; and, for comparison, how often they change values that no agent touched (SIGNALS section 3)."""

from collections.abc import Iterator

from rollout_metrics.derive.history import History, Step
from rollout_metrics.derive.levels import mode_when_acting
from rollout_metrics.derive.outcomes import DOES, named_action
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.derive.terms import Terms, decided_terms, terms_of
from rollout_metrics.derive.walk import Walk, walk
from rollout_metrics.domain.events import Activity, ActorKind
from rollout_metrics.domain.facts import Act, Mode, Recommendation, ReferenceValue
from rollout_metrics.domain.policy import Workflow

_REOPENERS = (ActorKind.OPERATOR, ActorKind.CUSTOMER)
_GIVERS = (ActorKind.OPERATOR, ActorKind.SYSTEM)


def acts(history: History, _surroundings: Surroundings, _recommendations: list[Recommendation]) -> list[Act]:
    """The live acts of the workflow's own agent on the case, in order, each as judged by the end of its cohort age or by T.

    Every event that acts is one, also one for an action that the workflow does not decide; only `reversible: false` actions stay out.
    Nothing in an act changes by time alone: it counts from `judged_at` on.
    """
    workflow = history.workflow
    if workflow is None:
        return []
    walked = walk(history)
    found = []
    for step in history.steps[history.start :]:
        if step.own and step.acts and mode_when_acting(workflow, step.at) is Mode.LIVE:
            terms = terms_of(workflow, step.action or step.activity.value)
            if terms.reversible:
                found.append(_judged(step, terms, history, walked, workflow))
    return found


def _judged(act: Step, terms: Terms, history: History, walked: Walk, workflow: Workflow) -> Act:
    age = workflow.cohort_age
    corrected_by = edited_by = reversed_by = None
    value = terms.value(act.event)
    for step in _answers(act, terms, value, history):
        if step.activity is Activity.REJECTED:
            reverses = _rejects(step, act, walked, history)
        elif step.activity is Activity.REOPENED and act.action == "close":
            reverses = True
        else:
            reverses = terms.replaces(value, terms.value(step.event))
            if not reverses and edited_by is None and _edits(terms, value, step):
                edited_by = step
        if reverses:
            reversed_by = step
            break
    if reversed_by is not None and reversed_by.at <= act.at + age:
        corrected_by = reversed_by
    if edited_by is not None and (corrected_by is not None or edited_by.at > act.at + age):
        edited_by = None
    proof = reversed_by or edited_by
    return Act(
        workflow=workflow.name,
        action=terms.action,
        at=act.at,
        judged_at=act.at + age,
        corrected=corrected_by is not None,
        edited=edited_by is not None,
        reversed_at=None if reversed_by is None else reversed_by.at,
        evidence=(act.event.ref,) if proof is None else (act.event.ref, proof.event.ref),
    )


def _answers(act: Step, terms: Terms, value: str | None, history: History) -> Iterator[Step]:
    """Later events that could put the act right: rejections, reopenings of what it closed, operators who do its action.

    Once the agent does the action again, with another value (or closes again), it was the agent who replaced the act;
    only a rejection that names a recommendation may still mean the old one.
    """
    standing = True
    for step in history.steps[act.place + 1 :]:
        if step.activity is Activity.REJECTED and step.kind is ActorKind.OPERATOR:
            if standing or step.event.detail.get("recommendation") is not None:
                yield step
        elif not standing:
            continue
        elif step.activity is Activity.REOPENED and act.action == "close" and step.kind in _REOPENERS:
            yield step
        elif step.action == act.action and act.action is not None:
            if step.kind is ActorKind.OPERATOR and step.activity in DOES:
                yield step
            elif step.own and step.acts:
                standing = act.action != "close" and terms.same(value, terms.value(step.event))


def _rejects(step: Step, act: Step, walked: Walk, history: History) -> bool:
    """Whether an operator's rejection means the act: the recommendation it opened or continued; or, where there is none, its event or its action."""
    course = walked.of.get(act.place)
    if course is not None:
        return course in walked.meant.get(step.place, ())
    named = step.event.detail.get("recommendation")
    if named is not None and any(other.own and other.event.event_id == str(named) for other in history.steps[: step.place]):
        return act.event.event_id == str(named)
    return act.action is not None and named_action(step.event) == act.action


def _edits(terms: Terms, value: str | None, step: Step) -> bool:
    given = terms.value(step.event)
    return not (terms.comment or terms.same(value, given) or terms.advances(value, given)) and terms.alike(value, given)


def references(history: History) -> list[ReferenceValue]:
    """The first values that operators or systems gave to decided attributes, where no agent's event is on the case by `judged_at` (or T).

    Like acts: `reversible: false` actions stay out. Unsetting gives no value.
    """
    workflow = history.workflow
    if workflow is None:
        return []
    first_agent_at = next((step.at for step in history.steps if step.kind is ActorKind.AGENT), None)
    if first_agent_at is not None and history.scoped_at is not None and first_agent_at <= history.scoped_at + workflow.cohort_age:
        return []  # whatever value came first, the agent was there by the end of its age
    terms = {action: terms for action, terms in decided_terms(workflow).items() if terms.attribute is not None and terms.reversible}
    found = []
    for step in history.steps[history.start :]:
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
            for step in history.steps[first.place + 1 :]
            if step.action == first.action
            and step.kind is ActorKind.OPERATOR
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
        evidence=(first.event.ref,) if replacing is None else (first.event.ref, replacing.event.ref),
    )
