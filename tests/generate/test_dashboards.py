"""The dashboards as Grafana will read them: the rules of Grafana's dashboard linter, and our own."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
import yaml

from checkout import ROOT, inputs, promtool
from rollout_metrics.catalog import METRICS, MetricType
from rollout_metrics.catalog.alerts import DASHBOARD
from rollout_metrics.generate.dashboards import dashboard_files, dashboard_json

THRESHOLDS = inputs()["thresholds"]
DASHBOARDS = {file.name: json.loads(dashboard_json(file, THRESHOLDS)) for file in dashboard_files(ROOT / "dashboards")}

EXCLUDED = {
    "template-job-rule, target-job-rule": "exporters are told apart by workflow; a job variable would ask people what they cannot know",
    "template-instance-rule, target-instance-rule": "replicas publish the same figures; every expression takes each series once, without instance",
    "target-rate-interval-rule": "figures are windowed gauges, which must not be put through rate()",
}
"""Rules of the linter that are left out, each with its reason."""

UNITS = {"percentunit", "short", "s"}
LEGACY = {"gnetId", "hideControls", "rows", "sharedCrosshair", "style", "__inputs", "step", "intervalFactor", "metric", "fieldOptions", "span", "minSpan"}


def panels() -> Iterator[Any]:
    """Every panel that shows data."""
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            if panel["type"] not in ("row", "text"):
                yield pytest.param(panel, id=f"{name}: {panel['title']}")


def expressions(dashboard: dict[str, Any]) -> list[str]:
    """Everything a dashboard asks Prometheus."""
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return asked + [mark["expr"] for mark in dashboard["annotations"]["list"] if "expr" in mark]


def keys(value: Any) -> Iterator[str]:
    """Every key at any depth."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def names(expression: str) -> set[str]:
    """The metrics that an expression names."""
    return set(re.findall(r"\bagent_rollout_\w+", expression))


def published() -> set[str]:
    """The names of all samples that the exporter can serve."""
    histograms = [metric.name for metric in METRICS.values() if metric.type is MetricType.HISTOGRAM]
    return {metric.name for metric in METRICS.values()} | {f"{name}{suffix}" for name in histograms for suffix in ("_bucket", "_sum", "_count")}


@pytest.mark.parametrize("dashboard", list(DASHBOARDS.values()), ids=list(DASHBOARDS))
class TestDashboard:
    def test_it_cannot_be_edited_and_has_a_lasting_uid(self, dashboard):
        assert dashboard["editable"] is False
        assert re.fullmatch(r"[a-z0-9-]{1,40}", dashboard["uid"])
        assert "id" not in dashboard

    def test_it_is_of_a_current_schema_without_keys_of_old(self, dashboard):
        assert dashboard["schemaVersion"] >= 39
        assert not LEGACY & {*dashboard, *keys(dashboard["panels"])}

    def test_it_is_refreshed_no_faster_than_its_data(self, dashboard):
        assert dashboard["refresh"] == "5m"

    def test_no_threshold_is_the_word_null(self, dashboard):
        assert '"value": "null"' not in json.dumps(dashboard)

    def test_its_first_variable_is_the_data_source(self, dashboard):
        first = dashboard["templating"]["list"][0]

        assert (first["name"], first["type"], first["query"], first["label"]) == ("datasource", "datasource", "prometheus", "Data source")

    def test_query_variables_are_asked_of_the_chosen_source_and_have_a_default(self, dashboard):
        for variable in dashboard["templating"]["list"][1:]:
            assert variable["datasource"]["uid"] == "${datasource}"
            assert variable["refresh"] == 2
            assert variable["label"]
            assert variable["current"]["text"] is not None

    def test_query_variables_name_series_and_labels_that_exist(self, dashboard):
        for variable in dashboard["templating"]["list"][1:]:
            series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"]).groups()
            metric = METRICS[names(series).pop().removeprefix("agent_rollout_")]

            assert label in metric.all_labels

    def test_links_carry_variables_and_time(self, dashboard):
        assert dashboard["links"]
        assert all(link["includeVars"] and link["keepTime"] for link in dashboard["links"])

    def test_every_metric_it_names_is_in_the_catalogue(self, dashboard):
        asked = [*expressions(dashboard), *(variable.get("definition", "") for variable in dashboard["templating"]["list"])]

        assert {name for expression in asked for name in names(expression)} <= published()

    def test_every_label_it_selects_by_is_one_the_metric_has(self, dashboard):
        for expression in expressions(dashboard):
            for name, matchers in re.findall(r"\b(agent_rollout_\w+)\{([^}]*)\}", expression):
                selected = set(re.findall(r"(\w+)=~?\"", matchers))
                assert selected <= set(METRICS[name.removeprefix("agent_rollout_")].all_labels), expression

    def test_prometheus_understands_every_expression(self, dashboard, tmp_path):
        rules = [{"record": f"x:panel:{number}", "expr": expression} for number, expression in enumerate(expressions(dashboard))]
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

        checked = promtool("check", "rules", tmp_path / "rules.yaml")

        assert checked.returncode == 0, checked.stdout + checked.stderr

    def test_replicas_are_shown_once(self, dashboard):
        for expression in expressions(dashboard):
            assert expression.count("agent_rollout_") == expression.count("max without (instance, pod)"), expression

    def test_windows_are_never_summed_nor_put_through_rate(self, dashboard):
        for expression in expressions(dashboard):
            assert not re.search(r"\b(rate|irate|increase|delta|deriv)\(", expression)
            for name, matchers in re.findall(r"\b(agent_rollout_\w+)\{([^}]*)\}", expression):
                if METRICS[name.removeprefix("agent_rollout_")].windowed:
                    assert 'window="' in matchers, expression

    def test_panels_keep_to_the_grid_and_apart_from_each_other(self, dashboard):
        places = [(panel["title"], panel["gridPos"]) for panel in dashboard["panels"]]
        for title, at in places:
            assert at["x"] >= 0, title
            assert at["x"] + at["w"] <= 24, title
        for (one, a), (other, b) in combinations(places, 2):
            apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"] or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
            assert apart, f"{one} lies over {other}"

    def test_panels_have_ids_of_their_own(self, dashboard):
        ids = [panel["id"] for panel in dashboard["panels"]]

        assert len(set(ids)) == len(ids)

    def test_level_changes_are_marked(self, dashboard):
        marks = {mark["name"]: mark for mark in dashboard["annotations"]["list"]}

        assert names(marks["Level changes"]["expr"]) == {"agent_rollout_autonomy_level"}


@pytest.mark.parametrize("panel", list(panels()))
class TestPanel:
    def test_it_has_a_title_and_says_what_it_shows(self, panel):
        assert panel["title"]
        assert len(panel["description"]) > 20

    def test_it_has_a_unit(self, panel):
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS

    def test_its_data_source_is_the_chosen_one(self, panel):
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["targets"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])

    def test_its_title_names_the_window_that_its_figures_are_about(self, panel):
        windowed = any("$window" in target["expr"] for target in panel["targets"])

        assert ("$window" in panel["title"]) == windowed

    def test_no_data_is_told_apart_from_nought(self, panel):
        assert panel["fieldConfig"]["defaults"]["noValue"] == "no data"
        assert panel["fieldConfig"]["defaults"].get("custom", {}).get("spanNulls", False) is False

    def test_ratios_are_on_a_scale_from_0_to_1_and_never_stacked(self, panel):
        defaults = panel["fieldConfig"]["defaults"]
        if defaults["unit"] == "percentunit" and panel["type"] == "timeseries":
            assert (defaults["min"], defaults["max"]) == (0, 1)
            assert defaults["custom"]["stacking"]["mode"] == "none"

    def test_a_ratio_now_stands_with_its_interval_and_n(self, panel):
        if panel["fieldConfig"]["defaults"]["unit"] == "percentunit" and panel["type"] == "stat":
            assert [target["legendFormat"] for target in panel["targets"]] == ["share", "at least", "at most", "n"]

    def test_values_of_now_are_asked_for_now(self, panel):
        assert all(target["instant"] == (panel["type"] == "stat") and target["range"] != target["instant"] for target in panel["targets"])


def test_alerts_link_to_a_dashboard_that_exists():
    assert DASHBOARD in {dashboard["uid"] for dashboard in DASHBOARDS.values()}


@pytest.mark.parametrize(("title", "limit"), [("Override over $window", THRESHOLDS.override_limit), ("Bypass over $window", THRESHOLDS.bypass_limit)])
def test_lines_are_drawn_at_the_limits_of_the_alerts(title, limit):
    panel = next(panel for panel in DASHBOARDS["workflow.dashboard.py"]["panels"] if panel["title"] == title)

    assert [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [None, limit]


def test_freshness_stands_first():
    first = DASHBOARDS["workflow.dashboard.py"]["panels"][:3]

    assert [panel["title"] for panel in first] == ["Figures as of, age now", "Sources stale, now", "Snapshot age, now"]
