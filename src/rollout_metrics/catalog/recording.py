"""Recording rules: whether a workflow's figures are fresh, and shares over several workflows, whose counts are added before they are divided."""

from collections.abc import Iterator

import msgspec

from rollout_metrics.catalog.about import EXPORTER, WORKFLOW
from rollout_metrics.catalog.metric import PREFIX, Metric, Part, Ratio
from rollout_metrics.catalog.promql import counted, once, selector
from rollout_metrics.catalog.rollout import BYPASS, ESCALATION, OUTCOMES
from rollout_metrics.domain.facts import NO_WORKFLOW
from rollout_metrics.domain.time import SECOND, Span

FRESH = f"workflow:{PREFIX}figures:fresh"
"""1 where none of the workflow's sources is stale, as a recent snapshot says, else 0; replica by replica, with the label `owner_team`."""

SUMMED = ("acceptance_ratio", "override_ratio", "correction_ratio", "bypass_ratio", "escalation_ratio", "complaint_ratio")
"""The shares that are also recorded over several workflows."""

_Z = 1.959964
"""As in Wilson's interval of a single workflow."""

_METRICS = {metric.key: metric for metric in (*OUTCOMES, *ESCALATION, *BYPASS, *WORKFLOW, *EXPORTER)}


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One recording rule: the series it writes, from what, with which labels set."""

    record: str
    expression: str
    labels: dict[str, str] = {}


def freshness(stale_after: Span) -> tuple[Recording, ...]:
    """What alerts rest on: evaluated before them, in their group. Which sources are stale is said by a snapshot, at most `stale_after` old."""
    stale, taken, info = (selector(_METRICS[key]) for key in ("sources_stale", "snapshot_timestamp_seconds", "workflow_info"))
    descriptive = ", ".join(_METRICS["workflow_info"].labels)
    of_each = (
        f"({stale} == bool 0)\n* ignoring (workflow) group_left () (time() - {taken} <= bool {stale_after / SECOND:g})"
        f"\n* ignoring ({descriptive}) group_left (owner_team) {info}"
    )
    # What agents did in no workflow is as fresh as the least fresh workflow, and nobody owns it.
    of_none = f"min without (workflow, owner_team) ({of_workflows()})"
    return Recording(record=FRESH, expression=of_each), Recording(record=FRESH, expression=of_none, labels={"workflow": NO_WORKFLOW})


def of_workflows() -> str:
    """`FRESH` of the workflows themselves, without what belongs to none."""
    return f'{FRESH}{{workflow!="{NO_WORKFLOW}"}}'


def shares() -> tuple[Recording, ...]:
    """The shares over several workflows, each rule after those that it rests on."""
    return tuple(rule for key in SUMMED for rule in _summed(_METRICS[key]))


def recorded(key: str, operation: str, *, level: str = "company") -> str:
    """The series of a share over several workflows. `level`: `company` or `workflow_type`; `operation`: numerator, denominator, ratio, lower, upper."""
    return f"{level}:{PREFIX}{key}:{operation}"


def _summed(metric: Metric) -> Iterator[Recording]:
    """A share of all workflows of a type, and of the company: counts added, then divided, with Wilson's bounds. Stale workflows count as of their own T."""
    assert isinstance(metric.obtained, Ratio)
    parts = {"numerator": metric.obtained.numerator, "denominator": metric.obtained.denominator}
    for level in ("workflow_type", "company"):
        for operation, part in parts.items():
            expression = (
                _by_type(metric, part)
                if level == "workflow_type"
                else f"sum without (workflow_type) ({recorded(metric.key, operation, level='workflow_type')})"
            )
            yield Recording(record=recorded(metric.key, operation, level=level), expression=expression)
        count, n = (recorded(metric.key, operation, level=level) for operation in parts)
        yield Recording(record=recorded(metric.key, "ratio", level=level), expression=f"{count} / ({n} > 0)")
        for operation, sign in (("lower", "-"), ("upper", "+")):
            yield Recording(record=recorded(metric.key, operation, level=level), expression=_wilson(count, n, sign))


def _by_type(metric: Metric, part: Part) -> str:
    info = once(selector(_METRICS["workflow_info"]))
    others = ", ".join(label for label in _METRICS["workflow_info"].labels if label != "workflow_type")
    return f"sum without (workflow) (\n  {once(counted(metric, part))}\n  * on (workflow, job) group_left (workflow_type)\n  max without ({others}) ({info})\n)"


def _wilson(count: str, n: str, sign: str) -> str:
    """Wilson's score interval in closed form; no sample where n is 0."""
    square = _Z * _Z
    inside = f"{count} * ({n} - {count}) / ({n} > 0) + {square / 4:.8g}"
    return f"clamp(\n  ({count} + {square / 2:.8g} {sign} {_Z:.8g} * sqrt({inside}))\n  / ({n} + {square:.8g}),\n  0, 1\n)"
