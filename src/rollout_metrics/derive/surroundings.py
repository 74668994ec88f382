"""What a case's derivation must know of other cases: asked through this role, answered by the store or by a plain list of events."""

from typing import Protocol

from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import Instant


class Surroundings(Protocol):
    """Answers about events on any case; only events at or before the T of the derivation exist for it."""

    def first_agent_at(self, workflow: Workflow) -> Instant | None:
        """The first agent event, whosever agent it is, on a case of the workflow since that case's `scoped_at`, inclusive."""
        ...

    def agent_seen(self, workflow: Workflow, start: Instant, end: Instant) -> bool:
        """Whether any event of the workflow's own agents lies in [start, end], on any case."""
        ...
