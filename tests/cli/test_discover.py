"""`discover` at the command line: from a configuration with nothing but sources to one that is checked, and nothing kept on the way."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import yaml

from cli.conftest import Collected, Run
from rollout_metrics.simulate.cast import TRIAGE_BOT
from sources.server import Reply, Request, serving
from sources.upstream import profiles
from sources.upstream.simulator import Simulator
from sources.upstream.world import World

Sources = Callable[..., Path]
SUPPORT = ("zendesk", "runtime", "approvals")


@pytest.fixture
def sources(collected: Collected, tmp_path: Path) -> Sources:
    """Makes a configuration of the company's sources and nothing else: `sources(zendesk={"token": "x"})` changes one."""

    def making(**changed: dict[str, object]) -> Path:
        options = {name: dict(given) | changed.get(name, {}) for name, given in collected.options["sources"].items()}
        file = tmp_path / "rollout-metrics.yaml"
        file.write_text(yaml.safe_dump({"sources": options, "store": {"url": f"sqlite:///{tmp_path / 'own.db'}"}}), encoding="utf-8")
        return file

    return making


def test_appended_to_the_configuration_it_is_accepted_and_nothing_was_stored(run: Run, sources: Sources) -> None:
    file = sources()

    found = run("discover", *SUPPORT, "--config", file, "--depth", "90d")
    assert found.code == 0, found.err
    assert [path.name for path in file.parent.iterdir()] == [file.name]

    file.write_text(file.read_text() + found.out)
    checked = run("check", "--config", file)
    assert (checked.code, "no problems" in checked.err) == (0, True)
    assert "A first guess by `rollout-metrics discover zendesk runtime approvals`" in found.out
    names = [workflow["name"] for workflow in yaml.safe_load(found.out)["workflows"]]
    assert sorted(names) == ["contract_reader", "refund", "triage"]


def test_beside_other_workflows_names_differ_and_the_file_says_where_to_put_it(run: Run, sources: Sources) -> None:
    file = sources()
    file.write_text(file.read_text() + "workflows: [{name: triage, sources: zendesk, scope: {form: 1}, decides: close, levels: [{level: 'off'}]}]\n")
    output = file.parent / "new" / "found.yaml"

    found = run("discover", *SUPPORT, "--config", file, "--depth", "90d", "--output", output)

    assert (found.code, found.out) == (0, "")
    assert f"{output} is written" in found.err
    assert "The configuration has workflows already" in output.read_text()
    assert {workflow["name"] for workflow in yaml.safe_load(output.read_text())["workflows"]} == {"contract_reader", "refund", "triage_2"}
    again = run("discover", "hubspot", "--config", file, "--output", output)
    assert (again.code, f"{output}: is there already" in again.err) == (2, True)


def test_programs_get_the_same_as_json(run: Run, sources: Sources) -> None:
    found = run("discover", "zendesk", "--config", sources(), "--depth", "90d", "--json").json

    assert str(TRIAGE_BOT) in [one["id"] for one in found["candidates"] if one["standing"] == "likely"]
    assert found["closing_states"].keys() == {"solved"}
    (triage,) = (one for one in found["workflows"] if str(TRIAGE_BOT) in one["options"]["agents"])
    assert triage["acceptance"]["set:priority"]["decided"] > 50
    assert set(triage["fitness"]) == {"repetitive", "measurable", "bounded"}
    json.dumps(found)


@pytest.mark.parametrize(
    ("bound", "said"), [(("--pages", "1"), "the bound on pages (1): the rest was not looked at"), (("--events", "10"), "the bound on events (10)")]
)
def test_a_look_that_was_cut_short_says_so(run: Run, sources: Sources, bound: tuple[str, str], said: str) -> None:
    found = run("discover", "hubspot", "--config", sources(), *bound)

    assert found.code == 0
    assert said in found.out


def test_a_wrong_token_is_told_as_by_check_and_nothing_is_printed(run: Run, sources: Sources) -> None:
    file = sources(zendesk={"token": "${WRONG_TOKEN:-wrong}"})

    found = run("discover", "zendesk", "--config", file)
    checked = run("check", "--connect", "--config", file)

    assert (found.code, found.out) == (1, "")
    message = next(line for line in found.err.splitlines() if "401" in line).removeprefix("rollout-metrics: ")
    assert "check the token: it is wrong, expired or revoked" in message
    assert message.partition(" from ")[0] in checked.out
    assert "check the token: it is wrong, expired or revoked" in checked.out


def test_a_missing_permission_is_told_as_by_check_and_the_file_comes_all_the_same(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = Simulator(profiles()["jira"], World(Random(1)))

    def answer(request: Request) -> Reply:
        if request.path == "/rest/api/3/mypermissions":
            return Reply({"permissions": {"BROWSE_PROJECTS": {"havePermission": False}}})
        return Reply({"values": []}) if "servicedeskapi" in request.path else simulator(request)

    monkeypatch.setenv("JIRA_TOKEN", "secret-of-jira")
    file = tmp_path / "rollout-metrics.yaml"
    with serving(answer) as server:
        file.write_text(f'sources: {{desk: {{kind: jira, base_url: "{server.url}", token: "${{JIRA_TOKEN}}"}}}}\n')
        found = run("discover", "desk", "--config", file)
        checked = run("check", "--connect", "--config", file)

    lacks = next(line for line in checked.out.splitlines() if "lacks" in line).split("\t")[2]
    assert found.code == 0
    assert f"desk lacks: {lacks}" in found.err
    assert "the account may browse no project" in " ".join(found.out.replace("#", "").split())
    assert "secret-of-jira" not in found.out + found.err


def test_what_cannot_be_looked_at_is_told(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSH_TOKEN", "a-secret-of-some-length-0815")
    file = tmp_path / "rollout-metrics.yaml"
    file.write_text(
        "sources: {sent: {kind: push, tokens: [{name: runtime, secret: '${PUSH_TOKEN}', workflows: [w]}]}}\n"
        "workflows: [{name: w, sources: sent, decides: close, levels: [{level: shadow}]}]\n"
    )

    found = run("discover", "sent", "nowhere", "--config", file)

    assert (found.code, found.out) == (2, "")
    assert "sent is sent to us, so that there is nothing to look at: discover the ticketing source" in found.err
    assert "there is no source 'nowhere': known are sent" in found.err


@pytest.mark.e2e
def test_the_first_acceptance_rate_comes_from_the_discovered_file(run: Run, sources: Sources) -> None:
    file = sources()
    file.write_text(file.read_text() + run("discover", *SUPPORT, "--config", file, "--depth", "90d").out)

    assert run("collect", "--config", file).code == 0
    figures = {
        (figure["name"], figure["labels"]["workflow"]): figure["value"]
        for figure in run("snapshot", "--config", file, "--json").json
        if figure["labels"].get("window") == "90d" and figure["labels"].get("mode", "live") == "live"
    }

    assert 0.6 < figures["agent_rollout_acceptance_ratio", "triage"] < 1
    assert 0.6 < figures["agent_rollout_acceptance_ratio", "refund"] < 1
    assert figures["agent_rollout_bypass_ratio", "triage"] < 0.3
