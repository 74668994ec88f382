"""What `discover` makes of real data: pull requests whose agents are known, and a service desk that had none."""

from collections.abc import Callable
from functools import cache

import msgspec
import pytest

from builders import Around, Plain, by_case, everywhere
from realdata.conftest import DATA, HERE, NOW
from rollout_metrics.collect.sample import Bounds, Sample, sample
from rollout_metrics.config.load import Configuration, load, loads
from rollout_metrics.derive.case import derive
from rollout_metrics.discover import Findings, Measured, written
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import DECIDED, Outcome, Recommendation
from rollout_metrics.domain.time import DAY
from rollout_metrics.pipeline.discovering import discover

pytestmark = pytest.mark.slow
END = 400 * DAY
Discovered = tuple[Configuration, list[Sample], Findings, dict[str, Measured]]


@pytest.fixture(scope="module")
def look() -> Callable[..., Discovered]:
    """`look("aidev.yaml", depth)`: all its sources, with what people wrote about workflows forgotten."""

    @cache
    def of(name: str, depth: int = END, pages: int = 1000) -> Discovered:
        if not DATA.is_dir():
            pytest.skip(f"the real data is not at {DATA}")
        real = load(HERE / name, {})
        samples = [sample(source, None, Bounds(depth, pages, 200_000, 600), now=NOW, elapsed=lambda: 0.0) for source in real.sources.values()]
        bare = msgspec.structs.replace(real, settings=type(real.settings)())
        return (real, samples, *discover(bare, samples, depth=depth))

    return of


def accepted(events: list[Event], configuration: Configuration) -> dict[str, tuple[int, int]]:
    """By workflow: accepted, decided."""
    company = configuration.company(Plain())
    until = max(event.occurred_at for event in events)
    around = Around([], company, until)
    found: dict[str, tuple[int, int]] = {}
    for case in by_case(events).values():
        for fact in derive(case, company, everywhere(company, until), around).facts:
            if isinstance(fact, Recommendation) and fact.outcome in DECIDED:
                accepted, decided = found.get(fact.workflow, (0, 0))
                found[fact.workflow] = (accepted + (fact.outcome is Outcome.ACCEPTED), decided + 1)
    return found


def test_coding_agents_and_what_they_ask_for_are_found_and_give_the_same_acceptance(look: Callable[..., Discovered]) -> None:
    real, samples, findings, results = look("aidev.yaml")
    text = written(findings, results, command="discover", beside=False)
    drafted = loads("sources:\n" + "".join(f"  {name}: {{kind: events, paths: x}}\n" for name in real.sources) + text, {})

    for true, found in zip(real.settings.workflows, drafted.settings.workflows, strict=True):
        assert (found.name, found.agents, set(found.sources)) == (true.name, true.agents, set(true.sources))
        assert [item.action for item in found.decides] == ["merge"]
        assert [grant.action for grant in found.authority[0].approval] == ["merge"]
    events = [event for one in samples for event in one.events]
    assert accepted(events, drafted) == accepted(events, real)
    assert accepted(events, real) == {"copilot": (559, 1028), "cursor": (74, 105)}


def test_people_who_reviewed_them_are_not_in_the_file(look: Callable[..., Discovered]) -> None:
    _, samples, findings, results = look("aidev.yaml")
    text = written(findings, results, command="discover", beside=False)
    people = {event.actor_id for one in samples for event in one.events if event.actor_kind == "operator" and event.actor_id}

    assert len(people) > 400
    assert [person for person in people if f"{person}\n" in text or f" {person}," in text or f" {person}:" in text or f'"{person}"' in text] == []


def test_a_service_desk_without_an_agent_is_told_so_and_no_workflow_is_invented(look: Callable[..., Discovered]) -> None:
    _, samples, findings, results = look("uci498.yaml", depth=60 * DAY, pages=5)
    text = written(findings, results, command="discover", beside=False)

    assert samples[0].cut == "on pages (5)"
    assert findings.drafts == ()
    assert {one.standing for one in findings.candidates} <= {"uncertain"}
    assert "No account here behaves like an AI agent, so no workflow is written." in text
    assert text.endswith("workflows: []\n")
    assert ("status", "Resolved") in findings.closings
    assert results["all_cases"].baseline is not None
