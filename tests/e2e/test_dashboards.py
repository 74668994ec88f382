"""Every query of every dashboard against a real Prometheus that scrapes the running company: all are understood, and return data where the story has some."""

import json
import math
import re
import time
import urllib.error
import urllib.request

import pytest
import yaml

from boards import DASHBOARDS
from e2e.exporter import Exporter
from e2e.prometheus import Prometheus, needs_prometheus
from rollout_metrics.generate.preview import Answered, ask, page
from rollout_metrics.generate.prometheus import Prometheus as Client

pytestmark = [pytest.mark.e2e, needs_prometheus]

WORKFLOWS = ("contract_review", "lead_routing", "refunds", "triage")

_WITHIN = {r"within_target_ratio_(lower|upper)": "in so small a company all are in time, and Greenwood knows no bounds there"}
EMPTY: dict[str, dict[str, str]] = {
    "collection": {
        r"quarantined": "nothing that the company sends has to be set aside",
        r"source_failure": "no source of the company fails",
        r"source_part_refused": "none refuses a part",
        r"harm_readings": "its records name no harm metric from elsewhere",
    },
    "escalations": {
        **_WITHIN,
        r"oldest_open": "whether one is open at the moment is a matter of chance",
        r"escalation_(precision|recall)_ratio": "nobody there fills in whether it should have escalated",
    },
    "ladder": _WITHIN,
    "overview": {r"ALERTS\{": "nothing has held long enough to fire"},
    "review": {r"offset \$window": "this Prometheus has known the company for seconds"},
}
"""Dashboard -> patterns of what has no data in this story, each with why."""


@pytest.fixture(scope="module")
def answered(shared_prometheus: Prometheus) -> dict[str, list[Answered]]:
    """Every dashboard, asked for all workflows where it takes several, else once for each."""
    client = Client(shared_prometheus.url)
    found: dict[str, list[Answered]] = {}
    for name, dashboard in DASHBOARDS.items():
        several = any(variable["name"] == "workflow" and variable["multi"] for variable in dashboard["templating"]["list"])
        found[name] = [ask(dashboard, client, time.time(), wanted) for wanted in ([{}] if several else [{"workflow": workflow} for workflow in WORKFLOWS])]
    client.close()
    return found


@pytest.mark.parametrize("name", DASHBOARDS)
def test_prometheus_understands_every_query(name: str, answered: dict[str, list[Answered]]) -> None:
    assert [error for one in answered[name] for error in one.errors()] == []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_query_returns_data_where_the_story_has_some(name: str, answered: dict[str, list[Answered]]) -> None:
    """A target of a panel must have a series for at least one workflow."""
    found: dict[tuple[str, str], bool] = {}
    for one in answered[name]:
        for shown in one.panels:
            for answer, target in zip(shown.answers, shown.panel.get("targets", ()), strict=True):
                asked = (shown.panel["title"], f"{target['legendFormat']} {target['expr']}")
                found[asked] = found.get(asked, False) or bool(answer.series)
    empty = [f"{title}: {asked}" for (title, asked), some in found.items() if not some]

    unexplained = [text for text in empty if not any(re.search(known, text) for known in EMPTY.get(name, {}))]
    assert not unexplained, "\n".join(unexplained)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_value_is_beyond_what_its_unit_allows(name: str, answered: dict[str, list[Answered]]) -> None:
    for one in answered[name]:
        for shown in one.panels:
            if shown.panel["type"] in ("stat", "timeseries") and shown.panel["fieldConfig"]["defaults"]["unit"] == "percentunit":
                bounded = [value for answer in shown.answers if answer.legend != "n" for series in answer.series for _, value in series.samples]
                assert all(0 <= value <= 1 for value in bounded if not math.isnan(value)), shown.title


@pytest.mark.parametrize("name", DASHBOARDS)
def test_its_sketch_can_be_drawn(name: str, answered: dict[str, list[Answered]]) -> None:
    for one in answered[name]:
        text = page(one, {f"{name}.html": one.dashboard["title"]})
        assert text.count("<section") == len(one.panels)


def test_every_link_to_evidence_opens_a_page_of_the_exporter(shared_exporter: Exporter) -> None:
    """With a workflow and a window in the place of Grafana's variables; figures about operators may be withheld."""
    pages = "http://" + yaml.safe_load(shared_exporter.file.read_text())["listen"]["web"]
    asked = {url for text in map(json.dumps, DASHBOARDS.values()) for url in re.findall(r'"(\$\{pages\}/evidence[^"]+)"', text)}
    assert len(asked) > 40

    refused = {}
    for url in sorted(asked):
        address = url.replace("${pages}", pages).replace("${window}", "28d")
        for label, value in (("gate", "bypass"), ("signal", "bypass"), ("sign", "private_cleanup")):
            address = re.sub(rf"&{label}=[^&]*", f"&{label}={value}", address)
        address = re.sub(r"&\w+=\$\{__(data\.fields|field\.labels)\.(?!workflow|Workflow)[^}]*\}", "", address)
        address = re.sub(r"\$\{mode\}|\$mode", "live", re.sub(r"\$\{[^}]*(w|W)orkflow[^}]*\}", "refunds", address))
        status = _status(address)
        if status not in (200, 403) or "$" in address:
            refused[address] = status
    assert refused == {}


def _status(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
