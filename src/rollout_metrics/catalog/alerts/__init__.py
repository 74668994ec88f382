"""Every alert, declared once: expression, threshold from configuration, how long it must hold, severity, words, runbook and dashboard."""

import msgspec

from rollout_metrics.catalog.alerts.alert import NAMES, Alert, Dashboard, Severity, Thresholds, Topic
from rollout_metrics.catalog.alerts.authority import authority
from rollout_metrics.catalog.alerts.behaviour import WINDOW, behaviour
from rollout_metrics.catalog.alerts.changes import changes
from rollout_metrics.catalog.alerts.collection import collection
from rollout_metrics.catalog.alerts.trust import trust

DASHBOARD = Dashboard.WORKFLOW.value
"""The uid of the dashboard of one workflow."""


def alerts(thresholds: Thresholds) -> tuple[Alert, ...]:
    """Every alert under these thresholds."""
    declared = (*trust(thresholds), *behaviour(thresholds), *authority(), *changes(), *collection(thresholds))
    return tuple(msgspec.structs.replace(alert, runbooks_url=thresholds.runbooks_url, grafana_url=thresholds.grafana_url) for alert in declared)


__all__ = ["DASHBOARD", "NAMES", "WINDOW", "Alert", "Dashboard", "Severity", "Thresholds", "Topic", "alerts"]
