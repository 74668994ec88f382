"""Whose touch an event is: an operator's, or an agent's for the workflows it works for."""

from rollout_metrics.domain.events import ActorKind, Event
from rollout_metrics.domain.policy import Company
from rollout_metrics.store.names import Names

FORMER_PREFIX = "former:"
"""What an operator's id becomes when persons are forgotten: told apart within a case only."""


class Touch:
    """Numbers the touch of events, as configuration knows actors; None for customers, systems, unknown operators and agents of no workflow."""

    def __init__(self, company: Company | None, names: Names) -> None:
        self._company = company
        self._operators = names.operators
        self._agents = names.agents
        self._special = (company.agents | company.systems) if company else frozenset()
        self._markers = (company.agent_markers | company.system_markers) if company else frozenset()
        self._known: dict[tuple[str | None, str, str], int | None] = {}

    def of(self, event: Event) -> int | None:
        """The number of the event's touch; gives out new ones, so within a writing transaction."""
        actor, kind = event.actor_id, event.actor_kind
        if self._markers and (via := event.detail.get("via")) and not self._markers.isdisjoint(via):
            return self._look(event)
        if kind is ActorKind.AGENT or actor in self._special:
            key = (actor, event.source, event.case_source)
            if key not in self._known:
                self._known[key] = self._look(event)
            return self._known[key]
        if kind is ActorKind.OPERATOR and actor is not None and not actor.startswith(FORMER_PREFIX):
            return self._operators[actor]
        return None

    def _look(self, event: Event) -> int | None:
        company = self._company
        if company is None:
            return None
        kind = company.kind_of(event)
        if kind is not ActorKind.AGENT:
            return self._operators[event.actor_id] if kind is ActorKind.OPERATOR and event.actor_id is not None else None
        workflows = tuple(workflow.name for workflow in company.workflows_of_agent(event))
        return self._agents[workflows] if workflows else None
