"""Glances: an operator's explicit decisions of one instant, judged together because their dwell spans cases."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select, text

from rollout_metrics.domain.events import CaseKey
from rollout_metrics.domain.facts import Recommendation
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.bulk import Contributions, unpacked
from rollout_metrics.store.codec import NOTHING, Contribution, Counted, decode_facts, encode_numbers
from rollout_metrics.store.dialects import Dialect, Row
from rollout_metrics.store.names import NOBODY
from rollout_metrics.store.relations import explicit
from rollout_metrics.store.schema import judgements
from rollout_metrics.store.tables import PERSONS_UNTIL, PREVIOUS_TOUCH, Tables, meta_number

_DUE = text(
    "SELECT j.decider, j.at, j.mark, (SELECT max(t.at) FROM touches AS t WHERE t.touch = j.decider AND t.at < j.at)"
    " FROM judgements AS j WHERE j.mark > 0 ORDER BY j.decider, j.at LIMIT :limit"
)
_DECIDED = text(
    "SELECT d.decider, d.at, d.case_source, d.case_id, c.facts"
    " FROM (SELECT decider, at FROM judgements WHERE mark > 0 ORDER BY decider, at LIMIT :limit) AS j"
    " CROSS JOIN decisions AS d CROSS JOIN cases AS c"  # in this order on SQLite
    " WHERE d.decider = j.decider AND d.at = j.at AND c.case_source = d.case_source AND c.case_id = d.case_id"
    " ORDER BY d.decider, d.at, d.case_source, d.case_id"
)
_TOGETHER = text(
    "SELECT d.case_source, d.case_id, c.facts FROM decisions AS d CROSS JOIN cases AS c WHERE d.decider = :decider AND d.at = :at"
    " AND c.case_source = d.case_source AND c.case_id = d.case_id ORDER BY d.case_source, d.case_id"
)
_BEFORE = text(
    "SELECT decider, at, mark, counted FROM judgements WHERE mark > 0"
    " AND (decider, at) >= (:first_decider, :first_at) AND (decider, at) <= (:last_decider, :last_at)"
)


class Judgement(msgspec.Struct, frozen=True):
    """One operator's explicit first decisions at one instant, on any cases, and that operator's previous event at an earlier instant.

    `operator` is `""` for those by unknown operators, who have no previous event.
    """

    operator: str
    at: Instant
    previous: Instant | None
    decisions: tuple[tuple[CaseKey, Recommendation], ...]
    mark: int


class Judged(msgspec.Struct, frozen=True):
    """What a judgement contributes to the counts now, all of it."""

    judgement: Judgement
    counted: Sequence[Contribution]


class Judgements(Tables):
    """Judging dwell."""

    def judgements(self, limit: int = 1000) -> list[Judgement]:
        """Decisions whose dwell may have changed; judge all of them before publishing."""
        decided: dict[Row, list[tuple[CaseKey, Recommendation]]] = {}
        with self._database.reading(snapshot=True) as connection:
            due = connection.execute(_DUE, {"limit": limit}).all()
            source_of, operator = self._names.sources.names, self._names.operators.names
            for decider, at, source, case, facts in connection.execute(_DECIDED, {"limit": limit}):
                decided.setdefault((decider, at), []).extend(
                    ((source_of[source], case), fact) for who, when, fact in explicit(decode_facts(facts)) if who == operator[decider] and when == at
                )
        return [Judgement(operator[decider], at, previous, tuple(decided.get((decider, at), ())), mark) for decider, at, mark, previous in due]

    def decided_together(self, operator: str, at: Instant) -> Judgement | None:
        """An operator's explicit first decisions at an instant as they stand; None where it is forgotten who decided then."""
        number = self._names.operators.known(operator)
        with self._database.reading(snapshot=True) as connection:
            if number is None or at < meta_number(connection, PERSONS_UNTIL):
                return None
            source_of, previous = self._names.sources.names, connection.execute(PREVIOUS_TOUCH, {"touch": number, "before": at}).scalar()
            decided = tuple(
                ((source_of[source], case), fact)
                for source, case, facts in connection.execute(_TOGETHER, {"decider": number, "at": at})
                for who, when, fact in explicit(decode_facts(facts))
                if who == operator and when == at
            )
        return Judgement(operator, at, previous, decided, 0)

    def judge(self, judged: Sequence[Judged]) -> Counted:
        """Put judgements in place in one transaction; the difference it made to the counts. One that became due anew meanwhile stays due."""
        if not judged:
            return {}
        with self._writing() as connection:
            groups = {(self._names.operators[one.judgement.operator], one.judgement.at): one for one in judged}
            stored = [row for row in connection.execute(_BEFORE, _stretch(min(groups), max(groups))) if (row[0], row[1]) in groups]
            found = [groups[row[0], row[1]] for row in stored]
            counted = self._contributions([one.counted for one in found]).sums()
            finished: list[Row] = [
                (decider, at, 0 if mark == one.judgement.mark else mark, encode_numbers(rows))
                for (decider, at, mark, _), one, rows in zip(stored, found, counted.by_place(len(found)), strict=True)
            ]
            self._dialect.upsert(connection, judgements, finished)
            self._dialect.delete(connection, judgements, [row[:2] for row in finished if row[2] == 0 and row[3] == NOTHING])
            return self._named(self._apply(connection, counted + -unpacked([before for *_, before in stored])))


def add_for_good(dialect: Dialect, connection: Connection, added: Contributions) -> None:
    """Remember what is counted beyond all facts, so that counts can still be explained."""
    found = connection.execute(select(judgements.c.counted).where(judgements.c.decider == NOBODY, judgements.c.at == 0)).scalar()
    (rows,) = (added + unpacked([NOTHING if found is None else found])).sums().by_place(1)
    dialect.upsert(connection, judgements, [(NOBODY, 0, 0, encode_numbers(rows))])


def _stretch(first: tuple[int, Instant], last: tuple[int, Instant]) -> dict[str, int]:
    return {"first_decider": first[0], "first_at": first[1], "last_decider": last[0], "last_at": last[1]}
