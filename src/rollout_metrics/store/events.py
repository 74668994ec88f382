"""Events: landed by the batch, read back as histories."""

from collections.abc import Collection, Iterator, Sequence

import msgspec
from sqlalchemy import Connection, bindparam, text

from rollout_metrics.domain.events import CaseKey, Event, canonical_bytes, precedence
from rollout_metrics.domain.records import ChangeReading
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.arrivals import Arrivals
from rollout_metrics.store.change_readings import keep_changes
from rollout_metrics.store.codec import decode_body, encode_body, event_of
from rollout_metrics.store.dialects import PLAIN, Row, Superseded
from rollout_metrics.store.quarantine import PutAside, Rejected, put_aside, release
from rollout_metrics.store.schema import dirty
from rollout_metrics.store.sweeps import Follows, Saved, save_progress
from rollout_metrics.store.tables import ARRIVED, LAST_EVENT, REWRITTEN, meta_number
from rollout_metrics.store.touches import numbering

LARGEST = 2**63 - 1
CHUNK = 500
"""Cases whose events are read by one query."""

_OF_CASES = (
    "SELECT w.n, e.source, e.event_id, e.occurred_at, e.revision, e.body FROM {wanted} AS w"
    " CROSS JOIN events AS e WHERE e.case_source = w.case_source AND e.case_id = w.case_id"
)
_NEXT_CASES = text(
    "SELECT DISTINCT case_source, case_id FROM events WHERE case_source > :source OR (case_source = :source AND case_id > :case)"
    " ORDER BY case_source, case_id LIMIT :limit"
)

_LATE = text("SELECT 1 FROM events WHERE id > :after AND occurred_at <= :until LIMIT 1")
_CASES = text(
    "SELECT case_id, max(occurred_at), max(CASE WHEN body LIKE '[\"absorbed\"%' OR body LIKE '[\"deleted\"%' THEN 1 ELSE 0 END) FROM events"
    " WHERE case_source = :source AND source = :source AND case_id > :after GROUP BY case_id ORDER BY case_id LIMIT :limit"
)


class Landed(msgspec.Struct, frozen=True):
    """What a batch brought: events never seen, readings that superseded others, readings that changed nothing, records put aside, and the newest instant."""

    new: int
    changed: int
    same: int
    quarantined: int
    newest: Instant | None


class Past(msgspec.Struct, frozen=True):
    """A state of what is stored of the past: the last reading taken in, and how often older ones had been rewritten."""

    last: int
    rewritten: int


class Events(Arrivals):
    """Landing and reading events."""

    def land(
        self,
        source: str,
        events: Sequence[Event],
        rejected: Sequence[Rejected] = (),
        progress: Saved | Follows = None,
        *,
        released: Sequence[int] = (),
        changes: Sequence[ChangeReading] = (),
    ) -> Landed:
        """Store a batch in one transaction: readings by precedence, rejected records, the sweep's progress.

        The cases the readings touch are to be derived from then on. `progress`: the one that holds then, or how it follows from the stored one. `released`
        are the quarantine ids these events came from. Batches of 5,000 to 20,000 are cheapest.
        """
        with self._writing() as connection:
            new, superseded = 0, list[Superseded]()
            rows, strange = self._rows(events) if events else ([], [])
            if rows:
                new, superseded = self._dialect.put_readings(connection, rows)
            if superseded:
                self._revise(connection, superseded)
            rejected = [*rejected, *strange]
            quarantined = put_aside(connection, source, rejected, self._clock()) if rejected else 0
            release(connection, released)
            keep_changes(connection, source, changes, self._clock())
            newest = max([row[4] for row in rows], default=None)
            save_progress(connection, source, progress, (new, newest), self._clock())
        changed = len(superseded)
        return Landed(new, changed, len(rows) - new - changed, quarantined, newest)

    def _rows(self, events: Sequence[Event]) -> tuple[list[Row], list[Rejected]]:
        """The batch as rows, and the events no database can hold."""
        number, touch_of, encode = self._names.sources, numbering(self._company, self._names), encode_body
        try:
            rows: list[Row] = [
                (
                    number[e.source],
                    e.event_id,
                    number[e.case_source],
                    e.case_id,
                    e.occurred_at,
                    e.revision,
                    encode((e.activity, e.actor_kind, e.actor_id, e.attribute, e.before, e.after, e.detail or None)).decode(),
                    touch_of(e),
                )
                for e in events
            ]
        except UnicodeEncodeError:
            rows = []
        if rows and _fits(rows):
            return rows, []
        strange: list[Rejected] = [PutAside.of(event, problem) for event in events if (problem := _problem(event))]
        return self._rows([event for event in events if not _problem(event)])[0], strange

    def _revise(self, connection: Connection, superseded: Sequence[Superseded]) -> None:
        """The readings that were replaced may have been derived already: their cases are dirty, their touches undone."""
        self._rewrite(connection)
        mark = self._next_mark(connection)
        keys = sorted({(source, case) for _, source, case, _, _ in superseded})
        self._dialect.upsert(connection, dirty, [(source, case, mark, 0) for source, case in keys], only=("mark",))
        arrived = meta_number(connection, ARRIVED)
        undone = [(touch, at) for number, _, _, at, touch in superseded if touch is not None and number <= arrived]
        if undone:
            self._undo(connection, undone, mark)

    def histories(self, keys: Sequence[CaseKey]) -> Iterator[tuple[CaseKey, list[Event]]]:
        """The events of cases, each case's in no order; an empty list where none is left."""
        for start in range(0, len(keys), CHUNK):
            chunk = keys[start : start + CHUNK]
            with self._database.reading(warm=True) as connection:
                found = self._read(connection, chunk)
            yield from zip(chunk, found, strict=True)

    def past(self) -> "Past":
        """How the past is stored now; `changed_since` compares."""
        with self._database.reading() as connection:
            return Past(int(connection.execute(LAST_EVENT).scalar() or 0), meta_number(connection, REWRITTEN))

    def changed_since(self, past: "Past", until: Instant) -> bool:
        """Whether anything was stored of instants up to `until` since then, or anything at all rewritten."""
        with self._database.reading() as connection:
            if meta_number(connection, REWRITTEN) != past.rewritten:
                return True
            return connection.execute(_LATE, {"after": past.last, "until": until}).first() is not None

    def living(self, source: str) -> Iterator[tuple[str, Instant]]:
        """The cases of a source that have not ended, by id, each with the time of its last event from there."""
        number, after = self._names.sources.known(source), ""
        while number is not None:
            with self._database.reading() as connection:
                rows = connection.execute(_CASES, {"source": number, "after": after, "limit": CHUNK}).all()
            yield from ((case_id, int(last)) for case_id, last, ended in rows if not ended)
            if len(rows) < CHUNK:
                return
            after = rows[-1][0]

    def events(self, case: CaseKey) -> list[Event]:
        """The events of one case, in no order."""
        return next(self.histories([case]))[1]

    def held(self, source: str, event_ids: Collection[str]) -> dict[str, Event]:
        """The readings that hold for these ids of one source, by id; what is not stored is left out."""
        query = text(f"SELECT {', '.join(PLAIN)} FROM events WHERE source = :source AND event_id IN :ids").bindparams(bindparam("ids", expanding=True))  # noqa: S608
        wanted = sorted(event_ids)
        with self._database.reading() as connection:
            number = self._names.sources.known(source)  # none yet where this is the first that is ever sent
            return {
                event.event_id: event
                for start in range(0, len(wanted), CHUNK)
                for row in connection.execute(query, {"source": number, "ids": wanted[start : start + CHUNK]})
                for event in (self._event(tuple(row)),)
            }

    def all_histories(self) -> Iterator[tuple[CaseKey, list[Event]]]:
        """Every case's events, in case order, as of one moment, holding few at a time."""
        with self._database.reading(snapshot=True) as connection:
            source, case = -1, ""
            while keys := connection.execute(_NEXT_CASES, {"source": source, "case": case, "limit": CHUNK}).all():
                source, case = keys[-1]
                cases = [(self._names.sources.names[number], name) for number, name in keys]
                yield from zip(cases, self._read(connection, cases), strict=True)

    def _read(self, connection: Connection, cases: Sequence[CaseKey]) -> list[list[Event]]:
        """The events of cases, in the order of these."""
        query = _OF_CASES.format(wanted=self._dialect.wanted)
        source_of = self._names.sources.names
        found: list[list[Event]] = [[] for _ in cases]
        take = [(*case, events.append) for case, events in zip(cases, found, strict=True)]
        for place, source, event_id, at, revision, body in self._dialect.rows(connection, query, self._keys(cases)):
            case_source, case_id, append = take[place]
            activity, kind, actor_id, attribute, before, after, detail = decode_body(body)
            append(
                Event(
                    source_of[source],
                    case_source,
                    case_id,
                    event_id,
                    at,
                    activity,
                    kind,
                    actor_id,
                    attribute,
                    before,
                    after,
                    detail or {},
                    revision,
                )
            )
        return found

    def _holds(self, stored: Row, arriving: Row) -> bool:
        return precedence(self._event(arriving)) > precedence(self._event(stored))

    def _event(self, row: Row) -> Event:
        source, event_id, case_source, case_id, at, revision, text_ = row
        source_of = self._names.sources.names
        return event_of(source_of[source], event_id, source_of[case_source], case_id, at, revision, text_)


def _fits(rows: Sequence[Row]) -> bool:
    ids = "".join([row[1] for row in rows]) + "".join([row[3] for row in rows])
    try:
        ids.encode()
    except UnicodeEncodeError:
        return False
    numbers = [row[4] for row in rows] + [row[5] for row in rows]
    return "\0" not in ids and max(numbers) <= LARGEST and min(numbers) >= -LARGEST


def _problem(event: Event) -> str | None:
    if not (-LARGEST <= event.occurred_at <= LARGEST and -LARGEST <= event.revision <= LARGEST):
        return "a number does not fit into 64 bits"
    if "\0" in event.event_id or "\0" in event.case_id:
        return "an id contains a NUL character"
    try:
        canonical_bytes(event)
    except UnicodeEncodeError:
        return "a text contains half a surrogate pair"
    return None
