"""Facts into counts and samples: which fact lands where, and that differences of samples fold."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import T0, after, company
from facts import acted, case, escalated, fact_sets, handled, recommended
from rollout_metrics.catalog import TALLIES
from rollout_metrics.domain.facts import Blocked, Effort, Evaluated, Fact, Mode, ReferenceValue, Used, Violation, ViolationKind
from rollout_metrics.domain.time import HOUR, MINUTE, SECOND, minute_of
from rollout_metrics.rollup import (
    ROWS,
    STATE,
    WHOLE,
    Contribution,
    Sample,
    contributions,
    corrections,
    sample_difference,
    samples,
    share,
)

COMPANY = company(
    {
        "name": "w",
        "error_categories": ["tone"],
        "escalation": {"paths": {"refund": {"owner": "billing"}}},
    },
    {"name": "v"},
)
W = {workflow.name: msgspec.structs.replace(workflow, block_reasons=frozenset({"pii"})) for workflow in COMPANY.workflows}
LAWS = settings(max_examples=80, deadline=None)


def counts(*facts: Fact, tally: str | None = None, glanced: frozenset[tuple[str, str]] = frozenset()) -> set[Contribution]:
    return {item for item in contributions(facts, W, glanced) if tally is None or item[0][1] == tally}


def at(offset: str | int) -> int:
    return minute_of(after(offset))


def test_every_kind_of_fact_is_counted_and_every_tally_comes_from_some_row() -> None:
    rows = {row.tally for rows in ROWS.values() for row in rows}

    assert ROWS.keys() == set(Fact.__args__)  # type: ignore[attr-defined]
    assert rows | {"glanced_decisions", "operators", "corrections_to_settled"} == TALLIES.keys()


def test_a_row_names_an_instant_unless_its_tally_stands_at_t() -> None:
    assert all((row.at is None) is TALLIES[row.tally].standing for rows in ROWS.values() for row in rows)


def test_a_decision_counts_by_its_deciding_instant_with_mode_outcome_and_how() -> None:
    fact = recommended("0s", "accepted", "approved", "1h")

    assert counts(fact, tally="decisions") == {(("w", "decisions", "live", "accepted", "approved"), at("1h"), 1)}


def test_what_is_not_decided_is_no_decision() -> None:
    assert not counts(recommended("0s", "ignored", "ignored", "1h"), recommended(), tally="decisions")


def test_a_recommendation_counts_by_its_opening_whatever_became_of_it() -> None:
    fact = recommended("5m", "superseded", "newer", "1h", mode=Mode.SHADOW)

    assert counts(fact, tally="recommendations") == {(("w", "recommendations", "shadow", "superseded"), at("5m"), 1)}


def test_a_pending_recommendation_stands_at_t() -> None:
    assert counts(recommended(), tally="recommendations_pending") == {(("w", "recommendations_pending", "live"), STATE, 1)}


@pytest.mark.parametrize(("category", "label"), [("tone", "tone"), (None, "uncategorised"), ("typed by hand", "other"), ("uncategorised", "uncategorised")])
def test_an_error_counts_under_configured_categories_only(category: str | None, label: str) -> None:
    fact = recommended("0s", "edited", "edited", "1h", category=category)

    assert counts(fact, tally="errors") == {(("w", "errors", label), at("1h"), 1)}


def test_errors_are_live_and_of_edited_and_overridden_decisions_only() -> None:
    shadow = recommended("0s", "overridden", "changed", "1h", mode=Mode.SHADOW)

    assert not counts(shadow, recommended("0s", "accepted", "approved", "1h"), tally="errors")


def test_an_explicit_first_decision_counts_where_it_was_made_though_it_was_reversed_later() -> None:
    fact = recommended("0s", "overridden", "reversed", "2d", row=2, first_decided_at=after("1h"))

    assert counts(fact, tally="explicit_decisions") == {(("w", "explicit_decisions"), at("1h"), 1)}
    assert counts(fact, tally="decisions") == {(("w", "decisions", "live", "overridden", "reversed"), at("2d"), 1)}


@pytest.mark.parametrize(
    ("row", "explicit"), [(0, 0), (1, 1), (2, 1), (3, 0), (4, 1), (5, 1), (6, 1), (7, 1), (8, 0), (9, 0), (10, 0), (11, 0), (12, 0), (13, 0)]
)
def test_explicit_decisions_are_rows_1_2_and_4_to_7(row: int, explicit: int) -> None:
    assert len(counts(recommended("0s", "accepted", "kept", "1h", row=row), tally="explicit_decisions")) == explicit


@pytest.mark.parametrize(("row", "counted"), [(1, 0), (2, 1), (4, 1), (5, 0), (6, 0)])
def test_a_glance_is_counted_for_rows_2_and_4_only(row: int, counted: int) -> None:
    fact = recommended("0s", "accepted", "approved", "3s", row=row)

    assert len(counts(fact, tally="glanced_decisions", glanced=frozenset({fact.opened}))) == counted


@pytest.mark.parametrize(
    ("latency", "bucket"), [(0, "1"), (SECOND, "1"), (SECOND + 1, "5"), (30 * SECOND, "30"), (604800 * SECOND, "604800"), (604800 * SECOND + 1, "+Inf")]
)
def test_review_latency_falls_into_the_first_bucket_that_holds_it(latency: int, bucket: str) -> None:
    fact = recommended(0, "accepted", "approved", latency)

    assert counts(fact, tally="review_latency") == {(("w", "review_latency", bucket), STATE, 1)}
    assert counts(fact, tally="review_latency_total") == {(("w", "review_latency_total"), STATE, latency)}


def test_a_settled_decision_counts_for_good_and_only_live() -> None:
    settled = recommended("0s", "accepted", "approved", "1h", settled_at=after("15d"))
    fluid = recommended("0s", "accepted", "approved", "1h")
    shadow = recommended("0s", "overridden", "changed", "1h", mode=Mode.SHADOW)

    assert counts(settled, fluid, shadow, tally="decisions_settled") == {(("w", "decisions_settled", "accepted"), STATE, 1)}


def test_acts_and_reference_values_belong_to_the_end_of_their_age() -> None:
    reference = ReferenceValue("w", "set:priority", after("1h"), after("3d1h"), corrected=True, evidence=())

    assert counts(acted("0s", corrected=True), tally="acts") == {(("w", "acts"), at("3d"), 1)}
    assert counts(acted("0s", corrected=True), tally="corrected_acts") == {(("w", "corrected_acts"), at("3d"), 1)}
    assert counts(acted("0s", edited=True), tally="edited_acts") == {(("w", "edited_acts"), at("3d"), 1)}
    assert counts(reference) == {(("w", "reference_values"), at("3d1h"), 1), (("w", "reference_corrections"), at("3d1h"), 1)}


@pytest.mark.parametrize(("reason", "label"), [("refund", "refund"), ("unspecified", "unspecified"), ("typed by hand", "other")])
def test_an_escalation_counts_under_configured_reasons_only(reason: str, label: str) -> None:
    assert counts(escalated("1h", reason=reason), tally="escalations") == {(("w", "escalations", label), at("1h"), 1)}


def test_open_and_unowned_escalations_stand_at_t() -> None:
    facts = (
        escalated("1h", owned=False),
        escalated("2h", acknowledged="3h"),
        escalated("0s", resolved="1h", owned=False),
        escalated("0s", ended="2h", owned=False),
    )

    assert sum(amount for _, _, amount in contributions(facts, W) if _ == STATE) == 3
    assert Counter(series for series, minute, _ in contributions(facts, W) if minute == STATE) == {
        ("w", "escalations_open"): 2,
        ("w", "escalations_unowned"): 1,
    }


def test_a_handling_counts_by_its_instant() -> None:
    assert counts(handled("1h", "unassisted")) == {(("w", "handled_cases", "unassisted"), at("1h"), 1)}


def test_a_handled_case_is_a_cohort_case_at_the_end_of_its_age() -> None:
    fact = case("0s", handled="1h", escalated_in_cohort=True, complained_in_cohort=True)

    assert {item for item in counts(fact) if "cohort_cases" in item[0][1] and "drop" not in item[0][1]} == {
        (("w", "handled_cohort_cases"), at("3d1h"), 1),
        (("w", "escalated_cohort_cases"), at("3d1h"), 1),
        (("w", "complaint_cohort_cases"), at("3d1h"), 1),
    }


def test_a_case_the_agent_never_handled_is_in_the_drop_cohort_only() -> None:
    assert counts(case("0s", touched=False)) == {
        (("w", "appearances", ""), at("3d"), 1),
        (("w", "drop_cohort_cases"), at("3d"), 1),
        (("w", "dropped_cases"), at("3d"), 1),
    }


def test_review_effort_is_whole_microseconds_by_the_last_decision() -> None:
    fact = case("0s", review_effort=Effort(12.5, "measured"), reviewed_at=after("2h"))

    assert counts(fact, tally="review_effort") == {(("w", "review_effort", "measured"), at("2h"), 12_500_000)}


def test_correct_escalation_is_asked_of_agent_handled_cases_with_an_answer() -> None:
    right = case("0s", handled="1h", escalated=True, should_escalate=True)
    missed = case("0s", handled="2h", should_escalate=True)
    wrong = case("0s", handled="3h", escalated=True, should_escalate=False)
    unhandled = case("0s", should_escalate=True)
    tallies = ("judged_escalated_cases", "should_escalate_cases", "correctly_escalated_cases")

    found = Counter({tally: len(counts(right, missed, wrong, unhandled, tally=tally)) for tally in tallies})

    assert found == {"judged_escalated_cases": 2, "should_escalate_cases": 2, "correctly_escalated_cases": 1}


def test_each_operators_last_event_on_a_case_counts_as_presence() -> None:
    fact = case("0s", operators=(("op-1", after("1h")), ("op-2", after("2h"))))

    assert counts(fact, tally="operators") == {(("w", "operators", "op-1"), at("1h"), 1), (("w", "operators", "op-2"), at("2h"), 1)}


def test_authority_and_evaluations_count_by_their_instant() -> None:
    violation = Violation("none", ViolationKind.OUT_OF_SCOPE, "close", after("1h"), ())
    blocked = [Blocked("w", reason, None, after("1h"), ()) for reason in ("pii", "", "typed by hand")]
    used, evaluated = Used("w", "close", after("1h"), ()), Evaluated("w", passed=False, at=after("1h"), version=None, evidence=(("desk", "run"),))

    assert counts(violation, *blocked, used, evaluated) == {
        (("none", "violations", "out_of_scope"), at("1h"), 1),
        (("w", "blocked_actions", "pii"), at("1h"), 1),
        (("w", "blocked_actions", "unspecified"), at("1h"), 1),
        (("w", "blocked_actions", "other"), at("1h"), 1),
        (("w", "used", "close"), at("1h"), 1),
        (("w", "evaluations", "false"), at("1h"), 1),
        (("w", "failed_runs", str(after("1h")), "", "desk", "run"), STATE, 1),
    }


def test_a_bucket_holds_the_instants_up_to_and_including_its_minute() -> None:
    first, second = handled(0), handled(1)

    assert {minute for _, minute, _ in counts(first)} == {T0 // MINUTE}
    assert {minute for _, minute, _ in counts(second)} == {T0 // MINUTE + 1}


def test_a_settled_outcome_that_changes_or_vanishes_is_a_correction() -> None:
    before = recommended("0s", "overridden", "changed", "1h")
    after_it = recommended("0s", "accepted", "approved", "1h")
    fluid = recommended("1s", "accepted", "approved", "1h")

    expected = [(("w", "corrections_to_settled", "overridden"), STATE, 1)]
    assert corrections((before, fluid), (after_it,)) == expected
    assert corrections((before,), ()) == expected
    assert corrections((before,), (before,)) == []


# --- samples


def sampled(*facts: Fact, kind: str) -> list[tuple[int, int | None, bool]]:
    return [(item.at, item.duration, item.complete) for item in samples(facts) if item.series[1] == kind]


def test_a_pending_recommendation_is_an_unfinished_sample_of_its_mode() -> None:
    found = list(samples([recommended("1h", mode=Mode.SHADOW)]))

    assert found == [Sample(("w", "pending", "shadow"), after("1h"), None, complete=False)]


@pytest.mark.parametrize(
    ("fact", "duration", "complete"),
    [
        (recommended("0s", "accepted", "approved", "1h"), HOUR, True),
        (recommended("0s", "accepted", "matched", "1h"), HOUR, True),
        (recommended("0s", "overridden", "reversed", "2d", row=2, first_decided_at=after("1h")), HOUR, True),
        (recommended("0s", "superseded", "newer", "1h", ended_at=after("1h")), HOUR, False),
        (recommended("0s", "ignored", "ignored", "1h", row=12), HOUR, False),
        (recommended("0s", "ignored", "timeout", "7d", provisional=True, ended_at=after("7d")), None, False),
        (recommended("0s"), None, False),
    ],
)
def test_the_wait_for_a_decision_ends_with_one_is_censored_otherwise_and_goes_on_through_a_provisional_timeout(
    fact: Fact, duration: int | None, complete: bool
) -> None:
    assert sampled(fact, kind="decision_wait") == [(T0, duration, complete)]


def test_who_did_not_ask_does_not_wait() -> None:
    assert not sampled(recommended("0s", "accepted", "kept", "1h", asked=False), kind="decision_wait")


def test_shadow_has_no_latency_and_no_wait() -> None:
    assert not list(samples([recommended("0s", "accepted", "approved", "1h", mode=Mode.SHADOW)]))


def test_review_latency_belongs_to_the_first_decision() -> None:
    assert sampled(recommended("0s", "accepted", "approved", "1h"), kind="review_latency") == [(after("1h"), HOUR, True)]


def test_time_to_reverse_belongs_to_the_reversal() -> None:
    assert sampled(acted("0s", reversed_at=after("1h")), acted("1s"), kind="time_to_reverse") == [(after("1h"), HOUR, True)]


def test_an_escalation_waits_for_its_acknowledgement_and_its_end() -> None:
    taken_back = escalated("0s", resolved="1h")

    assert sampled(escalated("0s", acknowledged="1h", resolved="2h"), kind="acknowledge") == [(T0, HOUR, True)]
    assert sampled(escalated("0s", acknowledged="1h", resolved="2h"), kind="resolve") == [(T0, 2 * HOUR, True)]
    assert sampled(taken_back, kind="acknowledge") == [(T0, HOUR, False)]
    assert sampled(taken_back, kind="resolve") == [(T0, HOUR, True)]
    assert sampled(escalated("0s", ended="1h"), kind="resolve") == [(T0, HOUR, False)]
    assert sampled(escalated("0s", acknowledged="1h"), kind="resolve") == [(T0, None, False)]


def test_working_time_to_acknowledge_is_a_share_of_the_target() -> None:
    assert sampled(escalated("0s", acknowledged="1h"), kind="acknowledge_target") == [(T0, WHOLE // 4, True)]
    assert [item.breach_at for item in samples([escalated()]) if item.series[1] == "acknowledge_target"] == [after("4h")]


def test_a_share_of_at_most_the_target_is_at_most_whole_exactly() -> None:
    target = 4 * HOUR

    assert share(target, target) == WHOLE
    assert share(target + 1, target) > WHOLE
    assert share(target - 1, target) <= WHOLE


def test_a_case_gives_its_turnaround_and_what_it_cost() -> None:
    assisted = case("0s", handled="1m", closed="1h", seconds=60.0, assisted=True)
    alone = case("0s", closed="2h", seconds=90.0)
    with_agent = case("0s", handled="1m", closed="1h", seconds=70.0)
    ended = case("0s", ended_at=after("1h"))

    assert [item.series[2] for item in samples([assisted, alone]) if item.series[1] == "turnaround"] == ["assisted", "other"]
    assert sampled(alone, kind="turnaround") == [(T0, 2 * HOUR, True)]
    assert sampled(ended, kind="turnaround") == [(T0, HOUR, False)]
    assert sampled(case("0s"), kind="turnaround") == [(T0, None, False)]
    assert sampled(assisted, alone, with_agent, kind="effort") == [(after("1h"), 60 * SECOND, True)]
    assert sampled(assisted, alone, with_agent, kind="baseline") == [(after("2h"), 90 * SECOND, True)]


# --- laws


@LAWS
@given(st.lists(fact_sets(), min_size=1, max_size=6))
def test_folding_sample_differences_equals_sampling_from_scratch(states: list[tuple[Fact, ...]]) -> None:
    held: Counter[Sample] = Counter()
    before: tuple[Fact, ...] = ()
    for facts in states:
        gone, come = sample_difference(before, facts)
        held.update(come)
        held.subtract(gone)
        assert min(held.values(), default=0) >= 0
        before = facts

    assert +held == Counter(samples(before))


@LAWS
@given(fact_sets())
def test_equal_facts_differ_in_no_sample(facts: tuple[Fact, ...]) -> None:
    assert sample_difference(facts, facts) == ([], [])


@LAWS
@given(fact_sets(), st.randoms())
def test_the_order_of_facts_does_not_matter(facts: tuple[Fact, ...], random: Any) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)

    assert Counter(contributions(facts, W)) == Counter(contributions(shuffled, W))


@LAWS
@given(fact_sets())
def test_every_series_has_its_tallys_labels_and_only_listed_values(facts: tuple[Fact, ...]) -> None:
    for series, minute, _ in contributions(facts, W):
        tally = TALLIES[series[1]]

        assert len(series) - 2 == len(tally.labels)
        assert (minute == STATE) is tally.standing
        if tally.values is not None and series[0] in W:
            assert series[2:] in tally.values(W[series[0]])


@pytest.mark.parametrize(
    ("fields", "met"),
    [
        ({"acknowledged": "3h"}, "true"),
        ({"acknowledged": "5h", "worked": 4 * HOUR}, "true"),
        ({"acknowledged": "5h"}, "false"),
        ({}, "false"),
        ({"ended": "1h"}, None),
        ({"resolved": "1h"}, None),
        ({"ended": "5h"}, "false"),
    ],
)
def test_an_escalation_speaks_of_its_target_once_that_is_over(fields: dict[str, Any], met: str | None) -> None:
    found = [(series[2:], minute) for series, minute, _ in contributions([escalated("0m", **fields)], {}) if series[1] == "escalation_targets"]

    assert found == ([] if met is None else [((met,), minute_of(after("4h")))])
