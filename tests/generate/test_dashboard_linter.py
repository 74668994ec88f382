"""The rules of Grafana's dashboard-linter, each as a test of its name; those left out stand with their reason."""

import re

import pytest
import yaml

from boards import DASHBOARDS, interpolated, matchers, metric_of, of_every_panel, parsed, selectors
from checkout import ROOT
from rollout_metrics.catalog import MetricType
from rollout_metrics.generate.dashboards import NOT_OURS

RULES = frozenset(
    (
        "template-datasource-rule",
        "template-job-rule",
        "template-instance-rule",
        "template-label-promql-rule",
        "template-on-time-change-reload-rule",
        "panel-datasource-rule",
        "panel-title-description-rule",
        "panel-units-rule",
        "panel-no-targets-rule",
        "target-promql-rule",
        "target-logql-rule",
        "target-logql-auto-rule",
        "target-rate-interval-rule",
        "target-job-rule",
        "target-instance-rule",
        "target-counter-agg-rule",
        "uneditable-dashboard",
    )
)
"""Those of version 0.2.0."""

REMOVED_PANELS = frozenset(("graph", "singlestat", "table-old", "grafana-singlestat-panel", "grafana-piechart-panel", "grafana-worldmap-panel", "heatmap-new"))
"""Types that Grafana no longer has."""

UNITS = frozenset(("locale", "s", "percentunit", "none", "reqps", "cps"))
"""Those of Grafana's that we use."""


@pytest.fixture(params=[pytest.param(dashboard, id=name) for name, dashboard in DASHBOARDS.items()])
def dashboard(request):
    return request.param


def queried(dashboard):
    """The variables that ask Prometheus."""
    return [variable for variable in dashboard["templating"]["list"] if variable["type"] == "query"]


def test_every_rule_is_tested_here_or_left_out_with_a_reason():
    tested = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}

    assert tested & RULES == RULES - NOT_OURS.keys()
    assert all(len(reason) > 15 for reason in NOT_OURS.values())


def test_the_linter_itself_is_told_what_is_left_out_and_why():
    told = yaml.safe_load((ROOT / "deploy/grafana/dashboards/.lint").read_text())

    assert told == {"exclusions": {rule: {"reason": reason} for rule, reason in NOT_OURS.items()}}


def test_template_datasource_rule(dashboard):
    first = dashboard["templating"]["list"][0]

    assert (first["name"], first["type"], first["query"], first["label"]) == ("datasource", "datasource", "prometheus", "Data source")


def test_template_label_promql_rule(dashboard):
    for variable in queried(dashboard):
        series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()
        for selector, _ in selectors(series):
            assert {label, *matchers(selector)} <= set(metric_of(selector).all_labels)


def test_template_on_time_change_reload_rule(dashboard):
    assert all(variable["refresh"] == 2 for variable in queried(dashboard))


@of_every_panel
def test_panel_datasource_rule(panel):
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])


@of_every_panel
def test_panel_title_description_rule(panel):
    assert panel["title"]
    assert len(panel["description"]) > 20


@of_every_panel
def test_panel_units_rule(panel):
    """Here also where the linter looks away: beside mappings, and in the columns of tables."""
    config = panel["fieldConfig"]
    units = [config["defaults"]["unit"], *(wanted["value"] for override in config["overrides"] for wanted in override["properties"] if wanted["id"] == "unit")]

    assert set(units) <= UNITS


@of_every_panel
def test_panel_no_targets_rule(panel):
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@of_every_panel
def test_target_promql_rule(panel):
    for target in panel["targets"]:
        assert parsed(target["expr"])


@of_every_panel
def test_target_rate_interval_rule(panel):
    for target in panel["targets"]:
        ranges = re.findall(r"\[([^\]]+)\]", target["expr"])
        assert set(ranges) <= {"$__rate_interval", "$__range"}, target["expr"]
        assert "$__" not in interpolated(target["expr"])


@of_every_panel
def test_target_counter_agg_rule(panel):
    for target in panel["targets"]:
        for selector, above in selectors(target["expr"]):
            metric = metric_of(selector)
            if metric is not None and metric.type is MetricType.COUNTER:
                assert {getattr(getattr(node, "func", None), "name", None) for node in above} & {"rate", "increase", "irate"}


def test_uneditable_dashboard(dashboard):
    assert dashboard["editable"] is False


def test_no_panel_is_of_a_type_that_grafana_has_removed(dashboard):
    assert not {panel["type"] for panel in dashboard["panels"]} & REMOVED_PANELS
