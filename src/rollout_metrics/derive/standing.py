"""Since when the agent is what it is: the instant from which evidence speaks for its level and version of now (definitions, section 9)."""

import msgspec

from rollout_metrics.derive.levels import level_at
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.changes import PRODUCTION, ChangeKind
from rollout_metrics.domain.policy import Level, Workflow
from rollout_metrics.domain.time import Instant

LOW = "low"
"""The risk class whose deployments evidence carries over."""


def standing_since(workflow: Workflow, as_of: Instant, surroundings: Surroundings) -> Instant | None:
    """The start of the level in force at T, or the last deployment since then that was not of low risk; None: from the beginning."""
    _, began = level_standing(workflow, as_of, surroundings)
    deployed = [
        change.deployed_at
        for change in workflow.changes
        if change.environment == PRODUCTION and change.deployed_at is not None and change.deployed_at <= as_of and change.risk_class != LOW
    ]
    return max((at for at in (began, *deployed) if at is not None), default=None)


def level_standing(workflow: Workflow, as_of: Instant, surroundings: Surroundings) -> tuple[Level, Instant | None]:
    """The level in force at T and since when; None: from the beginning. A pause interrupts a level and does not end it."""
    steps = level_steps(workflow, as_of, surroundings)
    return (steps[-1].after, steps[-1].at) if steps else (level_at(msgspec.structs.replace(workflow, pauses=()), as_of, surroundings), None)


class LevelStep(msgspec.Struct, frozen=True):
    """A change of level: when, from what, to what, and the ids of the change records of kind level deployed then (none: configured)."""

    at: Instant
    before: Level
    after: Level
    changes: tuple[str, ...]


def level_steps(workflow: Workflow, as_of: Instant, surroundings: Surroundings) -> list[LevelStep]:
    """Every change of level up to T, pauses apart, in order of time."""
    unpaused = msgspec.structs.replace(workflow, pauses=())
    deployed = [(change.deployed_at, change.id) for change in workflow.changes if change.kind is ChangeKind.LEVEL and change.environment == PRODUCTION]
    instants = {entry.since for entry in workflow.levels} | {at for at, _ in deployed} | {surroundings.first_agent_at(workflow)}
    found = []
    for at in sorted(at for at in instants if at is not None and at <= as_of):
        before, after = level_at(unpaused, at - 1, surroundings), level_at(unpaused, at, surroundings)
        if before != after:
            found.append(LevelStep(at, before, after, tuple(sorted(id_ for when, id_ in deployed if when == at))))
    return found
