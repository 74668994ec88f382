"""What a table's rows tell: the events of one record by its mapping, or the reason there are none."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from rollout_metrics.collect.event_format import EARLIEST, lacking, set_by
from rollout_metrics.collect.mapping import Row, TextOptions, TimeOptions, holds, padded, sort_key
from rollout_metrics.collect.snapshots import Record
from rollout_metrics.collect.source import Rejected
from rollout_metrics.collect.table_options import EventOptions, RowMapping, SnapshotOptions
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import Instant

MAX_ID = 512


def events_of(record: Record, mapping: RowMapping, seen: dict[str, Event]) -> Iterator[Event | Rejected]:
    """The events of one record. `seen`: events of the same page whose ids were made, so that two of one id are noticed."""
    if record.problem:
        yield _rejected(record, record.problem)
        return
    try:
        if mapping.snapshots is not None:
            yield from _compared(record, mapping, mapping.snapshots)
        for options in mapping.events:
            if holds(options.when, record.row, record.previous):
                event = _told(record.row, mapping, options)
                if event is not None:
                    if options.event_id is None and seen.setdefault(event.event_id, event) != event:
                        raise ValueError("event_id: another event of this case has the same time, activity and action: say event_id")
                    yield event
    except ValueError as problem:
        yield _rejected(record, str(problem))


def _rejected(record: Record, message: str) -> Rejected:
    row = {column: value if value is None else value.encode("utf-8", "backslashreplace").decode() for column, value in record.row.items()}
    kept = {"row": row, "previous": record.previous, "twin": record.twin, "problem": record.problem}
    return Rejected("mapping", record.where, message, msgspec.json.encode(kept))


def _told(row: Row, mapping: RowMapping, options: EventOptions) -> Event | None:
    activity = options.activity.read(row)
    if activity is None:
        return None
    at = options.occurred_at or mapping.occurred_at
    text = at.read(row) if at is not None else None
    if text is None and options.occurred_at is not None:
        return None
    attribute, before, after = (None if item is None else item.read(row) for item in (options.attribute, options.before, options.after))
    detail = dict(_detail(options, row))
    event_id = options.event_id.read(row) if options.event_id is not None else ""
    if event_id is None:
        raise ValueError("event_id: is empty")
    return _event(
        mapping,
        row,
        event_id=event_id,
        occurred_at=_instant(text, options.time or mapping.time),
        activity=activity,
        actor_id=options.actor_id or mapping.actor_id,
        actor_kind=options.actor_kind or mapping.actor_kind,
        change=(attribute, before, after),
        detail=detail,
        revision=options.revision or mapping.revision,
    )


def _compared(record: Record, mapping: RowMapping, snapshots: SnapshotOptions) -> Iterator[Event]:
    row, previous = record.row, record.previous
    made = padded(sort_key(snapshots.order, row, mapping.time)) + (f".{record.twin}" if record.twin else "")
    case_id = mapping.case_id.read(row)
    if previous is None:
        yield _created(record, mapping, snapshots, f"{case_id}:created")
    for column, watch in snapshots.watch.items():
        value, old = row[column], None if previous is None else previous[column]
        closes, was_closed = value in watch.closed, old in watch.closed and previous is not None
        if (previous is None and not closes) or (previous is not None and value == old):
            continue
        activity = Activity.CLOSED if closes and not was_closed else Activity.REOPENED if was_closed and not closes else Activity.CHANGED
        before, after = watch.translated.read({"value": old}), watch.translated.read({"value": value})
        if before == after and activity is Activity.CHANGED:
            continue
        text = mapping.occurred_at.read(row) if mapping.occurred_at is not None else None
        yield _event(
            mapping,
            row,
            event_id=f"{case_id}:{made}:{watch.attribute}",
            occurred_at=_instant(text, mapping.time),
            activity=activity,
            actor_id=mapping.actor_id,
            actor_kind=mapping.actor_kind,
            change=(watch.attribute, before, after),
            detail={},
            revision=mapping.revision,
        )


def _created(record: Record, mapping: RowMapping, snapshots: SnapshotOptions, event_id: str) -> Event:
    created, row = snapshots.created, record.row
    at = created.occurred_at or mapping.occurred_at
    attributes = {name: text.read(row) for name, text in created.attributes.items()}
    for column, watch in snapshots.watch.items():
        if row[column] not in watch.closed:
            attributes[watch.attribute] = watch.translated.read({"value": row[column]})
    return _event(
        mapping,
        row,
        event_id=event_id,
        occurred_at=_instant(at.read(row) if at is not None else None, mapping.time),
        activity=Activity.CREATED,
        actor_id=created.actor_id or mapping.actor_id,
        actor_kind=created.actor_kind or mapping.actor_kind,
        change=(None, None, None),
        detail={"attributes": attributes},
        revision=mapping.revision,
    )


def _event(
    mapping: RowMapping,
    row: Row,
    *,
    event_id: str,
    occurred_at: Instant,
    activity: str,
    actor_id: TextOptions | None,
    actor_kind: TextOptions | None,
    change: tuple[str | None, str | None, str | None],
    detail: dict[str, Any],
    revision: TextOptions | None,
) -> Event:
    case_id = mapping.case_id.read(row)
    kind = actor_kind.read(row) if actor_kind is not None else None
    case_source = mapping.case_source.read(row) if mapping.case_source is not None else mapping.source
    actor = actor_id.read(row) if actor_id is not None else None
    if case_id is None or case_source is None:
        raise ValueError("case_id: is empty" if case_id is None else "case_source: is empty")
    if activity not in Activity.__members__.values():
        raise ValueError(f"activity: {activity!r} is none of {', '.join(Activity)}")
    if kind is None or kind not in ActorKind.__members__.values():
        raise ValueError(f"actor_kind: {kind!r} is none of {', '.join(ActorKind)}: map it, or say otherwise" if kind else "actor_kind: is empty: say otherwise")
    named, before, after = change
    attribute, after = set_by(named, after, detail)
    activity = Activity(activity)
    if problem := lacking(activity, attribute, detail):
        raise ValueError(str(problem))
    event_id = event_id or _made_id(case_source, case_id, occurred_at, activity, attribute, detail.get("action"))
    for name, text in (("case_id", case_id), ("event_id", event_id), ("actor_id", actor or "")):
        if len(text) > MAX_ID:
            raise ValueError(f"{name}: is longer than {MAX_ID} characters")
    return Event(
        mapping.source,
        case_source,
        case_id,
        event_id,
        occurred_at,
        activity,
        ActorKind(kind),
        actor,
        attribute,
        before,
        after,
        detail,
        _revision(revision, row, mapping.time),
    )


def _made_id(*parts: Any) -> str:
    """An id from what an event is; persons and values stay out, since ids are kept in the clear."""
    return blake2b(msgspec.json.encode(parts), digest_size=12).hexdigest()


def _instant(text: str | None, time: TimeOptions) -> Instant:
    if text is None:
        raise ValueError("occurred_at: is empty")
    try:
        at = time.reader(text)
    except ValueError as problem:
        raise ValueError(f"occurred_at: {problem}") from None
    if at < EARLIEST:
        raise ValueError(f"occurred_at: {text!r} lies before 1980: this looks like a placeholder, not a time")
    return at


def _revision(text: TextOptions | None, row: Row, time: TimeOptions) -> int:
    value = text.read(row) if text is not None else None
    if value is None:
        return 0
    try:
        return int(value) if value.isdigit() else time.reader(value)
    except ValueError:
        raise ValueError(f"revision: {value!r} is neither a number nor a time") from None


def _detail(options: EventOptions, row: Row) -> Iterator[tuple[str, Any]]:
    if options.attributes:
        yield "attributes", {name: text.read(row) for name, text in options.attributes.items()}
    for key, text in options.detail.items():
        value = text.read(row)
        if value is None:
            continue
        if key in ("public", "passed"):
            if value.lower() not in _TRUTH:
                raise ValueError(f"detail.{key}: {value!r} is neither true nor false: map it")
            yield key, _TRUTH[value.lower()]
        elif key == "seconds":
            yield key, _seconds(value)
        elif key == "via":
            yield key, sorted(msgspec.json.decode(value)) if text.split else [value]
        elif key == "score" and value not in ("good", "bad"):
            raise ValueError(f"detail.score: {value!r} is neither good nor bad: map it")
        else:
            yield key, value


_TRUTH = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"detail.seconds: {value!r} is no number of seconds from 0 up")
    return int(seconds) if seconds.is_integer() else seconds
