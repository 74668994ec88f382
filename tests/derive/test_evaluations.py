"""Runs of the evaluation suite."""

from typing import Any

import pytest

from builders import after, company, ev, history
from rollout_metrics.derive.evaluations import evaluations
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import Evaluated
from rollout_metrics.domain.policy import Company


def runs(*events: Event, told: Company | None = None, as_of: str = "30d", **options: Any) -> list[Evaluated]:
    told = told or company(options)
    return evaluations(history(*events, company=told, as_of=as_of), told)


def test_a_run_is_counted_with_its_result_and_version() -> None:
    assert runs(ev("1h", "bot", "evaluated", passed=True, version="v7", id="run")) == [Evaluated("w", True, after("1h"), "v7", (("desk", "run"),))]


@pytest.mark.parametrize(("passed", "expected"), [(True, True), ("true", True), (False, False), ("false", False), (None, False), ("maybe", False)])
def test_only_a_run_that_says_so_has_passed(passed: Any, expected: bool) -> None:
    assert [run.passed for run in runs(ev("1h", "bot", "evaluated", passed=passed))] == [expected]


def test_a_run_that_says_nothing_has_not_passed() -> None:
    assert [run.passed for run in runs(ev("1h", "bot", "evaluated"))] == [False]


def test_every_run_on_a_case_counts() -> None:
    assert [run.passed for run in runs(ev("1h", "bot", "evaluated", passed=True), ev("2h", "bot", "evaluated", passed=False))] == [True, False]


def test_a_run_on_a_case_of_a_workflow_counts_there_whoever_ran_it() -> None:
    told = company({}, {"name": "v", "agents": ["v-bot"]})

    assert [run.workflow for run in runs(ev("1h", "rule-1", "evaluated", passed=True), told=told)] == ["w"]


def test_a_run_outside_any_workflow_counts_in_each_of_the_agents() -> None:
    told = company({"scope": {"brand": ["a"]}}, {"name": "v", "scope": {"brand": ["b"]}}, {"name": "other", "agents": ["other-bot"], "sources": ["elsewhere"]})

    assert [run.workflow for run in runs(ev("1h", "bot", "evaluated", passed=True), told=told)] == ["w", "v"]


def test_a_run_of_an_agent_without_workflows_counts_nowhere() -> None:
    assert runs(ev("1h", "other-bot", "evaluated", passed=True), sources=["elsewhere"]) == []


def test_a_run_after_t_does_not_exist() -> None:
    assert runs(ev("0s", "customer-1", "created"), ev("1h", "bot", "evaluated", passed=True), as_of="59m") == []
