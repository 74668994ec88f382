"""Forgetting by age: cases long over, and who persons were. What has been counted stays counted.

The clock of a case runs from its last event, so that a case is forgotten as a whole and no number derived from it can change on the way.
"""

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection, text

from rollout_metrics.domain.time import DAY, Instant, Span, minute_of
from rollout_metrics.store.bulk import unpacked
from rollout_metrics.store.codec import NOTHING, decode_facts
from rollout_metrics.store.dialects import Row
from rollout_metrics.store.names import NOBODY, OPERATOR
from rollout_metrics.store.persons import Key, Persons
from rollout_metrics.store.receipts import Receipts
from rollout_metrics.store.relations import decided_in, workflows_in
from rollout_metrics.store.schema import cases, decisions, elsewhere, events, judgements, quarantine, stretches
from rollout_metrics.store.tables import FIRST_AGENT, KEPT_FROM, PERSONS_UNTIL, RETIRED, meta_number, set_meta

CHUNK = 500

_LAST_EVENTS = text(
    "SELECT case_source, case_id, max(occurred_at) FROM events WHERE (case_source, case_id) > (:source, :case)"
    " GROUP BY case_source, case_id HAVING max(occurred_at) < :before AND max(occurred_at) >= :since ORDER BY case_source, case_id LIMIT :limit"
)
_UNUSED_OPERATORS = text(
    "DELETE FROM names WHERE kind = :kind AND NOT EXISTS (SELECT 1 FROM touches AS t WHERE t.touch = names.no)"
    " AND NOT EXISTS (SELECT 1 FROM decisions AS d WHERE d.decider = names.no) AND NOT EXISTS (SELECT 1 FROM judgements AS j WHERE j.decider = names.no)"
)


class Retained(msgspec.Struct, frozen=True):
    """What retention did: cases dropped, and cases whose persons were forgotten (derived again, to the same numbers)."""

    cases: int
    anonymised: int


class Retention(Persons, Receipts):
    """Dropping what is not to be kept."""

    def retain(self, now: Instant, *, events: Span = 400 * DAY, persons: Span = 180 * DAY) -> Retained:
        """Drop cases whose last event is older than `events`, forget persons in cases whose last event is older than `persons`. Counts stay.

        Derive everything due first: a dirty case is left for the next time.
        """
        kept_from, persons_until = now - events, now - persons
        dropped = sum(self._drop(keys) for keys in self._ended(-(2**62), kept_from))
        since = int(self.meta(PERSONS_UNTIL) or -(2**62))
        anonymised = 0
        for keys in self._ended(since, persons_until):
            with self._writing() as connection:
                self._take_in_all(connection)
                changed = self._anonymise(connection, keys)
                self._mark_dirty(connection, changed)
                anonymised += len(changed)
        with self._writing() as connection:
            self._take_in_all(connection)
            set_meta(connection, KEPT_FROM, str(max(kept_from, meta_number(connection, KEPT_FROM))))
            set_meta(connection, PERSONS_UNTIL, str(max(persons_until, since)))
            if connection.execute(judgements.delete().where(judgements.c.at < persons_until, judgements.c.decider != NOBODY)).rowcount:
                self._retire(connection, minute_of(persons_until))
            connection.execute(decisions.delete().where(decisions.c.at < persons_until))
            connection.execute(quarantine.delete().where(quarantine.c.recorded_at < persons_until))
            connection.execute(_UNUSED_OPERATORS, {"kind": OPERATOR})
            if dropped or anonymised:
                self._rewrite(connection)
        self._names.forget()
        return Retained(dropped, anonymised)

    def _ended(self, since: Instant, before: Instant) -> Iterator[list[Key]]:
        """Cases whose last event lies in [since, before)."""
        source, case = -1, ""
        while True:
            place = {"source": source, "case": case, "since": since, "before": before, "limit": CHUNK}
            with self._database.reading() as connection:
                keys = [(row[0], row[1]) for row in connection.execute(_LAST_EVENTS, place)]
            if keys:
                yield keys
            if len(keys) < CHUNK:
                return
            source, case = keys[-1]

    def _drop(self, keys: Sequence[Key]) -> int:
        with self._writing() as connection:
            self._take_in_all(connection)
            gone = self._quiet(connection, keys)
            stored = self._rows_of(connection, gone)
            first: dict[int, Instant] = {}
            decided: set[Row] = set()
            others: set[Row] = set()
            stretched: list[Row] = []
            for source, case, workflow, first_agent_at, packed, ends_at, *_ in stored:
                facts = decode_facts(packed)
                decided |= {(decider, at, source, case) for decider, at, *_ in decided_in(facts, self._names.operators.known)}
                others |= {(number, source, case) for number in workflows_in(facts, self._names)}
                stretched.append((workflow, ends_at, source, case))
                if first_agent_at is not None:
                    first[workflow] = min(first_agent_at, first.get(workflow, first_agent_at))
            for workflow, at in first.items():
                key = f"{FIRST_AGENT}{self._names.workflows.names[workflow]}"
                set_meta(connection, key, str(min(at, meta_number(connection, key) or at)))
            counted = unpacked([row[-2] for row in stored])
            self._retire(connection, max(counted.minutes.tolist(), default=0))
            self._untouch_cases(connection, gone)
            self._dialect.delete(connection, decisions, sorted(decided))
            self._dialect.delete(connection, elsewhere, sorted(others))
            self._repost(connection, [row[:2] for row in stored], unpacked([]), counted + unpacked([row[-1] or NOTHING for row in stored]))
            self._dialect.delete(connection, stretches, sorted(stretched))
            self._dialect.delete(connection, cases, gone)
            self._dialect.delete(connection, events, gone, "case_source", "case_id")
        return len(gone)

    def _quiet(self, connection: Connection, keys: Sequence[Key]) -> list[Key]:
        """The cases that are not waiting to be derived."""
        query = text(
            f"SELECT w.case_source, w.case_id FROM {self._dialect.wanted} AS w"  # noqa: S608
            " WHERE NOT EXISTS (SELECT 1 FROM dirty AS d WHERE d.case_source = w.case_source AND d.case_id = w.case_id)"
        )
        return [(source, case) for source, case in connection.execute(query, self._dialect.wanted_by(keys))]

    def _rows_of(self, connection: Connection, keys: Sequence[Key]) -> Sequence[Row]:
        query = text(
            f"SELECT c.case_source, c.case_id, c.workflow, c.first_agent_at, c.facts, c.ends_at, c.counted, c.sampled FROM {self._dialect.wanted} AS w"  # noqa: S608
            " CROSS JOIN cases AS c WHERE c.case_source = w.case_source AND c.case_id = w.case_id"
        )
        return [tuple(row) for row in connection.execute(query, self._dialect.wanted_by(keys))]

    def _untouch_cases(self, connection: Connection, keys: Sequence[Key]) -> None:
        """Take operators' touches back; agents' stay, so that whether one was around stays answered."""
        query = text(
            f"SELECT e.touch, e.occurred_at, count(*) FROM {self._dialect.wanted} AS w CROSS JOIN events AS e"  # noqa: S608
            " WHERE e.case_source = w.case_source AND e.case_id = w.case_id AND e.touch IS NOT NULL GROUP BY e.touch, e.occurred_at"
        )
        operators = self._operator_numbers(connection)
        rows = connection.execute(query, self._dialect.wanted_by(keys)).all()
        self._untouch(connection, {(touch, at): number for touch, at, number in rows if touch in operators})

    def _retire(self, connection: Connection, minute: int) -> None:
        set_meta(connection, RETIRED, str(max(minute, meta_number(connection, RETIRED))))
