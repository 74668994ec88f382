"""Which events that other sources report join a case that its own source knows (coverage `linked`: definitions, section 9)."""

from rollout_metrics.derive.history import History
from rollout_metrics.domain.facts import Reported
from rollout_metrics.domain.policy import Company


def reports(history: History, company: Company) -> list[Reported]:
    """One fact for each workflow that reads a source which reported on the case from outside; none where nobody did.

    A case exists where its own source gave at least one of its events.
    """
    case_source = history.case[0]
    foreign = [step for step in history.steps if step.ref[0] != case_source]
    if not foreign:
        return []
    linked = len(foreign) < len(history.steps)
    sources = {step.ref[0] for step in foreign}
    own = history.workflow
    concerned = [workflow for workflow in company.workflows if (not sources.isdisjoint(workflow.sources) if own is None else workflow is own)]
    return [Reported(workflow.name, linked, len(foreign), foreign[0].at, (foreign[0].ref,)) for workflow in concerned]
