"""The seven warning signs: each when it is there, when it just is not, and when too little is known."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import after, change, company
from facts import case, crowd, escalated, handled, recommended
from figures.test_ledger import published, series
from rollout_metrics.derive.gates import Assessment, Gate, Proposal
from rollout_metrics.domain.changes import ChangeKind
from rollout_metrics.domain.facts import Effort, Fact
from rollout_metrics.domain.facts import Verdict as Thought
from rollout_metrics.domain.policy import Level
from rollout_metrics.domain.time import DAY, MINUTE
from rollout_metrics.domain.trust import Sign
from rollout_metrics.figures import Situation
from rollout_metrics.figures.signs import early_asks
from rollout_metrics.stats.anytime import Verdict

PATHS = {"refund": {"owner": "billing", "next_step": "pay"}, "misc": {"owner": "desk", "next_step": "read"}, "lost": {"owner": "desk"}}
COMPANY = company({"escalation": {"paths": PATHS}})
TEAM = crowd("9d")
TEAM_BEFORE = crowd(-20 * DAY)


def sign(name: str, facts: Iterable[Fact], **options: Any) -> float | None:
    return series(published(*facts, **{"of": COMPANY, **options}), "warning_sign", sign=name)


def raised(number: int, **fields: Any) -> list[Fact]:
    return [escalated(f"9d{minute}m", **{"reason": "refund", **fields}) for minute in range(number)]


@pytest.mark.parametrize(("clear", "unclear", "told"), [(18, 2, 0), (18, 3, 1), (17, 2, None), (0, 20, 1), (0, 0, None)])
def test_escalations_are_unclear_where_over_a_tenth_of_twenty_lack_a_reason_or_an_owner(clear: int, unclear: int, told: int | None) -> None:
    assert sign("unclear_escalation", [*raised(clear), *raised(unclear, owned=False)]) == told
    assert sign("unclear_escalation", [*raised(clear), *raised(unclear, reason="unspecified")]) == told


@pytest.mark.parametrize(("reason", "told"), [("refund", None), ("lost", 1), ("typed by hand", 1)])
def test_one_reason_without_path_or_next_step_is_unclear(reason: str, told: int | None) -> None:
    assert sign("unclear_escalation", raised(1, reason=reason)) == told


@pytest.mark.parametrize(("said", "catch_all", "told"), [(10, 10, 0), (10, 11, 1), (9, 10, None)])
def test_everything_is_an_edge_case_where_over_half_of_twenty_reasons_say_nothing(said: int, catch_all: int, told: int | None) -> None:
    for reason in ("misc", "unspecified", "Edge_Case", "other"):
        assert sign("edge_case_everything", [*raised(said), *raised(catch_all, reason=reason)]) == told


def reviewed(at: int, number: int, seconds: float, basis: str = "estimated") -> list[Fact]:
    return [case(at + n * MINUTE, review_effort=Effort(seconds, basis), reviewed_at=after(at + n * MINUTE)) for n in range(number)]


def done(at: int, number: int, outcome: str = "accepted", how: str = "kept") -> list[Fact]:
    return [recommended(at - MINUTE, outcome, how, at + n, opened=("desk", f"{at}-{n}")) for n in range(number)]


BEFORE, NOW = -20 * DAY, 9 * DAY


@pytest.mark.parametrize(("seconds", "told"), [(120, 0), (121, 1), (50, 0)])
def test_review_outgrows_throughput_where_its_effort_grew_by_a_fifth_more(seconds: float, told: int) -> None:
    facts = [*reviewed(BEFORE, 20, 100), *done(BEFORE, 20), *reviewed(NOW, 20, seconds), *done(NOW, 20, "unreviewed", "timeout"), TEAM, TEAM_BEFORE]

    assert sign("review_outgrows_throughput", facts) == told


def test_growing_with_throughput_is_no_sign() -> None:
    facts = [*reviewed(BEFORE, 20, 100), *done(BEFORE, 20), *reviewed(NOW, 40, 110), *done(NOW, 40), TEAM, TEAM_BEFORE]

    assert sign("review_outgrows_throughput", facts) == 0


@pytest.mark.parametrize(
    "counts", [(19, 20, 20, 20), (20, 19, 20, 20), (20, 20, 19, 20), (20, 20, 20, 19)], ids=["reviews before", "done before", "reviews", "done"]
)
def test_review_and_throughput_are_not_compared_below_twenty_of_either(counts: tuple[int, int, int, int]) -> None:
    facts = [*reviewed(BEFORE, counts[0], 100), *done(BEFORE, counts[1]), *reviewed(NOW, counts[2], 900), *done(NOW, counts[3]), TEAM, TEAM_BEFORE]

    assert sign("review_outgrows_throughput", facts) is None


def test_review_is_compared_only_with_effort_of_its_own_basis() -> None:
    facts = [*reviewed(BEFORE, 20, 1), *done(BEFORE, 20), *reviewed(NOW, 20, 900, "measured"), *done(NOW, 20), TEAM, TEAM_BEFORE]

    assert sign("review_outgrows_throughput", facts) is None


def decided(reviewer: str, explicit: int, otherwise: int) -> list[Fact]:
    hows = ["approved"] * explicit + ["kept"] * otherwise
    return [recommended(n, "accepted", how, f"9d{n}m", decider=reviewer, opened=("desk", f"{reviewer}{n}")) for n, how in enumerate(hows)]


@pytest.mark.parametrize(
    ("busiest", "others", "told"),
    [((40, 0), (10, 20), 1), ((40, 0), (36, 3), 0), ((40, 0), (15, 25), 0), ((20, 20), (20, 10), 0), ((40, 0), (0, 0), None)],
    ids=["apart", "touching", "half", "below", "nobody else"],
)
def test_trust_is_watched_where_the_busiest_decides_most_and_accepts_more_than_all_others(
    busiest: tuple[int, int], others: tuple[int, int], told: int | None
) -> None:
    facts = [*decided("op-1", *busiest), *decided("op-2", others[0] // 2, others[1] // 2), *decided("op-3", -(-others[0] // 2), -(-others[1] // 2)), TEAM]

    assert sign("watched_trust", facts) == told


def test_signs_about_operators_are_withheld_for_few_of_them_and_where_switched_off() -> None:
    watched = [*decided("op-1", 40, 0), *decided("op-2", 10, 20)]
    off = company({"escalation": {"paths": PATHS}}, privacy={"operator_figures": False})

    assert sign("watched_trust", [*watched, TEAM]) == 1
    assert sign("watched_trust", [*watched, crowd("9d", 4)]) is None
    assert sign("watched_trust", [*watched, TEAM], of=off) is None


def test_no_reviewer_is_in_any_series() -> None:
    found = published(*decided("op-1", 40, 0), *decided("op-2", 10, 20), TEAM, of=COMPANY)

    assert not [key for key in found if "op-1" in str(key)]


def talked(verdict: Thought, *comments: int) -> list[Fact]:
    return [case(n, verdict=verdict, comments=number, concluded_at=after(f"9d{n}m")) for n, number in enumerate(comments)]


@pytest.mark.parametrize(
    ("failed", "accepted", "told"),
    [((100,), (2, 2, 9), 0), ((101, 3), (2, 2, 9), 1), ((50,), (0, 0, 4), 0), ((51,), (0, 0, 4), 1), ((), (1,), 0), ((500,), (), None)],
)
def test_a_failure_is_talked_about_beyond_fifty_times_what_accepted_cases_are(failed: tuple[int, ...], accepted: tuple[int, ...], told: int | None) -> None:
    assert sign("failure_talk", [*talked(Thought.FAILED, *failed), *talked(Thought.ACCEPTED, *accepted)]) == told


@pytest.mark.parametrize(("cleaned", "told"), [(2, 0), (3, 1)])
def test_cleanup_is_private_where_over_a_tenth_of_twenty_assisted_cases_were_put_right(cleaned: int, told: int) -> None:
    others = [handled(f"9d{n}m") for n in range(20 - cleaned)]

    assert sign("private_cleanup", [*others, *(handled(f"9d{n}h", cleaned=True) for n in range(cleaned))]) == told
    assert sign("private_cleanup", [*others, *(handled(f"9d{n}h", "redone", cleaned=True) for n in range(cleaned))]) == told


def test_cleanup_is_not_judged_below_twenty_assisted_cases() -> None:
    others = [handled(f"9d{n}m", "unassisted") for n in range(9)]

    assert sign("private_cleanup", [*others, *(handled(f"9d{n}m", cleaned=True) for n in range(19))]) is None


def test_what_lies_before_the_28_days_is_no_sign() -> None:
    facts = [*raised(20, owned=False), *(handled(f"9d{n}m", cleaned=True) for n in range(20))]

    assert sign("unclear_escalation", facts, as_of="37d") is None
    assert sign("private_cleanup", facts, as_of="37d") is None
    assert sign("private_cleanup", facts, as_of="36d") == 1


@pytest.mark.parametrize(
    ("proposal", "told"),
    [
        ({"deployed_at": None}, 1),
        ({"deployed_at": after("11d")}, 1),
        ({"deployed_at": after("9d")}, 0),
        ({"deployed_at": None, "proposed_at": after("11d")}, 0),
        ({"deployed_at": None, "level": 2}, 0),
        ({"deployed_at": None, "environment": "staging"}, 0),
        ({"deployed_at": None, "kind": ChangeKind.PROMPT, "level": None}, 0),
    ],
)
def test_authority_is_asked_early_while_a_higher_level_is_proposed_and_a_gate_is_not_passed(proposal: dict[str, Any], told: int) -> None:
    assisted = Situation(level=Level.ASSISTED, level_standing=Level.ASSISTED, assisted_since=None)

    assert sign("early_authority_ask", [], of=company(changes=[change(**proposal)]), situation=assisted) == told


def test_asking_for_the_next_level_is_not_early_once_every_gate_is_passed() -> None:
    asking = company(changes=[change(deployed_at=None), change(id="c2", deployed_at=None, level=4)]).workflows[0]
    gates = tuple(Gate(name, Verdict.PASS, "") for name in ("override", "bypass"))
    opened = Assessment(
        workflow="w",
        as_of=after("10d"),
        level=Level.ASSISTED,
        level_since=None,
        since=None,
        version=None,
        to=Level.LOW_RISK_AUTONOMOUS,
        gates=gates,
        staying=(),
        proposal=Proposal.PROMOTE,
        why="",
    )

    assert [ask.id for ask in early_asks(asking, opened)] == ["c2"]
    held = msgspec.structs.replace(opened, gates=(*gates, Gate("days", Verdict.INCONCLUSIVE, "")))
    assert [ask.id for ask in early_asks(asking, held)] == ["c1", "c2"]


MANY = [
    *raised(12, owned=False),
    *raised(15, reason="misc"),
    *decided("op-1", 30, 2),
    *decided("op-2", 3, 14),
    *talked(Thought.FAILED, 120, 3),
    *talked(Thought.ACCEPTED, 1, 2, 2),
    *(handled(f"9d{n}m", cleaned=n < 4) for n in range(22)),
    *reviewed(BEFORE, 20, 100),
    *done(BEFORE, 20),
    *reviewed(NOW, 21, 900),
    *done(NOW, 20),
    TEAM,
    TEAM_BEFORE,
]


@given(st.permutations(MANY))
@settings(max_examples=10, deadline=None)
def test_no_sign_depends_on_order(facts: list[Fact]) -> None:
    told = {name: sign(name, facts) for name in Sign}

    assert {name for name, there in told.items() if there} == set(Sign) - {Sign.EARLY_AUTHORITY_ASK}
