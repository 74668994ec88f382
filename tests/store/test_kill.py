"""A process killed at any point loses nothing and counts nothing twice."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import killed
from builders import T0
from rollout_metrics.store import open_store


@pytest.mark.e2e
@pytest.mark.parametrize("seed", range(2))
def test_landing_and_deriving_survive_being_killed(new_url: Callable[[], str], seed: int) -> None:
    url, draw = new_url(), random.Random(seed)
    program = Path(killed.__file__)
    environment = os.environ | {"PYTHONPATH": str(program.parent)}

    for _ in range(3):
        process = subprocess.Popen([sys.executable, str(program), url], stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout is not None
        for _ in range(draw.randrange(1, 12)):
            process.stdout.readline()
        process.kill()
        process.communicate()
        with open_store(url, clock=lambda: T0) as store:
            landed = (store.progress("desk") or {"batch": 0})["batch"]
            assert sum(len(events) for _, events in store.all_histories()) == landed * killed.EVENTS
            assert store.check() == []

    with open_store(url, clock=lambda: T0) as store:
        killed.run(store)
        assert sum(len(events) for _, events in store.all_histories()) == killed.BATCHES * killed.EVENTS
        assert list(store.counts("w", 0, 9)) == [(1, ("w", "events"), killed.BATCHES * killed.EVENTS)]
        assert store.check() == []
