"""The demo's configuration and change records are ones the product accepts."""

from pathlib import Path

from rollout_metrics.config.changes import read_changes
from rollout_metrics.simulate.cast import LEADS, WORKFLOWS
from rollout_metrics.simulate.deployments import write_records
from rollout_metrics.simulate.world import World
from simulate.companies import NOW, Known


def test_the_configuration_has_neither_problems_nor_warnings(known: Known) -> None:
    assert known.configuration.warnings == ()
    assert [workflow.name for workflow in known.policies.workflows] == list(WORKFLOWS)


def test_change_records_tell_of_one_failed_deployment_and_its_rollback(world: World, tmp_path: Path) -> None:
    write_records(tmp_path, world.plot, NOW)

    changes, problems = read_changes([tmp_path], WORKFLOWS, {})

    assert problems == []
    assert [change.id for change in changes if change.incidents] == [change.reworks for change in changes if change.reworks]
    assert [change.level for change in changes if change.workflow == LEADS and change.level is not None] == [2]


def test_records_appear_when_they_are_deployed(world: World, tmp_path: Path) -> None:
    write_records(tmp_path, world.plot, world.plot.triage_prompt() - 1)
    before = len(list(tmp_path.iterdir()))
    write_records(tmp_path, world.plot, NOW)

    assert len(list(tmp_path.iterdir())) == before + 1
