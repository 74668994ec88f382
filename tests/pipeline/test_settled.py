"""Figures as of any instant out of what is stored are those of deriving everything, whatever it divides; samples come back from the store as they went in."""

from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from builders import T0, ev
from pipeline.test_laws import LAWFUL, world_of
from pipeline.worlds import Desk, Place, configured, desk, settings, shown
from rollout_metrics import rollup
from rollout_metrics.config.load import Configuration
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import HOUR, MINUTE, Instant
from rollout_metrics.figures import Stretch
from rollout_metrics.pipeline.as_of import Then, derived_then
from rollout_metrics.pipeline.engine import silent
from rollout_metrics.pipeline.sampled import strands
from rollout_metrics.pipeline.settled import settled_then
from rollout_metrics.rollup import Sample

SO_FAR = ("agent_rollout_decisions_settled", "agent_rollout_review_latency_seconds")
"""Of all there ever was: not made."""


@pytest.fixture(scope="session")
def paged(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """The runtime tells of incidents too: for `w` those of some severity."""
    options = settings(privacy={"min_operators": 1, "key": "${KEY}"})
    for workflow, scope in zip(options["workflows"], ({"severity": ["1", "2"]}, {}), strict=True):
        workflow["incident_sources"] = {"runtime": scope}
    return configured(options, tmp_path_factory.mktemp("config"))


def incidents_and_runs(random: Random) -> list[Event]:
    """Incidents that are closed, reopened, deleted or found to be less severe; runs of the evaluation suite, some on cases of a workflow."""
    made = []
    for number in range(4):
        at, case = random.randrange(20 * 60) * MINUTE, f"incident-{number}"
        told: list[tuple[str, Any]] = [("created", None), *((random.choice(("closed", "reopened", "deleted", "changed")), None) for _ in range(3))]
        for place, (activity, _) in enumerate(told):
            given: dict[str, Any] = {"attributes": {"severity": random.choice("123")}} if activity == "created" else {}
            value = ("severity", random.choice("123")) if activity == "changed" else ()
            made.append(ev(at, "rule-1", activity, *value, id=f"{case}-{place}", case=case, source="runtime", **given))
            at += random.randrange(1, 400) * MINUTE
    made += (
        ev(random.randrange(24 * 60) * MINUTE, "bot", "evaluated", id=f"run-{number}", case=random.choice(("run", "1", "2")), passed=random.random() < 0.5)
        for number in range(3)
    )
    return made


def whole_then(made: Desk, as_of: Mapping[str, Instant]) -> Then:
    return derived_then(made.store, made.pipeline.company, as_of, watch=silent, what="")


def figures(then: Then) -> list[str]:
    return [line for line in shown(then.ledger.families(then.situations), *SO_FAR).decode().splitlines() if not line.startswith("#")]


@given(st.integers(0, 2**32))
@hypothesis_settings(LAWFUL, max_examples=4)
def test_figures_as_of_any_instant_are_those_of_deriving_everything(place: Place, paged: Configuration, seed: int) -> None:
    random = Random(seed)
    events = world_of(random, cases=8) + incidents_and_runs(random)
    random.shuffle(events)
    end = T0 + random.randrange(20 * 60, 40 * 60) * MINUTE
    with desk(paged, place) as made:
        made.land(events[:20])
        made.figures_at(end - 9 * HOUR)
        made.land(events[20:])
        made.figures_at(end)
        for _ in range(3):
            early, late = sorted(T0 + random.randrange(20 * 60) * MINUTE for _ in range(2))
            as_of = {"w": late, "v": random.choice((early, late)), "": early}
            quick = settled_then(made.store, made.pipeline.company, as_of, watch=silent, what="", note=lambda *_: None)
            if quick is not None:
                assert figures(quick) == figures(whole_then(made, as_of))


@given(st.integers(0, 2**32))
@hypothesis_settings(LAWFUL, max_examples=3)
def test_samples_come_back_as_they_went_in(place: Place, paged: Configuration, seed: int) -> None:
    with desk(paged, place) as made:
        made.land(world_of(Random(seed), cases=12))
        made.figures_at(T0 + 30 * HOUR)
        store, as_of = made.store, dict.fromkeys(("w", "v", ""), T0 + 30 * HOUR)
        facts = store.facts([case for case, _ in store.all_histories()]).values()
        stretches = [Stretch(workflow, 0, (T0 + 30 * HOUR) // MINUTE) for workflow in ("w", "v")]
        found = Counter(
            Sample(series, at, None, complete=False, target=target, breach_at=other)
            if running
            else Sample(series, at, duration, complete=bool(complete), target=target, until=other)
            for series, running, rows in strands(store, made.pipeline.company, as_of, stretches)
            for at, duration, complete, target, other in rows.tolist()
        )

        assert found == Counter(sample for one in facts for sample in rollup.samples(one))


def test_a_deadline_that_only_says_when_a_thing_is_counted_divides_no_case(place: Place, paged: Configuration) -> None:
    with desk(paged, place) as made:
        made.land([ev(0, "customer-1", "created", id="1", attributes={"team": "a"}), ev("1h", "bot", "changed", "priority", "high", id="2")])
        made.land([ev("2h", "op-1", "closed", id="3"), ev("2h", "customer-1", "created", id="4", case="2", attributes={"team": "a"})])
        made.land([ev("2h", "bot", "recommended", "priority", "high", id="5", case="2")])
        made.figures_at(T0 + 20 * HOUR)

        def divided(at: Instant) -> list[str]:
            return [case for _, case in made.store.straddling(at, at)]

        assert [divided(T0 + hours * HOUR) for hours in (-1, 1, 2, 12, 20)] == [[], ["1"], ["2"], [], []]


def test_a_decision_that_turned_out_later_to_have_been_one_is_judged_without_it_and_with_it(place: Place, paged: Configuration) -> None:
    """On one case nobody had said which team it is for; a later change tells by its `before` that it was in the workflow all along."""
    with desk(paged, place) as made:
        for case, attributes in (("1", {"team": "b"}), ("2", {})):
            made.land([ev("5h", "customer-1", "created", id=f"{case}a", case=case, attributes=attributes)])
            made.land([ev("5h10m", "other-bot", "approval_requested", "priority", "high", id=f"{case}b", case=case)])
            made.land([ev("6h30m", "op-1", "approved", id=f"{case}c", case=case, action="set:priority")])
        made.land([ev("9h", "rule-1", "changed", "team", "c", before="b", id="2d", case="2")])
        made.figures_at(T0 + 20 * HOUR)

        def glanced(at: Instant) -> int:
            as_of = dict.fromkeys(("w", "v", ""), at)
            quick = settled_then(made.store, made.pipeline.company, as_of, watch=silent, what="", note=lambda *_: None)
            assert quick is not None
            assert figures(quick) == figures(whole_then(made, as_of))
            return sum(quick.ledger.trail.sums("v", "glanced_decisions", T0, at).values())

        # an hour and twenty minutes for one decision is a look, for two it is none
        assert (glanced(T0 + 8 * HOUR), glanced(T0 + 10 * HOUR)) == (0, 2)
