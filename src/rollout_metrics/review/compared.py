"""A figure of the quarter against that of the quarter before."""

from collections.abc import Mapping

from rollout_metrics.catalog import METRICS, Metric
from rollout_metrics.catalog.metric import Count, Delivery, Merged, Standing, Told
from rollout_metrics.overview import Figure, Tone, Values, figure
from rollout_metrics.review.said import Line, Movement, Number

LEAST = 20
"""Cases below which nothing is said of a rate; the same as for warning signs."""

_WORSE = frozenset(
    (
        "override_ratio",
        "correction_ratio",
        "escalation_ratio",
        "bypass_ratio",
        "complaint_ratio",
        "rubber_stamp_ratio",
        "dropped_ratio",
        "change_fail_ratio",
        "deployment_rework_ratio",
        "review_latency_median_seconds",
        "decision_wait_median_seconds",
        "turnaround_median_seconds",
        "escalation_acknowledge_median_seconds",
        "escalation_resolve_median_seconds",
        "failed_deployment_recovery_median_seconds",
        "time_to_reverse_median_seconds",
    )
)
"""Figures that are better the lower they are."""
_BETTER = frozenset(("acceptance_ratio", "explicit_acceptance_ratio", "escalation_within_target_ratio", "time_saved_seconds"))
"""Figures that are better the higher they are. Of all others a change is neither."""


def number(found: Figure) -> Number:
    """A figure without what is the same for the whole review."""
    kept = {label: value for label, value in found.labels.items() if label not in ("workflow", "window")}
    return Number(key=found.metric.key, labels=kept, value=found.value, lower=found.lower, upper=found.upper, n=found.n)


def line(now: Number, before: Number) -> Line:
    """Both quarters side by side."""
    moved = movement(now, before)
    return Line(now, before, moved, _tone(now.key, moved))


def movement(now: Number, before: Number) -> Movement:
    """What can be said of the difference: rates and durations only move where their intervals lie apart."""
    obtained = METRICS[now.key].obtained
    if isinstance(obtained, Count | Merged | Standing) or (isinstance(obtained, Delivery | Told) and f"{now.key}_lower" not in METRICS):
        return Movement.COUNTED
    if _thin(now) or _thin(before):
        return Movement.UNKNOWN
    if now.lower is None or now.upper is None or before.lower is None or before.upper is None:
        return Movement.UNKNOWN
    if now.lower > before.upper:
        return Movement.ROSE
    return Movement.FELL if now.upper < before.lower else Movement.STEADY


def _thin(found: Number) -> bool:
    return found.value is None or (found.n is not None and found.n < LEAST)


def _tone(key: str, moved: Movement) -> Tone:
    if moved not in (Movement.ROSE, Movement.FELL) or key not in _WORSE | _BETTER:
        return Tone.PLAIN
    return Tone.GOOD if (moved is Movement.ROSE) == (key in _BETTER) else Tone.BAD


class Quarters:
    """The published values of both quarters, asked for together."""

    def __init__(self, workflow: str, mode: str, now: tuple[Values, str], before: tuple[Values, str]) -> None:
        """`now`, `before`: values, and the label of the one window they have."""
        self._fixed = [(values, {"workflow": workflow, "window": window, "mode": mode}) for values, window in (now, before)]

    def of(self, key: str, **labels: str) -> Line:
        """One series, by its own labels."""
        metric = METRICS[key]
        return line(*(number(figure(values, key, _own(metric, fixed | labels))) for values, fixed in self._fixed))

    def series(self, key: str) -> tuple[Line, ...]:
        """Every series of a metric that either quarter has a value of other than 0, by its labels."""
        metric = METRICS[key]
        found: set[tuple[tuple[str, str], ...]] = set()
        for values, fixed in self._fixed:
            given = {label: value for label, value in fixed.items() if label in metric.all_labels}
            found |= {tuple(sorted(others.items())) for others, value in values.having(metric.family + metric.suffix, given) if value}
        return tuple(self.of(key, **dict(labels)) for labels in sorted(found))


def _own(metric: Metric, labels: Mapping[str, str]) -> dict[str, str]:
    return {label: labels[label] for label in metric.all_labels}
