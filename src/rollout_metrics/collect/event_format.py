"""Our own event format: one JSON object per event, checked field by field, with a JSON Schema made from the same definition."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rollout_metrics.domain.events import Activity, ActorKind, Event, members_of, text_value
from rollout_metrics.domain.time import Instant, instant

MAX_RECORD = 1 << 20
"""Longest record in bytes."""
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
EARLIEST: Instant = instant(_EARLIEST)
"""Earlier times are placeholders (`0001-01-01`, `1970-01-01`), not events."""

Id = Annotated[str, Meta(min_length=1, max_length=512)]
Word = Annotated[str, Meta(min_length=1, max_length=256)]
Scalar = str | int | float | bool
Value = Scalar | list[Scalar]


class Detail(msgspec.Struct, kw_only=True):
    """What else is known. Besides these keys, any text, number or boolean that authority conditions look up (`amount`, `regulated`, ...)."""

    action: Annotated[Word | None, Meta(description="The action, where attribute and activity do not say it: `merge`, `refund`, `comment:public`, ...")] = None
    value: Annotated[
        Value | None,
        Meta(
            description="The value of an action that sets no attribute; the text of a comment. Free text is stored as word hashes, and so is a value whose "
            "event names neither attribute nor action."
        ),
    ] = None
    reason: Annotated[str | None, Meta(description="Coded why: of a rejection, an escalation, a block.")] = None
    seconds: Annotated[float, Meta(ge=0)] | Annotated[int, Meta(ge=0)] | None = None
    public: Annotated[bool | None, Meta(description="Whether the customer sees the comment.")] = None
    score: Annotated[Literal["good", "bad"] | None, Meta(description="The customer's rating.")] = None
    version: Annotated[str | None, Meta(description="The agent's version.")] = None
    environment: str | None = None
    url: Annotated[str | None, Meta(description="Where a person can look at it.")] = None
    recommendation: Annotated[str | None, Meta(description="The `event_id` of the recommendation that this decides or continues.")] = None
    via: Annotated[list[str] | None, Meta(description="Every tag, app and label of the update; markers are looked for here.")] = None
    passed: Annotated[bool | None, Meta(description="Whether the evaluation run passed.")] = None
    attributes: Annotated[dict[str, Value | None] | None, Meta(description="On `created`: the initial attributes.")] = None


class Record(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One event of a case's audit trail."""

    source: Annotated[Id | None, Meta(description="Left out, or the name of the configured source that reads this.")] = None
    case_source: Annotated[
        Id | None, Meta(description="The source whose case it is about, such as the ticketing system's; default: the source that reads this.")
    ] = None
    case_id: Annotated[Id | None, Meta(description="The case's id there. Only `evaluated` may leave it out.")] = None
    event_id: Annotated[Id, Meta(description="Unique within the source and the same whenever the event is sent again. Zero-pad numbers: ids compare as text.")]
    revision: Annotated[int, Meta(ge=0, le=2**63 - 1, description="Of several readings of one event the greatest revision holds.")] = 0
    occurred_at: Annotated[datetime, Meta(tz=True, description="When it happened: ISO 8601 with an offset or Z.")]
    actor_id: Annotated[Id | None, Meta(description="Who did it; stored as a keyed hash.")] = None
    actor_kind: Annotated[
        ActorKind, Meta(description="`agent` is always the AI agent, `operator` staff, `customer` the requester, `system` a rule or integration.")
    ]
    activity: Annotated[Activity, Meta(description="What was done.")]
    attribute: Annotated[Word | None, Meta(description="The canonical attribute that changed, or that a recommendation is about.")] = None
    before: Annotated[Value | None, Meta(description="Its old value; null, an empty text and an empty list all mean unset.")] = None
    after: Annotated[Value | None, Meta(description="Its new value.")] = None
    detail: dict[str, Any] | None = None


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with one field of a record; `field` is empty where it is the whole record."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


NEEDED: Mapping[Activity, tuple[str, ...]] = {
    Activity.CHANGED: ("attribute",),
    Activity.RECOMMENDED: ("attribute", "detail.action"),
    Activity.APPROVAL_REQUESTED: ("attribute", "detail.action"),
    Activity.EXECUTED: ("attribute", "detail.action"),
    Activity.TIME_LOGGED: ("detail.seconds",),
    Activity.RATED: ("detail.score",),
    Activity.EVALUATED: ("detail.passed",),
}
"""What an activity is worthless without: one of these fields."""

_decoder = msgspec.json.Decoder(Record)
_SUSPECT = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]")
_SET = "set:"


def read_event(raw: bytes | bytearray | memoryview | msgspec.Raw, source: str) -> Event | tuple[Problem, ...]:
    """The event of one JSON object, or every problem it has. `source` is the configured source that reads it."""
    data = bytes(raw)
    if len(data) > MAX_RECORD:
        return (Problem("", f"the record is {len(data)} bytes long, more than {MAX_RECORD}"),)
    try:
        return _read(data, source)
    except RecursionError:
        return (Problem("", "is nested too deep"),)


def _read(data: bytes, source: str) -> Event | tuple[Problem, ...]:
    try:
        record = _decoder.decode(data)
        if record.detail:
            msgspec.convert(record.detail, Detail)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return tuple(_problems_of(data)) or (Problem("", "is no valid record"),)
    problems = tuple(_meaning(record, source))
    if _SUSPECT.search(data):
        problems += tuple(_characters("", msgspec.json.decode(data)))
    return problems or _event(record, source)


def _event(record: Record, source: str) -> Event:
    detail = _details(record.detail) if record.detail else {}
    attribute, after = set_by(record.attribute, record.after, detail)
    return Event(
        source,
        (record.case_id and record.case_source) or source,  # a run about no case is nobody else's
        record.case_id or f"evaluation:{record.event_id}",
        record.event_id,
        instant(record.occurred_at),
        record.activity,
        record.actor_kind,
        record.actor_id,
        attribute,
        canonical_text(record.before),
        canonical_text(after),
        detail,
        record.revision,
    )


def set_by(attribute: str | None, after: Any, detail: Mapping[str, Any]) -> tuple[str | None, Any]:
    """The attribute and its new value, also where only `detail.action` names the attribute; then `detail.value` may hold the value instead of `after`."""
    action = detail.get("action", "")
    if attribute is None and action.startswith(_SET):
        return action.removeprefix(_SET), after if after is not None else detail.get("value")
    return attribute, after


def canonical_text(value: Any) -> str | None:
    """`text_value`, where a text that is a JSON array already is sorted as well."""
    if value is None:
        return None
    if isinstance(value, str) and value.startswith("["):
        members = members_of(value)
        return value if members == {value} else text_value(members)
    return text_value(value)


CANONICAL: Mapping[str, Callable[[Any], Any]] = {
    "value": canonical_text,
    "via": lambda labels: sorted(set(labels)),
    "attributes": lambda values: {name: canonical_text(item) for name, item in values.items()},
}
"""Keys of the detail that are not kept as they are written."""


def _details(detail: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in detail.items() if value is not None}
    for key in CANONICAL.keys() & found:
        found[key] = CANONICAL[key](found[key])
    return found


def lacking(activity: Activity, attribute: str | None, detail: Mapping[str, Any]) -> Problem | None:
    """What an event of this activity must say and does not."""
    needed = NEEDED.get(activity, ())
    for name in needed:
        if (attribute if name == "attribute" else detail.get(name.removeprefix("detail."))) is not None:
            return None
    if not needed:
        return None
    return Problem(needed[-1], f"is missing: {activity} needs {' or '.join(needed)}")


def _meaning(record: Record, source: str) -> Iterator[Problem]:
    """What types cannot say."""
    if record.source is not None and record.source != source:
        yield Problem("source", f"must be left out or be {source!r}, the source that reads it")
    if record.case_id is None and record.activity is not Activity.EVALUATED:
        yield Problem("case_id", "is missing: only an evaluated event may be about no case")
    if record.occurred_at < _EARLIEST:
        yield Problem("occurred_at", "lies before 1980: this looks like a placeholder, not a time")
    detail = record.detail or {}
    problem = lacking(record.activity, record.attribute, detail)
    if problem is not None:
        yield problem
    if record.detail:
        yield from _detail_meaning(record, detail)


def _detail_meaning(record: Record, detail: dict[str, Any]) -> Iterator[Problem]:
    if detail.get("attributes") is not None and record.activity is not Activity.CREATED:
        yield Problem("detail.attributes", f"belongs to created events only, not to {record.activity}: say what changed by attribute, before and after")
    action = detail.get("action")
    if isinstance(action, str) and action.startswith(_SET) and record.attribute not in (None, action.removeprefix(_SET)):
        yield Problem("detail.action", f"{action!r} contradicts attribute {record.attribute!r}: keep one")
    if detail.keys() <= _KNOWN:
        return
    for key, value in detail.items():
        if key not in _KNOWN:
            near = _meant(key)
            if near:
                yield Problem(f"detail.{key}", f"is not known; did you mean {near!r}?")
            elif not isinstance(value, str | int | float | bool | None):
                yield Problem(f"detail.{key}", "is no key of ours, so it must be a text, a number or a boolean")


@lru_cache(1024)
def _meant(key: str) -> str | None:
    """The key of ours that another one looks like a misspelling of."""
    return next(iter(get_close_matches(key, DETAIL_KEYS, 1, 0.8)), None)


def _problems_of(data: bytes) -> Iterator[Problem]:
    """Every problem of a record that could not be decoded at once."""
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield Problem("", f"is no JSON object: {str(error)[:1].lower()}{str(error)[1:]}")
        return
    if not isinstance(raw, dict):
        yield Problem("", f"must be a JSON object, not {_kind(raw)}")
        return
    yield from _fields(raw, Record, "", strict=True)
    detail = raw.get("detail")
    if isinstance(detail, dict):
        yield from _fields(detail, Detail, "detail.", strict=False)
    yield from _characters("", raw)


def _fields(raw: dict[str, Any], model: type[msgspec.Struct], prefix: str, *, strict: bool) -> Iterator[Problem]:
    fields = {field.name: field for field in msgspec.structs.fields(model)}
    for key, value in raw.items():
        field = fields.get(key)
        if field is None:
            near = next(iter(get_close_matches(key, fields, 1)), None) if strict else _meant(key)
            if strict or near:
                yield Problem(prefix + key, "is not known" + (f"; did you mean {near!r}?" if near else f"; known are {', '.join(fields)}"))
            continue
        try:
            msgspec.convert(value, field.type)
        except msgspec.ValidationError as error:
            yield Problem(prefix + key, _said(value, field.type, str(error)))
    for name, field in fields.items():
        if field.required and name not in raw:
            yield Problem(prefix + name, "is missing")


_CHOICES: dict[str, tuple[str, ...]] = {
    "Activity": tuple(item.value for item in Activity),
    "ActorKind": tuple(item.value for item in ActorKind),
    "Literal": ("good", "bad"),
}


def _said(value: Any, wanted: Any, message: str) -> str:
    for kind, choices in _CHOICES.items():
        if kind in str(wanted):
            near = get_close_matches(str(value), choices, 1)
            return f"{value!r:.80} is none of {', '.join(choices)}" + (f"; did you mean {near[0]!r}?" if near else "")
    if "datetime" in str(wanted):
        return f"{value!r:.80} is no time with an offset such as 2026-03-01T10:00:00Z"
    return message[:1].lower() + message[1:]


def _characters(field: str, value: Any) -> Iterator[Problem]:
    """Texts that no database keeps."""
    if isinstance(value, str):
        if "\x00" in value or not _encodable(value):
            yield Problem(field, "holds a NUL or half a surrogate pair, which is no text")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _characters(f"{field}.{key}" if field else key, item)
            yield from _characters(field, key)
    elif isinstance(value, list):
        for item in value:
            yield from _characters(field, item)


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: Any) -> str:
    return {list: "a list", str: "a text", bool: "a boolean", type(None): "null"}.get(type(value), "a number")


DETAIL_KEYS = tuple(field.name for field in msgspec.structs.fields(Detail))
_KNOWN = frozenset(DETAIL_KEYS)
