"""The quarter of every workflow: what a change board looks at before it says hold, promote or go back."""

from rollout_metrics.catalog.alerts import Dashboard as Uid
from rollout_metrics.catalog.alerts import Thresholds
from rollout_metrics.generate import measures
from rollout_metrics.generate import panels as p
from rollout_metrics.generate.queries import CHOSEN, Column, Key, cell

READ_ME = """\
**Hold, promote, or go back?** Figures over the chosen window, **90d** unless changed, with their intervals and n, and *before*: the same one window earlier.
*before* is empty where Prometheus does not reach back that far: load the past with a back-fill. Across a change of definitions nothing may be compared
(orange line). Click at a figure for its receipts. What the board decides on is [written out by quarter](${pages}/review), with the recommendation first.
"""

LIVE = {"mode": "live"}


COMPARED = (
    ("acceptance_ratio", "Acceptance", LIVE),
    ("override_ratio", "Override", LIVE),
    ("correction_ratio", "Correction", {}),
    ("bypass_ratio", "Bypass", {}),
    ("escalation_ratio", "Escalation", {}),
    ("complaint_ratio", "Complaint", {}),
)


def _compared(key: str, title: str, labels: dict[str, str]) -> p.Panel:
    """A figure of every workflow with its interval and n, and as it was one window earlier."""
    columns = measures.share_columns(key, title, interval=True, before=True, **labels)
    return p.table(f"{title} over $window, and before", (measures.by_workflow(),), columns, description=measures.described(key, "Before: one window earlier."))


def dashboard(thresholds: Thresholds) -> p.Dashboard:
    """The dashboard."""
    who = (measures.by_workflow(),)
    cost = p.table(
        "What review costs and what it saves over $window",
        (*who, Key(label="basis", title="Baseline")),
        (
            Column(title="Time saved", expression=cell("time_saved_seconds", "workflow", "basis", **CHOSEN), unit="s"),
            Column(title="at least", expression=cell("time_saved_seconds_lower", "workflow", "basis", **CHOSEN), unit="s"),
            Column(title="at most", expression=cell("time_saved_seconds_upper", "workflow", "basis", **CHOSEN), unit="s"),
            Column(title="n", expression=cell("time_saved_seconds_cases", "workflow", "basis", **CHOSEN), decimals=0),
        ),
        description=measures.described("time_saved_seconds"),
    )
    review = p.table(
        "Review over $window",
        who,
        (
            *measures.share_columns("review_latency_median_seconds", "Review latency"),
            *measures.share_columns("decision_wait_median_seconds", "Decision wait"),
            *measures.share_columns("rubber_stamp_ratio", "Rubber stamp"),
        ),
        description="How long decisions take, and how many were made faster than anyone reads.",
    )
    standing = p.table(
        "Standing of every workflow over $window",
        (*who, Key(label="risk_tier", title="Risk"), Key(label="owner_team", title="Owner"), Key(label="version", title="Version")),
        (
            Column(title="Level", expression=cell("autonomy_level", **CHOSEN), mappings=measures.LEVELS),
            measures.count_column("deployments", "Deployments"),
            *measures.share_columns("change_fail_ratio", "Change fail rate"),
            Column(title="Gates propose", expression=measures.proposed(**CHOSEN), mappings=measures.PROPOSALS),
            measures.count_column("warning_sign", "Warning signs", alarming=True),
            measures.count_column("forced_promotions", "Forced promotions", alarming=True),
            measures.count_column("open_failures", "Failures open", alarming=True),
            measures.count_column("violations", "Acts outside authority", alarming=True),
            measures.count_column("escalations_open", "Escalations open"),
            Column(title="what", expression=cell("workflow_info", "workflow", "risk_tier", "owner_team", "version", **CHOSEN), hidden=True),
        ),
        description="Where each workflow stands, and what happened to it.",
    )
    return p.dashboard(
        "Quarterly review",
        uid=Uid.REVIEW,
        description="The figures behind the quarterly review: trust, work around the agent, cost and gain, against the window before.",
        pages_url=thresholds.pages_url,
        variables=measures.variables(several=True, default_window="90d"),
        marks=measures.marks(several=True),
        time_range="now-180d",
        rows=(
            p.Row("", measures.freshness(thresholds, several=True), (8, 8, 8), height=4),
            p.Row("", (p.text("How to read this", READ_ME, description="What the figures are about."),), (24,), height=3),
            p.Row("", (standing,), (24,), height=7),
            p.Row("Against the window before", [_compared(*figure) for figure in COMPARED], (12,) * len(COMPARED), height=6),
            p.Row("Cost and gain", (cost, review), (12, 12), height=7),
            p.Row(
                "The way here",
                (
                    measures.level_strip(several=True),
                    measures.lines("override_ratio", "Override", limit=thresholds.override_limit, **LIVE),
                    measures.lines("correction_ratio", "Correction"),
                    measures.lines("bypass_ratio", "Bypass", limit=thresholds.bypass_limit),
                    measures.lines("time_saved_per_operator_seconds", "Time saved per operator"),
                    measures.lines("dropped_ratio", "Cases that nobody touched"),
                ),
                (12, 12, 12, 12, 12, 12),
            ),
        ),
    )
