"""Laws of derivation over random histories: total, order-free, duplicate-free, prefix-stable once settled, provable; and the outcome table read twice."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import HOUR, T0, Around, everywhere
from histories import events, full_company, history_of
from outcome_oracle import Oracle, Verdict
from rollout_metrics.derive.case import derive
from rollout_metrics.derive.history import read
from rollout_metrics.derive.recommendations import recommendations
from rollout_metrics.domain.events import Event, resolve
from rollout_metrics.domain.facts import Act, CaseFacts, Outcome, Recommendation, ReferenceValue

COMPANY = full_company()
INSTANTS = st.integers(0, 48).map(lambda halves: T0 + halves * HOUR // 2)
EXAMPLES = settings(max_examples=100, deadline=None)


def facts_at(case: list[Event], as_of: int) -> CaseFacts:
    """A case's facts with nothing around it but itself."""
    return derive(case, COMPANY, everywhere(COMPANY, as_of), Around(case, COMPANY, as_of))


def recommended(facts: CaseFacts) -> dict[tuple[str, str], Recommendation]:
    """The recommendations among facts by their opening event."""
    return {fact.opened: fact for fact in facts.facts if isinstance(fact, Recommendation)}


@EXAMPLES
@given(events(), INSTANTS)
def test_two_readings_of_the_outcome_table_agree(case: list[Event], as_of: int) -> None:
    assert first_reading(case, as_of) == second_reading(case, as_of)


@pytest.mark.parametrize("seed", range(4))
def test_two_readings_of_the_outcome_table_agree_on_a_thousand_cases(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(1000):
        case, as_of = history_of(chance.choice), T0 + chance.randrange(49) * HOUR // 2

        assert first_reading(case, as_of) == second_reading(case, as_of)


def first_reading(case: list[Event], as_of: int) -> list[Verdict]:
    """What derivation says."""
    history = read(case, COMPANY, everywhere(COMPANY, as_of))
    found, _ = recommendations(history, Around(case, COMPANY, as_of))
    return [
        Verdict(
            opened=item.opened[1],
            outcome=str(item.outcome),
            how=item.how,
            row=item.row,
            acted=item.acted_at is not None,
            provisional=item.provisional,
            decided_at=item.decided_at,
            first_decided_at=item.first_decided_at,
            settled_at=item.settled_at,
        )
        for item in found
    ]


def second_reading(case: list[Event], as_of: int) -> list[Verdict]:
    """What the oracle says."""
    return Oracle(read(case, COMPANY, everywhere(COMPANY, as_of))).verdicts()


@EXAMPLES
@given(events(), INSTANTS)
def test_every_event_that_opens_has_exactly_one_outcome(case: list[Event], as_of: int) -> None:
    facts = facts_at(case, as_of)

    found = [fact for fact in facts.facts if isinstance(fact, Recommendation)]
    assert len({fact.opened for fact in found}) == len(found)
    assert all(fact.outcome in Outcome for fact in found)


@EXAMPLES
@given(events(), INSTANTS, st.randoms(use_true_random=False))
def test_the_order_of_reading_does_not_matter(case: list[Event], as_of: int, chance: random.Random) -> None:
    shuffled = chance.sample(case, len(case))

    assert facts_at(shuffled, as_of) == facts_at(case, as_of)


@EXAMPLES
@given(events(), events(), INSTANTS, st.randoms(use_true_random=False))
def test_reading_twice_in_any_order_changes_nothing(case: list[Event], corrections: list[Event], as_of: int, chance: random.Random) -> None:
    readings = case + [msgspec.structs.replace(event, revision=1) for event in corrections[::2]]
    again = chance.sample(readings * 2, len(readings) * 2)

    assert facts_at(resolve(again), as_of) == facts_at(resolve(readings), as_of)


@EXAMPLES
@given(events(), INSTANTS)
def test_deriving_at_an_instant_equals_deriving_what_had_happened_by_then(case: list[Event], as_of: int) -> None:
    until = [event for event in case if event.occurred_at <= as_of]

    assert facts_at(case, as_of).facts == facts_at(until, as_of).facts


@EXAMPLES
@given(events(initial=False), INSTANTS)
def test_an_unread_initial_value_is_not_seen_before_its_time(case: list[Event], as_of: int) -> None:
    until = [event for event in case if event.occurred_at <= as_of]

    assert facts_at(case, as_of).facts == facts_at(until, as_of).facts


@EXAMPLES
@given(events(), INSTANTS, INSTANTS)
def test_what_settled_stays_as_it_is(case: list[Event], one: int, other: int) -> None:
    earlier, later = recommended(facts_at(case, min(one, other))), recommended(facts_at(case, max(one, other)))

    assert earlier.keys() <= later.keys()
    for opened, before in earlier.items():
        if before.settled_at is not None:
            after = later[opened]
            assert _verdict(after) == _verdict(before)


def _verdict(item: Recommendation) -> tuple[object, ...]:
    return (item.outcome, item.how, item.row, item.decided_at, item.first_decided_at, item.settled_at, item.deciding, item.decider, item.standing)


@EXAMPLES
@given(events(), INSTANTS, INSTANTS)
def test_cohorts_stay_as_they_were_judged(case: list[Event], one: int, other: int) -> None:
    earlier, later = cohorts(case, min(one, other)), cohorts(case, max(one, other))

    assert {judged for judged in later if judged[1] <= min(one, other)} == {judged for judged in earlier if judged[1] <= min(one, other)}


def cohorts(case: list[Event], as_of: int) -> set[tuple[object, int, bool, bool]]:
    """Acts and reference values as judged."""
    return {
        (fact.evidence[0], fact.judged_at, fact.corrected, isinstance(fact, Act) and fact.edited)
        for fact in facts_at(case, as_of).facts
        if isinstance(fact, Act | ReferenceValue)
    }


@EXAMPLES
@given(events(), INSTANTS)
def test_evidence_is_in_the_history_and_ends_with_what_decided(case: list[Event], as_of: int) -> None:
    refs = {event.ref for event in case if event.occurred_at <= as_of}

    for fact in facts_at(case, as_of).facts:
        assert refs.issuperset(fact.evidence)
        if isinstance(fact, Recommendation):
            assert fact.evidence[0] == fact.opened
            assert fact.deciding is None or fact.evidence[-1] == fact.deciding


@EXAMPLES
@given(events(), INSTANTS)
def test_nothing_changes_by_time_alone_before_it_is_announced(case: list[Event], as_of: int) -> None:
    facts = facts_at(case, as_of)
    announced = facts.next_change_at
    until = T0 + 40 * HOUR if announced is None else announced

    assert until > as_of or announced is None
    for later in {as_of + 1, (as_of + until) // 2, until - 1}:
        if as_of < later < until:
            assert facts_at(case, later).facts == facts.facts


@EXAMPLES
@given(events(), INSTANTS)
def test_something_is_announced_only_when_it_comes(case: list[Event], as_of: int) -> None:
    """Recommendations do change at their next instant, so that no case is derived in vain for them."""
    past = [event for event in case if event.occurred_at <= as_of]
    history = read(past, COMPANY, everywhere(COMPANY, as_of))
    found, change_at = recommendations(history, Around(past, COMPANY, as_of))

    if change_at is not None:
        later = read(past, COMPANY, everywhere(COMPANY, change_at))
        assert recommendations(later, Around(past, COMPANY, change_at))[0] != found
