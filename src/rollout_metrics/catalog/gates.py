"""Gates, what they propose, and the comparison in shadow (definitions, section 9)."""

from collections.abc import Mapping

from rollout_metrics.catalog.make import beside, count, gauge, part
from rollout_metrics.catalog.metric import Metric, Ratio, Section, Told
from rollout_metrics.catalog.rollout import AUTHORITY, BYPASS, ESCALATION, OUTCOMES
from rollout_metrics.domain.gates import RateGate

_GATE = ("gate",)
_RATIOS = {metric.key: metric.obtained for metric in (*OUTCOMES, *ESCALATION, *BYPASS, *AUTHORITY) if isinstance(metric.obtained, Ratio)}

EVIDENCE: Mapping[RateGate, Ratio] = {
    RateGate.EXPLICIT_ACCEPTANCE: _RATIOS["explicit_acceptance_ratio"],
    RateGate.OVERRIDE: _RATIOS["override_ratio"],
    RateGate.CORRECTION: _RATIOS["correction_ratio"],
    RateGate.BYPASS: _RATIOS["bypass_ratio"],
    RateGate.ESCALATION_WITHIN_TARGET: Ratio(part("escalation_targets", met=("true",)), part("escalation_targets")),
}
"""What the rate behind each gate is made of: counts, so that every look at it is allowed."""

OF_GATES = frozenset(("gate", "gate_ratio", "gate_limit_ratio", "gate_cases", "gate_missing_decisions"))
"""Metrics that are explained gate by gate."""

_SINCE = "Evidence of the present level and version only: since the level began or the last deployment that was not of low risk."

_RATIO = gauge("gate_ratio", f"The rate that a gate limits. {_SINCE} No sample while nothing was counted.", Told("gate_ratio"), Section.GATES, labels=_GATE)

GATES: tuple[Metric, ...] = (
    gauge(
        "gate",
        "Verdict on each gate between the workflow and the next level: 1 for the one of pass, fail and inconclusive that holds, 0 for the others."
        " What each gate asks for stands in the configuration. No series at the highest level.",
        Told("gate"),
        Section.GATES,
        labels=("gate", "verdict"),
    ),
    _RATIO,
    *beside(_RATIO, "95 % anytime-valid interval, which may be looked at as often as one likes", bounds=True, cases=False),
    gauge("gate_limit_ratio", "The limit of gate_ratio, as configured.", Told("gate_limit_ratio"), Section.GATES, labels=_GATE),
    gauge(
        "gate_cases",
        "What a gate has counted: the denominator of gate_ratio, decisions, days, acts outside authority.",
        Told("gate_cases"),
        Section.GATES,
        labels=_GATE,
    ),
    gauge(
        "gate_missing_decisions",
        "How many more decisions at the present rate would settle an inconclusive gate; 0 where it is settled, no sample where none would.",
        Told("gate_missing_decisions"),
        Section.GATES,
        labels=_GATE,
    ),
    gauge(
        "level_proposal",
        "What the gates propose: 1 for the one of promote, hold and demote, 0 for the others. Nothing is done by itself.",
        Told("level_proposal"),
        Section.GATES,
        labels=("proposal",),
    ),
    gauge(
        "level_since_timestamp_seconds",
        "Since when the level is in force; a pause does not end it. No sample where it is from the beginning.",
        Told("level_since"),
        Section.GATES,
    ),
    gauge(
        "forced_promotions",
        "Deployed changes to a higher level that went against the gates as they were known then, or skipped a level. They stay for good.",
        Told("forced_promotions"),
        Section.GATES,
    ),
    count(
        "escalation_targets",
        "Escalations whose target was over, by whether they were acknowledged within it, by the instant at which it was over: each counts at the same age.",
        Section.GATES,
    ),
    count(
        "shadow_comparisons",
        "Decisions of people about recommendations made in shadow: agreed, or an error that would have been cheap or dangerous by the configured costs.",
        Section.GATES,
    ),
)
