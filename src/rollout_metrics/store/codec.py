"""How values become bytes and back: events' bodies as JSON, facts and contributions as MessagePack."""

from typing import Any

import msgspec

from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.facts import Fact

Series = tuple[str, ...]
"""`(workflow, family, *label values)`."""

Counted = dict[tuple[Series, int], int]
"""What facts contribute: `(series, minute) -> amount`."""

_Body = tuple[Activity, ActorKind, str | None, str | None, str | None, str | None, dict[str, Any] | None]

encode_body = msgspec.json.Encoder().encode
decode_body = msgspec.json.Decoder(_Body).decode

encode_facts = msgspec.msgpack.Encoder().encode
decode_facts = msgspec.msgpack.Decoder(tuple[Fact, ...]).decode

encode_numbers = msgspec.msgpack.Encoder().encode
decode_recorded = msgspec.msgpack.Decoder(list[int]).decode
decode_counted = msgspec.msgpack.Decoder(list[tuple[int, int, int]]).decode
"""`(series number, minute, amount)`, sorted."""

NOTHING = encode_numbers([])


def body(event: Event) -> str:
    """All fields of an event that are no columns, as JSON text."""
    return encode_body(
        (event.activity, event.actor_kind, event.actor_id, event.attribute, event.before, event.after, event.detail or None),
    ).decode()


def event_of(source: str, event_id: str, case_source: str, case_id: str, occurred_at: int, revision: int, body: str) -> Event:
    """The event a row holds."""
    activity, kind, actor_id, attribute, before, after, detail = decode_body(body)
    return Event(source, case_source, case_id, event_id, occurred_at, activity, kind, actor_id, attribute, before, after, detail or {}, revision)
