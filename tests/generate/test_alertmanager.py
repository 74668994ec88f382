"""Alertmanager's configuration: everybody hears what is theirs, what is said twice is said once, and the words can be acted on."""

import json
import re

import pytest
import yaml

from checkout import ROOT, inputs, run
from rollout_metrics.catalog.alerts import Severity, Topic, alerts
from rollout_metrics.cli import main

FOLDER = ROOT / "deploy/alertmanager"
SHIPPED, TEAMS = FOLDER / "alertmanager.yaml", FOLDER / "teams.example.yaml"
ALERTS = {alert.name: alert for alert in alerts(inputs()["thresholds"])}
RULES = [rule for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())["groups"] for rule in group["rules"] if "alert" in rule]


def amtool(*arguments):
    return run("amtool", *arguments, package="prometheus-alertmanager")


@pytest.mark.parametrize("file", [SHIPPED, TEAMS], ids=["shipped", "teams"])
def test_alertmanager_accepts_its_configuration(file):
    checked = amtool("check-config", file)

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("severity=none topic=freshness owner_team=refund-operations", "nobody"),
        ("severity=ticket topic=behaviour workflow=refunds owner_team=refund-operations", "refund-operations"),
        ("severity=page topic=authority workflow=refunds owner_team=refund-operations", "page,refund-operations"),
        ("severity=ticket topic=behaviour workflow=new owner_team=a-team-nobody-named", "tickets"),
        ("severity=ticket topic=collection source=zendesk", "rollout-operations"),
        ("severity=page topic=exporter", "page,rollout-operations"),
    ],
)
def test_everybody_hears_what_is_theirs(labels, receivers):
    routed = amtool("config", "routes", "test", f"--config.file={TEAMS}", *labels.split())

    assert routed.stdout.strip() == receivers


@pytest.mark.parametrize("file", [SHIPPED, TEAMS], ids=["shipped", "teams"])
def test_routes_and_inhibitions_name_only_what_alerts_have(file):
    configuration = yaml.safe_load(file.read_text())
    matchers = [matcher for route in configuration["route"]["routes"] for matcher in route["matchers"]]
    for rule in configuration["inhibit_rules"]:
        matchers += rule["source_matchers"] + rule["target_matchers"]
    known = {"alertname": set(ALERTS), "severity": set(Severity), "topic": set(Topic), "kind": {"forbidden"}}

    for label, pattern in (re.fullmatch(r'(\w+)=~?"(.*)"', matcher).groups() for matcher in matchers):
        assert label == "owner_team" or any(re.fullmatch(pattern, value) for value in known[label]), (label, pattern)
        for alternative in pattern.split("|"):
            assert label == "owner_team" or any(re.fullmatch(alternative, value) for value in known[label]), alternative


def test_stale_figures_silence_behaviour_only():
    rules = yaml.safe_load(SHIPPED.read_text())["inhibit_rules"]
    stale = next(rule for rule in rules if "FiguresStale" in rule["source_matchers"][0])
    silenced = [rule["alert"] for rule in RULES if rule["labels"]["topic"] == "behaviour"]

    assert (stale["target_matchers"], stale["equal"]) == (['topic="behaviour"'], ["workflow"])
    assert "AgentRolloutBypassSpike" in silenced
    assert "AgentRolloutForbiddenAct" not in silenced


def notice(name, **more):
    """An alert as Alertmanager hands it to templates."""
    alert = ALERTS[name]
    labels = {"alertname": name, "severity": alert.severity, "topic": alert.topic, "workflow": "refunds", "owner_team": "refund-operations"}
    annotations = {
        "summary": alert.summary,
        "description": "Workflow refunds: 45% <of> 60.",
        "runbook_url": alert.runbook_url,
        "dashboard_url": "https://g/d/x",
    }
    return {"status": "firing", "labels": labels, "annotations": annotations, "startsAt": "2026-11-27T10:00:00Z", "endsAt": "2026-11-27T11:30:00Z", **more}


def rendered(tmp_path, template, *notices, status="firing"):
    common = dict(set.intersection(*(set(item["labels"].items()) for item in notices)))
    data = {"receiver": "refund-operations", "status": status, "alerts": notices, "groupLabels": {}, "commonLabels": common, "externalURL": "http://am"}
    (tmp_path / "data.json").write_text(json.dumps(data))
    text = f'--template.text={{{{ template "{template}" . }}}}'
    done = amtool("template", "render", f"--template.glob={FOLDER}/templates/*.tmpl", f"--template.data={tmp_path}/data.json", text)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_title_says_where_and_what(tmp_path):
    bypass, override, act = (notice(f"AgentRollout{name}") for name in ("BypassSpike", "OverrideSpike", "ForbiddenAct"))

    assert rendered(tmp_path, "rollout.title", bypass).strip() == f"refunds: {ALERTS['AgentRolloutBypassSpike'].summary}"
    assert rendered(tmp_path, "rollout.title", bypass, override).strip() == "refunds: 2 alerts BypassSpike, OverrideSpike"
    assert rendered(tmp_path, "rollout.title", act).startswith("NOW: refunds: ")
    assert rendered(tmp_path, "rollout.title", bypass, status="resolved").startswith("Over: refunds: ")


@pytest.mark.parametrize("template", ["rollout.chat", "rollout.text", "rollout.mail"])
def test_the_words_say_how_much_since_when_whose_and_what_to_do(tmp_path, template):
    bypass = notice("AgentRolloutBypassSpike")
    over = notice("AgentRolloutOverrideSpike", status="resolved")

    text = rendered(tmp_path, template, bypass, over)

    wanted = (
        bypass["annotations"]["summary"],
        "45%",
        "2026-11-27 10:00",
        "refund-operations",
        "/bypass-spike.md",
        "https://g/d/x",
        "over since 2026-11-27 11:30",
    )
    assert [word for word in wanted if word not in text] == []
    silence = re.search(r'amtool silence add --duration=4h --comment="?.*?alertname="?.*BypassSpike"?.*workflow="?.*refunds', text)
    assert silence
    assert len(re.findall("amtool silence add", text)) == 1


def test_a_configuration_gives_its_own_thresholds_and_teams(tmp_path, monkeypatch, capsys):
    configuration = {"alerts": {"minimum_cases": 77}, "sources": {"desk": {"kind": "events", "paths": "inbox"}}}
    workflow = {"sources": "desk", "decides": "close", "levels": [{"level": "off"}]}
    configuration["workflows"] = [{"name": "a", "owner": "team-a", "scope": {"form": "1"}, **workflow}, {"name": "b", **workflow}]
    (tmp_path / "rollout-metrics.yaml").write_text(yaml.safe_dump(configuration))
    monkeypatch.chdir(tmp_path)

    assert main(["alerts", "out"]) == 0
    (tmp_path / "out/alertmanager.yaml").write_text("filled in by hand")
    assert main(["alerts", "out"]) == 0
    assert "is kept" in capsys.readouterr().err
    assert (tmp_path / "out/alertmanager.yaml").read_text() == "filled in by hand"
    assert main(["alerts", "out", "--overwrite"]) == 0

    assert ">= 77" in (tmp_path / "out/alerts.yaml").read_text()
    names = [receiver["name"] for receiver in yaml.safe_load((tmp_path / "out/alertmanager.yaml").read_text())["receivers"]]
    assert names == ["nobody", "tickets", "page", "rollout-operations", "team-a"]
    assert amtool("check-config", tmp_path / "out/alertmanager.yaml").returncode == 0
