"""Pieces that alerts are made of: conditions on fresh figures only, and sentences with the numbers, in Prometheus' template language."""

from collections.abc import Mapping

from rollout_metrics.catalog import METRICS
from rollout_metrics.catalog.promql import denominator, once, selector
from rollout_metrics.catalog.recording import FRESH
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, Span

OF_WORKFLOW = "var-workflow={{ $labels.workflow }}"
"""A dashboard's variables: the alert's workflow."""

PERCENT, COUNT, AGE, TIME, SCORE = "humanizePercentage", 'printf "%.0f"', "humanizeDuration", "humanizeTimestamp", 'printf "%.1f"'
"""How a number is shown."""


def series(key: str, **wanted: str) -> str:
    """A metric's series, by its key."""
    return selector(METRICS[key], **wanted)


def where_fresh(condition: str) -> str:
    """The condition where the workflow's figures are fresh, judged replica by replica, each workflow once; its owner comes with it."""
    indented = condition.replace("\n", "\n   ")
    return once(f"\n  ({indented})\n  * on (workflow, job, instance, pod) group_left (owner_team)\n  ({FRESH} == 1)\n")


def beside(left: str, right: str, *ignored: str) -> str:
    """`left` where `right` holds, whatever these labels of the two are."""
    matching = f" ignoring ({', '.join(ignored)})" if ignored else ""
    return f"{left}\nand{matching}\n{right}"


def either(key: str, yes: str, no: str, **wanted: str) -> str:
    """One text where the series is there when the alert is sent, else another. A label's value `$` is that of the alert's own label."""
    query, labels = _own(key, wanted)
    return f'{{{{ if printf "{query}" {labels} | query }}}}{yes}{{{{ else }}}}{no}{{{{ end }}}}'


def number(key: str, shown: str, **wanted: str) -> str:
    """The value of one of the workflow's series. A label's value `$` is that of the alert's own label."""
    query, labels = _own(key, {"workflow": "$", **wanted} if METRICS[key].per_workflow else wanted)
    return _shown(f"max({query})", labels, shown)


def cases(key: str, **wanted: str) -> str:
    """The denominator of one of the workflow's ratios."""
    n = denominator(METRICS[key], **{"workflow": "%s", **wanted}).replace('"', "'")
    return _shown(f"max({n})", "$labels.workflow", COUNT)


def each(key: str, label: str, **wanted: str) -> str:
    """The label's values of those of the workflow's series that are 1, each after a space."""
    query, labels = _own(key, {"workflow": "$", **wanted})
    return f'{{{{ range printf "max by ({label}) ({query}) == 1" {labels} | query | sortByLabel "{label}" }}}} {{{{ .Labels.{label} }}}}{{{{ end }}}}'


def _own(key: str, wanted: Mapping[str, str]) -> tuple[str, str]:
    """The series as a pattern, and the alert's labels that fill it."""
    own = [label for label in METRICS[key].all_labels if wanted.get(label) == "$"]
    pattern = series(key, **{label: "%s" if label in own else value for label, value in wanted.items()}).replace('"', "'")
    return pattern, " ".join(f"$labels.{label}" for label in own)


def _shown(query: str, labels: str, shown: str) -> str:
    return f'{{{{ with printf "{query}" {labels} | query }}}}{{{{ . | first | value | {shown} }}}}{{{{ end }}}}'


def said(span: Span) -> str:
    """A span in words."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if span % unit == 0 or unit == MINUTE or (unit == HOUR and span > unit):
            return f"{span / unit:g} {name}"
    raise AssertionError(span)


def percent(ratio: float) -> str:
    """A ratio in words."""
    return f"{ratio * 100:g} %"
