"""The dashboards as people will see them: grid, words, links, what is said of no data, and that Grafana's own models know every key."""

import json
import re
import warnings
from collections.abc import Iterator
from itertools import combinations
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from boards import DASHBOARDS, THRESHOLDS, of_every_panel, panels
from checkout import ROOT, inputs
from rollout_metrics.catalog import METRICS
from rollout_metrics.catalog.alerts import DASHBOARD
from rollout_metrics.generate.dashboards import dashboard_files, dashboard_json
from rollout_metrics.generate.panels import DARK, LIGHT, PALETTE

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the SDK would have us use its models of Grafana 13's other schema
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

LEGACY = {"gnetId", "hideControls", "rows", "sharedCrosshair", "style", "__inputs", "step", "intervalFactor", "metric", "fieldOptions", "span", "minSpan"}
OURS = {"__comment"}
"""What we write beside Grafana's own keys."""


def keys(value: Any) -> Iterator[str]:
    """Every key at any depth."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def found(value: Any, key: str) -> Iterator[Any]:
    """Every value that stands under a key at any depth."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from found(inner, key)


def lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """What is no longer there, or is otherwise."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key not in after:
                yield f"{path}.{key}"
            else:
                yield from lost(value, after[key], f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(one, other, f"{path}[{at}]")
    elif before != after:
        yield path


@pytest.fixture(params=[pytest.param(dashboard, id=name) for name, dashboard in DASHBOARDS.items()])
def dashboard(request):
    return request.param


class TestDashboard:
    def test_it_has_a_lasting_uid_and_no_id_of_one_grafana(self, dashboard):
        assert re.fullmatch(r"rollout-[a-z-]{1,32}", dashboard["uid"])
        assert "id" not in dashboard

    def test_it_is_of_a_current_schema_without_keys_of_old(self, dashboard):
        assert dashboard["schemaVersion"] >= 39
        assert not LEGACY & {*dashboard, *keys(dashboard["panels"])}

    def test_grafanas_own_models_know_every_key_of_it(self, dashboard):
        register_default_plugins()

        read = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(json.loads(json.dumps(dashboard)))))

        assert [path for path in lost(dashboard, read) if path.strip(".") not in OURS] == []

    def test_it_is_refreshed_no_faster_than_its_data(self, dashboard):
        assert dashboard["refresh"] == "5m"

    def test_no_threshold_is_the_word_null(self, dashboard):
        assert '"value": "null"' not in json.dumps(dashboard)

    def test_its_variables_have_labels_and_something_to_begin_with(self, dashboard):
        named = {variable["name"]: variable for variable in dashboard["templating"]["list"]}

        assert {"datasource", "type", "workflow", "window", "pages"} <= named.keys()
        assert all(variable["label"] and variable["current"]["text"] is not None for variable in named.values())
        assert named["pages"]["query"] == THRESHOLDS.pages_url

    def test_links_carry_variables_and_time(self, dashboard):
        assert dashboard["links"]
        assert all(link["includeVars"] and link["keepTime"] for link in dashboard["links"])

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

    def test_no_two_panels_have_the_same_title(self, dashboard):
        titles = [panel["title"] for panel in panels(dashboard)]

        assert sorted(set(titles)) == sorted(titles)

    def test_changes_promotions_and_definition_breaks_are_marked(self, dashboard):
        marks = {mark["name"] for mark in dashboard["annotations"]["list"]}

        assert {"Promotions", "Steps back", "Changes", "Definition breaks"} <= marks

    def test_it_begins_with_whether_it_can_be_believed(self, dashboard):
        first = [panel["title"] for panel in panels(dashboard)][:3]

        assert [title.partition(",")[0] for title in first] == ["Figures as of", "Sources stale", "Snapshot age"]

    def test_its_colours_can_be_told_apart_by_everyone(self, dashboard):
        colors = [color for key in ("color", "fixedColor", "iconColor") for color in found(dashboard, key) if isinstance(color, str)]

        assert {color for color in colors if color.startswith("#")} <= {*PALETTE, LIGHT, DARK}
        assert not {"red", "green", "semi-dark-red"} & set(colors)


@of_every_panel
def test_its_title_names_the_window_that_its_figures_are_about(panel):
    windows = {window for target in panel["targets"] for window in re.findall(r'window="([^"]+)"', target["expr"])}

    assert all(window in panel["title"] for window in windows)
    assert windows or "$window" not in panel["title"]


@of_every_panel
def test_no_data_is_told_apart_from_nought(panel):
    assert panel["fieldConfig"]["defaults"]["noValue"].startswith(("no data", "none"))
    assert panel["fieldConfig"]["defaults"].get("custom", {}).get("spanNulls", False) is False
    assert not any(re.search(r"\bor (on \(\) )?vector\(0\)", target["expr"]) for target in panel["targets"])


@of_every_panel
def test_ratios_are_on_a_scale_that_begins_at_0_and_is_the_same_for_their_like_and_are_never_stacked(panel):
    defaults = panel["fieldConfig"]["defaults"]
    if defaults["unit"] == "percentunit" and panel["type"] == "timeseries":
        assert defaults["min"] == 0
        assert (defaults.get("max"), defaults["custom"].get("axisSoftMax")) in {(1, None), (None, 0.5)}
        assert defaults["custom"]["stacking"]["mode"] == "none"


@of_every_panel
def test_a_share_now_stands_with_its_interval_and_n(panel):
    if panel["fieldConfig"]["defaults"]["unit"] == "percentunit" and panel["type"] == "stat":
        assert [target["legendFormat"] for target in panel["targets"]] == ["share", "at least", "at most", "n"]


@of_every_panel
def test_a_share_in_a_table_has_its_n_beside_it(panel):
    if panel["type"] == "table":
        titles = list(panel["transformations"][1]["options"]["renameByName"].values())
        shares = [o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"] if {"id": "unit", "value": "percentunit"} in o["properties"]]
        heads = [title for title in shares if ", at " not in title and ", limit" not in title]
        assert all(f"{title}, n" in titles for title in heads), (heads, titles)


@of_every_panel
def test_values_of_now_are_asked_for_now(panel):
    assert all(target["instant"] == (panel["type"] in ("stat", "table")) and target["range"] != target["instant"] for target in panel["targets"])


@of_every_panel
def test_links_to_evidence_name_a_figure_of_the_catalogue_with_workflow_and_window(panel):
    for link in (link for links in [*found(panel, "links"), *evidence_overrides(panel)] for link in links):
        if "/evidence" in link["url"]:
            asked = parse_qs(urlsplit(link["url"].replace("${pages}", "")).query)
            metric = METRICS[asked["metric"][0]]
            assert "workflow" in asked
            assert ("window" in asked) == metric.windowed
            assert set(asked) - {"metric", "workflow", "window"} <= set(metric.all_labels)
        else:
            assert {"${datasource:queryparam}", "${__url_time_range}"} <= set(link["url"].split("&"))


def evidence_overrides(panel: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Links of single columns."""
    for override in panel["fieldConfig"]["overrides"]:
        yield from (wanted["value"] for wanted in override["properties"] if wanted["id"] == "links")


def test_links_between_dashboards_lead_to_dashboards_that_exist():
    uids = {dashboard["uid"] for dashboard in DASHBOARDS.values()}

    assert {uid for text in map(json.dumps, DASHBOARDS.values()) for uid in re.findall(r"/d/([\w-]+)\?", text)} <= uids
    assert DASHBOARD in uids


@pytest.mark.parametrize(("title", "limit"), [("Override over $window", THRESHOLDS.override_limit), ("Bypass over $window", THRESHOLDS.bypass_limit)])
def test_lines_are_drawn_at_the_limits_of_the_alerts(title, limit):
    panel = next(panel for panel in DASHBOARDS["workflow"]["panels"] if panel["title"] == title)

    assert [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [None, limit]


def test_pages_are_where_configuration_says():
    file = next(file for file in dashboard_files(ROOT / "dashboards") if "workflow" in file.name)

    made = json.loads(dashboard_json(file, inputs(pages_url="https://rollouts.example/")["thresholds"]))

    assert [v["query"] for v in made["templating"]["list"] if v["name"] == "pages"] == ["https://rollouts.example"]
