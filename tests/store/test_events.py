"""Landing events: what holds, what becomes dirty, what is counted."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import T0, after, ev
from rollout_metrics.domain.events import Activity, ActorKind, Event, resolve
from rollout_metrics.domain.facts import CaseFacts
from rollout_metrics.domain.policy import Company
from rollout_metrics.store import Store, Update, open_store

EVERYWHERE = {"w": after("365d"), "": after("365d")}

texts = st.sampled_from([None, "low", "high", "é", '["a","b"]', "words:AAAA"])
readings = st.builds(
    Event,
    source=st.sampled_from(["desk", "crm"]),
    case_source=st.sampled_from(["desk", "crm"]),
    case_id=st.sampled_from(["1", "2", "10"]),
    event_id=st.sampled_from(["a", "b", "c"]),
    occurred_at=st.integers(T0, T0 + 3),
    activity=st.sampled_from([Activity.CREATED, Activity.CHANGED, Activity.CLOSED]),
    actor_kind=st.sampled_from(list(ActorKind)),
    actor_id=st.sampled_from([None, "bot", "op-1", "op-2"]),
    attribute=st.sampled_from([None, "priority"]),
    before=texts,
    after=texts,
    detail=st.sampled_from([{}, {"via": ["web"]}, {"amount": 5}, {"amount": 5.5, "via": []}, {"attributes": {"priority": None}}]),
    revision=st.integers(-1, 2),
)


def stored(store: Store) -> list[Event]:
    return [event for _, events in store.all_histories() for event in events]


def by_name(events: list[Event]) -> dict[tuple[str, str], Event]:
    return {event.ref: event for event in events}


def settle(store: Store) -> list[tuple[str, str]]:
    """Take everything that is due as derived, without any facts; what was due."""
    keys = []
    while due := store.due(EVERYWHERE):
        keys += due.keys
        store.replace(due, [nothing(key) for key in due.keys])
    return keys


def nothing(key: tuple[str, str]) -> Update:
    return Update(CaseFacts(key, None, None, (), None), ())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_readings=st.lists(readings, max_size=20), cuts=st.lists(st.integers(0, 20), max_size=3), data=st.data())
def test_landing_in_any_order_and_batches_with_duplicates_leaves_the_readings_that_hold(
    emptied: Callable[[], Store], given_readings: list[Event], cuts: list[int], data: st.DataObject
) -> None:
    store = emptied()
    shuffled = data.draw(st.permutations(given_readings)) + data.draw(st.lists(st.sampled_from(given_readings), max_size=3) if given_readings else st.just([]))
    bounds = [0, *sorted(min(cut, len(shuffled)) for cut in cuts), len(shuffled)]

    for start, end in itertools.pairwise(bounds):
        store.land("desk", shuffled[start:end])

    assert by_name(stored(store)) == by_name(resolve(given_readings))
    assert len(stored(store)) == len(resolve(given_readings))
    assert set(settle(store)) >= {event.case for event in resolve(given_readings)}
    assert store.check() == []


def test_new_changed_and_same_readings_are_counted(store: Store) -> None:
    first = store.land("desk", [ev("1m", "op-1", "created", id="a"), ev("2m", "bot", "commented", id="b")])
    second = store.land("desk", [ev("1m", "op-1", "created", id="a"), ev("3m", "bot", "commented", id="b", revision=1), ev("9m", None, "closed", id="c")])

    assert (first.new, first.changed, first.same, first.newest) == (2, 0, 0, after("2m"))
    assert (second.new, second.changed, second.same, second.newest) == (1, 1, 1, after("9m"))


def test_reading_the_same_again_makes_no_case_dirty(store: Store) -> None:
    events = [ev("1m", "op-1", "created", id="a"), ev("2m", "bot", "commented", id="b", case="2", via=["api"])]
    store.land("desk", events)
    settle(store)

    store.land("desk", events)

    assert not store.due(EVERYWHERE)


def test_a_revision_that_says_the_same_makes_no_case_dirty_but_holds_from_then_on(store: Store) -> None:
    store.land("desk", [ev("1m", "op-1", "changed", "priority", "low", id="a")])
    settle(store)

    store.land("desk", [ev("1m", "op-1", "changed", "priority", "low", id="a", revision=5)])
    due = store.due(EVERYWHERE)
    store.land("desk", [ev("1m", "op-1", "changed", "priority", "high", id="a", revision=4)])

    assert not due
    assert stored(store)[0].after == "low"


def test_a_correction_that_moves_an_event_makes_both_cases_dirty(store: Store) -> None:
    store.land("desk", [ev("1m", "op-1", "created", id="a", case="1"), ev("1m", "op-1", "created", id="z", case="3")])
    settle(store)

    store.land("desk", [ev("1m", "op-1", "created", id="a", case="2", revision=1)])

    due = store.due(EVERYWHERE)
    assert set(due.keys) == {("desk", "1"), ("desk", "2")}
    assert {key: len(events) for key, events in store.histories(due.keys)} == {("desk", "1"): 0, ("desk", "2"): 1}


def test_a_case_landed_again_while_it_is_derived_stays_dirty(store: Store) -> None:
    store.land("desk", [ev("1m", "op-1", "created", id="a")])
    due = store.due(EVERYWHERE)
    store.land("desk", [ev("2m", "op-1", "closed", id="b")])
    store.due(EVERYWHERE)

    store.replace(due, [nothing(key) for key in due.keys])

    assert store.due(EVERYWHERE).keys == [("desk", "1")]


def test_a_case_not_updated_stays_dirty(store: Store) -> None:
    store.land("desk", [ev("1m", "op-1", "created", id="a", case="1"), ev("1m", "op-1", "created", id="b", case="2")])
    due = store.due(EVERYWHERE)

    store.replace(due, [nothing(("desk", "1"))])

    assert store.due(EVERYWHERE).keys == [("desk", "2")]


def test_due_gives_no_more_than_asked_for(store: Store) -> None:
    store.land("desk", [ev("1m", "op-1", "created", case=str(number)) for number in range(30)])

    assert len(store.due(EVERYWHERE, limit=7).keys) == 7


def test_events_come_back_as_they_were(store: Store) -> None:
    event = ev(
        "1m", "op-1", "created", attribute=None, id="ä/1", case="fall 7", before=None, attributes={"priority": "high", "tags": None}, via=["a"], seconds=1.5
    )

    store.land("desk", [event])

    assert store.events(("desk", "fall 7")) == [event]
    assert store.events(("desk", "other")) == []
    assert store.events(("unknown", "1")) == []


def test_histories_come_for_every_key_asked_for_in_that_order(store: Store) -> None:
    store.land("desk", [ev("1m", "op-1", "created", case=str(number)) for number in range(1200)])
    keys = [("desk", str(number)) for number in (7, 1100, 3)] + [("desk", "none"), ("nowhere", "1")] + [("desk", str(number)) for number in range(500, 1150)]

    found = list(store.histories(keys))

    assert [key for key, _ in found] == keys
    assert [len(events) for _, events in found[:5]] == [1, 1, 1, 0, 0]
    assert all(len(events) == 1 for _, events in found[5:])


def test_all_histories_come_in_case_order_while_others_are_landed(store: Store) -> None:
    store.land("desk", [ev("1m", "op-1", "created", case=f"{number:04}") for number in range(1200)])
    seen = []

    for key, events in store.all_histories():
        if not seen:
            store.land("desk", [ev("2m", "op-1", "closed", case="1199"), ev("2m", "op-1", "created", case="later")])
        seen.append((key, len(events)))

    assert seen == [(("desk", f"{number:04}"), 1) for number in range(1200)]


@pytest.mark.parametrize(
    "event",
    [
        ev(0, "op-\ud800", "created", id="a"),
        ev(0, "op-1", "created", id="a", case="\ud800"),
        ev(0, "op-1", "created", id="a\0b"),
        ev(0, "op-1", "created", id="a", revision=2**63),
        ev(0, "op-1", "commented", "note", id="a", value="\ud800"),
    ],
)
def test_an_event_no_database_can_hold_goes_to_quarantine_and_the_others_land(store: Store, event: Event) -> None:
    landed = store.land("desk", [ev("1m", "op-1", "created", id="good"), event])

    assert (landed.new, landed.quarantined) == (1, 1)
    assert store.quarantine_counts() == {("desk", "unstorable"): 1}
    assert [found.event_id for found in stored(store)] == ["good"]


def test_a_nul_character_in_a_value_is_kept(store: Store) -> None:
    event = ev("1m", "op-1", "changed", "note", "a\0b")

    store.land("desk", [event])

    assert stored(store) == [event]


def test_events_in_the_future_are_kept(store: Store) -> None:
    store.land("desk", [ev("900d", "op-1", "created")])

    assert store.due({"w": after(0), "": after(0)}).keys == [("desk", "1")]


def test_two_stores_on_one_database_land_and_derive_beside_each_other(url: str, one_company: Company) -> None:
    def work(name: str) -> None:
        with open_store(url, clock=lambda: T0) as own:
            own.configure(one_company)
            for batch in range(5):
                own.land(
                    name, [ev("1m", "op-1", "commented", id=f"{name} {batch} {place}", case=str(place), source=name, case_source="desk") for place in range(40)]
                )
                while due := own.due(EVERYWHERE, limit=15):
                    own.replace(
                        due, [Update(CaseFacts(key, "w", T0, (), None), [(("w", "events"), 1, len(events))]) for key, events in own.histories(due.keys)]
                    )

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(work, name) for name in ("desk", "crm")]:
            done.result()

    with open_store(url, clock=lambda: T0) as store:
        assert list(store.counts("w", 0, 9)) == [(1, ("w", "events"), 400)]
        assert store.check() == []


def test_the_living_cases_of_a_source_are_those_without_an_end_by_their_last_event(store: Store) -> None:
    ended = [ev(2, "rule-1", "deleted", case="2", id="d"), ev(1, "rule-1", "absorbed", case="4", id="a")]
    store.land("desk", [ev(at, "op-1", "commented", case=case, id=f"{case}-{at}") for case in ("1", "2", "3", "4") for at in (0, 1)] + ended)
    store.land("runtime", [msgspec.structs.replace(ev(9, "bot", "executed", case="3", id="x"), source="runtime")])

    assert list(store.living("desk")) == [("1", T0 + 1), ("3", T0 + 1)]
    assert list(store.living("elsewhere")) == []
