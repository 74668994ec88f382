"""How an eligible case was handled first: with the agent, around it, or before it had a chance (bypass: definitions, section 6)."""

from collections.abc import Sequence

from rollout_metrics.derive.history import ACTS, CHANGES, History, Step
from rollout_metrics.derive.levels import level_at
from rollout_metrics.derive.outcomes import DOES
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.events import Activity, ActorKind, any_of, members_of
from rollout_metrics.domain.facts import DECIDED, Escalated, Evidence, Handling, HandlingKind, Outcome, Recommendation
from rollout_metrics.domain.policy import Bypass, Company, Level, Workflow
from rollout_metrics.domain.time import Instant

# Looked up once: an enum's attribute costs more than what is done with it here.
_AGENT, _OPERATOR, _CLOSED, _CREATED = ActorKind.AGENT, ActorKind.OPERATOR, Activity.CLOSED, Activity.CREATED
_ASSISTED, _OVERRIDDEN, _LEAST = HandlingKind.ASSISTED, Outcome.OVERRIDDEN, Level.ASSISTED

REDOING = frozenset(("undone", "changed", "reversed"))
"""`how` of overrides that redo what the agent did."""
OUTSIDE = frozenset((HandlingKind.AGENT_ABSENT, HandlingKind.PREEMPTED))
"""Handlings that are neither a bypass nor none."""


def handling(
    history: History,
    _company: Company,
    surroundings: Surroundings,
    recommendations: Sequence[Recommendation],
    escalations: Sequence[Escalated],
) -> tuple[Handling | None, Instant | None]:
    """How the case was handled as of T, None where it is not eligible or not handled yet; and when that can change with no new event on the case.

    An agent whose absence is in question may still show up on another case until the presence stretch is over: until then every later T has to ask again.
    """
    workflow, scoped_at = history.workflow, history.scoped_at
    if workflow is None or scoped_at is None:
        return None, None
    first = _first_hand(history, workflow, recommendations, escalations)
    if first is None or level_at(workflow, scoped_at, surroundings) < _LEAST:
        return None, None
    presence: tuple[Instant, Instant] | None = None
    next_change_at: Instant | None = None
    proof: Evidence = ()
    agent_first = first.kind is _AGENT
    redone = _redone(history, workflow, recommendations, history.as_of) if agent_first else ()
    if (marker := _marker(history, workflow.bypass, history.as_of)) is not None:
        kind, proof = HandlingKind.MARKED, (marker.ref,)
    elif redone:
        kind, proof = HandlingKind.REDONE, redone
    elif agent_first:
        kind = _ASSISTED
    elif _side_channel(history, workflow, first):
        kind = HandlingKind.SIDE_CHANNEL
    else:
        grace_until = scoped_at + workflow.bypass.agent_grace
        presence = (scoped_at - workflow.bypass.agent_silence, max(first.at, grace_until))
        if not surroundings.agent_seen(workflow, presence[0], min(presence[1], history.as_of)):
            kind = HandlingKind.AGENT_ABSENT
            next_change_at = history.as_of + 1 if history.as_of < presence[1] else None
        else:
            kind = HandlingKind.PREEMPTED if first.at < grace_until else HandlingKind.UNASSISTED
    reversed_by = [item.deciding for item in recommendations if item.how == "reversed" and item.deciding is not None] if agent_first else []
    fact = Handling(
        workflow=workflow.name,
        handling=kind,
        at=first.at,
        scoped_at=scoped_at,
        presence=presence,
        evidence=tuple(dict.fromkeys((first.ref, *reversed_by, *proof))) if reversed_by or proof else (first.ref,),
        bypassed_early=_bypassed(kind, history, workflow, recommendations, first),
        cleaned=bool(redone or reversed_by),
    )
    return fact, next_change_at


def _bypassed(kind: HandlingKind, history: History, workflow: Workflow, recommendations: Sequence[Recommendation], first: Step) -> bool | None:
    """Whether the case was bypassed as seen `spike_age` after its handling; None: outside the rate."""
    until = first.at + workflow.spike_age
    if _marker(history, workflow.bypass, until) is not None:
        return True
    if first.kind is _AGENT:
        return bool(_redone(history, workflow, recommendations, until))
    if kind is HandlingKind.MARKED and not _side_channel(history, workflow, first):
        # the marker came later; whether the agent was absent is not asked for its sake
        return None if history.scoped_at is not None and first.at < history.scoped_at + workflow.bypass.agent_grace else True
    return None if kind in OUTSIDE else True


def first_by_agent(history: History, recommendations: Sequence[Recommendation], escalations: Sequence[Escalated]) -> Step | None:
    """The first step by which the agent handled the case: that of the first recommendation or escalation of those given, both in order."""
    firsts = [item.opened for item in recommendations[:1]] + [item.evidence[0] for item in escalations[:1]]
    for step in history.since(history.by[_AGENT]) if firsts else ():
        if step.ref in firsts:
            return step
    return None


def _first_hand(history: History, workflow: Workflow, recommendations: Sequence[Recommendation], escalations: Sequence[Escalated]) -> Step | None:
    """The step that handled the case: the agent's first recommendation or escalation, or an operator's decided action or close, whichever is earlier."""
    by_agent = first_by_agent(history, recommendations, escalations)
    for step in history.since(history.by[_OPERATOR]):
        if by_agent is not None and step.place > by_agent.place:
            break
        if step.activity is _CLOSED or _does(step, workflow):
            return step
    return by_agent


def _does(step: Step, workflow: Workflow) -> bool:
    return step.activity in DOES and step.action in workflow.decides


def _marker(history: History, bypass: Bypass, until: Instant) -> Step | None:
    """The first event by which an operator set a bypass marker, as of an instant: up to the last close; on a case that was never closed, up to there.

    Markers count from the beginning of the case: the case carries them into the workflow.
    """
    if not (bypass.marker_values or bypass.marker_via):
        return None
    closes = [step.place for step in history.of.get(_CLOSED, ()) if step.at <= until]
    last = closes[-1] if closes else len(history.steps)
    candidates = (step for step in history.by[_OPERATOR] if step.place <= last and step.at <= until)
    return next((step for step in candidates if _sets_marker(step, history, bypass)), None)


def _sets_marker(step: Step, history: History, bypass: Bypass) -> bool:
    """Whether a marker is new with this event: a label that was there before was set by whoever put it there."""
    event = step.event
    if bypass.marker_via and not bypass.marker_via.isdisjoint(event.detail.get("via", ())):
        return True
    if event.activity is _CREATED:
        initial = event.detail.get("attributes") or {}
        return any(any_of(initial.get(attribute), values) for attribute, values in bypass.marker_values.items())
    marking = bypass.marker_values.get(event.attribute or "") if event.activity in CHANGES else None
    if not marking:
        return False
    added = members_of(event.after) - members_of(history.value_before(event.attribute or "", step))
    return not marking.isdisjoint(added)


def _redone(history: History, workflow: Workflow, recommendations: Sequence[Recommendation], until: Instant) -> Evidence:
    """The events that redid the agent's work by an instant, or none: at least half and at least `redo_actions` of what it did and people decided was undone
    or replaced, by at least as many decided actions of operators as the agent's own (counting events on both sides)."""
    overridden = [item for item in recommendations if item.outcome is _OVERRIDDEN]
    redone = [item for item in overridden if item.how in REDOING and item.acted_at is not None and (item.decided_at or 0) <= until] if overridden else []
    if len(redone) < workflow.bypass.redo_actions:
        return ()
    judged = sum(item.acted_at is not None and item.outcome in DECIDED and (item.first_decided_at or 0) <= until for item in recommendations)
    if 2 * len(redone) < judged:
        return ()
    acted = sum(step.own and step.activity in ACTS and step.action in workflow.decides for step in history.since(history.by[_AGENT]) if step.at <= until)
    done = sum(_does(step, workflow) for step in history.since(history.by[_OPERATOR]) if step.at <= until)
    return tuple(deciding for _, deciding in sorted((item.decided_at or 0, item.deciding) for item in redone if item.deciding)) if done >= acted else ()


def _side_channel(history: History, workflow: Workflow, step: Step) -> bool:
    return any(any_of(history.value_at(attribute, step), values) for attribute, values in workflow.bypass.side_channels.items())
