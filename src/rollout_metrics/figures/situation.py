"""What a workflow's figures need to be told besides counts and samples: its level, its sources, and since when it is assisted."""

from collections.abc import Iterable, Mapping

import msgspec

from rollout_metrics.derive.gates import Promotion
from rollout_metrics.derive.harm import Figure
from rollout_metrics.derive.levels import level_at
from rollout_metrics.derive.standing import level_standing
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.changes import PRODUCTION, ChangeKind
from rollout_metrics.domain.policy import Level, Workflow
from rollout_metrics.domain.time import Instant

Shares = Mapping[str, tuple[int, int]]
"""What is covered by kind (`mapped`, `linked`, `audited`): how many of how many."""


Readings = Mapping[tuple[str, str], tuple[Figure, ...]]
"""(change, harm metric) -> what was read of it from elsewhere, in order of time."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow at T: the level in force, when it first reached `assisted` (None: never), how many of its sources are stale, what they cover.

    `readings`: of harm metrics from elsewhere.
    `level_standing` is the level but for pauses, in force since `level_since` (None: from the beginning). `promotions`: level changes with the gates frozen
    when they were deployed. `signs`: which warning signs are active.
    """

    level: Level
    assisted_since: Instant | None
    sources_stale: int = 0
    coverage: Shares = {}
    readings: Readings = {}
    level_standing: Level = Level.OFF
    level_since: Instant | None = None
    promotions: tuple[Promotion, ...] = ()
    signs: Mapping[str, bool] = {}


def situation(
    workflow: Workflow,
    as_of: Instant,
    surroundings: Surroundings,
    *,
    sources_stale: int = 0,
    coverage: Shares | None = None,
    readings: Readings | None = None,
    promotions: Iterable[Promotion] = (),
) -> Situation:
    """The situation as of T; promotions deployed later are none."""
    standing, since = level_standing(workflow, as_of, surroundings)
    return Situation(
        level=level_at(workflow, as_of, surroundings),
        assisted_since=assisted_since(workflow, as_of, surroundings),
        sources_stale=sources_stale,
        coverage=coverage or {},
        readings=readings or {},
        level_standing=standing,
        level_since=since,
        promotions=tuple(item for item in promotions if item.deployed_at <= as_of),
    )


def assisted_since(workflow: Workflow, as_of: Instant, surroundings: Surroundings) -> Instant | None:
    """The first instant at or before T at which the level was `assisted` or more; None where it never was, or was from the beginning of time."""
    steps = {entry.since for entry in workflow.levels} | {pause.end for pause in workflow.pauses}
    steps |= {change.deployed_at for change in workflow.changes if change.kind is ChangeKind.LEVEL and change.environment == PRODUCTION}
    steps.add(surroundings.first_agent_at(workflow))
    reached = [at for at in sorted(at for at in steps if at is not None and at <= as_of) if level_at(workflow, at, surroundings) >= Level.ASSISTED]
    if not reached or level_at(workflow, reached[0] - 1, surroundings) >= Level.ASSISTED:
        return None
    return reached[0]
