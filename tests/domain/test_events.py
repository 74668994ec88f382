import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import ev
from rollout_metrics.domain.events import Event, canonical_bytes, canonical_json, members_of, order, precedence, resolve, text_value


def test_events_of_one_instant_are_ordered_by_rank_then_id_then_source() -> None:
    created = ev(0, "bot", "created", id="z")
    changed = [ev(0, "bot", "changed", "a", "1", id=number) for number in ("10", "9")]
    twin = ev(0, "bot", "changed", "a", "1", id="9", source="other")
    closed, reopened = ev(0, "op-1", "closed", id="a"), ev(0, "op-1", "reopened", id="b")
    absorbed = ev(0, "op-1", "absorbed", id="0")
    expected = [created, *changed, twin, closed, reopened, absorbed, ev(1, "bot", "created", id="0")]

    expected_reversed = expected[::-1]

    assert sorted(expected_reversed, key=order) == expected


def test_the_greatest_revision_holds_and_ties_go_to_the_greater_bytes() -> None:
    first, second = ev(0, "bot", "changed", "a", "1", id="x"), ev(0, "bot", "changed", "a", "2", id="x")
    corrected = ev(0, "bot", "changed", "a", "0", id="x", revision=1)

    assert resolve([first, second]) == [second]
    assert resolve([corrected, second, first]) == [corrected]


EVENTS = st.builds(
    lambda name, value, revision, source: ev(0, "bot", "changed", "a", value, id=name, revision=revision, source=source),
    st.sampled_from("xyz"),
    st.sampled_from("123"),
    st.integers(0, 2),
    st.sampled_from(["s", "t"]),
)


@settings(max_examples=100)
@given(st.lists(EVENTS), st.randoms())
def test_resolving_is_free_of_order_and_duplicates(events: list[Event], random: Any) -> None:
    again = events * 2
    random.shuffle(again)

    assert sorted(resolve(again), key=order) == sorted(resolve(events), key=order)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", None),
        ([], None),
        ("[]", None),
        ([None, ""], None),
        ("x", "x"),
        (True, "true"),
        (0, "0"),
        (False, "false"),
        (1.0, "1"),
        (1.5, "1.5"),
        (["b", "a", "b", 2.0], '["2","a","b"]'),
        ({"b": 1.0, "a": None}, '{"a":null,"b":1}'),
    ],
)
def test_a_vendors_value_becomes_canonical_text(value: Any, text: str | None) -> None:
    assert text_value(value) == text


def test_members_of_a_text_are_those_of_its_array_or_itself() -> None:
    assert members_of('["a","b"]') == {"a", "b"}
    assert members_of("a") == {"a"}
    assert members_of("[draft] a") == {"[draft] a"}
    assert members_of(None) == frozenset()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740994, "9007199254740994"),
        (2**64, "18446744073709552000"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e-7, "1e-7"),
        (0.000001, "0.000001"),
        (0.0000033333333333333333, "0.0000033333333333333333"),
        (1424953923781206.25, "1424953923781206.2"),
        (333333333.33333329, "333333333.3333333"),
        (-1.5, "-1.5"),
        (10, "10"),
    ],
)
def test_numbers_are_written_as_ecmascript_writes_them(number: float, text: str) -> None:
    assert canonical_json({"n": [number]}) == f'{{"n":[{text}]}}'.encode()


def test_keys_are_sorted_by_utf_16_units_and_texts_escaped_as_rfc_8785_says() -> None:
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": None, "\U0001f600": 5, "\x80": 6, "\u00f6": '\x0f\n"\\/'}

    assert canonical_json(value) == '{"\\r":2,"1":null,"\x80":6,"ö":"\\u000f\\n\\"\\\\/","€":1,"😀":5,"\ufb33":3}'.encode()


def test_an_event_is_written_with_nulls_kept_and_instants_in_microseconds() -> None:
    event = ev(0, "bot", "changed", "a", "1", id="x", amount=2.0, note=1e21)

    assert json.loads(canonical_bytes(event))["before"] is None
    assert b'"detail":{"amount":2,"note":1e+21}' in canonical_bytes(event)
    assert b'"occurred_at":1772442000000000' in canonical_bytes(event)


def test_a_whole_float_and_its_integer_are_the_same_reading() -> None:
    assert precedence(ev(0, "bot", "changed", id="x", amount=2.0)) == precedence(ev(0, "bot", "changed", id="x", amount=2))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200)
@given(JSON)
def test_canonical_bytes_say_the_same_value_whatever_the_order_of_keys(value: Any) -> None:
    def turned(item: Any) -> Any:
        return {key: turned(item[key]) for key in reversed(item)} if isinstance(item, dict) else item

    assert json.loads(canonical_json(value), parse_int=float) == value
    assert canonical_json(turned(value)) == canonical_json(value)
