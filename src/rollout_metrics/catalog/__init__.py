"""Every metric, declared once: name, help, how to read it, labels, and the counts or samples it comes from."""

from collections.abc import Mapping

from rollout_metrics.catalog.about import COLLECTION, EXPORTER, WORKFLOW
from rollout_metrics.catalog.delivery import DELIVERY
from rollout_metrics.catalog.exposition import Family, Labels, MetricType, Sample
from rollout_metrics.catalog.gates import GATES
from rollout_metrics.catalog.metric import PREFIX, Metric, Section
from rollout_metrics.catalog.rollout import AUTHORITY, BYPASS, ESCALATION, OUTCOMES, REVIEW
from rollout_metrics.catalog.tallies import TALLIES, Tally
from rollout_metrics.catalog.trust import TRUST
from rollout_metrics.domain.facts import NO_WORKFLOW

METRICS: Mapping[str, Metric] = {
    metric.key: metric for metric in (*OUTCOMES, *REVIEW, *ESCALATION, *BYPASS, *AUTHORITY, *GATES, *DELIVERY, *TRUST, *WORKFLOW, *COLLECTION, *EXPORTER)
}
"""Every metric by its name without the prefix, in the order in which they are published."""

DENOMINATORS: Mapping[str, str] = {
    "coverage_ratio": "coverage_checked",
    "change_fail_ratio": "judged_deployments",
    "deployment_rework_ratio": "deployments",
}
"""Of shares that are not made of tallies, the metric that each is a share of."""

DEFINITIONS = 1
"""Version of the definitions behind the figures."""

__all__ = [
    "DEFINITIONS",
    "DENOMINATORS",
    "METRICS",
    "NO_WORKFLOW",
    "PREFIX",
    "TALLIES",
    "Family",
    "Labels",
    "Metric",
    "MetricType",
    "Sample",
    "Section",
    "Tally",
]
