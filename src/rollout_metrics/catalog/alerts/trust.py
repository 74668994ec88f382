"""Alerts on a workflow against its own past: spikes and warning signs."""

from rollout_metrics.catalog.alerts.alert import NAMES, Alert, Dashboard, Severity, Thresholds, Topic
from rollout_metrics.catalog.alerts.wording import COUNT, OF_WORKFLOW, PERCENT, SCORE, TIME, beside, number, series, where_fresh
from rollout_metrics.domain.trust import Sign, Signal

_SPIKES: dict[str, tuple[tuple[Signal, ...], str, str]] = {
    "Override": (
        (Signal.CORRECTION, Signal.OVERRIDE),
        "Operators override far more of what the agent does than they used to.",
        "were replaced, undone or rejected",
    ),
    "Bypass": ((Signal.BYPASS,), "People route far more work around the agent than they used to.", "went around the agent"),
    "Escalation": ((Signal.ESCALATION,), "The agent hands over far more cases than it used to.", "were escalated"),
    "Complaint": ((Signal.COMPLAINT,), "Customers complain far more about cases that the agent handled.", "brought a complaint"),
}
"""Name -> the signals, the summary, and what became of the cases counted."""

_OUTGROWN = Sign.REVIEW_OUTGROWS_THROUGHPUT
_OTHERS = "|".join(sign for sign in Sign if sign is not _OUTGROWN)


def trust(thresholds: Thresholds) -> tuple[Alert, ...]:
    """Every spike, and every warning sign."""
    return (*(_spike(name, told, least=thresholds.minimum_cases) for name, told in _SPIKES.items()), *_signs())


def _spike(name: str, told: tuple[tuple[Signal, ...], str, str], *, least: int) -> Alert:
    signals, summary, text = told
    signal = "|".join(signals)
    return Alert(
        name=f"{NAMES}{name}Spike",
        topic=Topic.BEHAVIOUR,
        severity=Severity.TICKET,
        expression=where_fresh(beside(f"{series('spike', signal=signal)} == 1", f"{series('spike_cases', signal=signal)} >= {least}")),
        holds="15m",
        lasts="30m",
        summary=summary,
        description=f"Workflow {{{{ $labels.workflow }}}}: since {number('spike_since_timestamp_seconds', TIME, signal='$')}"
        f" {number('spike_observed_ratio', PERCENT, signal='$')} of {number('spike_cases', COUNT, signal='$')} {text};"
        f" {number('spike_baseline_ratio', PERCENT, signal='$')} was to be expected (signal {{{{ $labels.signal }}}}, score"
        f" {number('spike_statistic', SCORE, signal='$')}, a spike from 1 on).",
        dashboard=Dashboard.SPIKES,
        variables=OF_WORKFLOW,
    )


def _signs() -> tuple[Alert, ...]:
    return (
        Alert(
            name=f"{NAMES}ReviewOutgrowsThroughput",
            topic=Topic.BEHAVIOUR,
            severity=Severity.TICKET,
            expression=where_fresh(f"{series('warning_sign', sign=_OUTGROWN)} == 1"),
            holds="1h",
            summary="Review work grows faster than what the agent gets done.",
            description="Workflow {{ $labels.workflow }}: over 28 days against the 28 before, review effort grew at least a fifth faster than accepted and"
            f" unreviewed acts. Level now: {number('autonomy_level', COUNT)} of 5.",
            dashboard=Dashboard.WORKFLOW,
            variables=f"{OF_WORKFLOW}&var-window=28d",
        ),
        Alert(
            name=f"{NAMES}WarningSign",
            topic=Topic.BEHAVIOUR,
            severity=Severity.TICKET,
            expression=where_fresh(f"{series('warning_sign', sign=_OTHERS)} == 1"),
            holds="1h",
            summary="A warning sign that a rollout is going wrong.",
            description="Workflow {{ $labels.workflow }} shows the sign {{ $labels.sign }} over its last 28 days. No promotion while it is there. Level now:"
            f" {number('autonomy_level', COUNT)} of 5.",
            dashboard=Dashboard.WORKFLOW,
            variables=f"{OF_WORKFLOW}&var-window=28d",
        ),
    )
