"""Alerts on changes of the agent: deployments that fail, harm, versions nobody recorded, a level that is no longer borne out."""

from rollout_metrics.catalog.alerts.alert import NAMES, Alert, Dashboard, Severity, Topic
from rollout_metrics.catalog.alerts.wording import COUNT, OF_WORKFLOW, each, number, series, where_fresh


def changes() -> tuple[Alert, ...]:
    """Deployments and levels. Harm pages: somebody is being hurt now."""
    return (
        Alert(
            name=f"{NAMES}HarmActive",
            topic=Topic.CHANGE,
            severity=Severity.PAGE,
            expression=where_fresh(f"{series('harm_active')} > 0"),
            summary="A deployment does harm beyond the limit of its own record.",
            description=f"Workflow {{{{ $labels.workflow }}}}: deployments with a harm metric for certain beyond its limit: {{{{ $value | {COUNT} }}}},"
            f" and nothing done about it yet. Level now: {number('autonomy_level', COUNT)} of 5.",
            dashboard=Dashboard.DELIVERY,
            variables=OF_WORKFLOW,
        ),
        Alert(
            name=f"{NAMES}HarmUnread",
            topic=Topic.CHANGE,
            severity=Severity.TICKET,
            expression=where_fresh(f"{series('harm_metrics_unread')} > 0"),
            holds="1h",
            summary="Harm of a watched deployment is not being looked at.",
            description=f"Workflow {{{{ $labels.workflow }}}}: {{{{ $value | {COUNT} }}}} harm metrics from elsewhere have not been read for twice as long as"
            " they should be. What they would show is not known.",
            dashboard=Dashboard.DELIVERY,
            variables=OF_WORKFLOW,
        ),
        Alert(
            name=f"{NAMES}DeploymentFailed",
            topic=Topic.CHANGE,
            severity=Severity.TICKET,
            expression=where_fresh(f"{series('open_failures')} > 0"),
            summary="A change of the agent has failed and is not over.",
            description=f"Workflow {{{{ $labels.workflow }}}}: failed deployments that have not recovered: {{{{ $value | {COUNT} }}}}, of"
            f" {number('deployments', COUNT, window='28d')} in 28 days.",
            dashboard=Dashboard.DELIVERY,
            variables=f"{OF_WORKFLOW}&var-window=28d",
        ),
        Alert(
            name=f"{NAMES}UnrecordedVersion",
            topic=Topic.CHANGE,
            severity=Severity.TICKET,
            expression=where_fresh(f"{series('unrecorded_version_events', window='1d')} > 0"),
            holds="15m",
            summary="The agent runs in a version that nobody has recorded.",
            description=f"Workflow {{{{ $labels.workflow }}}}: {{{{ $value | {COUNT} }}}} events of the last day carry a version that no deployed record names;"
            f" {number('unrecorded_versions', COUNT)} such versions in all.",
            dashboard=Dashboard.DELIVERY,
            variables=OF_WORKFLOW,
        ),
        Alert(
            name=f"{NAMES}GateFailing",
            topic=Topic.CHANGE,
            severity=Severity.TICKET,
            expression=where_fresh(f"{series('level_proposal', proposal='demote')} == 1"),
            holds="1h",
            summary="The agent no longer meets what its level asks for.",
            description=f"Workflow {{{{ $labels.workflow }}}} is at level {number('autonomy_level', COUNT)} of 5 and outside its limits; the gates propose"
            f" to go back. Failing towards the next level:{each('gate', 'gate', verdict='fail')}.",
            dashboard=Dashboard.LADDER,
            variables=OF_WORKFLOW,
        ),
    )
