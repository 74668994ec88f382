"""The whole way from HTTP to facts finds what the stories planted, all of it and nothing else."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from builders import Around, Plain, by_case, everywhere
from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Rejected
from rollout_metrics.collect.sweep import run
from rollout_metrics.config.load import loads
from rollout_metrics.derive.case import derive
from rollout_metrics.domain.events import ActorKind, CaseKey, Event, resolve
from rollout_metrics.domain.facts import Blocked, CaseFacts, Escalated, Handling, Recommendation, Unrecorded, Violation
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, SECOND, Instant, floor_minute
from rollout_metrics.figures import Ledger, situation
from rollout_metrics.rollup import contributions, samples
from rollout_metrics.simulate.configuration import demo_config
from rollout_metrics.simulate.deployments import write_records
from rollout_metrics.simulate.server import Company
from rollout_metrics.simulate.truth import Breach, Case
from rollout_metrics.simulate.world import World
from simulate import expected
from simulate.companies import NOW, START, Known

INSTANTS = [NOW - 2 * MINUTE, NOW - 9 * DAY, NOW - 40 * DAY - 5 * HOUR]


class Seen(Around):
    """Surroundings that look agents up by time."""

    def __init__(self, known: Known, as_of: Instant) -> None:
        super().__init__(known.events, known.policies, as_of)
        self._instants: dict[str, list[Instant]] = defaultdict(list)
        for event in known.events:
            if event.occurred_at <= as_of and known.policies.kind_of(event) is ActorKind.AGENT:
                for workflow in known.policies.workflows_of_agent(event):
                    self._instants[workflow.name].append(event.occurred_at)

    def agent_seen(self, workflow: Workflow, start: Instant, end: Instant) -> bool:
        return any(start <= at <= end for at in self._instants[workflow.name])


def facts(known: Known, as_of: Instant) -> list[CaseFacts]:
    around = Seen(known, as_of)
    return [derive(events, known.policies, everywhere(known.policies, as_of), around) for events in by_case(known.events).values()]


def case_of(key: CaseKey) -> Case:
    return key[0], key[1].rpartition("/")[2]


T = TypeVar("T")


def of_kind(kind: type[T], found: Iterable[CaseFacts]) -> list[tuple[Case, T]]:
    return [(case_of(item.case), fact) for item in found for fact in item.facts if isinstance(fact, kind)]


@pytest.fixture(scope="module", params=INSTANTS, ids=["now", "nine-days-ago", "forty-days-ago"])
def judged(request: pytest.FixtureRequest, known: Known) -> tuple[World, Instant, list[CaseFacts]]:
    as_of = floor_minute(request.param)
    return known.world, as_of, facts(known, as_of)


def test_nothing_is_rejected_on_the_way(known: Known) -> None:
    assert known.rejected == []
    assert len(known.events) > 7000


def test_every_recommendation_is_found_with_its_outcome(judged: tuple[World, Instant, list[CaseFacts]]) -> None:
    world, as_of, found = judged
    planted = {key: (*item.at(as_of), item.mode, item.version) for key, item in expected.decisions(world, as_of).items()}

    outcomes = {
        (case, fact.action, fact.opened_at): (str(fact.outcome), fact.how, str(fact.mode), fact.version) for case, fact in of_kind(Recommendation, found)
    }

    assert outcomes == planted
    assert len(planted) > 800


def test_every_corrected_decision_has_the_category_people_gave(judged: tuple[World, Instant, list[CaseFacts]]) -> None:
    world, as_of, found = judged
    corrected = ("edited", "overridden")
    planted = {key: item.category or "uncategorised" for key, item in expected.decisions(world, as_of).items() if item.at(as_of)[0] in corrected}

    assert {(case, fact.action, fact.opened_at): fact.category for case, fact in of_kind(Recommendation, found) if fact.outcome in corrected} == planted


def test_every_case_is_found_handled_as_it_was(judged: tuple[World, Instant, list[CaseFacts]]) -> None:
    world, as_of, found = judged

    assert {case: (fact.workflow, str(fact.handling), fact.at) for case, fact in of_kind(Handling, found)} == expected.handlings(world, as_of)


def test_every_escalation_is_found_where_it_stands(judged: tuple[World, Instant, list[CaseFacts]]) -> None:
    world, as_of, found = judged
    planted = {(item.case, item.raised_at): (item.workflow, item.reason, item.state(as_of)) for item in expected.handovers(world, as_of)}

    assert {(case, fact.raised_at): (fact.workflow, fact.reason, str(fact.state)) for case, fact in of_kind(Escalated, found)} == planted


def test_every_act_outside_authority_is_found_and_no_other(judged: tuple[World, Instant, list[CaseFacts]]) -> None:
    world, as_of, found = judged

    assert {Breach(case, fact.workflow, str(fact.kind), fact.action, fact.at) for case, fact in of_kind(Violation, found)} == expected.breaches(world, as_of)
    assert {(case, fact.at, fact.reason) for case, fact in of_kind(Blocked, found)} == expected.blocked(world, as_of)


def test_every_event_of_a_version_without_a_record_is_found_and_no_other(judged: tuple[World, Instant, list[CaseFacts]]) -> None:
    world, as_of, found = judged

    assert {(case, fact.at, fact.version) for case, fact in of_kind(Unrecorded, found)} == expected.drift(world, as_of)


def test_the_drift_was_planted(known: Known) -> None:
    assert len(expected.drift(known.world, NOW)) > 2


@pytest.mark.parametrize("as_of", [*INSTANTS, START + 40 * DAY + 20 * HOUR, START + 41 * DAY + 4 * HOUR, START + 82 * DAY + 16 * HOUR], ids=str)
def test_the_planted_failures_are_found_with_their_recovery_and_every_cause_and_no_other(known: Known, as_of: Instant) -> None:
    as_of = floor_minute(as_of)
    workflows = {workflow.name: workflow for workflow in known.policies.workflows}
    found, around = [fact for case in facts(known, as_of) for fact in case.facts], Around(known.events, known.policies, as_of)
    ledger = Ledger(known.policies)
    ledger.load(dict.fromkeys(workflows, as_of), {}, contributions(found, workflows), samples(found))
    ledger.families({name: situation(workflow, as_of, around) for name, workflow in workflows.items()})
    failures = {item.change: item.failure for name in workflows if (of := ledger.deployments(name)) for item in of.deployments if item.failure is not None}

    assert {name: (str(item.cause), item.started_at, item.recovered_at) for name, item in failures.items()} == expected.failures(known.world, as_of)
    if as_of > START + 41 * DAY + 3.5 * HOUR:
        assert {str(trouble.cause) for trouble in failures["CHG-104"].evidence} == {"incident", "intervention", "evaluation"}


def test_harm_was_planted_and_still_lasts(known: Known) -> None:
    assert expected.failures(known.world, NOW)["CHG-109"][::2] == ("harm", None)
    assert "CHG-109" not in expected.failures(known.world, known.world.plot.triage_prompt() + HOUR)


@pytest.mark.parametrize("seed", [1, 2])
def test_another_company_is_read_as_exactly(seed: int, read: Callable[[World, Instant], Known]) -> None:
    now = START + 50 * DAY + 11 * HOUR
    world = World(seed, START + 7 * HOUR, scale=0.06)
    as_of = floor_minute(now - 2 * MINUTE)

    found = facts(read(world, now), as_of)

    planted = {key: item.at(as_of) for key, item in expected.decisions(world, as_of).items()}
    assert {(case, fact.action, fact.opened_at): (str(fact.outcome), fact.how) for case, fact in of_kind(Recommendation, found)} == planted
    assert {case: (fact.workflow, str(fact.handling), fact.at) for case, fact in of_kind(Handling, found)} == expected.handlings(world, as_of)


def test_collecting_as_time_passes_finds_the_same_as_loading_afterwards(tmp_path: Path) -> None:
    world = World(5, START, scale=0.05)
    clock = [START + 40 * DAY + 9 * HOUR]
    events: list[Event] = []
    saved: dict[str, Mapping[str, Any]] = {}
    with Company(world, lambda: clock[0], directory=tmp_path / "feeds", every_seconds=3600) as company:
        write_records(tmp_path / "changes", world.plot, clock[0] + 9 * DAY)
        text = demo_config(world.plot, zendesk_url=company.zendesk_url, hubspot_url=company.hubspot_url, feeds=tmp_path / "feeds", changes=tmp_path / "changes")
        configuration = loads(text, {})
        for _ in range(12):
            for name, source in configuration.sources.items():
                endpoint = source.endpoint()
                api = None if endpoint is None else Api(endpoint, now=lambda: clock[0] / SECOND)

                def land(found: list[Event], rejected: list[Rejected], progress: Mapping[str, Any], name: str = name) -> None:
                    assert rejected == []
                    events.extend(found)
                    saved[name] = progress

                run(source, api, saved.get(name), lambda: clock[0], land)
                if api is not None:
                    api.close()
            clock[0] += 17 * HOUR
            company.write(clock[0])

    as_of = floor_minute(clock[0] - 17 * HOUR - 2 * MINUTE)
    known = Known(world, clock[0], resolve(events), [], configuration.company(Plain()), configuration)
    found = facts(known, as_of)

    planted = {key: item.at(as_of) for key, item in expected.decisions(world, as_of).items()}
    assert {(case, fact.action, fact.opened_at): (str(fact.outcome), fact.how) for case, fact in of_kind(Recommendation, found)} == planted
    assert {case: (fact.workflow, str(fact.handling), fact.at) for case, fact in of_kind(Handling, found)} == expected.handlings(world, as_of)
