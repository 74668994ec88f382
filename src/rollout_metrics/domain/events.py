"""One recorded fact of a case's audit trail, and the order such facts have (definitions, section 1)."""

from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import Any

import msgspec

from rollout_metrics.domain.choices import choices
from rollout_metrics.domain.time import Instant

CaseKey = tuple[str, str]
"""`(case_source, case_id)`."""

EventRef = tuple[str, str]
"""`(source, event_id)`: names one event for good."""


@choices
class ActorKind(StrEnum):
    """Who did it, as the source could tell; configuration may know better (`Company.kind_of`)."""

    AGENT = "agent"
    OPERATOR = "operator"
    CUSTOMER = "customer"
    SYSTEM = "system"


@choices
class Activity(StrEnum):
    """What was done; the list is closed."""

    CREATED = "created"
    CHANGED = "changed"
    COMMENTED = "commented"
    RECOMMENDED = "recommended"
    EXECUTED = "executed"
    BLOCKED = "blocked"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    ESCALATED = "escalated"
    CLOSED = "closed"
    REOPENED = "reopened"
    TIME_LOGGED = "time_logged"
    RATED = "rated"
    ABSORBED = "absorbed"
    DELETED = "deleted"
    EVALUATED = "evaluated"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One reading of one event. Sources build it positionally or by keyword.

    `occurred_at` is an instant (microseconds UTC); `before` and `after` are text or null, never `""` or `"[]"`
    (`text_value` canonicalises); multi-valued attributes are sorted JSON arrays. `detail` holds the
    keys that the definitions name: `action value reason seconds public score version environment url recommendation via
    attributes passed` and the numbers conditions look up (`amount`, ...).
    """

    source: str
    case_source: str
    case_id: str
    event_id: str
    occurred_at: Instant
    activity: Activity
    actor_kind: ActorKind
    actor_id: str | None = None
    attribute: str | None = None
    before: str | None = None
    after: str | None = None
    detail: dict[str, Any] = {}
    revision: int = 0

    @property
    def case(self) -> CaseKey:
        """The case this event is about."""
        return (self.case_source, self.case_id)

    @property
    def ref(self) -> EventRef:
        """The event's name: `(source, event_id)`."""
        return (self.source, self.event_id)


RANK: dict[Activity, int] = dict.fromkeys(Activity, 1) | {
    Activity.CREATED: 0,
    Activity.CLOSED: 2,
    Activity.REOPENED: 2,
    Activity.ABSORBED: 3,
    Activity.DELETED: 3,
}
"""Place of an activity among events of one instant."""


def order(event: Event) -> tuple[Instant, int, str, str]:
    """Sort key of an event within its case: `(occurred_at, rank, event_id, source)`."""
    return (event.occurred_at, RANK[event.activity], event.event_id, event.source)


def text_value(value: Any) -> str | None:
    """A vendor's attribute value as canonical text: null for unset, sorted JSON arrays for lists, `true`/`false`, plain numbers."""
    if isinstance(value, str):
        return value if value and value != "[]" else None
    if value is None:
        return None
    if isinstance(value, _MANY):
        members: set[Any] = {item if type(item) is str else text_value(item) for item in value}
        members -= _UNSET
        return _ENCODE(sorted(members)).decode() if members else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    return canonical_json(value).decode()


_MANY = (list, tuple, set, frozenset)
_UNSET = frozenset((None, "", "[]"))
_ENCODE = msgspec.json.Encoder().encode


def members_of(value: str | None) -> frozenset[str]:
    """The members of a multi-valued attribute's text; a plain value is its own only member."""
    if value is None:
        return frozenset()
    if value.startswith("["):
        try:
            read = msgspec.json.decode(value)
        except msgspec.DecodeError:
            return frozenset((value,))
        return frozenset(str(item) for item in read)
    return frozenset((value,))


def any_of(value: str | None, wanted: AbstractSet[str]) -> bool:
    """Whether an attribute's text, or any member of a multi-valued one, is among those wanted."""
    return value in wanted or (value is not None and value.startswith("[") and not members_of(value).isdisjoint(wanted))


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value: keys in UTF-16 order, numbers as ECMAScript writes them, no white space, nulls kept."""
    return msgspec.json.encode(value, order="sorted") if _plain(value) else msgspec.json.encode(_canonical(value))


def canonical_bytes(event: Event) -> bytes:
    """The reading as RFC 8785 JSON, instants in microseconds: ties between readings of one revision go to the greater."""
    if _plain(event.detail) and -_EXACT <= event.revision <= _EXACT:
        return msgspec.json.encode(event, order="sorted")
    return msgspec.json.encode(_canonical(msgspec.structs.asdict(event)))


_EXACT = 2**53
"""Integers beyond are rounded to the nearest double, as RFC 8785 has it."""


def _plain(value: Any) -> bool:
    """Whether msgspec's own sorted encoding is canonical already: no floats, no huge integers, ASCII keys."""
    if isinstance(value, dict):
        return all(key.isascii() and _plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    return not isinstance(value, float) and not (isinstance(value, int) and not -_EXACT <= value <= _EXACT)


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(value[key]) for key in sorted(value, key=_utf16)}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, float) or (isinstance(value, int) and not -_EXACT <= value <= _EXACT):
        return msgspec.Raw(_number(float(value)).encode())
    return value


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _number(value: float) -> str:
    """A double as ECMAScript's `Number::toString` writes it."""
    if not isfinite(value):
        return "null"
    sign, figures, exponent = Decimal(repr(value)).as_tuple()
    digits = "".join(map(str, figures)).rstrip("0")
    if not digits:
        return "0"
    point = len(figures) + int(exponent)
    if len(digits) <= point <= 21:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "") + f"e{point - 1:+d}"
    return "-" + text if sign else text


def precedence(event: Event) -> tuple[int, bytes]:
    """Which of several readings of one event holds: the greatest."""
    return (event.revision, canonical_bytes(event))


def resolve(readings: list[Event]) -> list[Event]:
    """One reading for each `(source, event_id)`, the one that holds; order of the result is unspecified."""
    held: dict[EventRef, Event] = {}
    for reading in readings:
        other = held.setdefault(reading.ref, reading)
        if other is not reading and precedence(reading) > precedence(other):
            held[reading.ref] = reading
    return list(held.values())
