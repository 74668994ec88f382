"""The verbs of the ladder on the simulated company."""

from pathlib import Path

import pytest

from cli.conftest import Run
from rollout_metrics.simulate.cast import CONTRACTS, LEADS, REFUNDS, TRIAGE

FORCED = {"CHG-101", "CHG-106"}
"""One skips shadow, the other comes while the last release was being rolled back and its record is not complete."""


def test_gates_print_every_gate_and_fail_where_one_does(run: Run, config: Path) -> None:
    found = run("gates", "--config", config)

    assert found.code == 1
    verdicts = {(row["workflow"], row["to"], row["gate"]): row["verdict"] for row in found.rows}
    assert (verdicts[REFUNDS, "broad_autonomous", "record_complete"], verdicts[CONTRACTS, "assisted", "record_complete"]) == ("fail", "pass")
    assert verdicts[TRIAGE, "stay assisted", "override"] != "fail"
    assert f"{CONTRACTS}: shadow since " in found.err


def test_gates_of_one_workflow_as_json_and_as_of_an_instant(run: Run, config: Path) -> None:
    (now,) = run("gates", "--workflow", TRIAGE, "--json", "--config", config).json
    (then,) = run("gates", "--workflow", TRIAGE, "--json", "--as-of", now["as_of"], "--config", config).json

    assert (now["workflow"], now["level"], now["to"]) == (TRIAGE, "assisted", "low_risk_autonomous")
    override = next(gate for gate in now["gates"] if gate["name"] == "override")
    assert override["lower"] < override["ratio"] < override["upper"]
    assert override["limit"] == 0.1
    rates = [[(gate["name"], gate["ratio"], gate["cases"]) for gate in item["gates"]] for item in (now, then)]
    assert rates[0] == rates[1]


def test_the_ladder_shows_the_planted_forced_promotions_and_no_others(run: Run, config: Path) -> None:
    found = run("ladder", "--config", config)
    told = run("ladder", "--json", "--config", config).json

    assert found.code == 0
    assert {row["by"] for row in found.rows if row["forced"] == "forced"} == FORCED
    assert {item["change"] for workflow in told for item in workflow["promotions"] if item["forced"]} == FORCED
    assert [(row["before"], row["after"]) for row in found.rows if row["workflow"] == REFUNDS] == [("off", "assisted"), ("assisted", "low_risk_autonomous")]


def test_the_comparison_in_shadow_is_told_by_class_and_cost(run: Run, config: Path) -> None:
    found = run("shadow", "--workflow", CONTRACTS, "--window", "90d", "--json", "--config", config).json
    text = run("shadow", "--workflow", CONTRACTS, "--window", "90d", "--config", config)

    assert found["decided"] == found["agreed"] + found["cheap"] + found["dangerous"] > 10
    risk = next(action for action in found["actions"] if action["action"] == "set:risk_class")
    assert sum(row["count"] for row in risk["confusion"]) == risk["decided"]
    assert {row["proposed"] for row in risk["confusion"]} <= {"low", "medium", "high"}
    assert sum(error["count"] for error in found["errors"]) == found["cheap"] + found["dangerous"]
    assert "agent proposed\tpeople did" in text.out
    assert f"{CONTRACTS}: {found['agreed']} of {found['decided']} agreed" in text.err


@pytest.mark.parametrize(
    ("gate", "counts"), [("override", "decisions mode=live"), ("bypass", "handled_cases handling="), ("record_complete", "fail: the record lacks")]
)
def test_explain_opens_a_gate(run: Run, config: Path, gate: str, counts: str) -> None:
    found = run("explain", "gate", "--label", f"gate={gate}", "--workflow", TRIAGE, "--config", config)

    assert found.code == 0
    assert found.rows
    assert all(counts in row["counts"] for row in found.rows)


def test_a_gate_that_is_not_there_is_said_with_those_that_are(run: Run, config: Path) -> None:
    found = run("explain", "gate", "--workflow", LEADS, "--config", config)

    assert found.code == 2
    assert "name one of the gates of lead_routing as --label gate=NAME: override, " in found.err


@pytest.mark.parametrize("verb", ["gates", "ladder"])
def test_an_unknown_workflow_is_a_usage_error(run: Run, config: Path, verb: str) -> None:
    found = run(verb, "--workflow", "nowhere", "--config", config)

    assert found.code == 2
    assert "there is no workflow 'nowhere'" in found.err
