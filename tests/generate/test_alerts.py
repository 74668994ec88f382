"""The alerts: declared once, checked and run by promtool, each with a runbook, a dashboard, and tests of every kind."""

import json
import re
from pathlib import Path

import pytest
import yaml

from checkout import ROOT, inputs, promtool
from generate.rule_cases import GATED, cases, rule_tests, rules_of
from rollout_metrics.catalog import METRICS
from rollout_metrics.catalog.alerts import NAMES, Severity, Topic, alerts
from rollout_metrics.catalog.recording import freshness, shares

ALERTS = alerts(inputs()["thresholds"])
TABLES = {name: table for file in sorted((ROOT / "tests/rules").glob("*.yaml")) for name, table in yaml.safe_load(file.read_text()).items()}
RULES = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())
RUNBOOKS = ROOT / "docs/runbooks"
RUNBOOK_PARTS = ("## What it means", "## First look", "## Likely causes", "## What to do", "## When to go back a level")

of_each_alert = pytest.mark.parametrize("alert", ALERTS, ids=[alert.name for alert in ALERTS])


@of_each_alert
def test_every_alert_has_its_runbook(alert):
    runbook = (RUNBOOKS / f"{alert.runbook}.md").read_text()
    places = [runbook.find(part) for part in RUNBOOK_PARTS]

    assert runbook.startswith(f"# {alert.name}\n")
    assert -1 not in places
    assert places == sorted(places)
    assert f"**Severity:** {alert.severity}" in runbook


def test_no_runbook_is_left_over():
    assert {file.stem for file in RUNBOOKS.glob("*.md")} == {alert.runbook for alert in ALERTS}


@of_each_alert
def test_every_alert_is_named_and_worded_alike(alert):
    assert re.fullmatch(NAMES + r"([A-Z][a-z]+)+", alert.name)
    assert alert.summary.endswith(".")
    assert alert.description.endswith(".")
    assert "{{" not in alert.summary
    assert "$value" not in alert.expression
    assert alert.runbook_url.endswith(f"/{alert.runbook}.md")


@of_each_alert
def test_every_alert_leads_to_a_dashboard_that_there_is_with_the_variables_it_has(alert):
    files = (json.loads(file.read_text()) for file in (ROOT / "deploy/grafana/dashboards").glob("*.json"))
    variables = {file["uid"]: {variable["name"] for variable in file["templating"]["list"]} for file in files}

    assert set(re.findall(r"var-(\w+)=", alert.variables)) <= variables[alert.dashboard]


@of_each_alert
def test_alerts_name_only_series_that_are_published_or_recorded(alert):
    recorded = {rule.record for rule in (*freshness(1), *shares())}
    named = set(re.findall(r"(?<!\w)(?:\w+:)?agent_rollout_[\w:]+", alert.expression + alert.description))

    assert named <= {metric.name for metric in METRICS.values()} | recorded


@of_each_alert
def test_two_replicas_never_make_two_alerts(alert):
    assert "without (instance, pod)" in alert.expression or alert.expression.startswith("absent(")


def test_only_a_forbidden_act_harm_and_a_dead_exporter_page():
    paging = {alert.name.removeprefix(NAMES) for alert in ALERTS if alert.severity is Severity.PAGE}

    assert paging <= {"ForbiddenAct", "HarmActive", "ExporterAbsent"}
    assert {alert.severity for alert in ALERTS if alert.topic is Topic.BEHAVIOUR} == {Severity.TICKET}


def test_behaviour_is_judged_on_fresh_figures_only_and_names_its_owner():
    for alert in ALERTS:
        gate = "* on (workflow, job, instance, pod) group_left (owner_team)\n  (workflow:agent_rollout_figures:fresh == 1)"

        assert (gate in alert.expression) is (alert.topic in GATED), alert.name


def test_windows_are_never_summed():
    for rule in (*ALERTS, *shares()):
        summed = re.findall(r"(?:sum|avg) (without|by) \(([^)]*)\)", rule.expression)

        assert all(how == "without" and "window" not in labels for how, labels in summed)


def test_thresholds_come_from_configuration():
    told = inputs(override_limit=0.4, bypass_limit=0.1, minimum_cases=50, stale_after="90m", grafana_url="https://g.example/", runbooks_url="https://r")
    named = {alert.name.removeprefix(NAMES): alert for alert in alerts(told["thresholds"])}

    assert ">= 50" in named["RubberStamping"].expression
    assert "> 5400" in named["SnapshotOld"].expression
    assert "<= bool 5400" in freshness(told["thresholds"].stale_after)[0].expression
    assert named["BypassSpike"].dashboard_url.startswith("https://g.example/d/")
    assert named["BypassSpike"].runbook_url == "https://r/bypass-spike.md"


def test_every_alert_has_its_table_and_every_table_its_alert():
    assert set(TABLES) == {alert.name.removeprefix(NAMES) for alert in ALERTS}


@of_each_alert
def test_every_alert_is_tested_firing_quiet_at_tiny_n_without_data_with_a_stale_source_and_in_a_burst(alert):
    named = [case.name for case in cases(alert, TABLES[alert.name.removeprefix(NAMES)])]
    tiny = TABLES[alert.name.removeprefix(NAMES)]["tiny"]

    assert {"fires", "quiet", "no data", "stale source", "catch-up burst"} <= set(named)
    assert "quiet at tiny n" in named or " " in tiny


@of_each_alert
def test_the_rules_do_what_their_table_says(alert, tmp_path: Path):
    rules, tests = tmp_path / "rules.yaml", tmp_path / "tests.yaml"
    rules.write_text(yaml.safe_dump(rules_of(alert, RULES)))
    tests.write_text(yaml.safe_dump(rule_tests(alert, TABLES[alert.name.removeprefix(NAMES)], "rules.yaml")))

    tested = promtool("test", "rules", tests)

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_promtool_finds_nothing_wrong_with_the_rules():
    checked = promtool("check", "rules", ROOT / "deploy/prometheus/alerts.yaml", ROOT / "deploy/prometheus/rules.yaml")

    assert checked.returncode == 0, checked.stdout + checked.stderr
