"""Two processes on one store: whoever derives, both publish the same."""

from random import Random

import pytest

from builders import T0
from pipeline.worlds import DESK, RUNTIME, Desk, Place, desk, events_of_cases, shown
from rollout_metrics.cli.session import new_pipeline
from rollout_metrics.config.load import Configuration
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import HOUR
from rollout_metrics.pipeline import Pipeline, turns
from rollout_metrics.publish.snapshot import Board
from rollout_metrics.store import Store, open_store

END = T0 + 30 * HOUR


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return events_of_cases(Random(5).choice, 9)


def replica(made: Desk, configuration: Configuration) -> tuple[Store, Pipeline]:
    store = open_store(made.url, clock=lambda: END)
    return store, new_pipeline(configuration, store, Board())


def figures(pipeline: Pipeline) -> bytes:
    found = pipeline.families()
    assert found is not None
    return shown(found)


def test_what_another_process_has_derived_is_in_the_figures_of_the_next_pass(place: Place, configuration: Configuration, events: list[Event]) -> None:
    with desk(configuration, place) as made, desk(configuration, place) as alone:
        store, other = replica(made, configuration)
        try:
            for part in range(4):
                for at in (made, alone):
                    at.land(events[part::4])
                    at.read_up_to(END - (3 - part) * HOUR, DESK, RUNTIME)
                first, second = (made.pipeline, other) if part % 2 else (other, made.pipeline)

                expected = figures(alone.pipeline)

                assert figures(first) == expected
                assert figures(second) == expected
        finally:
            store.close()


def test_one_process_derives_at_a_time_and_nobody_waits_for_ever(
    place: Place, configuration: Configuration, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "TRIES", 3)
    monkeypatch.setattr(turns, "BETWEEN", 0.0)
    with desk(configuration, place) as made:
        made.land(events)
        made.read_up_to(END)
        store, other = replica(made, configuration)
        waited: list[float] = []
        monkeypatch.setattr(other._turns, "_pause", waited.append)
        try:
            with made.store.lock(turns.DERIVING) as mine:
                assert mine
                found = figures(other)
        finally:
            store.close()

        assert len(waited) == 3
        assert found == figures(made.pipeline)
