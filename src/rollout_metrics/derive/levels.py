"""The autonomy level of a workflow at an instant: deployed level changes, else configured entries, minus pauses (definitions, section 2)."""

from bisect import bisect_right

import msgspec

from rollout_metrics.derive.kept import kept
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.changes import PRODUCTION, ChangeKind
from rollout_metrics.domain.facts import Mode
from rollout_metrics.domain.policy import Level, Workflow
from rollout_metrics.domain.time import Instant

_OFF = Level.OFF


class Levels(msgspec.Struct, frozen=True):
    """A workflow's levels as one staircase: from `since[n - 1]` to before `since[n]` it is `levels[n]`.

    `undated`: the configured one holds from the first agent event on only; `deployed_at`: the first change that says otherwise.
    """

    since: tuple[Instant, ...]
    levels: tuple[Level, ...]
    modes: tuple[Mode, ...]
    undated: bool
    deployed_at: Instant | None

    def when_acting(self, at: Instant) -> Level:
        """The level at an agent's event on one of the workflow's cases: there a single undated level has begun, whatever happened on other cases."""
        return self.levels[bisect_right(self.since, at)]

    def mode_when_acting(self, at: Instant) -> Mode:
        """Shadow if that is the level at an agent's event on a case of the workflow, else live."""
        return self.modes[bisect_right(self.since, at)]


def level_at(workflow: Workflow, at: Instant, surroundings: Surroundings) -> Level:
    """The level in force at an instant; a single undated level holds from the first agent event on a case of the workflow."""
    levels = levels_of(workflow)
    level = levels.when_acting(at)
    if level is not _OFF and levels.undated and (levels.deployed_at is None or levels.deployed_at > at):
        first = surroundings.first_agent_at(workflow)
        return level if first is not None and first <= at else _OFF
    return level


_BEGINNING: Instant = -(2**63)


@kept
def levels_of(workflow: Workflow) -> Levels:
    """All levels a workflow had and will have."""
    deployed = [
        (change.deployed_at, change.id, Level(change.level))
        for change in workflow.changes
        if change.kind is ChangeKind.LEVEL and change.level is not None and change.deployed_at is not None and change.environment == PRODUCTION
    ]
    deployed.sort(key=lambda item: item[:2])
    configured = sorted(((_BEGINNING if entry.since is None else entry.since), place, entry.level) for place, entry in enumerate(workflow.levels))
    deployed_at, since = [item[0] for item in deployed], [item[0] for item in configured]

    def level(at: Instant) -> Level:
        for pause in workflow.pauses:
            if pause.start <= at and (pause.end is None or at < pause.end):
                return Level.OFF
        if place := bisect_right(deployed_at, at):
            return deployed[place - 1][2]
        place = bisect_right(since, at)
        return configured[place - 1][2] if place else Level.OFF

    edges = {edge for pause in workflow.pauses for edge in (pause.start, pause.end) if edge is not None}
    steps = sorted(edges.union(deployed_at, since))
    levels = (Level.OFF, *map(level, steps))
    return Levels(
        since=tuple(steps),
        levels=levels,
        modes=tuple(Mode.SHADOW if at is Level.SHADOW else Mode.LIVE for at in levels),
        undated=len(workflow.levels) == 1 and workflow.levels[0].since is None,
        deployed_at=deployed_at[0] if deployed_at else None,
    )
