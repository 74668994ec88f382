"""`docs/metrics.md`: every metric and every alert of the catalogue."""

from collections.abc import Iterable, Iterator

from rollout_metrics.catalog import METRICS, Section
from rollout_metrics.catalog.alerts import Alert
from rollout_metrics.catalog.recording import SUMMED, freshness
from rollout_metrics.domain.time import Span
from rollout_metrics.generate.markdown import code, generated, table

_TITLES = {
    Section.OUTCOMES: "Outcomes",
    Section.REVIEW: "Review time and effort",
    Section.ESCALATION: "Escalations",
    Section.BYPASS: "Bypass",
    Section.AUTHORITY: "Authority",
    Section.GATES: "Gates and the ladder",
    Section.DELIVERY: "Changes and delivery",
    Section.TRUST: "Spikes and warning signs",
    Section.WORKFLOW: "Workflows",
    Section.COLLECTION: "Collection",
    Section.EXPORTER: "Exporter",
}

_INTRODUCTION = """
Every series that the exporter publishes. What the words mean is in [definitions.md](definitions.md).

* Windowed families are gauges over event time, as of `agent_rollout_as_of_timestamp_seconds`: use them as they are, without `rate()`,
  and never sum over `window`.
* A ratio comes with `_lower` and `_upper` (95 % interval) and with its counts. Across workflows add the counts, then divide; never average ratios.
* No data is no sample, never 0.
"""


def metrics_document(alerts: Iterable[Alert], stale_after: Span) -> str:
    """The document. `stale_after`: that of the alerts."""
    parts = [generated("Metrics", "the catalogue of metrics"), _INTRODUCTION]
    for section in Section:
        rows = [
            (code(metric.name), metric.type.value, ", ".join(map(code, metric.all_labels)), metric.help)
            for metric in METRICS.values()
            if metric.section is section
        ]
        parts.append(f"\n## {_TITLES[section]}\n\n" + table(("series", "type", "labels", "meaning"), rows))
    recorded = [(code(pattern), code(expression), meaning) for pattern, expression, meaning in _recorded(stale_after)]
    parts.append("\n## Recorded by Prometheus\n\n" + table(("series", "from", "meaning"), recorded))
    parts.append("\n## Alerts\n\n" + table(("alert", "severity", "after", "means", "expression"), map(_alert, alerts)))
    return "".join(parts)


def _recorded(stale_after: Span) -> Iterator[tuple[str, str, str]]:
    of_each, of_none = freshness(stale_after)
    yield (
        of_each.record,
        " ".join(of_each.expression.split()),
        "1 where none of the workflow's sources is stale, as a recent snapshot says, else 0. Behaviour is judged where it is 1.",
    )
    yield f'{of_none.record}{{workflow="none"}}', of_none.expression, "The same for what agents did in no workflow."
    for key in SUMMED:
        operations = "numerator|denominator|ratio|lower|upper"
        meaning = f"{METRICS[key].name} over all workflows of a type, and over all there are: counts added, then divided, with Wilson's bounds."
        yield f"workflow_type|company:{METRICS[key].name}:{operations}", "numerator / denominator", meaning


def _alert(alert: Alert) -> tuple[str, ...]:
    linked = f"[{alert.name}](runbooks/{alert.runbook}.md)"
    return linked, alert.severity.value, alert.holds or "at once", alert.summary, code(" ".join(alert.expression.split()))
