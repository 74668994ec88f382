"""Since when the agent is what it is: the instant from which evidence speaks for its level and version of now (SIGNALS section 9)."""

import msgspec

from rollout_metrics.derive.levels import PRODUCTION, level_at
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.changes import ChangeKind
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import Instant

LOW = "low"
"""The risk class whose deployments evidence carries over."""


def standing_since(workflow: Workflow, as_of: Instant, surroundings: Surroundings) -> Instant | None:
    """The start of the level in force at T, or the last deployment since then that was not of low risk; None: from the beginning.

    A pause interrupts a level and does not end it.
    """
    deployed = [
        (change.deployed_at, change)
        for change in workflow.changes
        if change.environment == PRODUCTION and change.deployed_at is not None and change.deployed_at <= as_of
    ]
    unpaused = msgspec.structs.replace(workflow, pauses=())
    steps = {entry.since for entry in workflow.levels} | {at for at, change in deployed if change.kind is ChangeKind.LEVEL}
    steps.add(surroundings.first_agent_at(workflow))
    level, began = level_at(unpaused, as_of, surroundings), None
    for at in sorted((at for at in steps if at is not None and at <= as_of), reverse=True):
        if level_at(unpaused, at - 1, surroundings) != level:
            began = at
            break
    last = max((at for at, change in deployed if change.risk_class != LOW), default=None)
    return max((at for at in (began, last) if at is not None), default=None)
