"""One recorded fact of a case's audit trail, and the order such facts have (SIGNALS section 1)."""

from enum import StrEnum
from typing import Any

import msgspec

from rollout_metrics.domain.time import Instant

CaseKey = tuple[str, str]
"""`(case_source, case_id)`."""

EventRef = tuple[str, str]
"""`(source, event_id)`: names one event for good."""


class ActorKind(StrEnum):
    """Who did it, as the source could tell; configuration may know better (`Company.kind_of`)."""

    AGENT = "agent"
    OPERATOR = "operator"
    CUSTOMER = "customer"
    SYSTEM = "system"


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
    keys SIGNALS names: `action value reason seconds public score version environment url recommendation via
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


RANK: dict[Activity, int] = {activity: 1 for activity in Activity} | {
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
    if value is None or value == "" or value == [] or value == "[]":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return _array(sorted({member for item in value if (member := text_value(item)) is not None}))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    return canonical_json(value).decode()


def _array(members: list[str]) -> str | None:
    return msgspec.json.encode(members).decode() if members else None


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


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value whose numbers are integers or floats in JSON's plain range: keys sorted, no white space, nulls kept."""
    return msgspec.json.encode(value, order="deterministic")


def canonical_bytes(event: Event) -> bytes:
    """The reading as RFC 8785 JSON, instants in microseconds: ties between readings of one revision go to the greater."""
    return msgspec.json.encode(event, order="sorted")


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
