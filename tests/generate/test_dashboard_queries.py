"""What dashboards ask Prometheus: only what the catalogue declares, nothing twice, nothing across windows."""

import re

import promql_parser
import pytest
import yaml

from boards import DASHBOARDS, expressions, interpolated, matchers, metric_of, panels, parsed, selectors
from checkout import promtool
from rollout_metrics.catalog import METRICS, MetricType
from rollout_metrics.catalog.promql import REPLICAS
from rollout_metrics.catalog.recording import shares

RECORDED = {"ALERTS", *(rule.record for rule in shares())}
"""What Prometheus itself keeps about its rules, and what they record."""

OVER_TIME = {"rate", "irate", "increase", "delta", "idelta", "deriv", "resets"}


@pytest.fixture(params=[pytest.param(dashboard, id=name) for name, dashboard in DASHBOARDS.items()])
def asked(request):
    return expressions(request.param)


def test_every_metric_is_in_the_catalogue(asked):
    for expression in asked:
        for selector, _ in selectors(expression):
            assert metric_of(selector) is not None or selector.name in RECORDED, expression


def test_every_label_that_is_selected_by_is_one_the_metric_has(asked):
    for expression in asked:
        for selector, _ in selectors(expression):
            if metric := metric_of(selector):
                assert set(matchers(selector)) <= {*metric.all_labels, *(("le",) if selector.name.endswith("_bucket") else ())}, expression


def test_prometheus_understands_every_expression(asked, tmp_path):
    rules = [{"record": f"x:panel:{number}", "expr": interpolated(expression)} for number, expression in enumerate(asked)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    checked = promtool("check", "rules", tmp_path / "rules.yaml")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_figure_of_two_replicas_is_never_doubled(asked):
    """The aggregation that takes the replicas together takes one of them; only what each process counts for itself is added."""
    for expression in asked:
        for selector, above in selectors(expression):
            metric = metric_of(selector)
            if metric is not None:
                together = next((node for node in reversed(above) if isinstance(node, promql_parser.AggregateExpr) and merges_replicas(node)), None)
                wanted = {"sum"} if metric.type is MetricType.COUNTER and not metric.per_workflow else {"max", "min"}
                assert together is not None, f"replicas stand side by side in {expression}"
                assert str(together.op) in wanted, expression


def merges_replicas(node) -> bool:
    """Whether an aggregation leaves no label by which replicas differ."""
    if node.modifier is None:
        return True
    by = node.modifier.type == promql_parser.AggModifierType.By
    return not set(REPLICAS) & set(node.modifier.labels) if by else set(REPLICAS) <= set(node.modifier.labels)


def test_windows_are_chosen_one_at_a_time(asked):
    for expression in asked:
        for selector, _ in selectors(expression):
            metric = metric_of(selector)
            if metric is not None and metric.windowed:
                operator, window = matchers(selector)["window"]
                assert operator == "MatchOp.Equal", expression
                assert re.fullmatch(r"\$window|\d+d", window), expression


def test_only_counters_are_put_through_rate_and_counters_always_are(asked):
    for expression in asked:
        for selector, above in selectors(expression):
            metric = metric_of(selector)
            calls = {node.func.name for node in above if isinstance(node, promql_parser.Call)}
            if metric is not None:
                assert bool(calls & OVER_TIME) == (metric.type in (MetricType.COUNTER, MetricType.HISTOGRAM)), expression


def test_shares_are_never_averaged_nor_added(asked):
    for expression in asked:
        for selector, above in selectors(expression):
            metric = metric_of(selector)
            if metric is not None and metric.unit == "ratio":
                assert not {str(node.op) for node in above if isinstance(node, promql_parser.AggregateExpr)} & {"sum", "avg"}, expression


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_rows_of_a_table_meet_by_the_same_labels_in_every_column(name):
    """Beside those that all columns have, only what describes a workflow may stand: else rows would be merged that are two."""
    for panel in (panel for panel in panels(DASHBOARDS[name]) if panel["type"] == "table"):
        labels = [rows_of(parsed(target["expr"])) for target in panel["targets"]]
        assert set.union(*labels) - set.intersection(*labels) <= set(METRICS["workflow_info"].labels), panel["title"]


def rows_of(node) -> set[str]:
    """The labels that an expression's series are told apart by."""
    if isinstance(node, promql_parser.AggregateExpr):
        assert node.modifier.type == promql_parser.AggModifierType.By
        return set(node.modifier.labels)
    sides = [rows_of(side) for side in (getattr(node, name, None) for name in ("expr", "lhs", "rhs")) if side is not None and not isinstance(side, LITERAL)]
    return max(sides, key=len, default=set())


LITERAL = (promql_parser.NumberLiteral, promql_parser.Call)


def test_every_headline_of_the_catalogue_is_on_a_dashboard():
    """What is declared is shown: no figure is only for those who know its name."""
    shown = {
        metric.key for dashboard in DASHBOARDS.values() for expression in expressions(dashboard) for s, _ in selectors(expression) if (metric := metric_of(s))
    }
    headlines = {key for key, metric in METRICS.items() if metric.unit == "ratio" and not key.endswith(("_lower", "_upper"))}

    assert headlines - shown - NOT_SHOWN.keys() == set()


NOT_SHOWN = {"applied_ratio": "only to compare with vendors' own figures"}
"""Figures that no dashboard shows, each with its reason."""
