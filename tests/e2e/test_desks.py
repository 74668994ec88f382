"""One scenario on real ticketing systems: an agent and people work on cases through the API, the source reads them, and the figures are what was played."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.conftest import clock
from e2e.desks.desk import Desk, Redmine, RequestTracker, Tryton, running
from e2e.exporter import until
from rollout_metrics.cli import main
from rollout_metrics.config.load import load, loads
from rollout_metrics.domain.time import MINUTE
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.pipeline.as_of import families_as_of
from rollout_metrics.publish.self_metrics import SelfMetrics
from rollout_metrics.publish.snapshot import Board
from rollout_metrics.store import open_store

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Figures = dict[tuple[str, ...], float]


@pytest.fixture(scope="module", params=[RequestTracker, Redmine, Tryton], ids=lambda kind: kind.kind)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with running(request.param(tmp_path_factory.mktemp(request.param.kind))) as up:
        yield up


@pytest.fixture(scope="module")
def figures(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Figures:
    with opened(desk, tmp_path_factory.mktemp("read")) as pipeline:

        def sweep() -> None:
            collected = pipeline.collect("desk")
            assert collected.error is None
            assert not collected.sweep.rejected

        play(desk, sweep)
        sweep()
        return figures_of(pipeline)


def play(desk: Desk, sweep: Callable[[], None]) -> None:
    """Two accepted, one overridden, one escalated, one reversed later, one deleted, one round the agent; what only one system has besides.

    Some systems tell times in whole seconds, so each step waits for the next one. Half-way the system is read.
    """
    accepted, other, overridden, escalated, reversed_, deleted, around = (desk.create() for _ in range(7))
    merged, stays, *asked = (desk.create(), desk.create(), desk.create("agent", "Refunds"), desk.create("agent", "Refunds")) if desk.approves else ("", "")
    next_second()
    for case in (accepted, other):
        desk.set_priority("agent", case, desk.high)
        desk.comment("agent", case, "looks urgent to me")
    for case in filter(None, (overridden, escalated, reversed_, deleted, merged)):
        desk.set_priority("agent", case, desk.low)
    next_second()
    desk.set_priority("bob", around, desk.high)
    sweep()
    desk.close("alice", accepted)
    desk.close("alice", other)
    desk.set_priority("alice", overridden, desk.urgent)
    if desk.books_time:
        desk.log_minutes("alice", overridden, 30)
    desk.assign("agent", escalated, "bob")
    desk.close("bob", reversed_)
    desk.close("bob", around)
    desk.delete("bob", deleted)
    if desk.approves:
        granted, refused = asked
        desk.merge("bob", merged, stays)
        desk.decide("carol", granted, granted=True)
        desk.decide("carol", refused, granted=False)
    next_second()
    desk.close("alice", overridden)
    desk.comment("bob", escalated, "I have it")
    desk.reopen("bob", reversed_)
    next_second()
    desk.set_priority("bob", reversed_, desk.urgent)


def next_second() -> None:
    """Wait until the second is over."""
    second = int(time.time())
    until(lambda: int(time.time()) > second, "the next second")


def configured(desk: Desk, folder: Path) -> Path:
    """A configuration that reads the system; its token comes from the environment."""
    options: dict[str, Any] = {
        "sources": {"desk": {**desk.source(), "token": "${TOKEN}"}},
        "workflows": [
            {
                "name": "support",
                "owner": "support",
                "sources": "desk",
                "scope": desk.scope(),
                "agents": desk.person("agent"),
                "decides": [f"set:{desk.decided}", "approval"],
                "escalation": {"attributes": "assignee"},
                "bypass": {"agent_grace": "0s"},
                "levels": [{"level": "assisted", "since": "2020-01-01"}],
            }
        ],
        "store": {"url": f"sqlite:///{folder}/store.db"},
        "privacy": {"min_operators": 1},
    }
    file = folder / "rollout-metrics.yaml"
    file.write_text(yaml.safe_dump(options))
    return file


@contextmanager
def opened(desk: Desk, folder: Path) -> Iterator[Pipeline]:
    """Our program, reading the system."""
    configuration = load(configured(desk, folder), {"TOKEN": desk.source()["token"]})
    store = open_store(configuration.settings.store.url, clock=clock, migrate=True)
    try:
        yield Pipeline(configuration, store, clock, Board(), SelfMetrics("1"))
    finally:
        store.close()


def figures_of(pipeline: Pipeline) -> Figures:
    """Every figure as of a little later, live, by name and further labels: systems hold the last minute back."""
    families = families_as_of(pipeline, (clock() // MINUTE + 2) * MINUTE)
    return {
        (family.name.removeprefix("agent_rollout_"), *(value for name, value in labels if name not in ("workflow", "mode"))): value
        for family in families
        for _, labels, value in family.samples
        if dict(labels).get("workflow") == "support" and dict(labels).get("mode", "live") == "live"
    }


def test_decisions_are_what_people_did(desk: Desk, figures: Figures) -> None:
    assert figures["decisions", "1d", "accepted", "kept"] == 2
    assert figures["decisions", "1d", "overridden", "changed"] == 1
    assert figures["decisions", "1d", "overridden", "reversed"] == 1
    assert figures["decisions", "1d", "accepted", "approved"] == desk.approves
    assert figures["decisions", "1d", "overridden", "rejected"] == desk.approves
    assert figures["recommendations", "1d", "escalated"] == 1
    assert figures["recommendations", "1d", "void"] == 1 + desk.approves
    assert figures["acceptance_ratio", "1d"] == 0.5


def test_the_escalation_and_the_case_round_the_agent_are_found(figures: Figures) -> None:
    assert sum(value for (name, *labels), value in figures.items() if name == "escalations" and labels[0] == "1d") == 1
    assert figures["escalations_open",] == 1
    assert figures["escalations_unowned",] == 0
    assert figures["handled_cases", "1d", "unassisted"] == 1


def test_what_a_token_may_not_do_is_told_apart(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file = configured(desk, tmp_path)
    told = {}
    for token in desk.refused():
        monkeypatch.setenv("TOKEN", token)
        assert main(["check", "--connect", "--config", str(file)]) == 1
        told[token] = capsys.readouterr().out

    assert all(words in told[token] for token, words in desk.refused().items()), told


def test_a_first_workflow_is_discovered_with_the_systems_own_names(desk: Desk, figures: Figures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert figures
    monkeypatch.setenv("TOKEN", desk.source()["token"])
    file, found = tmp_path / "sources.yaml", tmp_path / "found.yaml"
    source = {**desk.source(), "token": "${TOKEN}", "agents": [desk.person("agent")]}
    file.write_text(yaml.safe_dump({"sources": {"desk": source}}))

    assert main(["discover", "desk", "--config", str(file), "--output", str(found)]) == 0

    text = found.read_text()
    (workflow,) = loads(file.read_text() + text, {"TOKEN": desk.source()["token"]}).settings.workflows
    assert workflow.agents == {desk.person("agent")}
    assert f"set:{desk.decided}" in {item.action for item in workflow.decides}
    assert "lacks" not in text
    assert [name for name in desk.called if f"({name})" not in text] == []
    people = {desk.person(who) for who in ("alice", "bob", "carol")}
    assert not [person for person in people if not person.isdigit() and person in text]
