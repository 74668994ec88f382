"""What an agent in shadow proposed against what people did."""

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import AGENT, OPERATOR, Around, after, company, ev, history, workflow
from facts import case, recommended
from rollout_metrics.derive.recommendations import recommendations
from rollout_metrics.derive.shadow import NOT_SAID, Comparison, compare
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import Fact, Mode, Recommendation
from rollout_metrics.rollup import contributions

COSTS = [{"action": "set:priority", "proposed": "low", "given": "urgent", "cost": 50}, {"action": "set:priority", "proposed": "low", "cost": 3}]
W = workflow(shadow={"costs": COSTS, "other_cost": 2, "dangerous_from": 10})


def said(number: int, proposed: str, given_: str | None, outcome: str = "overridden", **fields: Any) -> Recommendation:
    how = "matched" if outcome == "accepted" else "changed"
    fact = recommended(f"{number}m", outcome, how, f"1h{number}m", mode=Mode.SHADOW, value=proposed, standing=proposed, **fields)
    return msgspec.structs.replace(fact, given=given_)


FOUND: list[tuple[tuple[str, str], tuple[Fact, ...]]] = [
    (("desk", "1"), (said(1, "low", "urgent"), case("0m", should_escalate=True))),
    (("desk", "2"), (said(2, "low", "high"), said(3, "low", None, "accepted"))),
    (("desk", "3"), (said(4, "high", None),)),
    (("desk", "4"), (said(5, "high", None, "escalated"), case("0m", should_escalate=True))),
    (("desk", "5"), (said(6, "high", None, "escalated"), case("0m", should_escalate=False))),
    (("desk", "6"), (recommended("7m", "overridden", "changed", "1h7m"),)),
]


def compared(found: list[tuple[tuple[str, str], tuple[Fact, ...]]] = FOUND, up_to: str = "1d") -> Comparison:
    return compare(W, found, after("0m"), after(up_to))


def test_errors_are_weighed_by_the_first_row_of_the_cost_table_that_fits() -> None:
    found = compared()

    assert (found.decided, found.agreed, found.cheap, found.dangerous, found.cost) == (4, 1, 2, 1, 55)
    assert [(e.proposed, e.given, e.cost, e.dangerous, e.cases) for e in found.errors] == [
        ("low", "urgent", 50, True, (("desk", "1"),)),
        ("low", "high", 3, False, (("desk", "2"),)),
        ("high", None, 2, False, (("desk", "3"),)),
    ]


def test_confusion_is_told_by_class() -> None:
    (action,) = compared().actions

    assert (action.action, action.agreed, action.decided) == ("set:priority", 1, 4)
    assert set(action.confusion) == {("low", "low", 1), ("low", "high", 1), ("low", "urgent", 1), ("high", NOT_SAID, 1)}


def test_escalations_are_right_where_operators_say_so() -> None:
    found = compared().escalations

    assert (found.right, found.wrong, found.missed, found.unsaid) == (1, 1, 1, 0)


def test_what_was_decided_outside_the_stretch_is_left_out() -> None:
    assert compared(up_to="1h2m").decided == 2


@given(st.integers(0, 2**32))
def test_the_comparison_does_not_depend_on_the_order(seed: int) -> None:
    shuffled = [(key, tuple(Random(seed).sample(facts, len(facts)))) for key, facts in FOUND]
    Random(seed).shuffle(shuffled)

    assert compared(shuffled) == compared()


def test_the_series_counts_what_the_comparison_does() -> None:
    counted = [series for series, *_ in contributions([fact for _, facts in FOUND for fact in facts], {"w": W}) if series[1] == "shadow_comparisons"]

    found = compared()
    assert [counted.count(("w", "shadow_comparisons", verdict)) for verdict in ("agreed", "cheap", "dangerous")] == [found.agreed, found.cheap, found.dangerous]


@pytest.mark.parametrize(
    ("events", "instead"),
    [
        ([ev("2h", OPERATOR, "changed", "priority", "urgent")], "urgent"),
        ([ev("2h", OPERATOR, "closed", "status", "closed", before="open")], "normal"),
        ([ev("2h", OPERATOR, "rejected", action="set:priority")], None),
        ([ev("2h", OPERATOR, "changed", "priority", "low")], None),
    ],
)
def test_a_recommendation_in_shadow_keeps_what_a_person_gave_instead(events: list[Event], instead: str | None) -> None:
    of = company({"levels": [{"level": "shadow", "since": "2026-01-01"}], "decides": ["set:priority"]})
    first = [
        ev(0, "customer-1", "created", attributes={"priority": "none", "status": "open"}),
        ev("30m", OPERATOR, "changed", "priority", "normal"),
        ev("1h", AGENT, "recommended", "priority", "low"),
    ]

    (fact,) = recommendations(history(*first, *events, company=of), Around((), of, after("30d")))[0]

    assert fact.given == instead
