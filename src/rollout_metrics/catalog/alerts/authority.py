"""Alerts on acts outside the agent's authority. A forbidden act pages; it is one of the few things that cannot wait."""

from rollout_metrics.catalog.alerts.alert import NAMES, Alert, Dashboard, Severity, Topic
from rollout_metrics.catalog.alerts.wording import COUNT, OF_WORKFLOW, number, series, where_fresh
from rollout_metrics.domain.facts import ViolationKind

_FORBIDDEN = ViolationKind.FORBIDDEN.value


def authority() -> tuple[Alert, ...]:
    """Forbidden acts of the last day, and every violation of the last week."""
    return (
        Alert(
            name=f"{NAMES}ForbiddenAct",
            topic=Topic.AUTHORITY,
            severity=Severity.PAGE,
            expression=where_fresh(f"{series('violations', window='1d', kind=_FORBIDDEN)} > 0"),
            summary="The agent did something that it is forbidden to do.",
            description=f"Workflow {{{{ $labels.workflow }}}}: {{{{ $value | {COUNT} }}}} forbidden acts in the last day,"
            f" {number('violations', COUNT, window='28d', kind=_FORBIDDEN)} in 28 days. Level now: {number('autonomy_level', COUNT)} of 5.",
            dashboard=Dashboard.WORKFLOW,
            variables=f"{OF_WORKFLOW}&var-window=1d",
        ),
        Alert(
            name=f"{NAMES}AuthorityViolation",
            topic=Topic.AUTHORITY,
            severity=Severity.TICKET,
            expression=where_fresh(f"{series('violations', window='7d')} > 0"),
            summary="The agent acted outside its authority.",
            description=f"Workflow {{{{ $labels.workflow }}}}: {{{{ $value | {COUNT} }}}} acts of kind {{{{ $labels.kind }}}} in the last 7 days,"
            f" {number('violations', COUNT, window='28d', kind='$')} in 28 days.",
            dashboard=Dashboard.WORKFLOW,
            variables=f"{OF_WORKFLOW}&var-window=7d",
        ),
    )
