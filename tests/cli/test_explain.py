"""Receipts: for every number, as many facts as it counts, each with its case and the events that prove it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollout_metrics.catalog import METRICS
from rollout_metrics.catalog.metric import Count, Middle, Ratio, Repeating, Spread, Standing, Survival, Within
from rollout_metrics.cli.session import opened, read_configuration
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import MINUTE, floor_minute, parse_span
from rollout_metrics.domain.trust import Sign
from rollout_metrics.overview.evidence import Asked, Wanted
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.pipeline.evidence import explain

PREFIX = "agent_rollout_"


@pytest.fixture(scope="module")
def pipeline(config: Path) -> Iterator[Pipeline]:
    with opened(read_configuration(config)) as opening:
        now = floor_minute(time.time_ns() // 1000) - MINUTE
        opening.clock = lambda: now
        yield opening


@pytest.fixture(scope="module")
def published(pipeline: Pipeline) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = pipeline.families() or []
    return {(family.name + suffix, frozenset(labels)): value for family in families for suffix, labels, value in family.samples}


def asked(metric: Any, labels: frozenset[tuple[str, str]]) -> Asked:
    given = dict(labels)
    workflow, window = given.pop("workflow"), given.pop("window", "1d")
    return Asked(metric, workflow, parse_span(window), given)


EXACT = [metric for metric in METRICS.values() if isinstance(metric.obtained, Count | Repeating | Standing) and "corrections" not in metric.key]
RATIOS = [metric for metric in METRICS.values() if isinstance(metric.obtained, Ratio)]
SAMPLED = [metric for metric in METRICS.values() if isinstance(metric.obtained, Middle | Survival | Within)]


@pytest.mark.parametrize("metric", EXACT, ids=lambda metric: metric.key)
def test_as_many_facts_are_behind_a_count_as_it_says(pipeline: Pipeline, published: dict[Any, float], metric: Any) -> None:
    series = [(labels, value) for (name, labels), value in published.items() if name == metric.name and dict(labels).get("window", "28d") in ("1d", "28d")]

    for labels, value in series:
        found = explain(pipeline, asked(metric, labels), Wanted(10**6))
        scale = getattr(metric.obtained, "scale", None)
        counted = len(found.rows) if scale is None else sum(row["value"] for row in found.rows)
        assert counted == pytest.approx(value), (metric.key, labels)
        assert all(row["event"] for row in found.rows if row["fact"] != "case")


@pytest.mark.parametrize("metric", RATIOS, ids=lambda metric: metric.key)
def test_numerator_and_denominator_divide_to_the_ratio(pipeline: Pipeline, published: dict[Any, float], metric: Any) -> None:
    series = [(labels, value) for (name, labels), value in published.items() if name == metric.name and dict(labels)["window"] == "28d"]

    for labels, value in series:
        totals = explain(pipeline, asked(metric, labels), Wanted(1)).totals
        assert totals["numerator"] / totals["denominator"] == pytest.approx(value), (metric.key, labels)


@pytest.mark.parametrize("metric", SAMPLED, ids=lambda metric: metric.key)
def test_as_many_facts_are_behind_a_median_as_its_number_of_cases_says(pipeline: Pipeline, published: dict[Any, float], metric: Any) -> None:
    series = [(labels, value) for (name, labels), value in published.items() if name == metric.name + "_cases" and dict(labels)["window"] == "28d"]

    assert series
    for labels, value in series:
        assert explain(pipeline, asked(metric, labels), Wanted(1)).totals["sample"] == value, (metric.key, labels)


def test_a_bucket_of_the_histogram_contains_those_below_it(pipeline: Pipeline, published: dict[Any, float]) -> None:
    metric = next(metric for metric in METRICS.values() if isinstance(metric.obtained, Spread))
    buckets = [(labels, value) for (name, labels), value in published.items() if name == metric.name + "_bucket"]

    assert buckets
    for labels, value in buckets:
        assert explain(pipeline, asked(metric, labels), Wanted(1)).totals["counted"] == value


def test_the_oldest_is_the_one_that_is_named(pipeline: Pipeline, published: dict[Any, float]) -> None:
    metric = METRICS["recommendation_oldest_pending_timestamp_seconds"]
    series = [(labels, value) for (name, labels), value in published.items() if name == metric.name]

    for labels, value in series:
        rows = explain(pipeline, asked(metric, labels), Wanted(10)).rows
        assert rows
        assert {row["fact"] for row in rows} == {"recommendation"}
        assert pipeline.store.events(tuple(rows[0]["case"].split("/", 1)))
        assert value > 0


def test_rows_lead_into_the_ticketing_system(pipeline: Pipeline) -> None:
    rows = explain(pipeline, Asked(METRICS["decisions"], "triage", parse_span("28d")), Wanted(20)).rows

    assert len(rows) == 20
    assert all(row["url"].startswith("http") for row in rows)
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)


FAILED = {"change_fail_ratio": "numerator", "failed_deployments": "counted", "open_failures": "counted", "harm_active": "counted"}


@pytest.mark.parametrize("name", FAILED)
def test_every_failed_deployment_is_named_with_the_evidence_of_each_cause(pipeline: Pipeline, published: dict[Any, float], name: str) -> None:
    found = explain(pipeline, Asked(METRICS[name], "refunds", parse_span("90d")), Wanted(10**6))

    failed = [row for row in found.rows if row["fact"] == "deployment" and "failed by" in row["counts"]]
    assert len(failed) == found.totals[FAILED[name]]
    for row in failed:
        assert any(other["case"] == row["case"] and other["fact"] == "failure" for other in found.rows)
    window = {} if METRICS[name].windowed is False else {"window": "90d"}
    values = [value for (key, labels), value in published.items() if key == PREFIX + name and {"workflow": "refunds", **window}.items() <= dict(labels).items()]
    assert sum(values) == pytest.approx(len(failed) / (found.totals["denominator"] if name.endswith("ratio") else 1))


def test_behind_a_spike_are_the_events_and_cases_it_counts(pipeline: Pipeline, published: dict[Any, float]) -> None:
    looks = {labels: value for (name, labels), value in published.items() if name == METRICS["spike_cases"].name}

    assert looks
    for labels, cases in looks.items():
        totals = explain(pipeline, asked(METRICS["spike"], labels), Wanted(1)).totals
        assert totals == {"numerator": published[METRICS["spike_events"].name, labels], "denominator": cases}


def test_behind_a_warning_sign_is_its_evidence(pipeline: Pipeline, published: dict[Any, float]) -> None:
    signs = {labels: value for (name, labels), value in published.items() if name == METRICS["warning_sign"].name}

    assert len(signs) > 5
    for labels, there in signs.items():
        if dict(labels)["sign"] == Sign.EARLY_AUTHORITY_ASK:
            continue
        found = explain(pipeline, asked(METRICS["warning_sign"], labels), Wanted(10**6))
        assert len(found.rows) == sum(found.totals.values()) > 0
        if there:
            assert next(iter(found.totals.values())) > 0
        assert "actor:" not in str([row["counts"] for row in found.rows])


@pytest.mark.parametrize(("metric", "label"), [("warning_sign", "sign"), ("spike", "signal")])
def test_which_sign_or_signal_has_to_be_said(pipeline: Pipeline, metric: str, label: str) -> None:
    for labels in ({}, {label: "mood"}):
        with pytest.raises(ConfigurationError, match=f"--label {label}="):
            explain(pipeline, Asked(METRICS[metric], "triage", parse_span("1d"), labels), Wanted(1))
