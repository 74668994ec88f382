"""The files for Prometheus, the Prometheus operator and Alertmanager that one configuration gives."""

from collections.abc import Iterable

from rollout_metrics.catalog.alerts import Thresholds
from rollout_metrics.generate.alertmanager import TEMPLATES, alertmanager, templates
from rollout_metrics.generate.rules import alert_group, prometheus_rule, rule_file, share_group

ALERTS, RULES, ALERTMANAGER, PROMETHEUS_RULE = "alerts.yaml", "rules.yaml", "alertmanager.yaml", "prometheusrule.yaml"


def alerting_files(thresholds: Thresholds, owners: Iterable[str], *, comment: str) -> dict[str, str]:
    """Path and text of each, for these thresholds and the teams that own workflows."""
    alerts, shares = alert_group(thresholds), share_group()
    return {
        ALERTS: rule_file(alerts, comment=comment),
        RULES: rule_file(shares, comment=comment),
        PROMETHEUS_RULE: prometheus_rule(alerts, shares, comment=comment),
        ALERTMANAGER: alertmanager(owners, reached=True, comment=comment),
        TEMPLATES: templates(comment=comment),
    }
