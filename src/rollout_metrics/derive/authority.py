"""Whether the agent stayed within its authority: violations, actions that a guardrail blocked, and grants that were used (definitions, section 7)."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from operator import ge, gt, le, lt

import msgspec

from rollout_metrics.derive.approvals import approvals
from rollout_metrics.derive.history import ACTS, History, Step
from rollout_metrics.derive.kept import kept
from rollout_metrics.derive.levels import Levels, levels_of
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.events import Activity, ActorKind, members_of, text_value
from rollout_metrics.domain.facts import NO_WORKFLOW, UNSPECIFIED, Blocked, Recommendation, Used, Violation, ViolationKind
from rollout_metrics.domain.policy import Authority, Company, Condition, Grant, Level, Workflow
from rollout_metrics.domain.time import Instant

# Looked up once: an enum's attribute costs more than what is done with it here.
_AGENT, _BLOCKED, _SHADOW = ActorKind.AGENT, Activity.BLOCKED, Level.SHADOW
_OUT_OF_SCOPE = ViolationKind.OUT_OF_SCOPE

SIZES: dict[str, Callable[[Decimal, Decimal], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}

SAME_WORD = {"yes": "true", "no": "false"}
"""People write `regulated = no` where a tracker stores false."""


def violations(history: History, company: Company, _surroundings: Surroundings, _recommendations: Sequence[Recommendation]) -> list[Violation | Blocked | Used]:
    """What the agent's acts on a case say about its authority, in order; `Used` after the rest. Works for cases of no workflow as well.

    A block is counted whoever reports it: it is always the agent that was refused. Nothing here changes by time alone,
    and other cases have no say: at an own agent's event a single undated level has begun.
    """
    steps = history.steps if _BLOCKED in history.of else history.by[_AGENT]
    if not steps:
        return []
    bounds = None if history.workflow is None else _bounds(history.workflow)
    found: list[Violation | Blocked | Used] = []
    used: dict[str, Step] = {}
    previous: dict[str | None, int] = {}
    for step in steps:
        activity = step.activity
        if activity is _BLOCKED:
            found.append(_blocked(step, history, company))
        elif step.kind is _AGENT and activity in ACTS:
            action = step.action or activity.value
            previous_act = previous.get(step.action, -1)
            previous[step.action] = step.place
            if bounds is None or not step.own or step.place < history.start:
                found.append(Violation(_outside(step, history, company), _OUT_OF_SCOPE, action, step.at, (step.ref,)))
                continue
            if action in bounds.automatic:
                used[action] = step
            kind = bounds.left_by(step, action, history, previous_act)
            if kind is not None:
                found.append(Violation(bounds.workflow, kind, action, step.at, (step.ref,)))
    if bounds is not None:
        found += [Used(bounds.workflow, action, used[action].at, (used[action].ref,)) for action in sorted(used)]
    return found


_When = tuple[tuple[Condition, ...], ...]
"""For every grant of an action the conditions that must all hold."""


class _Conditions(msgspec.Struct, frozen=True):
    """Under which conditions each of the lists in force grants one action. `free`: it is automatic whatever holds."""

    forbidden: _When = ()
    approval: _When = ()
    automatic: _When = ()
    free: bool = False


_NOT_LISTED = _Conditions()


class _Bounds(msgspec.Struct, frozen=True):
    """What a workflow allows its agents when: its levels, and its lists by action; from `since[n]` to before `since[n + 1]` those of `by_action[n]` are in
    force.

    `automatic`: the actions that any of them ever allowed automatically, under whatever conditions.
    """

    workflow: str
    levels: Levels
    since: tuple[Instant, ...]
    by_action: tuple[dict[str, _Conditions], ...]
    automatic: frozenset[str]

    def left_by(self, step: Step, action: str, history: History, previous_act: int) -> ViolationKind | None:
        """How an act of the workflow's own agent on one of its cases leaves them, None if it does not."""
        if self.levels.when_acting(step.at) <= _SHADOW:
            return ViolationKind.LEVEL
        place = bisect_right(self.since, step.at) - 1
        if place < 0:  # what nobody wrote down cannot be violated, so then only scope and level are checked
            return None
        conditions = self.by_action[place].get(action, _NOT_LISTED)
        if conditions.free:
            return None
        if conditions.forbidden and _granted(conditions.forbidden, step, history):
            return ViolationKind.FORBIDDEN
        if conditions.approval and _granted(conditions.approval, step, history):
            return None if approvals(history).cover(step, previous_act) else ViolationKind.UNAPPROVED
        return None if _granted(conditions.automatic, step, history) else ViolationKind.UNLISTED


@kept
def _bounds(workflow: Workflow) -> _Bounds:
    """All levels and lists a workflow had and will have."""
    return _Bounds(
        workflow=workflow.name,
        levels=levels_of(workflow),
        since=tuple(_BEGINNING if lists.since is None else lists.since for lists in workflow.authority),
        by_action=tuple(map(_by_action, workflow.authority)),
        automatic=frozenset(grant.action for lists in workflow.authority for grant in lists.automatic),
    )


_BEGINNING: Instant = -(2**63)


def _by_action(lists: Authority) -> dict[str, _Conditions]:
    def of(grants: Iterable[Grant], action: str) -> _When:
        return tuple(grant.when for grant in grants if grant.action == action)

    def conditions(action: str) -> _Conditions:
        forbidden, approval, automatic = (of(grants, action) for grants in (lists.forbidden, lists.approval, lists.automatic))
        return _Conditions(forbidden, approval, automatic, free=() in automatic and not forbidden and not approval)

    return {grant.action: conditions(grant.action) for grants in (lists.forbidden, lists.approval, lists.automatic) for grant in grants}


def _granted(grants: _When, step: Step, history: History) -> bool:
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
        evidence=(step.ref,),
    )
