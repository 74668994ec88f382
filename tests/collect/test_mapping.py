from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from rollout_metrics.collect.mapping import Text, TimeOptions, When, holds, padded, sort_key
from rollout_metrics.domain.time import parse_instant

TEXT: TypeAdapter[Any] = TypeAdapter(Text)
WHEN: TypeAdapter[Any] = TypeAdapter(When)
ROW = {"number": "INC7", "count": "12", "user": "renovate[bot]", "state": "APPROVED", "tags": "b; a;;b", "empty": None, "two words": "x"}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("{number}", "INC7"),
        ("constant", "constant"),
        (5, "5"),
        (True, "true"),
        ("{number}-{count:06}", "INC7-000012"),
        ("{{{number}}}", "{INC7}"),
        ("{two words}", "x"),
        ("{empty}", None),
        ("{empty}{empty:05}", None),
        ("{number}{empty}", "INC7"),
        ({"of": "{state}", "map": {"APPROVED": "approved"}}, "approved"),
        ({"of": "{state}", "map": {"OTHER": "x"}}, None),
        ({"of": "{state}", "map": {"OTHER": "x"}, "otherwise": "commented"}, "commented"),
        ({"of": "{state}", "map": {"APPROVED": None}, "otherwise": "x"}, None),
        ({"of": "{user}", "map": {"ann": "agent"}, "patterns": {r"\[bot\]$": "system"}, "otherwise": "operator"}, "system"),
        ({"of": "{empty}", "otherwise": "operator"}, "operator"),
        ({"of": "{state}", "otherwise": "x"}, "APPROVED"),
        ({"of": "{count}", "map": {12: True}}, "true"),
        ({"of": "{tags}", "split": ";"}, '["a","b"]'),
        ({"of": "{tags}", "split": ";", "map": {"a": "z", "b": None}}, '["z"]'),
    ],
)
def test_a_text_is_made_from_a_row(options: Any, text: str | None) -> None:
    assert TEXT.validate_python(options).read(ROW) == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"number": None}, 'write "{number}" in quotes: without them YAML reads a mapping'),
        ("{number", "has a brace that belongs to no {column}"),
        ({"of": "x", "patterns": {"(": "y"}}, "is no regular expression"),
    ],
)
def test_a_text_that_cannot_be_meant_is_refused(options: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TEXT.validate_python(options)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, True),
        ({"state": "APPROVED"}, True),
        ({"state": ["x", "APPROVED"], "count": 12}, True),
        ({"state": "APPROVED", "count": 13}, False),
        ([{"state": "x"}, {"count": 12}], True),
        ({"empty": None}, True),
        ({"state": None}, False),
        ({"empty": {"not": None}}, False),
        ({"state": {"not": ["x", None]}}, True),
        ({"user": {"matches": r"\[bot\]$"}}, True),
        ({"empty": {"matches": "x"}}, False),
        ({"state": {"changed": True}}, True),
        ({"count": {"changed": False}}, True),
        ({"state": {"from": "OPEN"}}, True),
        ({"state": {"from": ["x", None]}}, False),
    ],
)
def test_a_condition_holds_for_a_row(when: Any, expected: bool) -> None:
    assert holds(WHEN.validate_python(when), ROW, ROW | {"state": "OPEN"}) is expected


def test_a_first_row_has_changed_nothing() -> None:
    assert not holds(WHEN.validate_python({"state": {"changed": True}}), ROW, None)
    assert holds(WHEN.validate_python({"state": {"changed": False}}), ROW, None)


@pytest.mark.parametrize(
    ("options", "text", "instant"),
    [
        ({}, "2026-03-01T10:00:00+01:00", "2026-03-01T09:00:00Z"),
        ({}, "2026-03-01 10:00:00.25Z", "2026-03-01T10:00:00.25Z"),
        ({"zone": "Europe/Berlin"}, "2026-07-01 10:00", "2026-07-01T08:00:00Z"),
        ({"zone": "Europe/Berlin"}, "2026-07-01T10:00:00Z", "2026-07-01T10:00:00Z"),
        ({"zone": "UTC", "format": "%d/%m/%Y %H:%M"}, "3/2/2016 01:16", "2016-02-03T01:16:00Z"),
        ({"zone": "UTC", "format": "%m/%d/%Y %H:%M"}, "3/2/2016 01:16", "2016-03-02T01:16:00Z"),
        ({"format": ["%d.%m.%Y %H:%M %z", "iso"]}, "01.03.2026 10:00 +0100", "2026-03-01T09:00:00Z"),
        ({"format": ["%d.%m.%Y %H:%M %z", "iso"]}, "2026-03-01T09:00:00Z", "2026-03-01T09:00:00Z"),
        ({"format": "unix"}, "1772355600.5", "2026-03-01T09:00:00.5Z"),
        ({"format": "unix_ms"}, "1772355600500", "2026-03-01T09:00:00.5Z"),
        ({"zone": "Europe/Berlin"}, "2026-10-25 02:30", "2026-10-25T00:30:00Z"),
        ({"zone": "Europe/Berlin", "repeated_hour": "later"}, "2026-10-25 02:30", "2026-10-25T01:30:00Z"),
        ({"zone": "America/New_York"}, "2026-03-01", "2026-03-01T05:00:00Z"),
    ],
)
def test_times_are_read_in_declared_formats_and_zones(options: Any, text: str, instant: str) -> None:
    assert TimeOptions.model_validate(options).reader(text) == parse_instant(instant)


@pytest.mark.parametrize(
    ("options", "text", "message"),
    [
        ({}, "2026-03-01 10:00", "has no time zone: say which one it is in as time.zone"),
        ({"zone": "UTC"}, "29/2/2016 01:16", r"is not iso: declare time.format, such as %d/%m/%Y %H:%M \(day first\) or %m/%d/%Y"),
        ({"zone": "UTC"}, "3/2/2016 01:16", "is not iso"),
        ({"zone": "UTC", "format": "%d/%m/%Y"}, "2/30/2016", "is not %d/%m/%Y"),
        ({"format": "unix"}, "soon", "is not unix"),
        ({"format": "unix"}, "1e300", "is not unix"),
    ],
)
def test_no_time_is_guessed(options: Any, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TimeOptions.model_validate(options).reader(text)


@pytest.mark.parametrize("options", [{"zone": "Mars/Olympus"}, {"format": "day first"}, {"zone": ""}])
def test_zones_and_formats_are_checked(options: Any) -> None:
    with pytest.raises(ValidationError):
        TimeOptions.model_validate(options)


def test_rows_are_put_in_order_by_numbers_times_and_texts() -> None:
    rows = [
        {"n": n, "at": at}
        for n, at in (("10", "2026-03-01T00:00:00Z"), ("9", "2026-03-01T00:00:00Z"), ("9", "2026-02-28T23:59:00-01:00"), ("1.5", "2026-03-02T00:00:00Z"))
    ]
    order: Any = {"n": "number", "at": "time"}
    keys = sorted(sort_key(order, row, TimeOptions()) for row in rows)

    assert [key[0] for key in keys] == [1.5, 9, 9, 10]
    assert sorted(map(padded, keys[1:])) == [padded(key) for key in keys[1:]]
    with pytest.raises(ValueError, match="n: 'x' is no number"):
        sort_key(order, {"n": "x", "at": ""}, TimeOptions())
    with pytest.raises(ValueError, match="n is empty"):
        sort_key(order, {"n": None, "at": ""}, TimeOptions())
