"""Cases: which are due, what was derived of them, and replacing it with the exact difference in the counts."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, text

from rollout_metrics.domain.events import CaseKey
from rollout_metrics.domain.facts import CaseFacts, CaseSummary, Fact, Handling, HandlingKind
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.arrivals import ALWAYS
from rollout_metrics.store.bulk import Collected, Contributions, Numbered, Samples, unpacked
from rollout_metrics.store.codec import NOTHING, SAMPLE_WIDTH, Contribution, Counted, Sample, decode_facts, decode_recorded, encode_facts, encode_numbers
from rollout_metrics.store.dialects import Row
from rollout_metrics.store.judgements import add_for_good
from rollout_metrics.store.names import NO_WORKFLOW
from rollout_metrics.store.persons import Persons
from rollout_metrics.store.quarantine import release
from rollout_metrics.store.receipts import Receipts
from rollout_metrics.store.relations import decided_in, workflows_in
from rollout_metrics.store.schema import cases, decisions, dirty, elsewhere, judgements, stretches
from rollout_metrics.store.spans import Span, span_of
from rollout_metrics.store.stretches import Stretches
from rollout_metrics.store.tables import PERSONS_UNTIL, meta_number

_COLUMNS = tuple(cases.columns.keys())
_DIRTY = text("SELECT case_source, case_id, mark FROM dirty ORDER BY case_source, case_id LIMIT :limit")
_BY_TIME = text(
    "SELECT case_source, case_id FROM cases WHERE workflow = :workflow AND next_change_at IS NOT NULL AND next_change_at <= :as_of"
    " ORDER BY next_change_at LIMIT :limit"
)
_LEVEL_MOVED = text(
    "INSERT INTO dirty (case_source, case_id, mark) SELECT case_source, case_id, CAST(:mark AS bigint) FROM cases WHERE workflow = :workflow"
    " AND (first_agent_at >= :start AND first_agent_at < :end OR scoped_at >= :start AND scoped_at < :end)"
    " ON CONFLICT (case_source, case_id) DO UPDATE SET mark = excluded.mark"
)


class Due(msgspec.Struct, frozen=True):
    """Cases to derive, and the marks by which they were dirty (None: due by time alone)."""

    keys: list[CaseKey]
    marks: dict[CaseKey, int | None]

    def __bool__(self) -> bool:
        return bool(self.keys)


class Update(msgspec.Struct, frozen=True):
    """A case as derived now: its facts and all that they contribute to the counts, in any order.

    `sampled`: its samples, which are counted nowhere but kept with the case, and lead to it by series and minute.
    """

    facts: CaseFacts
    counted: Sequence[Contribution]
    sampled: Sequence[Sample] = ()


class Applied(msgspec.Struct, frozen=True):
    """What `replace` added to the counts."""

    rows: Sequence[Numbered]
    named: Callable[[Sequence[Numbered]], Counted]

    @property
    def counts(self) -> Counted:
        """The difference it applied to the counts; put into words only where somebody asks."""
        return self.named(self.rows)


class _Packed(NamedTuple):
    """What a case contributes, as it is stored: to the counts, to what leads to its samples, and these."""

    counted: bytes
    sampled: bytes
    samples: bytes


class _Changes(msgspec.Struct):
    """What one `replace` knows of its cases (`done`: those to leave alone, `stored`: their rows), and what it collects before it writes."""

    now: Instant
    keys: Sequence[tuple[int, str]]
    done: Container[Row]
    stored: Mapping[Row, Row]
    rows: list[Row] = []
    gone: list[Row] = []
    led: set[int] = set()
    """Workflows in which a case's first agent event moved."""
    decided: set[Row] = set()
    undecided: set[Row] = set()
    groups: set[Row] = set()
    added_elsewhere: set[Row] = set()
    gone_elsewhere: set[Row] = set()
    stretched: list[Row] = []
    unstretched: list[Row] = []


class Cases(Persons, Receipts, Stretches):
    """Deriving cases in batches."""

    def due(self, as_of: Mapping[str, Instant], limit: int = 2000) -> Due:
        """The next cases to derive: touched by what has landed, reached by other cases, or changing by time alone at or before their workflow's T.

        `as_of`: workflow -> T; key `""` for cases of none. Falsy when there is nothing left.
        """
        with self._writing() as connection:
            self._take_in(connection)
            self._advance(connection, as_of)
            while marks := self._pick(connection, as_of, limit):
                for key in self._dismiss(connection, list(marks)):
                    del marks[key]
                if marks:
                    break
        self._seen_as_of = {**self._seen_as_of, **as_of}
        named = {(self._names.sources.names[source], case): mark for (source, case), mark in marks.items()}
        return Due(list(named), named)

    def _pick(self, connection: Connection, as_of: Mapping[str, Instant], limit: int) -> dict[tuple[int, str], int | None]:
        marks: dict[tuple[int, str], int | None] = {(source, case): mark for source, case, mark in connection.execute(_DIRTY, {"limit": limit})}
        for name, until in as_of.items():
            if len(marks) < limit:
                workflow = self._workflow_number(name or None)
                for source, case in connection.execute(_BY_TIME, {"workflow": workflow, "as_of": until, "limit": limit - len(marks)}):
                    marks.setdefault((source, case), None)
        return marks

    def facts(self, keys: Sequence[CaseKey]) -> dict[CaseKey, tuple[Fact, ...]]:
        """The facts of cases as last derived; cases without any are left out."""
        numbered = self._keys(keys)
        with self._database.reading(warm=True) as connection:
            rows = self._stored(connection, numbered)
        return {key: decode_facts(rows[number][_FACTS]) for key, number in zip(keys, numbered, strict=True) if number in rows}

    def recorded(self, case: CaseKey) -> tuple[tuple[Fact, Instant], ...]:
        """A case's facts, each with the instant at which it was put in place as it is."""
        numbered = self._keys([case])
        with self._database.reading() as connection:
            row = self._stored(connection, numbered).get(numbered[0])
        return () if row is None else tuple(zip(decode_facts(row[_FACTS]), decode_recorded(row[_RECORDED]), strict=True))

    def derive_again(self, case: CaseKey, released: int) -> None:
        """Let a case that was set aside go, and derive it with the next that are due."""
        with self._writing() as connection:
            release(connection, [released])
            self._rewrite(connection)
            self._mark_dirty(connection, [(self._names.sources[case[0]], case[1])])

    def replace(self, due: Due, updates: Iterable[Update], added: Sequence[Contribution] = ()) -> Applied:
        """Put derived cases in place in one transaction: facts, case rows, the difference in the counts.

        Cases without an update stay due. A case that landed again since `due` stays dirty; cases that depend on what changed here become dirty.
        `added` is counted on top, for good: what tells of the order in which things became known, and so belongs to no case's facts. Nothing is locked, and
        `added` not looked at, before the last of the updates is there.
        """
        derived: list[CaseFacts] = []
        counted, sampled = Collected(3), Collected(SAMPLE_WIDTH)
        for update in updates:
            derived.append(update.facts)
            counted.take(update.counted)
            sampled.take(update.sampled)
        with self._writing() as connection:
            keys = [(self._names.sources[source], case) for source, case in (facts.case for facts in derived)]
            taken = [due.marks.get(facts.case) for facts in derived]
            done = self._done_elsewhere(connection, keys, taken)
            changes = _Changes(self._clock(), keys, done, self._stored(connection, keys))
            difference = self._put(connection, changes, derived, self._numbered(counted).sums(), self._numbered_samples(sampled))
            if added:
                for_good = self._contributions([added])
                add_for_good(self._dialect, connection, for_good)
                difference += for_good
            first = {workflow: self._first_agent(connection, workflow) for workflow in changes.led if self._follows_agent(workflow)}
            self._write(connection, changes)
            for workflow, before in first.items():
                self._level_moved(connection, workflow, before)
            cleared = [(*key, mark) for key, mark in zip(keys, taken, strict=True) if mark is not None]
            self._dialect.delete(connection, dirty, cleared, "case_source", "case_id", "mark")
            return Applied(self._apply(connection, difference), self._named)

    def _done_elsewhere(self, connection: Connection, keys: Sequence[tuple[int, str]], taken: Sequence[int | None]) -> set[Row]:
        """Cases that were dirty when they were taken and are no more: another process has replaced them since, maybe from more than we have seen."""
        marked = [key for key, mark in zip(keys, taken, strict=True) if mark is not None]
        query = (
            f"SELECT d.case_source, d.case_id FROM {self._dialect.wanted} AS w"  # noqa: S608
            " CROSS JOIN dirty AS d WHERE d.case_source = w.case_source AND d.case_id = w.case_id"
        )
        return set(marked) - {(row[0], row[1]) for row in self._dialect.rows(connection, query, marked)}

    def _stored(self, connection: Connection, keys: Sequence[tuple[int, str]]) -> dict[Row, Row]:
        query = (
            f"SELECT {', '.join(f'c.{name}' for name in _COLUMNS)} FROM {self._dialect.wanted} AS w"  # noqa: S608
            " CROSS JOIN cases AS c WHERE c.case_source = w.case_source AND c.case_id = w.case_id"
        )
        return {(row[0], row[1]): row for row in self._dialect.rows(connection, query, keys)}

    def _put(self, connection: Connection, changes: _Changes, derived: Sequence[CaseFacts], counted: Contributions, samples: Samples) -> Contributions:
        """Have cases lead where they lead now, and collect what else changes of them; the difference in what they contribute to the counts."""
        number = len(derived)
        sampled = samples.contributions().sums()
        packed = map(_Packed, map(encode_numbers, counted.by_place(number)), map(encode_numbers, sampled.by_place(number)), samples.packed())
        moved = [self._change(changes, key, facts, one) for key, facts, one in zip(changes.keys, derived, packed, strict=True)]
        before = [changes.stored.get(key) if changed else None for key, changed in zip(changes.keys, moved, strict=True)]
        counted_before = unpacked([NOTHING if old is None else old[_COUNTED] for old in before])
        sampled_before = unpacked([NOTHING if old is None or old[_SAMPLED] is None else old[_SAMPLED] for old in before])
        posted = [old is not None and old[_SAMPLED] is not None for old in before]
        self._repost(connection, changes.keys, (counted + sampled).at(moved), (counted_before.at(posted) + sampled_before))
        return counted.at(moved) + -counted_before

    def _change(self, changes: _Changes, key: tuple[int, str], derived: CaseFacts, packed: _Packed) -> bool:
        """Collect what changes of one case besides the counts and what leads to it; whether these do."""
        if key in changes.done:
            return False
        old = changes.stored.get(key)
        nothing = not derived.facts and derived.workflow is None and derived.next_change_at is None and derived.lived is None and packed.counted == NOTHING
        if old is None and nothing:
            return False
        facts = encode_facts(derived.facts)
        same_facts = old is not None and old[_FACTS] == facts
        recorded = old[_RECORDED] if same_facts and old is not None else _recorded(old, derived.facts, changes.now)
        if not same_facts:
            self._relate(changes, key, old, derived)
        if nothing:
            if old is not None:
                changes.gone.append(key)
                changes.unstretched += _stretch_key(old)
                changes.led.add(old[_WORKFLOW])
            return True
        row = (*key, *self._columns(derived, span_of(derived)), facts, recorded, packed.counted, packed.sampled)
        if row != old:
            changes.rows.append(row)
            _stretch(changes, old, row, packed.samples)
            if old is None or (old[_WORKFLOW], old[_FIRST_AGENT]) != (row[_WORKFLOW], row[_FIRST_AGENT]):
                changes.led |= {row[_WORKFLOW]} if old is None else {row[_WORKFLOW], old[_WORKFLOW]}
        return old is None or (old[_COUNTED], old[_SAMPLED]) != packed[:2]

    def _columns(self, derived: CaseFacts, span: Span | None) -> Row:
        first_agent_at = presence = None
        absent = 0
        for fact in derived.facts:
            if type(fact) is CaseSummary:
                first_agent_at = fact.first_agent_at
            elif type(fact) is Handling:
                presence = fact.presence
                absent = int(fact.handling is HandlingKind.AGENT_ABSENT)
        start, end = presence or (None, None)
        workflow = self._workflow_number(derived.workflow)
        between = (None, None, None) if span is None else (span.starts_at, span.ends_at, span.moved_at)
        return (workflow, derived.scoped_at, derived.next_change_at, first_agent_at, start, end, absent, *between)

    def _relate(self, changes: _Changes, key: tuple[int, str], old: Row | None, derived: CaseFacts) -> None:
        before = decode_facts(old[_FACTS]) if old is not None else ()
        operators = self._names.operators
        was, now = decided_in(before, operators.known), decided_in(derived.facts, operators.__getitem__)
        if was != now:
            was_rows, now_rows = ({(decider, at, *key) for decider, at, *_ in decided} for decided in (was, now))
            changes.undecided |= was_rows - now_rows
            changes.decided |= now_rows - was_rows
            changes.groups |= {decided[:2] for decided in was ^ now}
        own_before = old[2] if old is not None else NO_WORKFLOW
        own_now = self._workflow_number(derived.workflow)
        there = {(workflow, *key) for workflow in workflows_in(before, self._names) if workflow != own_before}
        here = {(workflow, *key) for workflow in workflows_in(derived.facts, self._names) if workflow != own_now}
        changes.added_elsewhere |= here - there
        changes.gone_elsewhere |= there - here

    def _write(self, connection: Connection, changes: _Changes) -> None:
        dialect = self._dialect
        dialect.upsert(connection, cases, changes.rows)
        dialect.delete(connection, cases, changes.gone)
        dialect.upsert(connection, elsewhere, sorted(changes.added_elsewhere))
        dialect.delete(connection, elsewhere, sorted(changes.gone_elsewhere))
        dialect.delete(connection, stretches, sorted(changes.unstretched))
        dialect.upsert(connection, stretches, sorted(changes.stretched))
        if changes.groups:
            mark, forgotten = self._next_mark(connection), meta_number(connection, PERSONS_UNTIL)
            dialect.delete(connection, decisions, sorted(changes.undecided))
            dialect.upsert(connection, decisions, sorted(row for row in changes.decided if row[1] >= forgotten))
            groups = [(decider, at, mark, NOTHING) for decider, at in sorted(changes.groups) if at >= forgotten]
            dialect.upsert(connection, judgements, groups, only=("mark",))

    def _follows_agent(self, workflow: int) -> bool:
        """Whether the workflow's level begins with the first event of its agent: a single undated level."""
        if workflow == NO_WORKFLOW or self._company is None:
            return False
        name = self._names.workflows.names[workflow]
        return any(w.name == name and any(level.since is None for level in w.levels) for w in self._company.workflows)

    def _level_moved(self, connection: Connection, workflow: int, before: Instant | None) -> None:
        after = self._first_agent(connection, workflow)
        if after == before:
            return
        start, end = sorted((ALWAYS if before is None else before, ALWAYS if after is None else after))
        connection.execute(_LEVEL_MOVED, {"mark": self._next_mark(connection), "workflow": workflow, "start": start, "end": end})


_WORKFLOW, _FIRST_AGENT, _STARTS, _ENDS, _MOVED, _FACTS, _RECORDED, _COUNTED, _SAMPLED = (
    _COLUMNS.index(name) for name in ("workflow", "first_agent_at", "starts_at", "ends_at", "moved_at", "facts", "recorded", "counted", "sampled")
)


def _stretch(changes: _Changes, old: Row | None, row: Row, samples: bytes) -> None:
    """A case's row among those in order of their ends follows it."""
    before, now = _stretch_key(old), _stretch_key(row)
    if before != now:
        changes.unstretched += before
    changes.stretched += [(*key, row[_STARTS], row[_MOVED], samples) for key in now]


def _stretch_key(row: Row | None) -> list[Row]:
    """Its place there, none where nothing has happened on it."""
    return [] if row is None or row[_MOVED] is None else [(row[_WORKFLOW], row[_ENDS], row[0], row[1])]


def _recorded(old: Row | None, facts: tuple[Fact, ...], now: Instant) -> bytes:
    """When each fact was recorded: those that stood before keep their instant."""
    if old is None:
        return encode_numbers([now] * len(facts))
    before: dict[Fact, Instant] = dict(zip(decode_facts(old[_FACTS]), decode_recorded(old[_RECORDED]), strict=True))
    return encode_numbers([before.get(fact, now) for fact in facts])
