"""The rules on a real Prometheus, the routes on a real Alertmanager, and the planted spike all the way to the team's channel."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from checkout import ROOT
from e2e.alertmanager import HASTE, Alertmanager, Desk, hurried, needs_alertmanager
from e2e.conftest import clock, configure
from e2e.exporter import Exporter, until
from e2e.prometheus import Prometheus, needs_prometheus
from rollout_metrics.catalog.alerts import NAMES
from rollout_metrics.domain.time import DAY
from rollout_metrics.simulate.deployments import write_records
from rollout_metrics.simulate.server import Company
from rollout_metrics.simulate.world import World

pytestmark = [pytest.mark.e2e, needs_prometheus]

FILES = [ROOT / "deploy/prometheus" / name for name in ("alerts.yaml", "rules.yaml")]
RULES = [rule for file in FILES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]

QUIET = "contract_review"
CHANCE = frozenset(("agent_rollout_escalation_oldest_open_timestamp_seconds", "agent_rollout_source_part_refused"))
"""Series that are there or not as it happens at the moment, or only where a source refuses something."""


@pytest.mark.parametrize("rule", RULES, ids=[rule.get("alert") or rule["record"] + str(rule.get("labels", "")) for rule in RULES])
def test_prometheus_evaluates_every_expression_and_what_it_names_is_there(rule: dict[str, str], shared_prometheus: Prometheus) -> None:
    found = shared_prometheus.get("query", query=rule["expr"])["result"]

    if "record" in rule:
        assert found, rule["expr"]
    for name in re.findall(r"(?<![\w:])agent_rollout_\w+", rule["expr"]):
        assert name in CHANCE or shared_prometheus.query(f"count({name})"), name


def test_prometheus_finds_every_rule_in_good_health(shared_prometheus: Prometheus) -> None:
    rules = [rule for group in shared_prometheus.get("rules")["groups"] for rule in group["rules"]]

    assert len(rules) == len(RULES)
    assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}


def test_every_workflow_is_fresh_and_names_its_owner(shared_prometheus: Prometheus) -> None:
    fresh = shared_prometheus.query("workflow:agent_rollout_figures:fresh")

    owners = {item["metric"]["workflow"]: item["metric"].get("owner_team") for item in fresh}
    assert owners == {
        "refunds": "refund-operations",
        "triage": "support-operations",
        "lead_routing": "sales-operations",
        "contract_review": "legal-operations",
        "none": None,
    }
    assert {item["value"][1] for item in fresh} == {"1"}


@pytest.fixture
def desk() -> Iterator[Desk]:
    running = Desk()
    yield running
    running.close()


@pytest.fixture
def alertmanager(tmp_path: Path, desk: Desk) -> Iterator[Alertmanager]:
    running = Alertmanager(tmp_path, desk)
    try:
        yield running
    finally:
        running.stop()


def of(name: str, topic: str, **more: str) -> dict[str, str]:
    return {"alertname": NAMES + name, "severity": "ticket", "topic": topic, **more}


REFUNDS = {"workflow": "refunds", "owner_team": "refund-operations"}
TRIAGE = {"workflow": "triage", "owner_team": "support-operations"}


@needs_alertmanager
def test_stale_figures_silence_a_workflows_behaviour_and_nothing_else(alertmanager: Alertmanager, desk: Desk) -> None:
    stale = {**of("FiguresStale", "freshness", **REFUNDS), "severity": "none"}
    alertmanager.send(stale)
    until(alertmanager.states, "the stale figures")

    alertmanager.send(of("BypassSpike", "behaviour", **REFUNDS), of("DeploymentFailed", "change", **REFUNDS), of("BypassSpike", "behaviour", **TRIAGE))
    until(lambda: desk.to("support-operations") and desk.to("refund-operations"), "both teams hearing")

    assert alertmanager.states() == {
        "AgentRolloutFiguresStale refunds": "active",
        "AgentRolloutBypassSpike refunds": "suppressed",
        "AgentRolloutDeploymentFailed refunds": "active",
        "AgentRolloutBypassSpike triage": "active",
    }
    assert [message["title"] for message in desk.to("refund-operations")] == ["refunds: Something."]
    assert "DeploymentFailed" in desk.to("refund-operations")[0]["text"]
    assert desk.to("nobody") == []


@needs_alertmanager
def test_a_page_reaches_the_pager_and_the_team_at_once_and_its_ticket_is_not_said_twice(alertmanager: Alertmanager, desk: Desk) -> None:
    page = {**of("ForbiddenAct", "authority", kind="forbidden", **REFUNDS), "severity": "page"}
    alertmanager.send(page)
    until(alertmanager.states, "the page")
    alertmanager.send(of("AuthorityViolation", "authority", kind="forbidden", **REFUNDS))

    until(lambda: desk.to("page") and desk.to("refund-operations"), "the page and the team")

    assert desk.to("page")[0]["title"].startswith("NOW: refunds")
    assert alertmanager.states() == {"AgentRolloutForbiddenAct refunds": "active", "AgentRolloutAuthorityViolation refunds": "suppressed"}


@needs_alertmanager
def test_what_concerns_one_workflow_is_one_message(alertmanager: Alertmanager, desk: Desk) -> None:
    alertmanager.send(of("BypassSpike", "behaviour", **REFUNDS), of("OverrideSpike", "behaviour", **REFUNDS), of("OverrideSpike", "behaviour", **TRIAGE))

    until(lambda: desk.to("support-operations") and desk.to("refund-operations"), "both teams hearing")

    (one,) = desk.to("refund-operations")
    assert one["title"] == "refunds: 2 alerts BypassSpike, OverrideSpike"


@pytest.fixture
def spiking(tmp_path: Path) -> Iterator[Exporter]:
    """The company some days after the prompt went out after which triage is corrected so often, in full size."""
    now = clock()
    world = World(1, (now - 84 * DAY) // DAY * DAY)
    write_records(tmp_path / "changes", world.plot, now)
    with Company(world, clock, directory=tmp_path / "feeds", every_seconds=1) as company:
        company.folder = tmp_path  # type: ignore[attr-defined]
        with Exporter(configure(company, tmp_path, "spiking", {}, {})) as exporter:
            until(lambda: exporter.get("/readyz")[0] == 200, "becoming ready", 300)
            yield exporter


@needs_alertmanager
def test_the_planted_spike_reaches_its_team_in_time_and_the_quiet_workflow_never_alerts(
    spiking: Exporter, tmp_path: Path, alertmanager: Alertmanager, desk: Desk
) -> None:
    rules = []
    for file in FILES:
        text = re.sub(r"\b(for|keep_firing_for): (\w+)", lambda found: f"{found[1]}: {hurried(found[2])}", file.read_text())
        rules.append(tmp_path / file.name)
        rules[-1].write_text(text.replace("interval: 1m", "interval: 1s"))
    prometheus = Prometheus(tmp_path, spiking.url.removeprefix("http://"), rules=rules, alertmanagers=[alertmanager.address])
    try:
        until(lambda: prometheus.value('agent_rollout_spike{workflow="triage", signal="override"}') == 1, "the spike being scraped")
        seen = time.monotonic()
        until(lambda: any("Operators override" in message["text"] for message in desk.to("support-operations")), "the team hearing of it")
        took = time.monotonic() - seen

        message = next(message for message in desk.to("support-operations") if "Operators override" in message["text"])
        alerts = prometheus.query('max_over_time(ALERTS{topic="behaviour"}[10m])')
    finally:
        prometheus.stop()

    # 15 minutes for the alert and 1 for the group, in fast motion, and what scraping, evaluating and sending cost
    assert took < 16 * 60 / HASTE + 15
    assert "triage" in message["title"]
    assert re.search(r"since .* UTC \d+(\.\d+)?% of \d+ were replaced, undone or rejected; \d+(\.\d+)?% was to be expected", message["text"])
    assert "/override-spike.md" in message["text"]
    assert [item["metric"] for item in alerts if item["metric"]["workflow"] == QUIET] == []
    assert {message["title"] for message in desk.to("legal-operations")} <= {f"{QUIET}: The agent acted outside its authority."}
