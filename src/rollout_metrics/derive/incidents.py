"""Incidents as facts: what incident management tells about a workflow, whether or not anybody linked it to a change (definitions, section 8)."""

from collections.abc import Sequence

from rollout_metrics.derive.history import History, Step
from rollout_metrics.derive.kept import kept
from rollout_metrics.domain.events import Activity, any_of, members_of
from rollout_metrics.domain.facts import IncidentSeen
from rollout_metrics.domain.policy import Company, Workflow

_OVER = (Activity.CLOSED, Activity.ABSORBED)


def incidents(history: History, company: Company) -> list[IncidentSeen]:
    """The case as an incident of each workflow that counts its source, and the values it has at T, among its incidents.

    It starts with its first event and ends when it was closed, or merged into another; a reopened one goes on. A deleted one was none.
    """
    steps = history.steps
    counting = _counting(company).get(history.case[0])
    if counting is None:
        return []
    found = [workflow for workflow in counting if _concerns(workflow, history)]
    if not found or not steps or steps[-1].activity is Activity.DELETED:
        return []
    ended = _ended(steps)
    evidence = (steps[0].ref, *(() if ended is None else (ended.ref,)))
    return [
        IncidentSeen(
            workflow=workflow.name,
            case=history.case,
            change=_linked(workflow, history),
            at=steps[0].at,
            ended_at=None if ended is None else ended.at,
            evidence=evidence,
        )
        for workflow in found
    ]


@kept
def _counting(company: Company) -> dict[str, list[Workflow]]:
    """By source, the workflows among whose incidents its cases can be."""
    found: dict[str, list[Workflow]] = {}
    for workflow in company.workflows:
        for source in workflow.incident_sources:
            found.setdefault(source, []).append(workflow)
    return found


def _concerns(workflow: Workflow, history: History) -> bool:
    return all(any_of(history.value_now(attribute), allowed) for attribute, allowed in workflow.incident_sources[history.case[0]].items())


def _ended(steps: Sequence[Step]) -> Step | None:
    """The first closing since the last reopening."""
    ended = None
    for step in steps:
        if step.activity is Activity.REOPENED:
            ended = None
        elif step.activity in _OVER and ended is None:
            ended = step
    return ended


def _linked(workflow: Workflow, history: History) -> str | None:
    """The change of the workflow that the incident names."""
    value = history.value_now(workflow.incident_link)
    named = members_of(value) | ({value} if value else set())
    return next((change.id for change in workflow.changes if change.id in named), None)
