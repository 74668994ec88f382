"""Whether the agent stayed within its authority: violations, actions that a guardrail blocked, and grants that were used (SIGNALS section 7)."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from operator import ge, gt, le, lt

from rollout_metrics.derive.approvals import approvals
from rollout_metrics.derive.history import ACTS, History, Step
from rollout_metrics.derive.levels import level_when_acting
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.events import Activity, ActorKind, members_of, text_value
from rollout_metrics.domain.facts import Blocked, Recommendation, Used, Violation, ViolationKind
from rollout_metrics.domain.policy import Authority, Company, Condition, Grant, Level, Workflow
from rollout_metrics.domain.time import Instant

NO_WORKFLOW = "none"
"""Where a violation counts on a case that is in no workflow, by an agent that has none."""

UNSPECIFIED = "unspecified"
"""The reason of a block for which none was given."""

SIZES: dict[str, Callable[[Decimal, Decimal], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}

SAME_WORD = {"yes": "true", "no": "false"}
"""People write `regulated = no` where a tracker stores false."""


def violations(history: History, company: Company, _surroundings: Surroundings, _recommendations: Sequence[Recommendation]) -> list[Violation | Blocked | Used]:
    """What the agent's acts on a case say about its authority, in order; `Used` after the rest. Works for cases of no workflow as well.

    A block is counted whoever reports it: it is always the agent that was refused. Nothing here changes by time alone,
    and other cases have no say: at an own agent's event a single undated level has begun.
    """
    found: list[Violation | Blocked | Used] = []
    used: dict[str, Used] = {}
    previous: dict[str | None, int] = {}
    for step in history.steps:
        if step.activity is Activity.BLOCKED:
            found.append(_blocked(step, history, company))
        elif step.kind is ActorKind.AGENT and step.activity in ACTS:
            workflow = _workflow_of(step, history)
            previous_act = previous.get(step.action, -1)
            previous[step.action] = step.place
            action = step.action or step.activity.value
            if workflow is None:
                found.append(Violation(_outside(step, history, company), ViolationKind.OUT_OF_SCOPE, action, step.at, (step.event.ref,)))
                continue
            if action in _automatic(workflow):
                used[action] = Used(workflow.name, action, step.at, (step.event.ref,))
            if level_when_acting(workflow, step.at) <= Level.SHADOW:
                found.append(Violation(workflow.name, ViolationKind.LEVEL, action, step.at, (step.event.ref,)))
                continue
            lists = in_force(workflow, step.at)
            if lists is None:
                continue
            kind = _violated(lists, step, action, history, workflow=workflow, previous_act=previous_act)
            if kind is not None:
                found.append(Violation(workflow.name, kind, action, step.at, (step.event.ref,)))
    found.extend(used[action] for action in sorted(used))
    return found


def _automatic(workflow: Workflow) -> frozenset[str]:
    """The actions that any list of the workflow ever allowed automatically, under whatever conditions."""
    known: frozenset[str] | None = workflow.__dict__.get("_automatic")
    if known is None:
        known = workflow.__dict__["_automatic"] = frozenset(grant.action for lists in workflow.authority for grant in lists.automatic)
    return known


def in_force(workflow: Workflow, at: Instant) -> Authority | None:
    """The lists in force at an instant. None where the workflow has none, or none yet: what nobody wrote down cannot be violated, so then only
    scope and level are checked."""
    current = None
    for lists in workflow.authority:
        if lists.since is None or lists.since <= at:
            current = lists
    return current


def _violated(lists: Authority, step: Step, action: str, history: History, *, workflow: Workflow, previous_act: int) -> ViolationKind | None:
    if _granted(lists.forbidden, step, action, history):
        return ViolationKind.FORBIDDEN
    if _granted(lists.approval, step, action, history):
        return None if approvals(history, workflow).cover(step, previous_act) else ViolationKind.UNAPPROVED
    return None if _granted(lists.automatic, step, action, history) else ViolationKind.UNLISTED


def _granted(grants: Iterable[Grant], step: Step, action: str, history: History) -> bool:
    return any(grant.action == action and all(_holds(condition, step, history) for condition in grant.when) for grant in grants)


def _holds(condition: Condition, step: Step, history: History) -> bool:
    """Whether a condition holds for an act: looked up in its detail (null says nothing), else as the case's attribute then, the act's own change included."""
    value = text_value(step.event.detail.get(condition.attribute))
    if value is None:
        value = history.value_at(condition.attribute, step)
    compare = SIZES.get(condition.operator)
    if compare is not None:
        size, limit = _number(value), _number(condition.operands[0])
        return size is not None and limit is not None and compare(size, limit)
    # of a multi-valued attribute any member may match, as in a scope
    among = not {_word(member) for member in members_of(value)}.isdisjoint(_word(operand) for operand in condition.operands)
    return not among if condition.operator == "!=" else among


def _word(text: str) -> str:
    return SAME_WORD.get(text, text)


@lru_cache(maxsize=4096)
def _number(text: str | None) -> Decimal | None:
    if text is None or "_" in text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _workflow_of(step: Step, history: History) -> Workflow | None:
    """The case's workflow, if the case is in it by then and it is one of the agent's own."""
    return history.workflow if step.own and _scoped(step, history) else None


def _scoped(step: Step, history: History) -> bool:
    return history.scoped_at is not None and step.at >= history.scoped_at


def _outside(step: Step, history: History, company: Company) -> str:
    """Where what happened outside the agent's workflows counts: at the first of them in file order, else at the case's, else at none."""
    own = company.workflows_of_agent(step.event)
    if own:
        return own[0].name
    return history.workflow.name if history.workflow is not None and _scoped(step, history) else NO_WORKFLOW


def _blocked(step: Step, history: History, company: Company) -> Blocked:
    reported = step.kind is not ActorKind.AGENT and _scoped(step, history)  # by a guardrail that is no agent itself
    workflow = history.workflow if reported else _workflow_of(step, history)
    reason = step.event.detail.get("reason")
    return Blocked(
        workflow=_outside(step, history, company) if workflow is None else workflow.name,
        reason=str(reason) if reason else UNSPECIFIED,
        action=step.action,
        at=step.at,
        evidence=(step.event.ref,),
    )
