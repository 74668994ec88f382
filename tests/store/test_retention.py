"""What is forgotten by age or at a person's wish; what has been counted stays."""

import msgspec
import pytest

from builders import after, company, ev
from facts import case, recommended
from rollout_metrics.domain.errors import StorageError
from rollout_metrics.domain.facts import CaseFacts, Fact
from rollout_metrics.domain.time import DAY
from rollout_metrics.store import Judged, Store, Update

ANN, BOB = "actor:" + "a" * 18, "actor:" + "b" * 18
NOW = {"w": after("800d"), "": after("800d")}
ACTS = ("w", "acts")


def land(store: Store, name: str, *offsets: str, actor: str = ANN) -> None:
    store.land(
        "desk",
        [ev(offset, actor, "changed", "assignee", BOB, before=None, id=f"{name} {offset} {actor[-1]}", case=name, kind="operator") for offset in offsets],
    )


def derive(store: Store, *facts: Fact) -> list[str]:
    """Derive what is due: each case the same facts, one count in minute 7; the cases that were due."""
    names = []
    while due := store.due(NOW):
        names += [name for _, name in due.keys]
        updates = []
        for key, events in store.histories(due.keys):
            there = (case(0), *facts) if events else ()
            updates.append(Update(CaseFacts(key, "w" if events else None, after(0), there, None), [(ACTS, 7, 1)] if events else []))
        store.replace(due, updates)
    return names


def test_a_case_is_dropped_when_its_last_event_is_too_old_and_its_counts_stay(store: Store) -> None:
    land(store, "old", "0d", "10d")
    land(store, "long", "0d", "300d")
    land(store, "new", "399d")
    derive(store)

    retained = store.retain(after("420d"), events=400 * DAY, persons=1000 * DAY)

    assert retained.cases == 1
    assert {key[1]: len(events) for key, events in store.all_histories()} == {"long": 2, "new": 1}
    assert list(store.counts("w", 0, 99)) == [(7, ACTS, 3)]
    assert set(store.facts([("desk", "old"), ("desk", "long")])) == {("desk", "long")}
    assert store.check() == []


def test_a_dropped_case_that_is_read_again_is_not_counted_again(store: Store) -> None:
    land(store, "old", "0d", "10d")
    derive(store)
    store.retain(after("420d"), events=400 * DAY, persons=1000 * DAY)

    land(store, "old", "0d", "10d")
    land(store, "new", "410d")

    assert derive(store) == ["new"]
    assert list(store.counts("w", 0, 99)) == [(7, ACTS, 2)]
    assert store.retain(after("420d"), events=400 * DAY, persons=1000 * DAY).cases == 1


def test_a_case_that_was_over_before_the_kept_horizon_is_neither_dropped_while_due_nor_derived(store: Store) -> None:
    land(store, "old", "0d")

    assert store.retain(after("420d"), persons=1000 * DAY).cases == 0
    assert derive(store) == []
    assert store.retain(after("420d"), persons=1000 * DAY).cases == 1


def test_the_first_agent_event_outlives_its_case(store: Store) -> None:
    land(store, "old", "0d")
    due = store.due(NOW)
    store.replace(due, [Update(CaseFacts(("desk", "old"), "w", after(0), (case(0, first_agent_at=after("1d")),), None), ())])

    store.retain(after("420d"), persons=1000 * DAY)

    assert store.surroundings(NOW).first_agent_at(company().workflows[0]) == after("1d")


def test_persons_are_forgotten_when_a_case_has_long_been_over(store: Store) -> None:
    land(store, "old", "0d", "10d")
    land(store, "old", "11d", actor=BOB)
    land(store, "long", "0d", "190d")
    derive(store)

    retained = store.retain(after("200d"))

    old = sorted(store.events(("desk", "old")), key=lambda event: event.occurred_at)
    assert (retained.cases, retained.anonymised) == (0, 1)
    assert [(event.actor_id, event.after) for event in old] == [("former:1", "former:2")] * 2 + [("former:2", "former:2")]
    assert {event.actor_id for event in store.events(("desk", "long"))} == {ANN}
    assert store.previous_touch(ANN, after("12d")) == after(0), "the case still in use keeps its own"
    assert store.previous_touch(BOB, after("12d")) is None
    assert derive(store) == ["old"]
    assert store.check() == []
    assert store.retain(after("200d")).anonymised == 0


def test_agents_and_systems_are_no_persons(store: Store) -> None:
    store.configure(company({"agents": [ANN]}))
    land(store, "old", "0d")
    derive(store)

    store.retain(after("200d"))

    assert [(event.actor_id, event.after) for event in store.events(("desk", "old"))] == [(ANN, "former:1")]


def test_an_old_case_read_again_is_anonymised_before_it_is_derived(store: Store) -> None:
    land(store, "old", "0d")
    derive(store)
    store.retain(after("200d"))
    derive(store)

    land(store, "old", "5d")
    derive(store)

    assert {event.actor_id for event in store.events(("desk", "old"))} == {"former:1", "former:3"}
    assert store.check() == []


def test_reading_an_anonymised_event_again_changes_nothing(store: Store) -> None:
    land(store, "old", "0d")
    derive(store)
    store.retain(after("200d"))
    derive(store)

    land(store, "old", "0d")

    assert derive(store) == []
    assert [event.actor_id for event in store.events(("desk", "old"))] == ["former:1"]


def judged(store: Store) -> None:
    """One explicit decision by ANN on case `1`, glanced at."""
    land(store, "1", "10m")
    derive(store, recommended("1m", "accepted", "approved", "10m", decider=ANN))
    store.judge([Judged(one, [(("w", "glanced"), 9, 1)]) for one in store.judgements()])


def test_glances_stay_counted_when_persons_are_forgotten(store: Store) -> None:
    judged(store)

    store.retain(after("200d"))
    derive(store, recommended("1m", "accepted", "approved", "10m", decider="former:1"))

    assert store.judgements() == []
    assert (9, ("w", "glanced"), 1) in list(store.counts("w", 0, 99))
    assert store.check() == []


def test_one_person_is_erased_everywhere_and_nothing_else_changes(store: Store) -> None:
    judged(store)
    land(store, "2", "1d", actor=BOB)

    touched = store.erase(ANN)
    left = [event for _, events in store.all_histories() for event in events]
    due = derive(store, recommended("1m", "accepted", "approved", "10m", decider="former:1"))

    assert (touched, due) == (1, ["1", "2"])
    assert ANN not in msgspec.json.encode(left).decode()
    assert {event.actor_id for event in left} == {"former:1", BOB}
    assert store.judgements() == []
    assert (9, ("w", "glanced"), 1) in list(store.counts("w", 0, 99))
    assert store.check() == []
    assert store.erase(ANN) == 0


def test_an_agent_cannot_be_erased(store: Store) -> None:
    with pytest.raises(StorageError, match="bot is configured as an agent or a system, no person: nothing was erased"):
        store.erase("bot")


def test_changing_who_is_an_agent_labels_stored_events_again(store: Store) -> None:
    land(store, "1", "10m")
    derive(store)

    changed = store.configure(company({"agents": [ANN]}))

    w = company({"agents": [ANN]}).workflows[0]
    assert changed
    assert store.previous_touch(ANN, after("1d")) is None
    assert store.surroundings(NOW).agent_seen(w, after("9m"), after("11m"))
    assert store.check() == []
    assert not store.configure(company({"agents": [ANN]}))
