"""The autonomy ladder of one workflow: where it stands, what it may do, and what speaks for or against the next step."""

from rollout_metrics.catalog.alerts import Dashboard as Uid
from rollout_metrics.catalog.alerts import Thresholds
from rollout_metrics.generate import links, measures
from rollout_metrics.generate import panels as p
from rollout_metrics.generate.queries import Column, Key, Query, cell, shown

READ_ME = """\
**May this agent be trusted with more?** A step up wants evidence at the level as it is, not a good week. Below *low risk autonomous* the rates that count
are explicit acceptance and override, from there correction; bypass and escalations within target count always. An act outside its authority speaks
against any step. Nothing is promoted by itself: people decide, and what they decided against the gates stays to be seen.
"""

LIVE = {"mode": "live"}
VERDICTS = p.states((1, "pass", p.GREEN), (0, "inconclusive", p.GREY), (-1, "fail", p.VERMILLION))
VERDICT = f"{cell('gate', 'gate', verdict='pass')} - {cell('gate', 'gate', verdict='fail')}"
COMPARISONS = (("agreed", p.BLUE), ("cheap", p.YELLOW), ("dangerous", p.VERMILLION))
VIOLATIONS = (("forbidden", p.VERMILLION), ("out_of_scope", p.ORANGE), ("unapproved", p.PURPLE), ("level", p.YELLOW), ("unlisted", p.GREY))


def dashboard(thresholds: Thresholds) -> p.Dashboard:
    """The dashboard."""
    rates = (
        *measures.interval("explicit_acceptance_ratio", "Explicit acceptance", **LIVE),
        *measures.interval("override_ratio", "Override", limit=thresholds.override_limit, color=p.ORANGE, **LIVE),
        *measures.interval("correction_ratio", "Correction", color=p.ORANGE),
        *measures.interval("reference_correction_ratio", "Reference", color=p.GREY),
        *measures.interval("bypass_ratio", "Bypass", limit=thresholds.bypass_limit, color=p.PURPLE),
        *measures.interval("escalation_within_target_ratio", "Within target", color=p.GREEN),
    )
    evaluations = p.series(
        "Evaluation runs over $window",
        (Query(shown("evaluations", passed="true"), "passed", p.BLUE), Query(shown("evaluations", passed="false"), "failed", p.VERMILLION)),
        unit="locale",
        bars=True,
        description=measures.described("evaluations"),
    )
    gates = p.table(
        "Gates to the next level, now",
        (Key(label="gate", title="Gate", width=220, links=links.evidence("gate", gate="${__data.fields.Gate:percentencode}")),),
        (
            Column(title="Verdict", expression=VERDICT, mappings=VERDICTS, decimals=0),
            Column(title="Rate", expression=cell("gate_ratio", "gate"), unit="percentunit", decimals=1),
            Column(title="Rate, at least", expression=cell("gate_ratio_lower", "gate"), unit="percentunit", decimals=1),
            Column(title="Rate, at most", expression=cell("gate_ratio_upper", "gate"), unit="percentunit", decimals=1),
            Column(title="Rate, limit", expression=cell("gate_limit_ratio", "gate"), unit="percentunit", decimals=1),
            Column(title="Rate, n", expression=cell("gate_cases", "gate"), decimals=0),
            Column(title="Still missing", expression=cell("gate_missing_decisions", "gate"), decimals=0),
        ),
        description=measures.described("gate", "Still missing: how many more decisions at the present rate would settle it."),
    )
    verdicts = p.timeline(
        "Verdicts over time",
        [Query(VERDICT, "{{gate}}")],
        mappings=VERDICTS,
        description=measures.described("gate"),
    )
    proposal = p.stat(
        "Proposal of the gates, now",
        [Query(measures.proposed(), "proposal")],
        unit="locale",
        mappings=measures.PROPOSALS,
        missing="none",
        description=measures.described("level_proposal", "None at the highest level."),
    )
    since = p.stat(
        "At this level for, now",
        [Query(f"time() - {shown('level_since_timestamp_seconds')}", "age")],
        unit="s",
        description=measures.described("level_since_timestamp_seconds"),
    )
    return p.dashboard(
        "Ladder and gates",
        uid=Uid.LADDER,
        description="Autonomy level of one workflow over time, the evidence for the next step, authority and evaluations.",
        pages_url=thresholds.pages_url,
        variables=measures.variables(several=False),
        marks=measures.marks(),
        time_range="now-90d",
        rows=(
            p.Row(
                "",
                (
                    *measures.freshness(thresholds),
                    measures.level_now(),
                    since,
                    proposal,
                    measures.count("forced_promotions", "Forced promotions", steps=((None, p.TEXT), (1, p.VERMILLION))),
                ),
                (4, 3, 3, 4, 3, 4, 3),
                height=4,
            ),
            p.Row("", (p.text("How to read this", READ_ME, description="What the ladder is."),), (24,), height=3),
            p.Row("Ladder", (measures.level_strip(several=False),), (24,), height=5),
            p.Row("Gates", (gates, verdicts), (14, 10), height=13),
            p.Row("Rates that gates are about", rates, (4, 8) * len(rates[::2])),
            p.Row(
                "Authority and evaluations",
                (
                    measures.kinds("violations", "Acts outside authority", "kind", VIOLATIONS),
                    measures.kinds("blocked_actions", "Acts that a guardrail refused", "reason"),
                    evaluations,
                    measures.kinds("shadow_comparisons", "Shadow against people", "verdict", COMPARISONS),
                    measures.kinds("escalation_targets", "Escalation targets by whether met", "met", (("true", p.BLUE), ("false", p.VERMILLION))),
                    measures.count("unused_grants", "Granted and never used"),
                ),
                (8, 8, 8, 8, 8, 8),
            ),
        ),
    )
