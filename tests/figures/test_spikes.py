"""Spikes as published: which cohorts are held against which past, and that remembering a look changes nothing."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import after, change, company
from facts import acted, case, handled, recommended
from figures.test_ledger import flat, loaded, published, series
from rollout_metrics.domain.changes import ChangeKind
from rollout_metrics.domain.facts import Fact, Handling
from rollout_metrics.domain.gates import RateGate
from rollout_metrics.domain.policy import Company, Level
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, SECOND, Instant
from rollout_metrics.domain.trust import Signal
from rollout_metrics.figures import Situation
from rollout_metrics.figures.spikes import Looks, began, judged_until, look
from rollout_metrics.figures.trail import Trail
from rollout_metrics.rollup import Contribution, contributions

COMPANY = company()
W = COMPANY.workflows[0]
AUTONOMOUS = Situation(level=Level.LOW_RISK_AUTONOMOUS, level_standing=Level.LOW_RISK_AUTONOMOUS, assisted_since=None)
T = 10 * DAY


def cases(first: int, last: int, often: int, *, a_day: int = 60) -> list[Handling]:
    """Handled cases on days `first` to `last`, every `often`-th bypassed."""
    return [handled(day * DAY + n * (DAY // a_day), bypassed_early=n % often == 0) for day in range(first, last) for n in range(a_day)]


CALM = cases(-30, 9, 20)
RISEN = cases(9, 10, 3)


def found(facts: Iterable[Fact], *, as_of: int = T, of: Company = COMPANY, situation: Situation | None = None) -> dict[tuple[str, str], float]:
    """`(signal, figure)` -> value."""
    ledger = loaded(facts, as_of=as_of, of=of)
    told = flat(ledger.families({"w": situation or Situation(level=Level.ASSISTED, level_standing=Level.ASSISTED, assisted_since=None)}))
    return {(dict(labels)["signal"], key): value for (key, labels), value in told.items() if key.startswith("spike")}


def test_a_rise_over_the_workflows_own_past_is_a_spike_with_its_numbers() -> None:
    told = found([*CALM, *RISEN])

    assert told["bypass", "spike"] == 1
    assert told["bypass", "spike_statistic"] > 1
    assert told["bypass", "spike_baseline_ratio"] == pytest.approx(0.05, abs=0.01)
    assert told["bypass", "spike_observed_ratio"] == told["bypass", "spike_events"] / told["bypass", "spike_cases"]
    assert told["bypass", "spike_observed_ratio_lower"] < told["bypass", "spike_observed_ratio"] < told["bypass", "spike_observed_ratio_upper"]
    assert told["bypass", "spike_since_timestamp_seconds"] * SECOND <= after(9 * DAY)


def test_a_calm_workflow_has_none() -> None:
    told = found([*CALM, *cases(9, 10, 20)])

    assert told["bypass", "spike"] == 0
    assert ("bypass", "spike_since_timestamp_seconds") not in told


def test_what_is_younger_than_the_cohorts_age_is_not_looked_at() -> None:
    young = [handled(T - 6 * HOUR + n, bypassed_early=True) for n in range(1, 200)]

    assert found([*CALM, *young])["bypass", "spike"] == 0
    assert found([*CALM, *young], as_of=T + HOUR)["bypass", "spike"] == 1


def test_without_a_past_the_limit_of_the_gate_applies() -> None:
    limit = W.ladder[Level.ASSISTED].limits[RateGate.BYPASS]
    told = found(cases(0, 10, 2))

    assert told["bypass", "spike"] == 1
    assert (told["bypass", "spike_baseline_ratio"], told["bypass", "spike_baseline_cases"]) == (pytest.approx(limit), 0)
    assert found(cases(0, 10, 20))["bypass", "spike"] == 0


def test_without_anything_to_compare_with_there_is_no_sample() -> None:
    assert found([]) == {}
    assert found([case(n * HOUR, handled=f"{n}h", escalated_early=True) for n in range(9 * 24)]) == {}


@pytest.mark.parametrize(
    "again",
    [
        company(changes=[change(kind=ChangeKind.PROMPT, level=None, risk_class="medium", deployed_at=after(8 * DAY))]),
        company({"levels": [{"level": "assisted", "since": "2026-01-01"}, {"level": "low_risk_autonomous", "since": "2026-03-10T09:00:00Z"}]}),
        company({"authority": [{"automatic": ["set:priority"]}, {"since": "2026-03-10T09:00:00Z", "automatic": []}]}),
    ],
    ids=["deployment", "level", "authority"],
)
def test_the_past_begins_anew_at_every_deployment_level_and_authority(again: Company) -> None:
    assert began(again.workflows[0], after(T)) == after(8 * DAY)
    assert found([*CALM, *RISEN], of=again)["bypass", "spike_baseline_cases"] == 0


def test_a_deployment_of_low_risk_or_elsewhere_cuts_nothing_and_one_to_come_neither() -> None:
    low = company(changes=[change(kind=ChangeKind.PROMPT, level=None, deployed_at=after(8 * DAY))])
    elsewhere = company(changes=[change(environment="staging", deployed_at=after(8 * DAY)), change(id="c2", deployed_at=after(T + DAY))])

    assert found([*CALM, *RISEN], of=elsewhere)["bypass", "spike"] == 1
    assert found([*CALM, *RISEN], of=low)["bypass", "spike_baseline_cases"] > 0


def test_override_is_watched_up_to_assisted_and_correction_from_there_on() -> None:
    overrides, corrections = [], []
    for item in [*CALM, *RISEN]:
        at = item.at - after(0)
        fate = ("overridden", "rejected") if item.bypassed_early else ("accepted", "approved")
        overrides.append(recommended(at, *fate, at + HOUR, opened=("desk", str(at))))
        corrections.append(acted(at, reversed_at=item.at + HOUR if item.bypassed_early else None))

    assert {signal for signal, _ in found([*overrides, *corrections])} == {"override"}
    assert {signal for signal, _ in found([*overrides, *corrections], situation=AUTONOMOUS)} == {"correction"}
    paused = Situation(level=Level.OFF, level_standing=Level.LOW_RISK_AUTONOMOUS, assisted_since=None)
    assert found([*overrides, *corrections], situation=paused) == found([*overrides, *corrections], situation=AUTONOMOUS)


def counted(*facts: Fact) -> set[Contribution]:
    return {item for item in contributions(facts, {"w": W}) if item[0][1] == "spike_cohort"}


def one(signal: str, claim: str, offset: str | int = 0) -> set[Contribution]:
    return {(("w", "spike_cohort", signal, claim), after(offset) // MINUTE, 1)}


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (acted(0, reversed_at=after("6h")), one("correction", "true")),
        (acted(0, reversed_at=after("6h") + 1), one("correction", "false")),
        (acted(0), one("correction", "false")),
        (recommended(0, "overridden", "rejected", "6h"), one("override", "true")),
        (recommended(0, "overridden", "rejected", "7h"), one("override", "false")),
        (recommended(0, "accepted", "approved", "1h"), one("override", "false")),
        (recommended(0, "overridden", "reversed", "5h", first_decided_at=after("1h")), one("override", "true")),
        (recommended(0, "overridden", "reversed", "2d", first_decided_at=after("1h")), one("override", "false")),
        (recommended(0, "pending"), one("override", "false")),
        (recommended(0, "ignored", "ignored", "1h", row=12), one("override", "false")),
        (handled(0, "marked", bypassed_early=False), one("bypass", "false")),
        (handled(0, "agent_absent"), set()),
    ],
)
def test_a_cohort_counts_what_was_so_six_hours_after_the_event(fact: Fact, expected: set[Contribution]) -> None:
    assert counted(fact) == expected


def test_escalations_and_complaints_are_of_handled_cases_by_first_handling() -> None:
    assert counted(case(0, handled="1h", escalated_early=True)) == one("escalation", "true", "1h") | one("complaint", "false", "1h")
    assert counted(case(0)) == set()


def trail(rows: Iterable[Contribution], as_of: Instant) -> Trail:
    held = Trail(COMPANY.workflows)
    held.load({"w": as_of}, rows)
    return held


def test_a_look_is_taken_once_an_hour_and_again_only_where_what_it_saw_has_changed() -> None:
    ledger = loaded([*CALM, *RISEN], as_of=T)
    looks = ledger._looks
    situations = {"w": Situation(level=Level.ASSISTED, level_standing=Level.ASSISTED, assisted_since=None)}
    ledger.families(situations)
    first = looks.looked

    ledger.families(situations)
    ledger.advance({"w": after(T + 40 * MINUTE)}, {}, ())
    late = handled(T - HOUR, bypassed_early=True)
    ledger.apply({(series_, minute): amount for series_, minute, amount in contributions([late], {"w": W})})
    ledger.families(situations)
    assert looks.looked == first

    old = handled(T - 9 * HOUR, bypassed_early=True)
    ledger.apply({(series_, minute): amount for series_, minute, amount in contributions([old], {"w": W})})
    ledger.families(situations)
    assert looks.looked == first + 1

    ledger.advance({"w": after(T + 70 * MINUTE)}, {}, ())
    ledger.families(situations)
    assert looks.looked == 2 * first + 1


@given(
    st.lists(st.tuples(st.integers(-3 * 24, 9 * 24), st.booleans()), max_size=8),
    st.lists(st.integers(0, 200), min_size=1, max_size=4),
)
@settings(max_examples=15, deadline=None)
def test_remembering_what_was_seen_gives_what_looking_anew_gives(late: list[tuple[int, bool]], moves: list[int]) -> None:
    rows = list(contributions([*CALM, *RISEN], {"w": W}))
    held, looks, now = trail(rows, after(T)), Looks(), after(T)
    for place, (hour, claim) in enumerate([*late, *[(0, False)] * max(0, len(moves) - len(late))]):
        looks.at(W, Signal.BYPASS, now, held, None)
        more = list(contributions([handled(hour * HOUR, bypassed_early=claim)], {"w": W}))
        rows += more
        difference = {(name, minute): amount for name, minute, amount in more}
        held.apply(difference)
        looks.changed(difference)
        if place < len(moves):
            now += moves[place] * MINUTE
            held.advance({"w": now}, ())

        assert looks.at(W, Signal.BYPASS, now, held, None) == look(W, Signal.BYPASS, now, trail(rows, now), None)


def test_until_is_the_last_whole_hour_that_is_old_enough() -> None:
    assert judged_until(W, after(0)) * HOUR == after(0) - 6 * HOUR
    assert judged_until(W, after(-MINUTE)) * HOUR == after(0) - 7 * HOUR


def test_no_spike_series_without_a_workflow() -> None:
    assert series(published(), "spike", signal="bypass") is None
