"""The product against an oracle written from the definitions alone: what it publishes as events come in, as of T, and as of an earlier T."""

import json
from pathlib import Path

import pytest

from oracle.companies_4_to_8 import iso, make
from oracle.compare_4_to_8 import PREFIX, differences, events_of, run
from oracle.sections_4_to_8 import Oracle
from rollout_metrics.cli import main
from rollout_metrics.config.load import load
from rollout_metrics.domain.time import parse_instant


@pytest.mark.parametrize("seed", [2, 5, 10, 20, 106, 111, 115, 124, 129, 148, 236, *range(5000, 5015)])
def test_the_figures_are_those_of_the_definitions(seed: int, tmp_path: Path) -> None:
    assert run(seed, tmp_path)[0] == []


@pytest.mark.parametrize("seed", [305, 427, 524])
def test_an_incident_that_nobody_linked_speaks_against_a_deployment_that_did_not_fail(seed: int, tmp_path: Path) -> None:
    told, oracle = run(seed, tmp_path)

    assert told == []
    assert any(value for (name, _), value in oracle.figures.items() if name == "inferred_failed_deployments")


def test_the_command_line_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, draft = make(10, tmp_path)

    assert main(["collect", "--config", str(file)]) == 0
    capsys.readouterr()
    assert main(["snapshot", "--json", "--config", str(file)]) == 0

    found = {(item["name"].removeprefix(PREFIX), frozenset(item["labels"].items())): item["value"] for item in json.loads(capsys.readouterr().out)}
    configuration = load(file, {})
    expected = Oracle(configuration, events_of(configuration, tmp_path), parse_instant(iso(draft.t))).all()
    assert differences(expected, found) == []
