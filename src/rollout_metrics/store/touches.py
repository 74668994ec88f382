"""Whose touch an event is: an operator's, or an agent's for the workflows it works for."""

from collections.abc import Callable

from rollout_metrics.domain.events import ActorKind, Event
from rollout_metrics.domain.policy import Company
from rollout_metrics.store.names import Names

FORMER_PREFIX = "former:"
"""What an operator's id becomes when persons are forgotten: told apart within a case only."""


def numbering(company: Company | None, names: Names) -> Callable[[Event], int | None]:
    """A function that numbers the touch of an event, as configuration knows actors: None for customers, systems, unknown operators and agents of no workflow.

    It gives out new numbers, so it belongs into a writing transaction. It is called for every event that lands, hence the closure.
    """
    operators, agents = names.operators, names.agents
    special = (company.agents | company.systems) if company else frozenset()
    markers = (company.agent_markers | company.system_markers) if company else frozenset()
    known: dict[tuple[str | None, str, str], int | None] = {}
    operator, agent = ActorKind.OPERATOR, ActorKind.AGENT

    def look(event: Event) -> int | None:
        if company is None:
            return None
        kind = company.kind_of(event)
        if kind is not agent:
            return operators[event.actor_id] if kind is operator and event.actor_id is not None else None
        workflows = tuple(workflow.name for workflow in company.workflows_of_agent(event))
        return agents[workflows] if workflows else None

    def touch(event: Event) -> int | None:
        actor, kind = event.actor_id, event.actor_kind
        if markers and (via := event.detail.get("via")) and not markers.isdisjoint(via):
            return look(event)
        if kind is agent or actor in special:
            key = (actor, event.source, event.case_source)
            if key not in known:
                known[key] = look(event)
            return known[key]
        if kind is operator and actor is not None and actor[:7] != FORMER_PREFIX:
            return operators[actor]
        return None

    return touch
