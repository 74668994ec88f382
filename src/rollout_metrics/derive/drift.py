"""Versions that run without a record: an agent's events that carry one which no deployed record names (definitions, sections 8 and 9)."""

from rollout_metrics.derive.history import History, Step
from rollout_metrics.derive.kept import kept
from rollout_metrics.domain.changes import PRODUCTION
from rollout_metrics.domain.events import Activity, ActorKind
from rollout_metrics.domain.facts import Unrecorded
from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.time import Instant

_AGENT = ActorKind.AGENT


def unrecorded(history: History, company: Company) -> list[Unrecorded]:
    """The case's events whose version nobody had recorded as deployed to production when they happened.

    Runs of the evaluation suite try out what is not deployed yet, and other environments are kept apart: neither is drift.
    """
    return [
        Unrecorded(workflow.name, str(version), step.at, (step.ref,))
        for step in history.by[_AGENT]
        if (version := step.event.detail.get("version"))
        and step.activity is not Activity.EVALUATED
        and step.event.detail.get("environment", PRODUCTION) == PRODUCTION
        for workflow in workflows_of(step, history, company)
        if not _recorded(workflow, str(version), step.at)
    ]


def workflows_of(step: Step, history: History, company: Company) -> tuple[Workflow, ...]:
    """Where an agent's event counts: in the workflow of its case, else in each of the agent's."""
    if history.workflow is not None and history.scoped_at is not None and step.at >= history.scoped_at:
        return (history.workflow,)
    return company.workflows_of_agent(step.event)


def _recorded(workflow: Workflow, version: str, at: Instant) -> bool:
    since = _deployed(workflow).get(version)
    return since is not None and since <= at


@kept
def _deployed(workflow: Workflow) -> dict[str, Instant]:
    """By version, when it was first deployed."""
    found: dict[str, Instant] = {}
    for change in workflow.changes:
        if change.version and change.deployed_at is not None and change.environment == PRODUCTION:
            found[change.version] = min(change.deployed_at, found.get(change.version, change.deployed_at))
    return found
