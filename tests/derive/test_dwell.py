"""Dwell: how long an operator had to look, and for how many cases."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from builders import MINUTE, SECOND, T0
from rollout_metrics.derive.dwell import glanced
from rollout_metrics.domain.events import CaseKey
from rollout_metrics.domain.facts import Mode, Outcome, Recommendation

GLANCE = {"w": 5 * SECOND, "slow": 60 * SECOND}


def decided(waited: int, row: int = 2, case: str = "1", workflow: str = "w") -> tuple[CaseKey, Recommendation]:
    """A recommendation decided at T0, `waited` after it was opened."""
    return ("desk", case), Recommendation(
        workflow=workflow,
        action="set:priority",
        opened=("desk", "opened"),
        opened_at=T0 - waited,
        mode=Mode.LIVE,
        asked=True,
        acted_at=None,
        outcome=Outcome.ACCEPTED,
        how="approved",
        row=row,
        provisional=False,
        decided_at=T0,
        first_decided_at=T0,
        ended_at=None,
        settled_at=None,
        decider="op-1",
        deciding=("desk", "deciding"),
        version=None,
        category=None,
        value="high",
        standing="high",
        evidence=(),
    )


def test_a_decision_within_the_glance_of_the_opening_is_glanced_at() -> None:
    assert glanced([decided(5 * SECOND - 1)], None, GLANCE) == [True]


def test_one_that_took_exactly_the_glance_is_not() -> None:
    assert glanced([decided(5 * SECOND)], None, GLANCE) == [False]


def test_dwell_counts_from_the_operators_previous_event_where_that_is_later() -> None:
    assert glanced([decided(MINUTE)], T0 - 2 * SECOND, GLANCE) == [True]
    assert glanced([decided(MINUTE)], T0 - 10 * SECOND, GLANCE) == [False]


def test_dwell_counts_from_the_opening_where_that_is_later() -> None:
    assert glanced([decided(2 * SECOND)], T0 - MINUTE, GLANCE) == [True]


def test_several_cases_decided_at_one_instant_share_the_time() -> None:
    assert glanced([decided(12 * SECOND, case=case) for case in "123"], None, GLANCE) == [True, True, True]
    assert glanced([decided(15 * SECOND, case=case) for case in "123"], None, GLANCE) == [False, False, False]


def test_several_recommendations_on_one_case_do_not() -> None:
    assert glanced([decided(6 * SECOND), decided(6 * SECOND)], None, GLANCE) == [False, False]


def test_each_has_its_own_opening() -> None:
    assert glanced([decided(7 * SECOND, case="1"), decided(MINUTE, case="2")], None, GLANCE) == [True, False]


def test_only_rows_two_and_four_can_be_glanced_at_but_all_take_their_time() -> None:
    assert glanced([decided(SECOND, row=row) for row in (1, 2, 4, 5, 6, 7)], None, GLANCE) == [False, True, True, False, False, False]
    assert glanced([decided(8 * SECOND, row=2, case="1"), decided(8 * SECOND, row=7, case="2")], None, GLANCE) == [True, False]


def test_each_workflow_has_its_own_glance() -> None:
    assert glanced([decided(30 * SECOND), decided(30 * SECOND, workflow="slow")], None, GLANCE) == [False, True]


def test_no_decisions_have_no_flags() -> None:
    assert glanced([], None, GLANCE) == []


@given(st.lists(st.tuples(st.integers(0, 20 * SECOND), st.sampled_from([1, 2, 4, 7]), st.sampled_from("123")), min_size=1, max_size=6), st.integers(1, MINUTE))
def test_more_time_never_turns_a_look_into_a_glance(items: list[tuple[int, int, str]], more: int) -> None:
    quick = glanced([decided(*item) for item in items], None, GLANCE)
    slow = glanced([decided(waited + more, row, case) for waited, row, case in items], None, GLANCE)

    assert all(was for was, still in zip(quick, slow, strict=True) if still)


def test_a_stranger_has_a_previous_event_on_the_case() -> None:
    case, item = decided(MINUTE)
    known = msgspec.structs.replace(item, decider=None, stranger_before=T0 - 2 * SECOND)

    assert glanced([(case, known)], None, GLANCE) == [True]
    assert glanced([(case, msgspec.structs.replace(known, stranger_before=None))], None, GLANCE) == [False]
