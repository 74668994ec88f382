"""Whether the agent stayed within its authority: violations, actions that a guardrail blocked, and grants that were used (SIGNALS section 7)."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from operator import ge, gt, le, lt

import msgspec

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

# Looked up once: an enum's attribute costs more than what is done with it here.
_AGENT, _BLOCKED, _SHADOW = ActorKind.AGENT, Activity.BLOCKED, Level.SHADOW
_OUT_OF_SCOPE, _LEVEL = ViolationKind.OUT_OF_SCOPE, ViolationKind.LEVEL

SIZES: dict[str, Callable[[Decimal, Decimal], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}

SAME_WORD = {"yes": "true", "no": "false"}
"""People write `regulated = no` where a tracker stores false."""


def violations(history: History, company: Company, _surroundings: Surroundings, _recommendations: Sequence[Recommendation]) -> list[Violation | Blocked | Used]:
    """What the agent's acts on a case say about its authority, in order; `Used` after the rest. Works for cases of no workflow as well.

    A block is counted whoever reports it: it is always the agent that was refused. Nothing here changes by time alone,
    and other cases have no say: at an own agent's event a single undated level has begun.
    """
    found: list[Violation | Blocked | Used] = []
    used: dict[str, Step] = {}
    previous: dict[str | None, int] = {}
    for step in history.steps:
        activity = step.activity
        if activity is _BLOCKED:
            found.append(_blocked(step, history, company))
        elif step.kind is _AGENT and activity in ACTS:
            action = step.action or activity.value
            workflow = history.workflow if step.own and step.place >= history.start else None
            previous_act = previous.get(step.action, -1)
            previous[step.action] = step.place
            if workflow is None:
                found.append(Violation(_outside(step, history, company), _OUT_OF_SCOPE, action, step.at, (step.event.ref,)))
                continue
            automatic, table = _lists(workflow)
            if action in automatic:
                used[action] = step
            if level_when_acting(workflow, step.at) <= _SHADOW:
                found.append(Violation(workflow.name, _LEVEL, action, step.at, (step.event.ref,)))
                continue
            lists = next((lists for since, lists in table if since is None or since <= step.at), None)
            if lists is None:  # what nobody wrote down cannot be violated, so then only scope and level are checked
                continue
            kind = _violated(lists.get(action, _NO_LISTS), step, history, workflow=workflow, previous_act=previous_act)
            if kind is not None:
                found.append(Violation(workflow.name, kind, action, step.at, (step.event.ref,)))
    if used and history.workflow is not None:
        name = history.workflow.name
        found.extend(Used(name, action, step.at, (step.event.ref,)) for action, step in sorted(used.items()))
    return found


class _Conditions(msgspec.Struct, frozen=True):
    """Under which conditions each of the lists in force grants one action: for every grant those that must all hold."""

    forbidden: tuple[tuple[Condition, ...], ...] = ()
    approval: tuple[tuple[Condition, ...], ...] = ()
    automatic: tuple[tuple[Condition, ...], ...] = ()


_NO_LISTS = _Conditions()

_Lists = tuple[frozenset[str], list[tuple[Instant | None, dict[str, _Conditions]]]]


def _lists(workflow: Workflow) -> _Lists:
    """The actions that any list of the workflow ever allowed automatically, under whatever conditions; and its lists by action, the last ones first.
    Read once per workflow."""
    known: _Lists | None = workflow.__dict__.get("_lists")
    if known is None:
        automatic = frozenset(grant.action for lists in workflow.authority for grant in lists.automatic)
        known = workflow.__dict__["_lists"] = (automatic, [(lists.since, _by_action(lists)) for lists in reversed(workflow.authority)])
    return known


def _by_action(lists: Authority) -> dict[str, _Conditions]:
    def of(grants: Iterable[Grant], action: str) -> tuple[tuple[Condition, ...], ...]:
        return tuple(grant.when for grant in grants if grant.action == action)

    actions = {grant.action for grants in (lists.forbidden, lists.approval, lists.automatic) for grant in grants}
    return {action: _Conditions(of(lists.forbidden, action), of(lists.approval, action), of(lists.automatic, action)) for action in actions}


def _violated(lists: _Conditions, step: Step, history: History, *, workflow: Workflow, previous_act: int) -> ViolationKind | None:
    if lists.forbidden and _granted(lists.forbidden, step, history):
        return ViolationKind.FORBIDDEN
    if lists.approval and _granted(lists.approval, step, history):
        return None if approvals(history, workflow).cover(step, previous_act) else ViolationKind.UNAPPROVED
    return None if _granted(lists.automatic, step, history) else ViolationKind.UNLISTED


def _granted(grants: tuple[tuple[Condition, ...], ...], step: Step, history: History) -> bool:
    for when in grants:  # noqa: SIM110  (any() costs more here than the conditions)
        if not when or all(_holds(condition, step, history) for condition in when):
            return True
    return False


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
