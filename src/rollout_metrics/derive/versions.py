"""Which version of the agent an event came from (SIGNALS section 3)."""

from bisect import bisect_left

from rollout_metrics.domain.changes import PRODUCTION
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import Instant


def version_at(workflow: Workflow, event: Event) -> str | None:
    """What the event says of itself, else the version of the change deployed last before it; None if neither is known.

    A change that names no version (of a level, a permission) leaves the one before it running.
    """
    stated = event.detail.get("version")
    return str(stated) if stated else version_in_force(workflow, event.occurred_at)


def version_in_force(workflow: Workflow, at: Instant) -> str | None:
    """The version of the change deployed last before an instant; None where no record names one."""
    table = _table(workflow)
    deployed = bisect_left(table, at, key=_at)
    return table[deployed - 1][2] if deployed else None


def _at(entry: tuple[Instant, str, str]) -> Instant:
    return entry[0]


def _table(workflow: Workflow) -> tuple[tuple[Instant, str, str], ...]:
    table: tuple[tuple[Instant, str, str], ...] | None = workflow.__dict__.get("_versions")
    if table is None:
        table = workflow.__dict__["_versions"] = tuple(
            sorted(
                (change.deployed_at, change.id, change.version)
                for change in workflow.changes
                if change.version and change.deployed_at is not None and change.environment == PRODUCTION
            )
        )
    return table
