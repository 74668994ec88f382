"""Figures of the past, instant after instant: what comes out is what asking for each instant alone gives."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import T0
from pipeline.test_laws import LAWFUL, difference, sprinkled, world_of
from pipeline.worlds import Place, desk, shown
from rollout_metrics.config.load import Configuration
from rollout_metrics.domain.time import DAY, HOUR, MINUTE
from rollout_metrics.pipeline import back_fill
from rollout_metrics.pipeline.as_of import families_as_of
from rollout_metrics.pipeline.back_fill import families_at, instants
from rollout_metrics.pipeline.deriving import derive_due


@given(st.integers(0, 2**32))
@LAWFUL
def test_figures_played_again_are_those_as_of_each_instant(place: Place, configuration: Configuration, seed: int) -> None:
    random = Random(seed)
    at = sorted({T0 + random.randrange(-60, 40 * 60) * MINUTE for _ in range(5)} | {T0 + 20 * DAY + random.randrange(0, 9) * HOUR})
    with desk(configuration, place) as made:
        made.land(sprinkled(random, world_of(random)))
        made.figures_at(T0 + random.randrange(0, 30 * 60) * MINUTE)

        played = [(instant, shown(families)) for instant, families in families_at(made.pipeline, at)]

        assert [instant for instant, _ in played] == at
        for instant, found in played:
            differing = difference(shown(families_as_of(made.pipeline, instant)), found)
            assert not differing, (instant, differing)


def test_an_instant_costs_what_happened_since_the_one_before(place: Place, configuration: Configuration, monkeypatch: pytest.MonkeyPatch) -> None:
    derived: list[int] = []
    monkeypatch.setattr(back_fill, "derive_due", lambda *arguments: derived.append(derive_due(*arguments)))
    with desk(configuration, place) as made:
        made.land(world_of(Random(7), cases=40))
        made.figures_at(T0 + 30 * HOUR)

        list(families_at(made.pipeline, instants(T0 + 200 * DAY, T0 + 200 * DAY + 20 * MINUTE, MINUTE)))

    assert derived[0] >= 40
    assert derived[1:] == [0] * 20


def test_steps_run_from_the_first_instant_to_the_last_that_is_reached() -> None:
    assert list(instants(T0, T0 + 5 * HOUR, 2 * HOUR)) == [T0, T0 + 2 * HOUR, T0 + 4 * HOUR]
    assert list(instants(T0, T0 + 4 * HOUR, 2 * HOUR)) == [T0, T0 + 2 * HOUR, T0 + 4 * HOUR]
    assert list(instants(T0, T0, HOUR)) == [T0]
