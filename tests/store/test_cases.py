"""Due cases, facts in place, counts by exact difference, and what reaches other cases."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import T0, after, company, ev
from facts import acted, case, recommended
from rollout_metrics.domain.events import CaseKey
from rollout_metrics.domain.facts import CaseFacts, Fact, Handling, HandlingKind, Violation, ViolationKind
from rollout_metrics.domain.time import MINUTE
from rollout_metrics.store import Counted, Judged, Store, Update

NOW = {"w": after("30d"), "": after("30d")}
A, B = ("desk", "1"), ("desk", "2")
ACCEPTED, ACTS = ("w", "decisions", "accepted"), ("w", "acts")


def derived(key: CaseKey, *facts: Fact, change: str | None = None, counted: Mapping[Any, int] | None = None, workflow: str | None = "w") -> Update:
    return Update(CaseFacts(key, workflow, after(0), facts, None if change is None else after(change)), contributed(counted or {}))


def contributed(counted: Mapping[Any, int]) -> list[tuple[Any, int, int]]:
    return [(series, minute, amount) for (series, minute), amount in counted.items()]


def land(store: Store, *cases: str, at: str = "0s", actor: str = "op-1") -> None:
    store.land("desk", [ev(at, actor, "created", case=name, id=f"{name} {at} {actor}") for name in cases])


def put(store: Store, *updates: Update, as_of: Mapping[str, int] = NOW) -> Counted:
    """Derive what is due: these, and nothing for all others."""
    due = store.due(as_of)
    given_keys = {update.facts.case for update in updates}
    return store.replace(due, [*updates, *(derived(key, workflow=None) for key in due.keys if key not in given_keys)]).counts


def test_facts_come_back_as_they_were_put(store: Store) -> None:
    land(store, "1", "2")
    facts = (recommended("1m", "accepted", "approved", "2m", decider="op-1"), acted("1m"), case(0, handled="1m"))

    put(store, derived(A, *facts))

    assert store.facts([A, B, ("desk", "none")]) == {A: facts}


def test_counts_are_the_sum_of_what_cases_contribute_now(store: Store) -> None:
    land(store, "1", "2")
    put(store, derived(A, counted={(ACCEPTED, 5): 1, (ACTS, 5): 2, (ACTS, 0): 7}), derived(B, counted={(ACCEPTED, 5): 1, (ACCEPTED, 9): 1}))
    land(store, "1", at="1m")

    difference = put(store, derived(A, counted={(ACCEPTED, 6): 1, (ACTS, 5): 2}))

    assert difference == {(ACCEPTED, 5): -1, (ACCEPTED, 6): 1, (ACTS, 0): -7}
    assert sorted(store.counts("w", 0, 100)) == [(5, ACTS, 2), (5, ACCEPTED, 1), (6, ACCEPTED, 1), (9, ACCEPTED, 1)]
    assert store.state_counts("w") == {}
    assert store.check() == []


def test_counts_of_a_stretch_leave_out_its_start_and_keep_its_end(store: Store) -> None:
    land(store, "1")
    put(store, derived(A, counted={(ACTS, minute): minute for minute in (0, 4, 5, 6)}))

    assert [(minute, amount) for minute, _, amount in store.counts("w", 4, 6)] == [(5, 5), (6, 6)]
    assert store.state_counts("w") == {}
    assert list(store.counts("unknown", 0, 100)) == []


def test_contributions_are_those_of_each_stretch(store: Store) -> None:
    land(store, "1")
    put(store, derived(A, counted={(ACTS, minute): minute for minute in (0, 4, 5, 6)} | {(ACCEPTED, 5): 2, (ACCEPTED, 6): -2, (("v", "acts"), 6): 9}))

    found = sorted(store.contributions([("w", 4, 6), ("unknown", 0, 9), ("v", -1, 9), ("w", 2, 4), ("w", 5, 5)]))

    assert found == [(("v", "acts"), 6, 9), (ACTS, 4, 4), (ACTS, 5, 5), (ACTS, 6, 6), (ACCEPTED, 5, 2), (ACCEPTED, 6, -2)]
    assert sorted((*series, *pair) for series, *pair in ((s, m.tolist(), a.tolist()) for s, m, a in store.tracks([("w", 4, 6), ("v", -1, 9)], {}))) == [
        ("v", "acts", [6], [9]),
        (*ACTS, [5, 6], [5, 6]),
        (*ACCEPTED, [5, 6], [2, -2]),
    ]
    assert list(store.contributions([])) == list(store.tracks([], {})) == []


counted_of_case = st.dictionaries(st.tuples(st.sampled_from([ACCEPTED, ACTS, ("v", "acts")]), st.integers(0, 3)), st.integers(-2, 5), max_size=5)
moves = st.lists(st.tuples(st.sampled_from(["1", "2", "3"]), counted_of_case), max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=moves)
def test_applying_differences_equals_counting_the_last_contributions(emptied: Callable[[], Store], history: list[tuple[str, dict[Any, int]]]) -> None:
    store = emptied()
    seen: dict[Any, int] = {}
    for number, (name, counted) in enumerate(history):
        land(store, name, at=f"{number}s")
        for bucket, amount in put(store, derived(("desk", name), counted=counted)).items():
            seen[bucket] = seen.get(bucket, 0) + amount

    expected: dict[Any, int] = {}
    for counted in dict(history).values():
        for bucket, amount in counted.items():
            expected[bucket] = expected.get(bucket, 0) + amount
    stored = {(series, minute): amount for name in ("w", "v") for minute, series, amount in store.counts(name, 0, 99)}
    stored |= {(series, 0): amount for name in ("w", "v") for series, amount in store.state_counts(name).items()}
    expected = {bucket: amount for bucket, amount in expected.items() if amount}
    assert stored == expected
    assert {bucket: amount for bucket, amount in seen.items() if amount} == expected
    assert store.check() == []


def test_a_case_is_due_when_its_time_has_come(store: Store) -> None:
    land(store, "1")
    put(store, derived(A, case(0), change="1h"), as_of={"w": after("1m"), "": after("1m")})

    before, then = store.due({"w": after("1h") - 1, "": after("9d")}), store.due({"w": after("1h"), "": after("1h")})

    assert (before.keys, then.keys) == ([], [A])


def test_a_case_of_no_workflow_is_due_by_the_t_of_none(store: Store) -> None:
    land(store, "1")
    put(store, Update(CaseFacts(A, None, None, (), after("1h")), ()), as_of={"w": after("1m"), "": after("1m")})

    assert not store.due({"w": after("1m"), "": after("1h") - 1})
    assert store.due({"w": after("1m"), "": after("1h")}).keys == [A]


def test_a_case_of_no_workflow_is_due_when_any_t_passes_its_change_as_it_may_enter_one(store: Store) -> None:
    land(store, "1")
    put(store, Update(CaseFacts(A, None, None, (), after("1h")), ()), as_of={"w": after("1m"), "": after("1m")})

    assert store.due({"w": after("1h"), "": after("1m")}).keys == [A]


def test_cases_with_facts_or_events_beyond_a_t_that_went_back_are_due(store: Store) -> None:
    land(store, "1", at="10m")
    land(store, "2", at="30m")
    land(store, "3", at="10m")
    put(store, derived(A, acted("10m", judged="20m")), derived(B, acted("10m", judged="20m")), derived(("desk", "3"), acted("10m", judged="40m")))

    assert set(store.due({"w": after("29m"), "": after("29m")}).keys) == {B, ("desk", "3")}


def test_facts_keep_when_they_were_recorded(store: Store) -> None:
    land(store, "1")
    first, second = recommended("1m"), recommended("2m")
    put(store, derived(A, first))
    store._clock = lambda: T0 + 5
    land(store, "1", at="1m")

    put(store, derived(A, first, second))

    assert store.recorded(A) == ((first, T0), (second, T0 + 5))


def test_a_case_left_without_events_loses_its_facts_and_counts(store: Store) -> None:
    store.land("desk", [ev(0, "op-1", "created", id="a", case="1")])
    put(store, derived(A, case(0), counted={(ACTS, 3): 1}))
    store.land("desk", [ev(0, "op-1", "created", id="a", case="2", revision=1)])

    put(store)

    assert store.facts([A]) == {}
    assert list(store.counts("w", 0, 9)) == []
    assert store.check() == []


def test_facts_of_a_stretch_are_those_that_overlap_it_and_the_unfinished(store: Store) -> None:
    land(store, "1", "2", "3", "4")
    old, late, open_ = (recommended("1h", "overridden", "changed", "2h"), recommended("5d", "overridden", "changed", "6d"), recommended("1h"))
    elsewhere = Violation("w", ViolationKind.OUT_OF_SCOPE, "close", after("5d"), ())
    put(
        store,
        derived(A, old),
        derived(B, late, acted("5d", judged="8d")),
        derived(("desk", "3"), open_),
        derived(("desk", "4"), elsewhere, workflow=None),
    )

    found = dict(store.facts_between("w", after("4d"), after("7d")))
    acts = dict(store.facts_between("w", after("4d"), after("7d"), kinds={type(acted())}))

    assert found == {B: (late, acted("5d", judged="8d")), ("desk", "3"): (open_,), ("desk", "4"): (elsewhere,)}
    assert acts == {B: (acted("5d", judged="8d"),)}
    assert dict(store.facts_between("w", after("1h"), after("2h"))) == {A: (old,), ("desk", "3"): (open_,)}


def test_rebuild_makes_every_case_due_and_keeps_the_counts_until_each_is_replaced(store: Store) -> None:
    land(store, "1", "2")
    put(store, derived(A, counted={(ACTS, 3): 1}), derived(B, counted={(ACTS, 3): 1}))

    marked = store.rebuild()
    standing = list(store.counts("w", 0, 9))
    due = store.due(NOW)
    store.replace(due, [derived(A, counted={(ACTS, 3): 5})])
    halfway = store.rebuilding()
    store.replace(store.due(NOW), [derived(B, counted={})])

    assert (marked, standing, set(due.keys), halfway, store.rebuilding()) == (2, [(3, ACTS, 1 + 1)], {A, B}, True, False)
    assert list(store.counts("w", 0, 9)) == [(3, ACTS, 5)]
    assert store.check() == []


def test_facts_stored_in_another_layout_are_derived_again(new_url: Callable[[], str]) -> None:
    from rollout_metrics.store import open_store

    url = new_url()
    with open_store(url, clock=lambda: T0) as store:
        land(store, "1")
        put(store, derived(A, case(0), counted={(ACTS, 3): 1}))
        store.set_meta("layout", "another")

    with open_store(url, clock=lambda: T0) as store:
        assert store.rebuilding()
        assert store.due(NOW).keys == [A]


def handled(kind: HandlingKind, at: str, start: str, end: str) -> Handling:
    return Handling("w", kind, after(at), after(0), (after(start), after(end)), ())


def test_an_agent_event_within_the_stretch_reaches_cases_found_without_an_agent(store: Store) -> None:
    land(store, "1", "2", "3")
    absent = HandlingKind.AGENT_ABSENT
    put(
        store,
        derived(A, handled(absent, "2h", "1h", "2h")),
        derived(B, handled(absent, "5h", "4h", "5h")),
        derived(("desk", "3"), handled(HandlingKind.UNASSISTED, "2h", "1h", "2h")),
    )

    land(store, "9", at="90m", actor="bot")

    assert set(store.due(NOW).keys) == {A, ("desk", "9")}


def test_an_agent_event_ahead_of_t_reaches_them_when_t_passes_it(store: Store) -> None:
    land(store, "1")
    land(store, "9", at="90m", actor="bot")
    early = {"w": after("80m"), "": after("80m")}
    put(store, derived(A, handled(HandlingKind.AGENT_ABSENT, "70m", "1h", "95m")), as_of=early)

    assert not store.due({"w": after("89m"), "": after("89m")})
    assert store.due({"w": after("90m"), "": after("90m")}).keys == [A]


def test_an_agent_event_taken_back_reaches_cases_that_had_seen_it(store: Store) -> None:
    land(store, "1", "2", "9")
    store.land("desk", [ev("90m", "bot", "commented", id="x", case="9")])
    put(store, derived(A, handled(HandlingKind.UNASSISTED, "2h", "1h", "2h")), derived(B, handled(HandlingKind.UNASSISTED, "5h", "4h", "5h")))

    store.land("desk", [ev("20d", "bot", "commented", id="x", case="9", revision=1)])

    assert set(store.due(NOW).keys) == {A, ("desk", "9")}
    assert not store.surroundings(NOW).agent_seen(company().workflows[0], after("1h"), after("2h"))


def test_surroundings_answer_as_of_t(store: Store) -> None:
    land(store, "1", at="90m", actor="bot")
    put(store, derived(A, case(0, first_agent_at=after("90m"))))
    w = company().workflows[0]

    around, early = store.surroundings(NOW), store.surroundings({"w": after("90m") - 1})

    assert [around.agent_seen(w, after(a), after(b)) for a, b in (("1h", "90m"), ("90m", "2h"), ("1h", "89m"), ("91m", "9d"))] == [True, True, False, False]
    assert not early.agent_seen(w, after("1h"), after("2h"))
    assert (around.first_agent_at(w), early.first_agent_at(w)) == (after("90m"), None)


def test_cases_follow_when_the_first_agent_event_moves_where_the_level_hangs_on_it(store: Store) -> None:
    store.configure(company({"levels": [{"level": "assisted"}]}))
    land(store, "1", "2", "3", "4")

    def scoped(name: str, at: str, agent: str | None = None) -> Update:
        first = None if agent is None else after(agent)
        return Update(CaseFacts(("desk", name), "w", after(at), (case(at, first_agent_at=first),), None), ())

    put(store, scoped("1", "1h"), scoped("2", "3h"), scoped("3", "5h"), scoped("4", "1h", "6h"))
    moved = store.due(NOW)
    put(store, scoped("1", "1h"), scoped("2", "3h"), scoped("3", "5h"), scoped("4", "1h", "6h"))
    land(store, "4", at="2h", actor="bot")

    put(store, scoped("4", "1h", "2h"))

    assert ("desk", "4") in moved.keys
    assert set(store.due(NOW).keys) == {B, ("desk", "3"), ("desk", "4")}


def decided(name: str, at: str, who: str = "op-1", opened: str = "0s") -> Update:
    fact = recommended(opened, "accepted", "approved", at, decider=who, opened=("desk", f"o{name}"))
    return derived(("desk", name), fact)


def judge(store: Store, glances: int) -> dict[tuple[str, int], tuple[int | None, int]]:
    """Judge all as having so many glances; what was asked: previous instant and number of decisions, by operator and instant."""
    asked = {}
    while judgements := store.judgements():
        store.judge([Judged(one, [(("w", "glanced"), 1 + one.at // MINUTE - T0 // MINUTE, glances)]) for one in judgements])
        asked |= {(one.operator, one.at): (one.previous, len(one.decisions)) for one in judgements}
    return asked


def test_decisions_of_one_operator_at_one_instant_are_judged_together(store: Store) -> None:
    land(store, "1", "2", "3", at="10m")
    land(store, "9", at="4m")
    put(store, decided("1", "10m"), decided("2", "10m"), decided("3", "10m", who="op-2"))

    asked = judge(store, 1)

    assert asked == {("op-1", after("10m")): (after("4m"), 2), ("op-2", after("10m")): (None, 1)}
    assert store.judgements() == []
    assert store.check() == []


def test_a_touch_before_a_decision_has_it_judged_again_without_deriving_the_case(store: Store) -> None:
    land(store, "1", "2", at="10m")
    land(store, "2", at="20m")
    put(store, decided("1", "10m"), decided("2", "20m"))
    judge(store, 1)

    land(store, "9", at="7m")
    due = store.due(NOW)

    assert due.keys == [("desk", "9")]
    assert judge(store, 0) == {("op-1", after("10m")): (after("7m"), 1)}
    assert sum(amount for _, _, amount in store.counts("w", 0, 10**9)) == 1
    assert store.check() == []


def test_a_touch_taken_back_has_the_next_decision_judged_again(store: Store) -> None:
    land(store, "1", at="10m")
    store.land("desk", [ev("7m", "op-1", "commented", id="x", case="9")])
    put(store, decided("1", "10m"))
    judge(store, 1)

    store.land("desk", [ev("7m", "customer-1", "commented", id="x", case="9", revision=1)])
    store.due(NOW)

    assert judge(store, 0) == {("op-1", after("10m")): (None, 1)}


def test_a_decision_that_goes_away_takes_its_glance_with_it(store: Store) -> None:
    land(store, "1", "2", at="10m")
    put(store, decided("1", "10m"), decided("2", "10m"))
    judge(store, 2)
    land(store, "1", "2", at="11m")

    put(store, derived(A), derived(B))
    judge(store, 0)

    assert list(store.counts("w", 0, 10**9)) == []
    assert store.check() == []


def test_a_judgement_that_became_due_meanwhile_stays_due(store: Store) -> None:
    land(store, "1", at="10m")
    put(store, decided("1", "10m"))
    taken = store.judgements()
    land(store, "9", at="7m")
    store.due(NOW)

    store.judge([Judged(one, ()) for one in taken])

    assert [one.previous for one in store.judgements()] == [after("7m")]


def test_decisions_by_unknown_operators_are_judged_without_a_previous_event(store: Store) -> None:
    land(store, "1", at="10m")
    fact = msgspec.structs.replace(decided("1", "10m").facts.facts[0], decider=None)
    put(store, derived(A, fact))

    assert judge(store, 1) == {("", after("10m")): (None, 1)}


def test_what_is_counted_for_good_stays_and_is_explained(store: Store) -> None:
    land(store, "1")
    due = store.due(NOW)
    store.replace(due, [derived(A)], [(("w", "corrections"), 0, 2)])
    store.rebuild()
    put(store, derived(A))

    assert store.state_counts("w") == {("w", "corrections"): 2}
    assert store.check() == []


def test_a_case_that_another_process_replaced_meanwhile_is_left_alone(store: Store) -> None:
    land(store, "1", "2")
    slow = store.due(NOW)
    land(store, "1", at="1m")
    put(store, derived(A, counted={(ACTS, 3): 2}), derived(B, counted={(ACTS, 3): 2}))

    applied = store.replace(slow, [derived(A, counted={(ACTS, 3): 1}), derived(B, counted={(ACTS, 3): 1})])

    assert applied.counts == {}
    assert list(store.counts("w", 0, 9)) == [(3, ACTS, 4)]
