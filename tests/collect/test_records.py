"""Records of a page that have not the shape they should are kept aside, and the others are read all the same."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from rollout_metrics.collect.records import decoded


class Record(msgspec.Struct):
    id: int


@given(st.lists(st.integers(0, 9) | st.text(max_size=3) | st.none()))
def test_each_record_is_either_read_or_kept_aside_by_its_number(ids: list[int | str | None]) -> None:
    raws = [msgspec.Raw(msgspec.json.encode({"id": number})) for number in ids]
    found, rejected = decoded(raws, msgspec.json.Decoder(Record), "GET desk record", lambda raw: b"kept " + bytes(raw))

    assert [record.id for record in found] == [number for number in ids if isinstance(number, int)]
    assert [(one.reason, one.where, one.payload) for one in rejected] == [
        ("malformed", f"GET desk record {place}", b"kept " + bytes(raws[place])) for place, number in enumerate(ids) if not isinstance(number, int)
    ]
