"""All rollouts at a glance: how far each agent is trusted, how healthy that is, and what changed."""

from rollout_metrics.catalog import METRICS
from rollout_metrics.catalog.alerts import NAMES, Severity, Thresholds
from rollout_metrics.catalog.alerts import Dashboard as Uid
from rollout_metrics.domain.time import SECOND
from rollout_metrics.generate import links, measures
from rollout_metrics.generate import panels as p
from rollout_metrics.generate.queries import CHOSEN, Column, Key, Query, cell, shown, type_cell

READ_ME = """\
**Which rollout needs somebody today?** One line for each workflow; click at a figure for the cases behind it, at a name for its own dashboard.
Up to level *assisted* the headline is **override**, from *low risk autonomous* up it is **correction**. A share says little where its **n** is small.
Workflows do different work: this is no league table. *no data* is not 0.
"""

LIVE = {"mode": "live"}
FIRING = f'ALERTS{{alertname=~"{NAMES}.+", alertstate="firing", severity!="{Severity.NONE}"}}'


def health(thresholds: Thresholds) -> p.Panel:
    """A line for each workflow; colours turn at the limits of the alerts."""

    def over(limit: float) -> p.Steps:
        return ((None, p.TEXT), (limit, p.VERMILLION))

    return p.table(
        "Health of every workflow over $window",
        (
            measures.by_workflow(),
            Key(label="workflow_type", title="Type"),
            Key(label="risk_tier", title="Risk", width=80),
            Key(label="owner_team", title="Owner"),
        ),
        (
            Column(title="Level", expression=cell("autonomy_level", **CHOSEN), mappings=measures.LEVELS, width=160),
            *measures.share_columns("override_ratio", "Override", steps=over(thresholds.override_limit), **LIVE),
            *measures.share_columns("correction_ratio", "Correction"),
            *measures.share_columns("bypass_ratio", "Bypass", steps=over(thresholds.bypass_limit)),
            *measures.share_columns("escalation_ratio", "Escalation"),
            measures.count_column("spike", "Spikes", alarming=True, leads=links.dashboard(Uid.SPIKES, "Bypass and override spikes", workflow=links.ROW)),
            measures.count_column(
                "warning_sign", "Warning signs", alarming=True, leads=links.dashboard(Uid.WORKFLOW, "Warning signs of this workflow", workflow=links.ROW)
            ),
            Column(title="Gates propose", expression=measures.proposed(**CHOSEN), mappings=measures.PROPOSALS),
            measures.age_column("as_of_timestamp_seconds", "Age of figures", steps=over(thresholds.stale_after / SECOND)),
            Column(title="what", expression=cell("workflow_info", "workflow", "workflow_type", "risk_tier", "owner_team", **CHOSEN), hidden=True),
        ),
        description="Level, and the shares that tell whether people trust the agent, each with its n. Coloured from the limit of the alert up.",
    )


def of_types() -> p.Panel:
    """Several workflows as one, as the recording rules add them up."""
    live = {"mode": "live"}
    columns: list[Column] = []
    for key, title in (("override_ratio", "Override"), ("correction_ratio", "Correction"), ("bypass_ratio", "Bypass"), ("escalation_ratio", "Escalation")):
        labels = live if "mode" in METRICS[key].labels else {}
        for operation, said, unit in (
            ("ratio", "", "percentunit"),
            ("lower", ", at least", "percentunit"),
            ("upper", ", at most", "percentunit"),
            ("denominator", ", n", "locale"),
        ):
            columns.append(Column(title=title + said, expression=type_cell(key, operation, **labels), unit=unit, decimals=0 if unit == "locale" else 1))
    return p.table(
        "Every type of work over $window",
        (Key(label="workflow_type", title="Type"),),
        columns,
        description="All workflows of a type together, with 95 % intervals: counts are added, then divided. Recorded by the shipped rules.",
        missing="no data, or the rules are not loaded",
    )


def dashboard(thresholds: Thresholds) -> p.Dashboard:
    """The dashboard."""
    levels = shown("autonomy_level", **CHOSEN)
    changed = p.table(
        "What changed over $window",
        (measures.by_workflow(), Key(label="version", title="Version now")),
        (
            measures.count_column("deployments", "Deployments"),
            measures.count_column("failed_deployments", "Failed", alarming=True),
            measures.count_column("violations", "Acts outside authority", alarming=True),
            Column(title="version", expression=cell("workflow_info", "workflow", "version", **CHOSEN), hidden=True),
        ),
        description="Deployed changes of each agent, which of them failed, and what it did that it may not do. Lines in the graphs mark when.",
    )
    alerts = p.table(
        "Alerts that fire, now",
        tuple(
            Key(label=label, title=title) for label, title in (("alertname", "Alert"), ("workflow", "Workflow"), ("source", "Source"), ("severity", "Severity"))
        ),
        (Column(title="firing", expression=f"max by (alertname, workflow, source, severity) ({FIRING})", hidden=True),),
        description="Shipped alerts that fire in this Prometheus; each is explained in its runbook.",
        missing="none, or the rules are not loaded",
    )
    return p.dashboard(
        "Rollout overview",
        uid=Uid.OVERVIEW,
        description="Every workflow with an agent: autonomy level, health, freshness, and what changed.",
        pages_url=thresholds.pages_url,
        variables=measures.variables(several=True),
        marks=measures.marks(several=True),
        rows=(
            p.Row(
                "",
                (
                    *measures.freshness(thresholds, several=True),
                    p.stat(
                        "Workflows, now",
                        (Query(f"count({levels})", "chosen"), Query(f"sum({levels} >= bool 3)", "act on their own")),
                        unit="locale",
                        description="How many workflows are shown, and in how many the agent acts without being asked (low risk autonomous and up).",
                    ),
                    p.stat(
                        "Alerts firing, now",
                        [Query(f"count({FIRING})", "alerts")],
                        unit="locale",
                        steps=((None, p.VERMILLION),),
                        missing="none",
                        description="Shipped alerts that fire in this Prometheus. None may also mean that it has not loaded the rules.",
                    ),
                ),
                (5, 5, 4, 5, 5),
                height=4,
            ),
            p.Row("", (p.text("How to read this", READ_ME, description="What the figures are about."),), (24,), height=3),
            p.Row("", (health(thresholds),), (24,), height=7),
            p.Row("", (of_types(),), (24,), height=6),
            p.Row("Autonomy and changes", (measures.level_strip(several=True), changed), (12, 12), height=7),
            p.Row(
                "Trends",
                (
                    measures.lines("override_ratio", "Override", limit=thresholds.override_limit, **LIVE),
                    measures.lines("correction_ratio", "Correction"),
                    measures.lines("bypass_ratio", "Bypass", limit=thresholds.bypass_limit),
                    measures.lines("escalation_ratio", "Escalation"),
                ),
                (12, 12, 12, 12),
            ),
            p.Row("Alerts", (alerts,), (24,), height=6),
        ),
    )
