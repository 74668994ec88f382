"""The autonomy level of a workflow at an instant: deployed level changes, else configured entries, minus pauses (SIGNALS section 2)."""

from bisect import bisect_right

import msgspec

from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.changes import ChangeKind
from rollout_metrics.domain.facts import Mode
from rollout_metrics.domain.policy import Level, Workflow
from rollout_metrics.domain.time import Instant

PRODUCTION = "production"
"""The environment whose deployments count; others are kept apart."""


class _Table(msgspec.Struct, frozen=True):
    """A workflow's levels as two staircases. `undated`: the configured one holds from the first agent event on only."""

    deployed_at: tuple[Instant, ...]
    deployed: tuple[Level, ...]
    since: tuple[Instant, ...]
    configured: tuple[Level, ...]
    undated: bool


def level_at(workflow: Workflow, at: Instant, surroundings: Surroundings) -> Level:
    """The level in force at an instant; a single undated level holds from the first agent event on a case of the workflow."""
    table = _table(workflow)
    level = _level(workflow, table, at)
    if level is not Level.OFF and table.undated and not (table.deployed_at and table.deployed_at[0] <= at):
        first = surroundings.first_agent_at(workflow)
        return level if first is not None and first <= at else Level.OFF
    return level


def level_when_acting(workflow: Workflow, at: Instant) -> Level:
    """The level at an agent's event on one of the workflow's cases: there a single undated level has begun, whatever happened on other cases."""
    return _level(workflow, _table(workflow), at)


def mode_when_acting(workflow: Workflow, at: Instant) -> Mode:
    """Shadow if that is the level at an agent's event on a case of the workflow, else live."""
    return Mode.SHADOW if level_when_acting(workflow, at) is Level.SHADOW else Mode.LIVE


def _level(workflow: Workflow, table: _Table, at: Instant) -> Level:
    for pause in workflow.pauses:
        if pause.start <= at and (pause.end is None or at < pause.end):
            return Level.OFF
    deployed = bisect_right(table.deployed_at, at)
    if deployed:
        return table.deployed[deployed - 1]
    configured = bisect_right(table.since, at)
    return table.configured[configured - 1] if configured else Level.OFF


_BEGINNING: Instant = -(2**63)


def _table(workflow: Workflow) -> _Table:
    table: _Table | None = workflow.__dict__.get("_levels")
    if table is None:
        table = workflow.__dict__["_levels"] = _build(workflow)
    return table


def _build(workflow: Workflow) -> _Table:
    deployed = [
        (change.deployed_at, change.id, Level(change.level))
        for change in workflow.changes
        if change.kind is ChangeKind.LEVEL and change.level is not None and change.deployed_at is not None and change.environment == PRODUCTION
    ]
    deployed.sort(key=lambda item: item[:2])
    configured = sorted(((_BEGINNING if entry.since is None else entry.since), place, entry.level) for place, entry in enumerate(workflow.levels))
    return _Table(
        deployed_at=tuple(item[0] for item in deployed),
        deployed=tuple(item[2] for item in deployed),
        since=tuple(item[0] for item in configured),
        configured=tuple(item[2] for item in configured),
        undated=len(workflow.levels) == 1 and workflow.levels[0].since is None,
    )
