"""Runs of the evaluation suite as facts (definitions, section 7)."""

from rollout_metrics.derive.drift import workflows_of
from rollout_metrics.derive.history import History
from rollout_metrics.derive.versions import version_at
from rollout_metrics.domain.events import Activity, text_value
from rollout_metrics.domain.facts import Evaluated
from rollout_metrics.domain.policy import Company


def evaluations(history: History, company: Company) -> list[Evaluated]:
    """The evaluation runs among a case's events; they may come on a case of no workflow.

    A run on a case of a workflow counts there. Any other run says something of the agent, so it counts in each of the agent's workflows.
    Only a run that says it passed has passed.
    """
    return [
        Evaluated(
            workflow=workflow.name,
            passed=text_value(step.event.detail.get("passed")) == "true",
            at=step.at,
            version=version_at(workflow, step.event),
            evidence=(step.ref,),
        )
        for step in history.of.get(Activity.EVALUATED, ())
        for workflow in workflows_of(step, history, company)
    ]
