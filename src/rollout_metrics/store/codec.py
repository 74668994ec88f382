"""How values become bytes and back: events' bodies as JSON, facts and contributions as MessagePack."""

from hashlib import blake2b
from typing import Any, get_args

import msgspec
from msgspec.structs import fields

from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.facts import Fact

Series = tuple[str, ...]
"""`(workflow, family, *label values)`."""

Contribution = tuple[Series, int, int]
"""What a fact contributes: `(series, minute, amount)`."""

Counted = dict[tuple[Series, int], int]
"""Contributions added up: `(series, minute) -> amount`."""

_Body = tuple[Activity, ActorKind, str | None, str | None, str | None, str | None, dict[str, Any] | None]

encode_body = msgspec.json.Encoder().encode
"""`(activity, actor_kind, actor_id, attribute, before, after, detail or None)` as JSON."""
decode_body = msgspec.json.Decoder(_Body).decode

encode_facts = msgspec.msgpack.Encoder().encode
_decode_facts = msgspec.msgpack.Decoder(tuple[Fact, ...]).decode

_INDEXED = "receipts 2, stretches"
LAYOUT = blake2b(
    repr([_INDEXED, *((kind.__name__, [(f.name, str(f.type)) for f in fields(kind)]) for kind in get_args(Fact))]).encode(), digest_size=8
).hexdigest()
"""Changes with the fields of facts and with what is indexed of them: what was stored in another layout is derived again."""

encode_numbers = msgspec.msgpack.Encoder().encode
decode_recorded = msgspec.msgpack.Decoder(list[int]).decode
decode_counted = msgspec.msgpack.Decoder(list[tuple[int, int, int]]).decode
"""`(series number, minute, amount)`."""

NOTHING = encode_numbers([])

Sample = tuple[Series, int, int, int, int, int]
"""One duration: its series, and five whole numbers that mean nothing to the store but for the first, the instant it belongs to."""

SAMPLE_WIDTH = 6
"""Numbers of a sample, that of its series among them."""


def decode_facts(packed: bytes) -> tuple[Fact, ...]:
    """A case's facts; none where they were stored in a layout that this program no longer has."""
    try:
        return _decode_facts(packed)
    except msgspec.ValidationError:
        return ()


def event_of(source: str, event_id: str, case_source: str, case_id: str, occurred_at: int, revision: int, body: str) -> Event:  # noqa: PLR0917
    """The event a row holds."""
    activity, kind, actor_id, attribute, before, after, detail = decode_body(body)
    return Event(source, case_source, case_id, event_id, occurred_at, activity, kind, actor_id, attribute, before, after, detail or {}, revision)
