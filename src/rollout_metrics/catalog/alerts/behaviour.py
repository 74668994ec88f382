"""Alerts on what people do with the agent: tickets, and only on figures that are fresh."""

from rollout_metrics.catalog import METRICS
from rollout_metrics.catalog.alerts.alert import NAMES, Alert, Dashboard, Severity, Thresholds, Topic
from rollout_metrics.catalog.alerts.wording import AGE, COUNT, OF_WORKFLOW, PERCENT, beside, cases, number, percent, said, series, where_fresh
from rollout_metrics.catalog.promql import denominator
from rollout_metrics.domain.time import SECOND

WINDOW = "1d"
"""The window by which spikes are judged."""

WEEK = "7d"
"""The window of what needs more cases than a day has."""


def behaviour(thresholds: Thresholds) -> tuple[Alert, ...]:
    """Overrides, bypass, escalations and rubber stamps."""
    least = thresholds.minimum_cases
    return (
        Alert(
            name=f"{NAMES}EscalationTargetMissed",
            topic=Topic.BEHAVIOUR,
            severity=Severity.TICKET,
            expression=where_fresh(
                beside(
                    f"({series('escalation_within_target_ratio_upper', window=WEEK)} < {thresholds.within_target:g}"
                    f" or {series('escalation_within_target_ratio', window=WEEK)} == 0)",
                    f"{series('escalation_within_target_ratio_cases', window=WEEK)} >= {least}",
                )
            ),
            holds="15m",
            lasts="30m",
            summary="Escalations are not acknowledged in time.",
            description=f"Workflow {{{{ $labels.workflow }}}}: over the last 7 days {number('escalation_within_target_ratio', PERCENT, window=WEEK)} of"
            f" {number('escalation_within_target_ratio_cases', COUNT, window=WEEK)} escalations were acknowledged within their target; with 95 %"
            f" confidence it is less than {percent(thresholds.within_target)}. Open now: {number('escalations_open', COUNT)}.",
            dashboard=Dashboard.ESCALATIONS,
            variables=f"{OF_WORKFLOW}&var-window={WEEK}",
        ),
        Alert(
            name=f"{NAMES}EscalationQueueRotting",
            topic=Topic.BEHAVIOUR,
            severity=Severity.TICKET,
            expression=where_fresh(
                f"{series('as_of_timestamp_seconds')} - {series('escalation_oldest_open_timestamp_seconds')} > {thresholds.rots_after / SECOND:g}"
            ),
            holds="15m",
            summary="An escalation has been open for days.",
            description=f"Workflow {{{{ $labels.workflow }}}}: the oldest open escalation was raised {{{{ $value | {AGE} }}}} ago; more than"
            f" {said(thresholds.rots_after)} counts as rotting. Open: {number('escalations_open', COUNT)}, of which nobody owns"
            f" {number('escalations_unowned', COUNT)}.",
            dashboard=Dashboard.ESCALATIONS,
            variables=OF_WORKFLOW,
        ),
        Alert(
            name=f"{NAMES}EscalationUnowned",
            topic=Topic.BEHAVIOUR,
            severity=Severity.TICKET,
            expression=where_fresh(f"{series('escalations_unowned')} > 0"),
            holds="4h",
            summary="Open escalations have no owner.",
            description=f"Workflow {{{{ $labels.workflow }}}}: nobody owns {{{{ $value | {COUNT} }}}} of {number('escalations_open', COUNT)} open escalations,"
            " and that has been so for 4 hours without a break.",
            dashboard=Dashboard.ESCALATIONS,
            variables=OF_WORKFLOW,
        ),
        Alert(
            name=f"{NAMES}RubberStamping",
            topic=Topic.BEHAVIOUR,
            severity=Severity.TICKET,
            expression=where_fresh(
                beside(
                    f"{series('rubber_stamp_ratio_lower', window=WEEK)} > {thresholds.rubber_stamp_limit:g}",
                    f"{denominator(METRICS['rubber_stamp_ratio'], window=WEEK)} >= {least}",
                )
            ),
            holds="15m",
            lasts="30m",
            summary="Approvals come faster than anyone can read.",
            description=f"Workflow {{{{ $labels.workflow }}}}: over the last 7 days {number('rubber_stamp_ratio', PERCENT, window=WEEK)} of"
            f" {cases('rubber_stamp_ratio', window=WEEK)} explicit decisions were approvals at a glance. With 95 % confidence it is more than"
            f" {{{{ $value | {PERCENT} }}}}; the limit is {percent(thresholds.rubber_stamp_limit)}. Acceptance from this workflow proves little.",
            dashboard=Dashboard.WORKFLOW,
            variables=f"{OF_WORKFLOW}&var-window={WEEK}",
        ),
    )
