import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rollout_metrics.sources
from rollout_metrics.collect.event_format import Problem, read_event
from rollout_metrics.collect.event_schema import schema, schema_text
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import parse_instant

GOOD: dict[str, Any] = {"event_id": "1", "occurred_at": "2026-03-01T10:00:00+01:00", "case_id": "7", "activity": "closed", "actor_kind": "operator"}


def read(**fields: Any) -> Event | tuple[Problem, ...]:
    return read_event(json.dumps(GOOD | fields).encode(), "desk")


def event(**fields: Any) -> Event:
    found = read(**fields)
    assert isinstance(found, Event), found
    return found


def problems(**fields: Any) -> list[str]:
    found = read(**fields)
    assert isinstance(found, tuple), found
    return [str(problem) for problem in found]


def test_the_case_source_defaults_to_the_source_and_the_revision_to_zero() -> None:
    assert read() == Event("desk", "desk", "7", "1", parse_instant("2026-03-01T09:00:00Z"), Activity.CLOSED, ActorKind.OPERATOR)


def test_values_become_canonical_text() -> None:
    found = event(activity="changed", attribute="tags", before="", after=["b", "a", 1.0, True], detail={"via": ["z", "a", "a"], "amount": 12.5, "reason": None})

    assert (found.before, found.after) == (None, '["1","a","b","true"]')
    assert found.detail == {"via": ["a", "z"], "amount": 12.5}


def test_a_text_that_is_a_json_array_is_sorted() -> None:
    assert event(activity="changed", attribute="tags", before="[not json", after='["b","a"]').after == '["a","b"]'


def test_an_action_that_sets_an_attribute_is_read_as_attribute_and_value() -> None:
    found = event(activity="recommended", actor_kind="agent", detail={"action": "set:priority", "value": "high"})

    assert (found.attribute, found.after) == ("priority", "high")


def test_the_new_value_of_an_action_that_sets_an_attribute_may_be_its_after() -> None:
    found = event(activity="recommended", actor_kind="agent", after="high", detail={"action": "set:priority"})

    assert (found.attribute, found.after) == ("priority", "high")


def test_an_evaluation_without_a_case_is_a_case_of_its_own() -> None:
    fields = {key: value for key, value in GOOD.items() if key != "case_id"} | {"case_source": "helpdesk", "activity": "evaluated", "detail": {"passed": False}}
    found = read_event(json.dumps(fields).encode(), "desk")

    assert isinstance(found, Event)
    assert found.case == ("desk", "evaluation:1")


def test_every_problem_of_a_record_is_named_with_what_to_write() -> None:
    record = (
        b'{"event_id":"1","occured_at":"2026-01-01","case_id":7,"activity":"comented","actor_kind":"human","detail":{"score":"goood","reson":1,"seconds":-1}}'
    )
    found = read_event(record, "desk")

    assert isinstance(found, tuple)
    assert [str(problem) for problem in found] == [
        "occured_at: is not known; did you mean 'occurred_at'?",
        "case_id: expected `str | null`, got `int`",
        f"activity: 'comented' is none of {', '.join(Activity)}; did you mean 'commented'?",
        "actor_kind: 'human' is none of agent, operator, customer, system",
        "occurred_at: is missing",
        "detail.score: 'goood' is none of good, bad; did you mean 'good'?",
        "detail.reson: is not known; did you mean 'reason'?",
        "detail.seconds: expected `int` >= 0",
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"occurred_at": "2026-03-01T10:00:00"}, "occurred_at: '2026-03-01T10:00:00' is no time with an offset such as 2026-03-01T10:00:00Z"),
        ({"occurred_at": "0001-01-01T00:00:00Z"}, "occurred_at: lies before 1980: this looks like a placeholder, not a time"),
        ({"source": "other"}, "source: must be left out or be 'desk', the source that reads it"),
        ({"case_id": None}, "case_id: is missing: only an evaluated event may be about no case"),
        ({"case_id": "a\0"}, "case_id: holds a NUL or half a surrogate pair, which is no text"),
        ({"activity": "changed"}, "attribute: is missing: changed needs attribute"),
        ({"activity": "recommended"}, "detail.action: is missing: recommended needs attribute or detail.action"),
        ({"activity": "time_logged", "detail": {}}, "detail.seconds: is missing: time_logged needs detail.seconds"),
        (
            {"detail": {"attributes": {"a": 1}}},
            "detail.attributes: belongs to created events only, not to closed: say what changed by attribute, before and after",
        ),
        ({"detail": {"extra": []}}, "detail.extra: is no key of ours, so it must be a text, a number or a boolean"),
        ({"detail": {"reaso": "x"}}, "detail.reaso: is not known; did you mean 'reason'?"),
        ({"attribute": "a", "detail": {"action": "set:b"}}, "detail.action: 'set:b' contradicts attribute 'a': keep one"),
        ({"event_id": "x" * 513}, "event_id: expected `str` of length <= 512"),
        ({"revision": -1}, "revision: expected `int` >= 0"),
    ],
)
def test_a_problem_says_field_and_remedy(fields: dict[str, Any], message: str) -> None:
    assert problems(**fields) == [message]


@pytest.mark.parametrize("record", [b"", b"[1]", b"null", b"{", b"\xff\xfe", b'{"a":1e999}', b"[" * 100_000, b'{"event_id":"\\ud800"}', b" " * (1 << 21)])
def test_what_is_no_record_at_all_is_one_problem(record: bytes) -> None:
    found = read_event(record, "desk")

    assert isinstance(found, tuple)
    assert [problem.field for problem in found] == [""]


def test_the_shipped_schema_is_the_one_of_the_definition() -> None:
    shipped = Path(rollout_metrics.sources.__file__).with_name("event.schema.json").read_text()

    assert shipped == schema_text(), "write collect.event_schema.schema_text() to sources/event.schema.json"


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["", "x", "good", "set:a", "2026-03-01T10:00:00Z"]), st.just(["a"]), st.just({})
)
DETAILS = st.dictionaries(
    st.sampled_from(["action", "value", "seconds", "score", "passed", "public", "via", "attributes", "amount", "url"]), VALUES, max_size=3
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "case_id": VALUES,
        "event_id": st.sampled_from(["1", "", None, 3]),
        "revision": VALUES,
        "activity": st.sampled_from([*Activity, "other"]),
        "actor_kind": st.sampled_from([*ActorKind, None]),
        "actor_id": VALUES,
        "attribute": st.sampled_from([None, "a", "", 1]),
        "after": VALUES,
        "detail": st.one_of(st.none(), DETAILS),
        "unknown": st.none(),
    },
)


@settings(max_examples=300)
@given(FIELDS)
def test_schema_and_reader_agree(fields: dict[str, Any]) -> None:
    record = GOOD | fields
    valid = jsonschema.Draft202012Validator(schema()).is_valid(record)

    assert isinstance(read_event(json.dumps(record).encode(), "desk"), Event) == valid


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_reading_never_fails_on_any_bytes(data: bytes) -> None:
    assert isinstance(read_event(data, "desk"), tuple)


@pytest.mark.parametrize("field", ["after", "detail", "unheard_of"])
def test_a_record_nested_beyond_reason_is_a_problem_of_that_record(field: str) -> None:
    raw = b'{"' + field.encode() + b'":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}"

    (problem,) = read_event(raw, "runtime")
    assert "deep" in str(problem) or "depth" in str(problem)
