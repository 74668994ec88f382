from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import ev
from rollout_metrics.domain.events import Event, members_of
from rollout_metrics.domain.pseudonyms import MAX_WORDS, Pseudonyms, words_of

KEPT = Pseudonyms(b"key", frozenset({"assignee", "followers"}), frozenset({"summary"}))


def test_an_actor_becomes_a_keyed_hash_that_stays_as_it_is() -> None:
    stored = KEPT.actor("ann@example.org")

    assert stored.startswith("actor:")
    assert "ann" not in stored
    assert KEPT.actor(stored) == stored
    assert KEPT.actor("ann@example.org") == stored
    assert Pseudonyms(b"other", frozenset(), frozenset()).actor("ann@example.org") != stored


def test_somebody_who_calls_himself_like_a_hash_is_hashed_too() -> None:
    assert KEPT.actor("actor:ann@example.org") != "actor:ann@example.org"
    assert KEPT.words("words: secret plan") != "words: secret plan"
    assert words_of("words: secret plan").total() == 3


def test_attributes_given_for_conditions_are_hashed_like_attributes() -> None:
    stored = KEPT.event(ev(0, "bot", "executed", action="refund", assignee="ann", summary="two words", amount=12, region="north"))

    assert stored.detail == {"action": "refund", "assignee": KEPT.actor("ann"), "summary": KEPT.words("two words"), "amount": 12, "region": "north"}


def test_persons_in_attributes_are_stored_like_actors() -> None:
    stored = KEPT.event(ev(0, "op-1", "changed", "assignee", "ann", before="bob"))
    many = KEPT.event(ev(0, "op-1", "changed", "followers", ["bob", "ann"]))

    assert (stored.before, stored.after) == (KEPT.actor("bob"), KEPT.actor("ann"))
    assert members_of(many.after) == {KEPT.actor("ann"), KEPT.actor("bob")}
    assert many.after == KEPT.event(ev(0, "op-1", "changed", "followers", ["ann", "bob"])).after


def test_persons_and_texts_among_initial_attributes_are_stored_hashed() -> None:
    event = ev(0, "customer-1", "created", attributes={"assignee": "ann", "summary": "printer on fire", "priority": "high", "group": None})
    stored = KEPT.event(event).detail["attributes"]

    assert stored == {"assignee": KEPT.actor("ann"), "summary": KEPT.words("printer on fire"), "priority": "high", "group": None}


def test_comments_and_their_recommendations_keep_no_text() -> None:
    said = KEPT.event(ev(0, "bot", "commented", value="Dear Ann, try again", public=True))
    proposed = KEPT.event(ev(0, "bot", "recommended", value="Dear Ann", action="comment:public"))

    assert said.detail == {"value": KEPT.words("Dear Ann, try again"), "public": True}
    assert proposed.detail["value"] == KEPT.words("Dear Ann")


@pytest.mark.parametrize("activity", ["approved", "rejected", "rated", "closed", "escalated"])
def test_a_value_that_neither_an_attribute_nor_an_action_names_is_kept_as_words_unless_it_is_a_list(activity: str) -> None:
    said = KEPT.event(ev(0, "op-1", activity, value="Dear Ann", recommendation="r"))
    listed = KEPT.event(ev(0, "op-1", activity, value=["a", "b"], recommendation="r"))

    assert said.detail["value"] == KEPT.words("Dear Ann")
    assert listed.detail["value"] == '["a","b"]'


def test_values_of_decided_actions_are_texts_where_they_are_configured_so() -> None:
    kept = Pseudonyms(b"key", frozenset(), frozenset(), {"reply": True, "refund": False})

    assert kept.event(ev(0, "bot", "recommended", value="Dear Ann", action="reply")).detail["value"] == kept.words("Dear Ann")
    assert kept.event(ev(0, "bot", "commented", value="50", action="refund")).detail["value"] == "50"
    assert kept.event(ev(0, "bot", "commented", value="Dear Ann", action="other")).detail["value"] == kept.words("Dear Ann")


def test_the_value_of_an_action_that_sets_a_person_is_hashed() -> None:
    named = KEPT.event(ev(0, "bot", "approval_requested", value="ann", action="set:assignee"))
    plain = KEPT.event(ev(0, "bot", "executed", value="12.50", action="refund"))

    assert named.detail["value"] == KEPT.actor("ann")
    assert plain.detail["value"] == "12.50"


def test_words_are_counted_as_the_definition_says() -> None:
    upper, lower = KEPT.words("Stra\u00dfe, STRASSE! caf\u00e9_1"), KEPT.words("strasse strasse cafe\u0301_1")

    assert upper == lower
    assert sorted(words_of(upper).values()) == [1, 2]
    assert words_of(KEPT.words("one " * (MAX_WORDS + 5))).total() == MAX_WORDS
    assert words_of(KEPT.words("")) == words_of(None) == Counter()


def test_stored_words_overlap_like_plain_ones() -> None:
    first, second = "the quick brown fox", "the slow brown dog dog"
    plain, stored = words_of(first) & words_of(second), words_of(KEPT.words(first)) & words_of(KEPT.words(second))

    assert plain.total() == stored.total() == 2


EVENTS = st.builds(
    lambda activity, attribute, value, before, detail: ev(0, "op-1", activity, attribute, value, before=before, id="x", **detail),
    st.sampled_from(["changed", "commented", "created", "recommended", "approved", "rejected", "executed", "escalated", "closed", "rated", "blocked"]),
    st.sampled_from([None, "assignee", "followers", "summary", "priority"]),
    st.none() | st.text(max_size=12) | st.lists(st.text(max_size=5), max_size=3),
    st.none() | st.text(max_size=12),
    st.fixed_dictionaries(
        {},
        optional={
            "action": st.sampled_from(["set:assignee", "comment:public", "refund"]),
            "attributes": st.dictionaries(st.sampled_from(["assignee", "summary"]), st.none() | st.text(max_size=9)),
        },
    ),
)


@settings(max_examples=200)
@given(EVENTS)
def test_hashing_twice_is_hashing_once(event: Event) -> None:
    once = KEPT.event(event)

    assert KEPT.event(once) == once


SECRET = "ann-secret"


@pytest.mark.parametrize(
    "activity",
    ["changed", "commented", "created", "recommended", "approval_requested", "approved", "rejected", "executed", "escalated", "closed", "blocked", "evaluated"],
)
@pytest.mark.parametrize("attribute", ["assignee", "summary"])
def test_no_person_and_no_text_is_left_anywhere(activity: str, attribute: str) -> None:
    detail = {"action": f"set:{attribute}", "attributes": {attribute: SECRET}}
    stored = KEPT.event(ev(0, SECRET, activity, attribute, SECRET, before=SECRET, kind="operator", **detail))
    valued = KEPT.event(ev(0, SECRET, activity, None, SECRET, kind="operator", action=f"set:{attribute}"))

    assert SECRET not in str(stored)
    assert SECRET not in str(valued)
