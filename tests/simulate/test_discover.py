"""What `discover` makes of the simulated company, held against what was planted and against the configuration its people wrote."""

import json
import re
from collections import Counter
from typing import Any

import msgspec
import pytest
import yaml

from builders import Around, Plain, by_case, everywhere
from rollout_metrics.collect.http import Api
from rollout_metrics.collect.sample import Bounds, Sample, sample
from rollout_metrics.config.load import Configuration, loads
from rollout_metrics.derive.history import read
from rollout_metrics.derive.recommendations import recommendations
from rollout_metrics.discover import Findings, Measured, values, written
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import DECIDED, Outcome
from rollout_metrics.domain.policy import Company as Policies
from rollout_metrics.domain.time import DAY
from rollout_metrics.pipeline.discovering import discover
from rollout_metrics.simulate.cast import APPROVALS, BOTS, CUSTOMERS, HUBSPOT, OWNER_OF, ROUTER_APP, RUNTIME, RUNTIME_AGENTS, SALES, ZENDESK, ZENDESK_STAFF
from rollout_metrics.simulate.configuration import demo_config
from rollout_metrics.simulate.deployments import write_records
from rollout_metrics.simulate.server import Company
from rollout_metrics.simulate.stories.leads import CLOSED_STAGES
from rollout_metrics.simulate.world import World
from simulate.companies import NOW, START

DEPTH = 28 * DAY
TOLERANCE = 0.02
"""How far the acceptance by the discovered file may be from that by the real configuration."""


class Discovered(msgspec.Struct):
    """A sample of the company as its configured sources read it, and what was made of it."""

    truth: Configuration
    samples: dict[str, Sample]

    def of(self, *sources: str) -> tuple[Findings, dict[str, Measured]]:
        bare = msgspec.structs.replace(self.truth, settings=type(self.truth.settings)(), records=())
        return discover(bare, [self.samples[name] for name in sources], depth=DEPTH)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Discovered:
    """A quarter of the demo's company, its last four weeks."""
    directory = tmp_path_factory.mktemp("company")
    world = World(11, START, scale=0.25)
    with Company(world, lambda: NOW, directory=directory / "feeds", every_seconds=3600) as running:
        write_records(directory / "changes", world.plot, NOW)
        urls = {"zendesk_url": running.zendesk_url, "hubspot_url": running.hubspot_url}
        configuration = loads(demo_config(world.plot, **urls, feeds=directory / "feeds", changes=directory / "changes"), {}, file=str(directory / "c.yaml"))
        samples = {}
        for name, source in configuration.sources.items():
            endpoint = source.endpoint()
            api = None if endpoint is None else Api(endpoint)
            samples[name] = sample(source, api, Bounds(DEPTH, 1000, 100_000, 60), now=NOW, elapsed=lambda: 0.0)
    return Discovered(configuration, samples)


@pytest.fixture(scope="module")
def support(company: Discovered) -> tuple[Findings, dict[str, Measured]]:
    return company.of(ZENDESK, RUNTIME, APPROVALS)


@pytest.fixture(scope="module")
def sales(company: Discovered) -> tuple[Findings, dict[str, Measured]]:
    return company.of(HUBSPOT)


@pytest.fixture(scope="module")
def drafted(support: tuple[Findings, Any], sales: tuple[Findings, Any]) -> dict[str, dict[str, Any]]:
    """True name of a workflow -> the options that were discovered."""
    found = [*support[0].workflows(), *sales[0].workflows()]
    names = {name: workflow for workflow, name in RUNTIME_AGENTS.items()} | {f"app:{ROUTER_APP}": "lead_routing"}
    return {next(names[agent] for agent in options["agents"] if agent in names): options for options in found}


@pytest.fixture(scope="module")
def planted(company: Discovered) -> dict[str, Any]:
    return {workflow.name: workflow for workflow in company.truth.settings.workflows}


def actions(listed: Any) -> set[str]:
    return {item["action"] if isinstance(item, dict) else item for item in listed}


def test_the_planted_agents_are_found_and_nobody_else(support: tuple[Findings, Any], sales: tuple[Findings, Any], planted: dict[str, Any]) -> None:
    found = {one.name for findings in (support[0], sales[0]) for one in findings.candidates if one.standing != "uncertain"}
    true = {agent for workflow in planted.values() for agent in workflow.agents}

    assert found <= true
    assert true - found <= {str(BOTS[-1]), "lead-router"}, "who only ran evaluations, or acted on a handful of cases in shadow"


def test_without_its_runtime_the_agents_are_found_by_what_they_do(company: Discovered) -> None:
    found = company.of(ZENDESK)[0]

    assert {(one.name, str(one.standing)) for one in found.candidates} >= {("39001", "likely"), ("39002", "likely")}
    assert {one.name for one in found.candidates if one.standing != "uncertain"} <= set(map(str, BOTS))


def test_each_workflow_has_the_scope_decisions_and_level_of_the_real_one(drafted: dict[str, dict[str, Any]], planted: dict[str, Any]) -> None:
    assert set(drafted) == set(planted)
    for name, options in drafted.items():
        true = planted[name]
        assert actions(options["decides"]) == {item.action for item in true.decides}
        assert set(options["sources"]) == set(true.sources)
        if name != "lead_routing":  # the only pipeline: nothing to tell apart
            assert {attribute: frozenset(values) for attribute, values in options["scope"].items()} == true.scope
    assert {name: options["levels"] for name, options in drafted.items()} == {
        "refunds": [{"level": "low_risk_autonomous"}],
        "triage": [{"level": "assisted"}],
        "lead_routing": [{"level": "assisted"}],
        "contract_review": [{"level": "shadow"}],
    }


def test_escalations_and_reasons_are_those_of_the_real_one(drafted: dict[str, dict[str, Any]], planted: dict[str, Any]) -> None:
    assert {name: set(options["escalation"]["attributes"]) for name, options in drafted.items() if name in ("triage", "refunds")} == {
        "triage": planted["triage"].escalation.attributes,
        "refunds": planted["refunds"].escalation.attributes,
    }
    assert drafted["refunds"]["escalation"]["to"] == list(planted["refunds"].escalation.to)
    assert drafted["refunds"]["escalation"]["reason_attribute"] == planted["refunds"].escalation.reason_attribute
    for name in ("triage", "lead_routing"):
        assert drafted[name]["reason_attribute"] == planted[name].reason_attribute
        assert set(drafted[name]["error_categories"]) == planted[name].error_categories


def test_no_authority_goes_beyond_the_real_one(drafted: dict[str, dict[str, Any]], planted: dict[str, Any]) -> None:
    for name, options in drafted.items():
        (lists,), true = options["authority"], planted[name].authority[-1]
        assert actions(lists["automatic"]) <= {grant.action for grant in true.automatic}
        assert actions(lists["approval"]) <= {grant.action for grant in true.approval}
    (refunds,) = drafted["refunds"]["authority"]
    limit = next(item for item in refunds["automatic"] if isinstance(item, dict))
    assert limit["when"].startswith("amount <= ")
    assert 30 <= float(limit["when"].split()[-1]) <= 50


def test_closing_states_and_queues_are_found_with_their_names(support: tuple[Findings, Any], sales: tuple[Findings, Any]) -> None:
    assert set(support[0].closings) == {("status", "solved")}
    assert set(sales[0].closings) == {("status", stage) for stage in CLOSED_STAGES}
    text = written(*support, command="discover", beside=False)
    assert "514 (Support intake)" in text
    assert "9002 (General request)" in text


def test_no_person_is_in_the_file(support: tuple[Findings, Any], sales: tuple[Findings, Any]) -> None:
    people = {str(person) for person in (*(ZENDESK_STAFF - set(BOTS)), *CUSTOMERS, *SALES, *OWNER_OF.values())}
    for findings, results in (support, sales):
        text = written(findings, results, command="discover", beside=False)
        assert people.isdisjoint(re.findall(r"\w+", text))
        assert people.isdisjoint(re.findall(r"\w+", json.dumps(values(findings, results))))


def accepted(events: list[Event], policies: Policies) -> dict[tuple[str, str], float]:
    """By agent and action, accepted among decided as of now."""
    counted: dict[tuple[str, str], Counter[Outcome]] = {}
    for case in by_case(events).values():
        history = read(case, policies, everywhere(policies, NOW))
        for fact in recommendations(history, Around([], policies, NOW))[0]:
            counted.setdefault((fact.workflow, fact.action), Counter())[fact.outcome] += 1
    return {key: found[Outcome.ACCEPTED] / sum(found[o] for o in DECIDED) for key, found in counted.items() if sum(found[o] for o in DECIDED)}


def test_the_written_files_loaded_as_configuration_give_the_acceptance_of_the_real_one(
    company: Discovered, support: tuple[Findings, Any], sales: tuple[Findings, Any], drafted: dict[str, dict[str, Any]]
) -> None:
    raw = {"sources": {name: {"kind": "events", "paths": "x"} for name in company.samples}}
    events = [event for one in company.samples.values() for event in one.events]
    true = accepted(events, company.truth.company(Plain()))
    again: dict[tuple[str, str], float] = {}
    for found in (support, sales):
        text = yaml.safe_dump(raw) + written(*found, command="discover", beside=False)
        configuration = loads(text, {})
        names = {options["name"]: name for name, options in drafted.items()}
        again |= {(names[name], action): rate for (name, action), rate in accepted(events, configuration.company(Plain())).items()}

    assert again.keys() == true.keys()
    assert len(true) == 10
    apart = {key: (again[key], rate) for key, rate in true.items() if abs(again[key] - rate) > TOLERANCE}
    assert set(apart) <= {("contract_review", "set:stage")}, "whether a stage is later than another is for people to say, and the file asks them"
