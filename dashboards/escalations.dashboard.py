"""Escalations: who has them, whether they are answered in time, and which have been lying there longest."""

from rollout_metrics.catalog.alerts import Dashboard as Uid
from rollout_metrics.catalog.alerts import Thresholds
from rollout_metrics.domain.time import SECOND
from rollout_metrics.generate import links, measures
from rollout_metrics.generate import panels as p
from rollout_metrics.generate.measures import described
from rollout_metrics.generate.queries import CHOSEN, Column, Key, Query, added, shown

READ_ME = """\
**Is somebody there when the agent asks for help?** Targets are working time of the workflow's calendar; medians are elapsed time, and what is still
open counts in them (Kaplan-Meier): a queue that nobody answers cannot look fast. *no data* beside cases means that more than half are still open.
**Unowned** is open and nobody's; **unspecified** is a reason that nobody gave.
"""

SOME: p.Steps = ((None, p.TEXT), (1, p.VERMILLION))


def dashboard(thresholds: Thresholds) -> p.Dashboard:
    """The dashboard; lines and colours turn at the limits of the alerts."""
    rots_after = thresholds.rots_after / SECOND
    rotten: p.Steps = ((None, p.TEXT), (rots_after, p.VERMILLION))
    oldest = shown("escalation_oldest_open_timestamp_seconds", **CHOSEN)
    queue = p.table(
        "Queue and answers of every workflow over $window",
        (measures.by_workflow(),),
        (
            measures.count_column("escalations_open", "Open now"),
            measures.count_column("escalations_unowned", "Unowned now", alarming=True),
            measures.age_column("escalation_oldest_open_timestamp_seconds", "Oldest open, age", steps=rotten),
            *measures.share_columns("escalation_within_target_ratio", "Within target", steps=measures.at_least(thresholds.within_target), interval=True),
            *measures.share_columns("escalation_acknowledge_median_seconds", "To acknowledge"),
            *measures.share_columns("escalation_resolve_median_seconds", "To resolve"),
        ),
        description="What lies there now, and how escalations raised in the window were answered, each with the number of cases behind it.",
    )
    judged = p.table(
        "Right to escalate over $window",
        (measures.by_workflow(),),
        (
            *measures.share_columns("escalation_ratio", "Escalated", interval=True),
            *measures.share_columns("escalation_precision_ratio", "Right when it did"),
            *measures.share_columns("escalation_recall_ratio", "Did when it should"),
        ),
        description="How often the agent hands over, and, where operators fill in should_escalate, how often that was right and how often it was missed.",
    )
    reasons = p.table(
        "Reasons by workflow over $window",
        (measures.by_workflow(), Key(label="reason", title="Reason")),
        (
            Column(
                title="Escalations",
                expression=f"{added('escalations', 'workflow', 'reason', **CHOSEN)} > 0",
                decimals=0,
                links=links.evidence("escalations", workflow=links.ROW, reason="${__data.fields.Reason:percentencode}"),
            ),
        ),
        description=described("escalations"),
    )
    return p.dashboard(
        "Escalations",
        uid=Uid.ESCALATIONS,
        description="Open, unowned and oldest escalations; share acknowledged within target and times to acknowledge and resolve, the unfinished counted.",
        pages_url=thresholds.pages_url,
        variables=measures.variables(several=True),
        marks=measures.marks(several=True),
        rows=(
            p.Row(
                "",
                (
                    *measures.freshness(thresholds, several=True),
                    measures.count("escalations_open", "Open", several=True),
                    measures.count("escalations_unowned", "Unowned", several=True, steps=SOME),
                    p.stat(
                        "Oldest open, age now",
                        [Query(f"time() - min({oldest})", "age")],
                        unit="s",
                        steps=((None, p.TEXT), (rots_after, p.VERMILLION)),
                        description=described("escalation_oldest_open_timestamp_seconds"),
                        missing="none open",
                    ),
                ),
                (5, 4, 4, 3, 4, 4),
                height=4,
            ),
            p.Row("", (p.text("How to read this", READ_ME, description="What the figures are about."),), (24,), height=3),
            p.Row("", (queue,), (24,), height=7),
            p.Row("Queue", (measures.lines("escalations_open", "Open"), measures.lines("escalations_unowned", "Unowned")), (12, 12)),
            p.Row(
                "Answers",
                (measures.banded("escalation_within_target_ratio", "acknowledged within target", color=p.GREEN, limit=thresholds.within_target),),
                (24,),
            ),
            p.Row(
                "",
                (
                    measures.lines("escalation_acknowledge_median_seconds", "Median time to acknowledge"),
                    measures.lines("escalation_resolve_median_seconds", "Median time to resolve"),
                ),
                (12, 12),
            ),
            p.Row("Reasons", (measures.together("escalations", "Escalations by reason", "reason"), reasons), (14, 10)),
            p.Row("", (judged,), (24,), height=7),
        ),
    )
