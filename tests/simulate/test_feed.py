"""What runtimes report is in our own event format, and its files go on where they ended."""

from pathlib import Path

import msgspec
import pytest

from rollout_metrics.collect.event_format import read_event
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import DAY, HOUR
from rollout_metrics.simulate.cast import APPROVALS, RUNTIME
from rollout_metrics.simulate.feed import SOURCES, Feed, records
from rollout_metrics.simulate.world import World
from simulate.companies import NOW


def text(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(directory.glob("*.jsonl")))


@pytest.mark.parametrize("source", SOURCES)
def test_every_record_is_an_event_of_our_format(world: World, source: str) -> None:
    read = [read_event(msgspec.json.encode(record), source) for _, record in records(world, source, world.start, NOW)]

    assert [problem for problem in read if not isinstance(problem, Event)] == []
    assert len({event.event_id for event in read if isinstance(event, Event)}) == len(read) > 100


def test_runtimes_speak_for_agents_and_the_approval_desk_for_operators(world: World) -> None:
    kinds = {source: {record["actor_kind"] for _, record in records(world, source, world.start, NOW)} for source in SOURCES}
    activities = {record["activity"] for _, record in records(world, RUNTIME, world.start, NOW)}

    assert kinds == {RUNTIME: {ActorKind.AGENT}, APPROVALS: {ActorKind.OPERATOR}}
    assert activities >= {Activity.RECOMMENDED, Activity.APPROVAL_REQUESTED, Activity.EXECUTED, Activity.ESCALATED, Activity.EVALUATED}


def test_the_refund_agents_evaluations_fail_in_the_night_of_the_bad_deployment_only(world: World) -> None:
    runs = [(at, record) for at, record in records(world, RUNTIME, world.start, NOW) if record["activity"] == "evaluated"]
    failed = [at for at, record in runs if not record["detail"]["passed"]]
    start, end = world.plot.refunds_failure()

    assert len(runs) > 300
    assert len(failed) == 1
    assert start <= failed[0] < end


@pytest.mark.parametrize("step", [HOUR // 3, 31 * HOUR])
def test_files_written_in_steps_are_those_written_at_once(world: World, tmp_path: Path, step: int) -> None:
    since = NOW - 6 * DAY
    stepwise = Feed(world, RUNTIME, tmp_path / "stepwise")
    for at in range(since, NOW, step):
        stepwise.write(at)
    stepwise.write(NOW)
    Feed(world, RUNTIME, tmp_path / "once").write(NOW)

    assert text(tmp_path / "stepwise") == text(tmp_path / "once")


def test_a_restart_goes_on_where_the_files_end(world: World, tmp_path: Path) -> None:
    Feed(world, RUNTIME, tmp_path).write(NOW - 2 * DAY - 5 * HOUR)
    newest = max(tmp_path.glob("*.jsonl"))
    with newest.open("ab") as file:
        file.write(b'{"event_id": "half')

    Feed(world, RUNTIME, tmp_path).write(NOW)

    whole = [msgspec.json.encode(record) for _, record in records(world, RUNTIME, world.start - 1, NOW)]
    assert text(tmp_path).splitlines() == whole


def test_writing_again_adds_nothing(world: World, tmp_path: Path) -> None:
    Feed(world, APPROVALS, tmp_path).write(NOW)

    assert Feed(world, APPROVALS, tmp_path).write(NOW) == 0
