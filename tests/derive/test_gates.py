"""Gates judged: which ask at which level, what passes, what is missing, and what follows."""

from typing import Any

import pytest

from builders import T0, workflow
from rollout_metrics.derive.gates import Assessment, Gate, Known, Proposal, assess, promotion
from rollout_metrics.domain.gates import CountGate, RateGate, StateGate
from rollout_metrics.domain.policy import Level
from rollout_metrics.domain.time import DAY
from rollout_metrics.stats.anytime import Side, Verdict, anytime, verdict

LADDER = workflow().ladder
GOOD = {
    RateGate.EXPLICIT_ACCEPTANCE: (950, 1000),
    RateGate.OVERRIDE: (10, 1000),
    RateGate.CORRECTION: (0, 5000),
    RateGate.BYPASS: (0, 1000),
    RateGate.ESCALATION_WITHIN_TARGET: (1000, 1000),
}


def known(level: Level = Level.ASSISTED, **fields: Any) -> Known:
    """An agent about which everything is well, for a hundred days; `fields` say otherwise."""
    given: dict[str, Any] = {
        "as_of": T0,
        "level": level,
        "level_since": T0 - 100 * DAY,
        "since": T0 - 100 * DAY,
        "rates": GOOD,
        "evaluations": (9, 9),
        "lacks": 0,
    }
    return Known(**given | fields)


def assessed(level: Level = Level.ASSISTED, **fields: Any) -> Assessment:
    return assess("w", LADDER, known(level, **fields))


def gate(found: Assessment, name: str) -> Gate:
    return next(item for item in found.gates if item.name == name)


@pytest.mark.parametrize("level", [level for level in Level if level < Level.HIGH_RISK])
def test_an_agent_about_which_all_is_well_is_promoted_by_one_level(level: Level) -> None:
    found = assessed(level)

    assert (found.proposal, found.to, found.passed) == (Proposal.PROMOTE, level + 1, True)
    assert {item.verdict for item in (*found.gates, *found.staying)} <= {Verdict.PASS}


def test_at_the_top_there_is_no_gate_and_the_agent_stays() -> None:
    found = assessed(Level.HIGH_RISK)

    assert (found.gates, found.to, found.proposal) == ((), None, Proposal.HOLD)


@pytest.mark.parametrize(
    ("level", "asked"),
    [
        (Level.OFF, set()),
        (Level.SHADOW, {"explicit_acceptance", "override"}),
        (Level.ASSISTED, {"explicit_acceptance", "override", "bypass", "escalation_within_target"}),
        (Level.LOW_RISK_AUTONOMOUS, {"correction", "bypass", "escalation_within_target"}),
        (Level.BROAD_AUTONOMOUS, {"correction", "bypass", "escalation_within_target"}),
    ],
)
def test_each_level_asks_for_the_rates_that_say_something_there(level: Level, asked: set[str]) -> None:
    assert {item.name for item in assessed(level).gates} & set(RateGate) == asked


def test_a_rate_is_judged_by_its_anytime_valid_interval() -> None:
    found = gate(assessed(rates=GOOD | {RateGate.OVERRIDE: (80, 1000)}), "override")

    judged = verdict(80, 1000, 0.1, Side.AT_MOST)
    assert (found.verdict, found.missing) == (judged.verdict, judged.more) == (Verdict.INCONCLUSIVE, judged.more)
    assert (found.ratio, found.lower, found.upper, found.limit, found.cases) == (0.08, *anytime(80, 1000), 0.1, 1000)


@pytest.mark.parametrize(
    ("name", "fields", "judged", "missing"),
    [
        ("override", {"rates": GOOD | {RateGate.OVERRIDE: (300, 1000)}}, Verdict.FAIL, 0),
        ("explicit_acceptance", {"rates": GOOD | {RateGate.EXPLICIT_ACCEPTANCE: (300, 1000)}}, Verdict.FAIL, 0),
        ("bypass", {"rates": {}}, Verdict.INCONCLUSIVE, None),
        ("decisions", {"rates": GOOD | {RateGate.OVERRIDE: (0, 299)}}, Verdict.INCONCLUSIVE, 1),
        ("days", {"since": T0 - 28 * DAY + 1}, Verdict.INCONCLUSIVE, None),
        ("days", {"since": T0 - 28 * DAY}, Verdict.PASS, 0),
        ("days", {"since": None}, Verdict.PASS, 0),
        ("cooldown", {"level_since": T0 - 14 * DAY + 1}, Verdict.INCONCLUSIVE, None),
        ("cooldown", {"level_since": T0 - 14 * DAY}, Verdict.PASS, 0),
        ("no_violations", {"violations": 1}, Verdict.FAIL, 0),
        ("no_open_failures", {"open_failures": 1}, Verdict.FAIL, 0),
        ("evaluations_pass", {"evaluations": (8, 9)}, Verdict.FAIL, 0),
        ("evaluations_pass", {"evaluations": (0, 0)}, Verdict.INCONCLUSIVE, None),
        ("record_complete", {"lacks": 3}, Verdict.FAIL, 0),
        ("record_complete", {"lacks": None}, Verdict.INCONCLUSIVE, None),
        ("coverage", {"coverage": {"linked": (89, 100), "mapped": (1, 1)}}, Verdict.INCONCLUSIVE, None),
        ("coverage", {"coverage": {"linked": (90, 100), "audited": (0, 0)}}, Verdict.PASS, 0),
        ("freshness", {"sources_stale": 1}, Verdict.INCONCLUSIVE, None),
        ("no_warning_signs", {"signs": {"private_cleanup": True, "watched_trust": False}}, Verdict.FAIL, 0),
        ("no_warning_signs", {"signs": {"early_authority_ask": True}}, Verdict.PASS, 0),
    ],
)
def test_each_gate_says_what_it_found(name: str, fields: dict[str, Any], judged: Verdict, missing: int | None) -> None:
    found = assessed(**fields)

    assert (gate(found, name).verdict, gate(found, name).missing) == (judged, missing)
    assert (found.proposal is Proposal.PROMOTE) == (judged is Verdict.PASS)


@pytest.mark.parametrize("doubt", [{"sources_stale": 1}, {"coverage": {"mapped": (1, 2)}}])
def test_what_is_stale_or_hardly_covered_passes_nothing_and_still_fails(doubt: dict[str, Any]) -> None:
    found = assessed(rates=GOOD | {RateGate.BYPASS: (900, 1000)}, **doubt)

    verdicts = {item.name: item.verdict for item in found.gates}
    assert verdicts["override"] is verdicts["decisions"] is verdicts["no_violations"] is Verdict.INCONCLUSIVE
    assert (verdicts["bypass"], verdicts["record_complete"], verdicts["cooldown"]) == (Verdict.FAIL, Verdict.PASS, Verdict.PASS)


@pytest.mark.parametrize(
    ("level", "fields", "proposal"),
    [
        (Level.ASSISTED, {"rates": GOOD | {RateGate.OVERRIDE: (500, 1000)}}, Proposal.DEMOTE),
        (Level.ASSISTED, {"rates": GOOD | {RateGate.OVERRIDE: (150, 1000)}}, Proposal.HOLD),
        (Level.ASSISTED, {"rates": GOOD | {RateGate.EXPLICIT_ACCEPTANCE: (0, 1000)}}, Proposal.HOLD),
        (Level.LOW_RISK_AUTONOMOUS, {"rates": GOOD | {RateGate.CORRECTION: (300, 1000)}}, Proposal.DEMOTE),
        (Level.LOW_RISK_AUTONOMOUS, {"rates": GOOD | {RateGate.OVERRIDE: (900, 1000)}}, Proposal.PROMOTE),
        (Level.HIGH_RISK, {"violations": 1}, Proposal.DEMOTE),
        (Level.BROAD_AUTONOMOUS, {"open_failures": 1}, Proposal.DEMOTE),
        (Level.SHADOW, {"violations": 1}, Proposal.HOLD),
    ],
)
def test_an_agent_goes_back_when_it_is_outside_what_its_own_level_asks_for(level: Level, fields: dict[str, Any], proposal: Proposal) -> None:
    assert assessed(level, **fields).proposal is proposal


@pytest.mark.parametrize(
    ("to", "fields", "forced", "why"),
    [
        (Level.LOW_RISK_AUTONOMOUS, {}, False, "every gate was passed"),
        (Level.LOW_RISK_AUTONOMOUS, {"lacks": 1}, True, "not passed: record_complete"),
        (Level.BROAD_AUTONOMOUS, {}, True, "skipped low_risk_autonomous"),
        (Level.BROAD_AUTONOMOUS, {"lacks": 1}, True, "skipped low_risk_autonomous; not passed: record_complete"),
        (Level.SHADOW, {"lacks": 1}, False, "to a lower level"),
        (Level.ASSISTED, {"lacks": 1}, False, "to the same level"),
    ],
)
def test_a_promotion_is_forced_where_a_gate_was_not_passed_or_a_level_skipped(to: Level, fields: dict[str, Any], forced: bool, why: str) -> None:
    found = assessed(**fields)

    frozen = promotion("c1", T0, to, found)

    assert (frozen.forced, frozen.why, frozen.before, frozen.gates) == (forced, why, Level.ASSISTED, found.gates)


def test_every_gate_has_a_place_in_the_default_ladder() -> None:
    seen = {item.name for level in Level for item in assessed(level).gates}

    assert seen == {*RateGate, *CountGate, *StateGate}


def test_a_gate_without_a_limit_is_none() -> None:
    ladder = workflow(gates={"low_risk_autonomous": {"bypass": None, "minimum_days": None, "cooldown": None, "states": []}}).ladder

    assert {item.name for item in assess("w", ladder, known()).gates} == {"explicit_acceptance", "override", "escalation_within_target", "decisions"}


@pytest.mark.parametrize(("limit", "side"), [(0.05, Side.AT_MOST), (0.1, Side.AT_MOST), (0.3, Side.AT_MOST), (0.7, Side.AT_LEAST), (0.95, Side.AT_LEAST)])
def test_a_gate_looked_at_after_every_decision_seldom_passes_an_agent_exactly_at_its_limit(limit: float, side: Side) -> None:
    alive, passed, bound = [1.0], 0.0, 0
    for n in range(1, 301):
        # the chance of each count among those not passed yet, and the last (or first) count that passes
        alive = [(alive[k] * (1 - limit) if k < n else 0.0) + (alive[k - 1] * limit if k else 0.0) for k in range(n + 1)]
        if side is Side.AT_MOST:
            while verdict(bound, n, limit, side).verdict is Verdict.PASS:
                bound += 1
            gone = range(bound)
        else:
            while verdict(n - bound, n, limit, side).verdict is Verdict.PASS:
                bound += 1
            gone = range(n - bound + 1, n + 1)
        for k in gone:
            passed += alive[k]
            alive[k] = 0.0

    assert 0 < passed <= 0.025
