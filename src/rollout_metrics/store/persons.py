"""Forgetting who persons were: within a case they stay apart as `former:1`, `former:2`, across cases nothing links them any more.

A case derived from such events yields the same facts as before, so no number changes; what is derived from several cases (glances) has been counted for good.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from sqlalchemy import Connection, select, text

from rollout_metrics.domain.errors import StorageError
from rollout_metrics.domain.pseudonyms import ACTOR_PREFIX
from rollout_metrics.store.arrivals import Arrivals
from rollout_metrics.store.bulk import add
from rollout_metrics.store.codec import encode_numbers
from rollout_metrics.store.dialects import Row
from rollout_metrics.store.names import NOBODY, OPERATOR
from rollout_metrics.store.schema import decisions, dirty, events, judgements, names, touches
from rollout_metrics.store.tables import KEPT_FROM, PERSONS_UNTIL, meta_number
from rollout_metrics.store.touches import FORMER_PREFIX

CHUNK = 500

_TOKEN = re.compile(re.escape(ACTOR_PREFIX) + "[0-9a-f]{18}")
_FORMER = re.compile(re.escape(FORMER_PREFIX) + "([0-9]+)")
_MENTIONING = text("SELECT DISTINCT case_source, case_id FROM events WHERE body LIKE :pattern ORDER BY case_source, case_id")
_UPDATE = text("UPDATE events SET body = :body, touch = :touch WHERE id = :id")

Key = tuple[int, str]


class Persons(Arrivals):
    """Taking persons out of stored events."""

    def erase(self, actor: str) -> int:
        """Forget one person, named by the stored form of the id; returns how many cases mentioned the person.

        Those are due then: only when they have been derived, their facts name the person no more. Decisions stay counted, glances as they were judged.
        """
        if self._company is not None and actor in self._company.agents | self._company.systems:
            raise StorageError(f"{actor} is configured as an agent or a system, no person: nothing was erased")
        token = re.compile(rf"(?<![\w:.-]){re.escape(actor)}(?![\w:.-])")
        with self._writing() as connection:
            self._take_in_all(connection)
            keys: list[Key] = [(source, case) for source, case in connection.execute(_MENTIONING, {"pattern": f"%{actor}%"})]
            changed = self._forget(connection, keys, token.findall)
            self._mark_dirty(connection, changed)
            self._forget_operator(connection, actor)
            self._rewrite(connection)
        self._names.forget()
        return len(changed)

    def _dismiss(self, connection: Connection, keys: Sequence[Key]) -> list[Key]:
        """Of cases about to be derived: those that were over before the kept horizon and are not held are dismissed, so that nothing is counted twice;
        of those whose persons are to be forgotten the persons are taken out."""
        kept_from, persons_until = meta_number(connection, KEPT_FROM), meta_number(connection, PERSONS_UNTIL)
        if not kept_from and not persons_until:
            return []
        last_at = "(SELECT max(e.occurred_at) FROM events AS e WHERE e.case_source = w.case_source AND e.case_id = w.case_id)"
        held = "(SELECT 1 FROM cases AS c WHERE c.case_source = w.case_source AND c.case_id = w.case_id)"
        query = text(f"SELECT w.case_source, w.case_id, {last_at}, {held} FROM {self._dialect.wanted} AS w")  # noqa: S608
        last = connection.execute(query, self._dialect.wanted_by(keys)).all()
        dismissed = [(source, case) for source, case, at, known in last if at is not None and at < kept_from and not known]
        self._anonymise(connection, [(source, case) for source, case, at, _ in last if at is not None and at < persons_until])
        self._dialect.delete(connection, dirty, dismissed)
        return dismissed

    def _take_in_all(self, connection: Connection) -> None:
        while self._take_in(connection):
            pass

    def _mark_dirty(self, connection: Connection, keys: Sequence[Key]) -> None:
        if keys:
            mark = self._next_mark(connection)
            self._dialect.upsert(connection, dirty, [(*key, mark, 0) for key in keys], only=("mark",))

    def _anonymise(self, connection: Connection, keys: Sequence[Key]) -> list[Key]:
        """Take every person out of cases; which cases had any."""
        company = self._company
        kept = (company.agents | company.systems) if company is not None else frozenset()
        return self._forget(connection, keys, lambda body: [found for found in _TOKEN.findall(body) if found not in kept])

    def _forget(self, connection: Connection, keys: Sequence[Key], persons_in: Callable[[str], Iterable[str]]) -> list[Key]:
        changed: list[Key] = []
        updates: list[dict[str, object]] = []
        untouched: dict[tuple[int, int], int] = {}
        operators = self._operator_numbers(connection)
        for start in range(0, len(keys), CHUNK):
            query = text(
                f"SELECT e.case_source, e.case_id, e.occurred_at, e.event_id, e.id, e.touch, e.body FROM {self._dialect.wanted} AS w"  # noqa: S608
                " CROSS JOIN events AS e WHERE e.case_source = w.case_source AND e.case_id = w.case_id"
            )
            rows = sorted(tuple(row) for row in connection.execute(query, self._dialect.wanted_by(keys[start : start + CHUNK])))
            for key, case in groupby(rows, lambda row: (row[0], row[1])):
                if self._forget_in_case(list(case), persons_in, operators, (updates, untouched)):
                    changed.append(key)
        if updates:
            connection.execute(_UPDATE, updates)
        self._untouch(connection, untouched)
        return changed

    def _forget_in_case(
        self,
        rows: Sequence[Row],
        persons_in: Callable[[str], Iterable[str]],
        operators: set[int],
        into: tuple[list[dict[str, object]], dict[tuple[int, int], int]],
    ) -> bool:
        updates, untouched = into
        taken = max((int(number) for row in rows for number in _FORMER.findall(row[6])), default=0)
        former: dict[str, str] = {}
        for *_, at, _, number, touch, body in rows:
            for person in persons_in(body):
                former.setdefault(person, f"{FORMER_PREFIX}{taken + len(former) + 1}")
            now = body
            for person, stand_in in former.items():
                now = now.replace(person, stand_in)
            if now != body:
                gone = touch in operators and self._names.operators.names[touch] in former
                if gone:
                    untouched[touch, at] = untouched.get((touch, at), 0) + 1
                updates.append({"id": number, "body": now, "touch": None if gone else touch})
        return bool(former)

    def _untouch(self, connection: Connection, gone: dict[tuple[int, int], int]) -> None:
        self._dialect.upsert(connection, touches, [(*key, -number) for key, number in gone.items()], add="events")
        self._dialect.delete(connection, touches, [(*key, 0) for key in gone], "touch", "at", "events")

    def _operator_numbers(self, connection: Connection) -> set[int]:
        return set(connection.execute(select(names.c.no).where(names.c.kind == OPERATOR)).scalars())

    def _forget_operator(self, connection: Connection, actor: str) -> None:
        """Move what an operator's glances counted to nobody, and drop the number."""
        number = connection.execute(select(names.c.no).where(names.c.kind == OPERATOR, names.c.name == actor)).scalar()
        if number is None:
            return
        counted: dict[int, dict[tuple[int, int], int]] = {}
        found = select(judgements.c.at, judgements.c.counted).where(judgements.c.decider.in_((number, NOBODY)))
        for at, packed in connection.execute(found):
            add(counted.setdefault(at, {}), packed)
        rows = [(NOBODY, at, 0, encode_numbers(sorted((*key, amount) for key, amount in sums.items()))) for at, sums in counted.items()]
        self._dialect.upsert(connection, judgements, rows)
        for table, column in ((judgements, judgements.c.decider), (decisions, decisions.c.decider), (touches, touches.c.touch), (names, names.c.no)):
            connection.execute(table.delete().where(column == number))
        connection.execute(events.update().where(events.c.touch == number).values(touch=None))
