"""The alerts: declared once, checked and run by promtool, each with a runbook and with tests of every kind."""

import re

import pytest
import yaml

from checkout import ROOT, inputs, promtool
from rollout_metrics.catalog import METRICS
from rollout_metrics.catalog.alerts import NAMES, Severity, alerts

ALERTS = alerts(inputs()["thresholds"])
RULE_TESTS = sorted((ROOT / "tests/rules").glob("*.yaml"))
RUNBOOK_PARTS = ("## What it means", "## First look", "## Likely causes", "## What to do")

of_each_alert = pytest.mark.parametrize("alert", ALERTS, ids=[alert.name for alert in ALERTS])


def rule_test(alert):
    return ROOT / "tests/rules" / f"{alert.runbook.replace('-', '_')}.yaml"


@of_each_alert
def test_every_alert_has_its_runbook(alert):
    runbook = (ROOT / "docs/runbooks" / f"{alert.runbook}.md").read_text()

    assert runbook.startswith(f"# {alert.name}\n")
    assert all(part in runbook for part in RUNBOOK_PARTS)
    assert alert.severity in runbook


@of_each_alert
def test_every_alert_is_named_and_worded_alike(alert):
    assert re.fullmatch(NAMES + r"([A-Z][a-z]+)+", alert.name)
    assert alert.summary.endswith(".")
    assert "{{" not in alert.summary
    assert alert.runbook_url.endswith(f"/{alert.runbook}.md")


@of_each_alert
def test_alerts_name_only_metrics_of_the_catalogue(alert):
    named = set(re.findall(r"\bagent_rollout_\w+", alert.expression + alert.description))

    assert named <= {metric.name for metric in METRICS.values()}


@of_each_alert
def test_two_replicas_never_make_two_alerts(alert):
    assert "without (instance, pod)" in alert.expression or alert.expression.startswith("absent(")


@of_each_alert
def test_every_alert_is_tested_firing_and_quiet_on_tiny_n_no_data_staleness_and_catch_up(alert):
    cases = yaml.safe_load(rule_test(alert).read_text())["tests"]
    names = "\n".join(case["name"] for case in cases)
    fired = [check for case in cases for check in case["alert_rule_test"] if check["alertname"] == alert.name and check["exp_alerts"]]
    kinds = ["quiet", "without any series at all|never been read", "stale|watermark stopped", "backlog|catch-up", "replicas"]
    if "Spike" in alert.name:
        kinds += ["fewer cases than the minimum", "exactly the limit", "without decisions|absent or preempted"]

    assert fired
    assert [kind for kind in kinds if not re.search(kind, names)] == []


def test_behaviour_is_judged_on_fresh_figures_only():
    spikes = [alert for alert in ALERTS if alert.name.endswith("Spike")]

    assert len(spikes) == 2
    for alert in spikes:
        assert alert.severity is Severity.TICKET
        assert "agent_rollout_sources_stale == 0" in alert.expression


def test_thresholds_come_from_configuration():
    thresholds = inputs(override_limit=0.4, bypass_limit=0.1, minimum_cases=50, stale_after="90m", grafana_url="https://g.example/", runbooks_url="https://r")[
        "thresholds"
    ]
    override, bypass, stale, *_ = alerts(thresholds)

    assert "> 0.4" in override.expression
    assert ">= 50" in override.expression
    assert "> 0.1" in bypass.expression
    assert "> 5400" in stale.expression
    assert "the limit is 40 %" in override.description
    assert "more than 1.5 h" in stale.description
    assert override.dashboard_url.startswith("https://g.example/d/")
    assert override.runbook_url == "https://r/override-spike.md"


@pytest.mark.parametrize("file", RULE_TESTS, ids=[file.stem for file in RULE_TESTS])
def test_the_rules_do_what_their_tests_say(file):
    tested = promtool("test", "rules", file)

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_promtool_finds_nothing_wrong_with_the_rules():
    checked = promtool("check", "rules", ROOT / "deploy/prometheus/alerts.yaml")

    assert checked.returncode == 0, checked.stdout + checked.stderr
