"""What happened to a workflow's deployments beside their records, out of what a ledger holds: failed runs, incidents, recommendations, harm metrics."""

from rollout_metrics.derive.failures import FailedRun, Incident, Observed
from rollout_metrics.figures.windows import Windows


def observed(workflow: str, windows: Windows) -> Observed:
    """As far as the workflow's counts tell."""
    return Observed(failed_runs=_failed_runs(workflow, windows), incidents=_incidents(workflow, windows))


def _failed_runs(workflow: str, windows: Windows) -> tuple[FailedRun, ...]:
    found = windows.states(workflow, "failed_runs")
    return tuple(FailedRun(int(at), version or None, (source, event)) for at, version, source, event in sorted(found))


def _incidents(workflow: str, windows: Windows) -> tuple[Incident, ...]:
    return tuple(
        Incident((case_source, case), int(started_at), int(ended_at) if ended_at else None, change or None, (source, event))
        for started_at, ended_at, change, case_source, case, source, event in sorted(windows.states(workflow, "incident_cases"))
    )
