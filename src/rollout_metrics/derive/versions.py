"""Which version of the agent an event came from (definitions, section 3)."""

from bisect import bisect_left

from rollout_metrics.derive.kept import kept
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
    since, versions = _deployed(workflow)
    deployed = bisect_left(since, at) if since else 0
    return versions[deployed - 1] if deployed else None


@kept
def _deployed(workflow: Workflow) -> tuple[tuple[Instant, ...], tuple[str, ...]]:
    """When a version was deployed, in order, and which."""
    deployed = sorted(
        (change.deployed_at, change.id, change.version)
        for change in workflow.changes
        if change.version and change.deployed_at is not None and change.environment == PRODUCTION
    )
    return tuple(at for at, _, _ in deployed), tuple(version for _, _, version in deployed)
