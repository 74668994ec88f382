"""Laws of the whole pipeline on a real store: whatever the order, the batches, the repetitions and the kills, the figures are those of one clean load."""

import re
from random import Random
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from builders import T0, by_case
from pipeline.worlds import Place, desk, events_of_cases, shown
from rollout_metrics.config.load import Configuration
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import HOUR, MINUTE
from rollout_metrics.pipeline.as_of import families_as_of

LAWFUL = settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=[HealthCheck.function_scoped_fixture])
END = T0 + 30 * HOUR


def world_of(random: Random, cases: int = 7) -> list[Event]:
    """Events of a small company."""
    return events_of_cases(random.choice, cases)


def sprinkled(random: Random, events: list[Event]) -> list[Event]:
    """The events with corrected readings and repetitions, in any order. Only the last reading of each differs from none."""
    readings = list(events)
    for event in random.sample(events, len(events) // 4):
        wrong = msgspec.structs.replace(
            event, revision=-1, detail={**event.detail, "reason": "misread"}, occurred_at=event.occurred_at + random.choice((0, HOUR))
        )
        readings.append(wrong)
    readings += random.sample(events, len(events) // 3)
    random.shuffle(readings)
    return readings


def live(random: Random, made: Any, readings: list[Event], end: int, behind: int = 0) -> bytes:
    """The figures at the end of many passes, some of them killed, at instants that go forth and sometimes back."""
    left = list(readings)
    while left:
        size = random.randrange(1, 12)
        batch, left = left[:size], left[size:]
        made.land(batch)
        if random.random() < 0.4:
            made.figures_at(T0 + random.randrange(0, 30 * 60) * MINUTE, behind)
        if random.random() < 0.15:
            made.restart()
    made.figures_at(end, behind)
    return bytes(made.figures_at(end, behind))


@given(st.integers(0, 2**32))
@LAWFUL
def test_any_order_batches_repetitions_and_restarts_give_the_bytes_of_one_clean_load(place: Place, configuration: Configuration, seed: int) -> None:
    random = Random(seed)
    events = world_of(random)
    end, behind = T0 + random.randrange(0, 30 * 60) * MINUTE, random.choice((0, 0, 7 * HOUR))
    with desk(configuration, place) as clean, desk(configuration, place) as worn:
        clean.land(events)
        expected = clean.figures_at(end, behind)

        found = live(random, worn, sprinkled(random, events), end, behind)

        differing = difference(expected, found)
        assert not differing, differing
        unsound = worn.store.check()
        assert not unsound, unsound


@given(st.integers(0, 2**32))
@LAWFUL
def test_figures_as_of_an_instant_are_those_of_a_fresh_load_cut_there(place: Place, configuration: Configuration, seed: int) -> None:
    random = Random(seed)
    events = world_of(random)
    at = T0 + random.randrange(0, 30 * 60) * MINUTE
    with desk(configuration, place) as whole, desk(configuration, place) as cut:
        whole.land(events)
        whole.figures_at(END)
        cut.land([event for event in events if event.occurred_at <= at])
        cut.now = at  # nothing is stale: gates look at that, and no figure as of T can
        expected = cut.figures_at(at)

        found = shown(families_as_of(whole.pipeline, at))

        differing = difference(expected, found, *OF_SOURCES)
        assert not differing, differing


@given(st.integers(0, 2**32))
@LAWFUL
def test_live_figures_are_those_as_of_their_own_instant(place: Place, configuration: Configuration, seed: int) -> None:
    random = Random(seed)
    events = world_of(random)
    at = T0 + random.randrange(0, 30 * 60) * MINUTE
    with desk(configuration, place) as made:
        live(random, made, sprinkled(random, events), at)
        made.now = at  # nothing is stale, as above
        expected = made.figures_at(at)

        found = shown(families_as_of(made.pipeline, at))

        differing = difference(expected, found, *OF_SOURCES)
        assert not differing, differing


OF_SOURCES = ("agent_rollout_coverage", "agent_rollout_sources_stale")
"""What live figures say of their sources besides: no figure as of T can."""


def difference(expected: bytes, found: bytes, *apart: str) -> list[str]:
    """The lines in which two sets of figures differ."""
    one, other = ({line for line in body.decode().splitlines() if not line.startswith(("#", *apart)) or "versioned" in line} for body in (expected, found))
    return sorted(f"- {line}" for line in one - other) + sorted(f"+ {line}" for line in other - one)


def test_the_small_companies_hold_what_the_laws_are_about(place: Place, configuration: Configuration) -> None:
    seen: set[str] = set()
    for seed in range(12):
        with desk(configuration, place) as made:
            events = world_of(Random(seed))
            assert len(by_case(events)) == 7
            made.land(events)
            body = made.figures_at(END).decode()
        for line in body.splitlines():
            if not line.startswith("#") and not line.endswith(" 0"):
                handling = re.search('handling="([a-z_]+)"', line)
                seen.add(line.split("{")[0] + (handling[1] if handling else ""))

    wanted = {
        "agent_rollout_glanced_decisions",
        "agent_rollout_handled_casesagent_absent",
        "agent_rollout_handled_casesunassisted",
        "agent_rollout_acts",
        "agent_rollout_escalations",
        "agent_rollout_violations",
        "agent_rollout_decisions_settled_total",
    }
    assert wanted <= seen
