"""The five delivery metrics, for changes of agents' behaviour and authority."""

from rollout_metrics.catalog.alerts import Dashboard as Uid
from rollout_metrics.catalog.alerts import Thresholds
from rollout_metrics.generate import measures
from rollout_metrics.generate import panels as p
from rollout_metrics.generate.queries import CHOSEN, Column, Key, cell

READ_ME = """\
**Do we change our agents quickly and safely?** A change is of prompt, model, tool, policy, permission, retrieval, memory, workflow or level; a deployment is
one that reached production. It can only be judged once its observation window is over, and one that has not recovered yet counts in the recovery time.
Read speed and failures as a pair. Without deployments there is no fail rate, not one of 0.
"""


def dashboard(thresholds: Thresholds) -> p.Dashboard:
    """The dashboard."""
    five = p.table(
        "The five metrics of every workflow over $window",
        (measures.by_workflow(),),
        (
            measures.count_column("deployments", "Deployments"),
            measures.count_column("safe_deployments", "Safe ones"),
            *measures.share_columns("change_lead_time_median_seconds", "Lead time to approval"),
            *measures.share_columns("deployment_lead_time_median_seconds", "Lead time to deployment"),
            *measures.share_columns("change_fail_ratio", "Change fail rate", interval=True),
            *measures.share_columns("failed_deployment_recovery_median_seconds", "Recovery"),
            *measures.share_columns("deployment_rework_ratio", "Rework", interval=True),
        ),
        description="Medians, shares with their 95 % intervals, and how many deployments or failures each rests on.",
    )
    trouble = p.table(
        "Trouble over $window, and open now",
        (measures.by_workflow(),),
        (
            measures.count_column("open_failures", "Failures open now", alarming=True),
            measures.count_column("failed_deployments", "Failed", alarming=True),
            measures.count_column("inferred_failed_deployments", "Failed, inferred"),
            measures.count_column("harm_active", "Harm now", alarming=True),
            measures.count_column("unrecorded_versions", "Versions without record", alarming=True),
            measures.count_column("unrecorded_version_events", "Their events"),
            measures.count_column("recurred_errors", "Errors back after their fix", alarming=True),
            measures.count_column("drifted_names", "Names that stopped appearing", alarming=True),
        ),
        description="Failed deployments, those that only an unlinked incident speaks against, versions that run without a deployed record,"
        " errors that came back after the change that fixes them, and configured attributes, queues and statuses that stopped appearing.",
    )
    linked = p.table(
        "Incidents and what they belong to over $window",
        (measures.by_workflow(), Key(label="link", title="Link")),
        (
            Column(title="Incidents", expression=cell("incidents", "workflow", "link", **CHOSEN), decimals=0),
            *measures.share_columns("incident_link_ratio", "Share", "workflow", "link", interval=True),
        ),
        description=measures.described("incidents"),
    )
    return p.dashboard(
        "Delivery metrics for agents",
        uid=Uid.DELIVERY,
        description="Lead time, frequency, fail rate, recovery time and rework of changes of agents' behaviour and authority.",
        pages_url=thresholds.pages_url,
        variables=measures.variables(several=True, default_window="90d"),
        marks=measures.marks(several=True),
        time_range="now-90d",
        rows=(
            p.Row(
                "",
                (
                    *measures.freshness(thresholds, several=True),
                    measures.count("deployments", "Deployments", several=True),
                    measures.count("safe_deployments", "Safe deployments", several=True),
                    measures.count("open_failures", "Failures open", several=True, steps=((None, p.TEXT), (1, p.VERMILLION))),
                ),
                (5, 4, 4, 4, 4, 3),
                height=4,
            ),
            p.Row("", (p.text("How to read this", READ_ME, description="What the figures are about."),), (24,), height=3),
            p.Row("", (five,), (24,), height=7),
            p.Row("", (trouble, linked), (12, 12), height=7),
            p.Row(
                "Speed",
                (
                    measures.lines("deployments", "Deployments"),
                    measures.lines("change_lead_time_median_seconds", "Median lead time to approval"),
                    measures.lines("change_lead_time_p90_seconds", "Lead time to approval, 90th percentile"),
                    measures.lines("deployment_lead_time_median_seconds", "Median lead time to deployment"),
                    measures.lines("deployment_lead_time_p90_seconds", "Lead time to deployment, 90th percentile"),
                ),
                (8, 8, 8, 12, 12),
            ),
            p.Row("Safety", (measures.banded("change_fail_ratio", "change fail rate", color=p.VERMILLION),), (24,)),
            p.Row("", (measures.banded("deployment_rework_ratio", "rework", color=p.ORANGE),), (24,)),
            p.Row(
                "",
                (
                    measures.together("failed_deployments", "Failed deployments by cause", "cause"),
                    measures.lines("failed_deployment_recovery_median_seconds", "Median recovery time"),
                    measures.lines("failed_deployment_recovery_p90_seconds", "Recovery time, 90th percentile"),
                ),
                (8, 8, 8),
            ),
        ),
    )
