"""Recording rules and alerts as Prometheus rule files, and as a Kubernetes `PrometheusRule`."""

from collections.abc import Iterable
from typing import Any

from rollout_metrics.catalog.alerts import Alert, Thresholds, alerts
from rollout_metrics.catalog.recording import Recording, freshness, shares
from rollout_metrics.generate.kubernetes import LABELS, NAME
from rollout_metrics.generate.yaml import Block, document

_INTERVAL = "1m"

Group = dict[str, Any]


def alert_group(thresholds: Thresholds) -> Group:
    """Every alert, after the rules that say whether figures are fresh: within one group they are evaluated in order."""
    return _group("rollout-metrics", [*map(_recording, freshness(thresholds.stale_after)), *map(_alert, alerts(thresholds))])


def share_group() -> Group:
    """The shares over several workflows."""
    return _group("rollout-metrics-shares", map(_recording, shares()))


def rule_file(*groups: Group, comment: str) -> str:
    """A rule file of Prometheus."""
    return document({"groups": list(groups)}, comment=comment)


def prometheus_rule(*groups: Group, comment: str) -> str:
    """The same groups as a resource of the Prometheus operator."""
    metadata = {"name": NAME, "labels": LABELS}
    return document(
        {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": metadata, "spec": {"groups": list(groups)}}, comment=comment
    )


def _group(name: str, rules: Iterable[dict[str, Any]]) -> Group:
    return {"name": name, "interval": _INTERVAL, "rules": list(rules)}


def _recording(recording: Recording) -> dict[str, Any]:
    rule: dict[str, Any] = {"record": recording.record, "expr": Block(recording.expression + "\n")}
    return rule | ({"labels": recording.labels} if recording.labels else {})


def _alert(alert: Alert) -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": alert.name, "expr": Block(alert.expression + "\n")}
    if alert.holds:
        rule["for"] = alert.holds
    if alert.lasts:
        rule["keep_firing_for"] = alert.lasts
    rule["labels"] = {"severity": alert.severity.value, "topic": alert.topic.value}
    rule["annotations"] = {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": alert.runbook_url,
        "dashboard_url": alert.dashboard_url,
    }
    return rule
