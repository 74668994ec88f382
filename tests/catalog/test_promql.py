"""Expressions over the catalogue: what a selector may name, each replica once, counts behind a share."""

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout_metrics.catalog import METRICS
from rollout_metrics.catalog.metric import Ratio
from rollout_metrics.catalog.promql import REPLICAS, Pattern, denominator, once, per, selector

RATIOS = [metric for metric in METRICS.values() if isinstance(metric.obtained, Ratio)]


def test_a_variable_that_stands_for_several_is_matched_as_a_pattern():
    assert selector(METRICS["autonomy_level"], workflow=Pattern("$workflow")) == 'agent_rollout_autonomy_level{workflow=~"$workflow"}'
    assert selector(METRICS["autonomy_level"], workflow="$workflow") == 'agent_rollout_autonomy_level{workflow="$workflow"}'


def test_a_label_that_a_metric_does_not_have_cannot_be_asked_for():
    with pytest.raises(ValueError, match="agent_rollout_autonomy_level has no label window: it has workflow"):
        selector(METRICS["autonomy_level"], window="7d")


@given(st.sampled_from(list(METRICS.values())))
def test_both_ways_to_take_a_series_once_leave_no_label_of_a_replica(metric):
    kept = promql_parser.parse(per(selector(metric), "workflow")).modifier
    dropped = promql_parser.parse(once(selector(metric))).modifier

    assert not set(REPLICAS) & set(kept.labels)
    assert set(dropped.labels) == set(REPLICAS)


@given(st.sampled_from(RATIOS), st.sampled_from(["", "90d"]))
def test_the_counts_behind_every_share_parse_and_reach_back_as_far_as_they_are_asked_to(metric, ago):
    expression = denominator(metric, ago=ago, workflow=Pattern("$workflow"), window="7d")

    assert promql_parser.parse(expression)
    assert expression.count("offset 90d") == bool(ago)
    assert 'workflow=~"$workflow"' in expression


def test_a_metric_that_is_no_share_of_counts_has_no_counts_behind_it():
    with pytest.raises(ValueError, match="is no ratio of two counts"):
        denominator(METRICS["autonomy_level"])
