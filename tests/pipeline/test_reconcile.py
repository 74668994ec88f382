"""A case that vanishes upstream is found by the reconciliation, in the same store and by the same pass as everything else."""

from pathlib import Path
from random import Random

from pipeline.worlds import DESK, RUNTIME, Place, configured, desk, settings
from rollout_metrics.domain.events import Activity
from rollout_metrics.domain.time import DAY, HOUR
from sources.server import serving
from sources.upstream import profiles
from sources.upstream.simulator import Simulator
from sources.upstream.world import World


def test_a_vanished_case_is_deleted_once_a_day_and_not_sooner(place: Place, tmp_path: Path) -> None:
    world = World(Random(5))
    while len(world.cases) < 6:
        world.step()
    simulator = Simulator(profiles()["jira"], world)
    with serving(simulator, packed=False) as server:
        options = {"kind": "jira", "base_url": server.url, "token": "${KEY}", "depth": "9d"}
        configuration = configured(settings(sources={DESK: options, RUNTIME: {"kind": "events", "paths": "none.jsonl"}}), tmp_path)
        with desk(configuration, place) as made:

            def sweep() -> set[str]:
                made.now = world.now
                collected = made.pipeline.sweep(DESK)
                assert collected.error is None
                return {event.case_id for _, events in made.store.all_histories() for event in events if event.activity is Activity.DELETED}

            world.now += HOUR
            assert sweep() == set()
            world.cases[2].deleted = True
            world.now += HOUR
            assert sweep() == set()
            world.now += DAY
            assert sweep() == {"10002"}
            asked = simulator.requests["POST /rest/api/3/issue/bulkfetch"]
            world.now += HOUR
            assert sweep() == {"10002"}
            assert simulator.requests["POST /rest/api/3/issue/bulkfetch"] == asked
