"""Taking in what has landed: which cases it makes dirty, its own and those it reaches from outside.

Landing only appends events, as that must be cheap; what lies above the mark `arrived` is taken in by `due`, set by set. Reached from outside are

* first decisions at an operator's next instant after a new touch (their dwell is shorter now): judged again, not derived again;
* cases found without an agent around, where now there is one, or the other way round;
* where the level follows the first agent event: cases scoped or worked on between its old and its new instant (`Cases.replace`).
"""

# ruff: noqa: S608  (statements are put together from constants)

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, TextClause, bindparam, text

from rollout_metrics.domain.time import Instant
from rollout_metrics.store.codec import NOTHING
from rollout_metrics.store.names import NO_WORKFLOW
from rollout_metrics.store.tables import ARRIVED, AS_OF, LAST_EVENT, Tables, meta_number, set_meta

STRETCH = 200_000
"""Events taken in by one transaction."""

_DIRTY = text(
    "INSERT INTO dirty (case_source, case_id, mark) SELECT DISTINCT case_source, case_id, CAST(:mark AS bigint) FROM events WHERE id > :after AND id <= :up_to"
    " ON CONFLICT (case_source, case_id) DO UPDATE SET mark = excluded.mark"
)
_ARRIVED_TOUCHES = text(
    "SELECT touch, first_at, last_at, (SELECT max(d.at) FROM decisions AS d WHERE d.decider = touched.touch)"
    " FROM (SELECT touch, min(occurred_at) AS first_at, max(occurred_at) AS last_at FROM events WHERE id > :after AND id <= :up_to AND touch IS NOT NULL"
    " GROUP BY touch) AS touched"
)
_TOUCH = text(
    "INSERT INTO touches (touch, at, events) SELECT touch, occurred_at, count(*) FROM events WHERE id > :after AND id <= :up_to AND touch IS NOT NULL"
    " GROUP BY touch, occurred_at ON CONFLICT (touch, at) DO UPDATE SET events = touches.events + excluded.events"
)
_UNTOUCH = text("UPDATE touches SET events = events - 1 WHERE touch = :touch AND at = :at")
_UNTOUCHED = text("DELETE FROM touches WHERE touch = :touch AND at = :at AND events <= 0")
_JUDGE = """
INSERT INTO judgements (decider, at, mark, counted)
SELECT DISTINCT d.decider, d.at, CAST(:mark AS bigint), CAST(:nothing AS {blob})
FROM ({touched}) AS touched CROSS JOIN decisions AS d
WHERE d.decider = touched.touch AND d.at = (SELECT min(n.at) FROM touches AS n WHERE n.touch = touched.touch AND n.at > touched.at)
ON CONFLICT (decider, at) DO UPDATE SET mark = excluded.mark
"""
_ARRIVED = "SELECT DISTINCT touch, occurred_at AS at FROM events WHERE id > :after AND id <= :up_to AND touch IN :late"
_TAKEN_BACK = "SELECT CAST(:touch AS integer) AS touch, CAST(:at AS bigint) AS at"
_SEEN = "EXISTS (SELECT 1 FROM touches AS t WHERE t.touch IN :groups AND t.at BETWEEN c.presence_start AND c.presence_end AND t.at <= :as_of)"
_MARK_CASES = (
    "INSERT INTO dirty (case_source, case_id, mark) SELECT c.case_source, c.case_id, CAST(:mark AS bigint) FROM cases AS c WHERE c.workflow = :workflow AND "
)
_MARKED = " ON CONFLICT (case_source, case_id) DO UPDATE SET mark = excluded.mark"
_APPEARED = text(_MARK_CASES + "c.agent_absent = 1 AND c.presence_end >= :start AND c.presence_start <= :end AND " + _SEEN + _MARKED).bindparams(
    bindparam("groups", expanding=True)
)
_VANISHED = text(_MARK_CASES + "c.agent_absent = 0 AND c.presence_start <= :at AND c.presence_end >= :at AND c.ends_at >= :at" + _MARKED)

_PERHAPS_IN = text(_MARK_CASES + " c.next_change_at > :until AND c.next_change_at <= :ahead" + _MARKED)
_GONE_BACK = text(
    _MARK_CASES + "(c.ends_at > :until OR (c.case_source, c.case_id) IN"
    " (SELECT e.case_source, e.case_id FROM events AS e WHERE e.occurred_at > :until AND e.occurred_at <= :before))"
    " ON CONFLICT (case_source, case_id) DO UPDATE SET mark = excluded.mark"
)

ALWAYS = 2**63 - 1


class Arrivals(Tables):
    """Marking dirty what landed events reach."""

    _seen_as_of: Mapping[str, Instant] = {}

    def _take_in(self, connection: Connection) -> bool:
        """Take in what landed, at most `STRETCH` events; whether there was anything."""
        after = meta_number(connection, ARRIVED)
        last = connection.execute(LAST_EVENT).scalar() or 0
        if last <= after:
            return False
        up_to = min(last, after + STRETCH)
        stretch = {"after": after, "up_to": up_to}
        mark = self._next_mark(connection)
        connection.execute(_DIRTY, {**stretch, "mark": mark})
        touched = connection.execute(_ARRIVED_TOUCHES, stretch).all()
        if touched:
            connection.execute(_TOUCH, stretch)
            if not self._names.complete or any(touch not in self._names.agents.names and touch not in self._names.operators.names for touch, *_ in touched):
                self._names.load()
        late = []
        for touch, first_at, last_at, decided_at in touched:
            if touch in self._names.agents.names:
                self._appeared(connection, self._names.agents.names[touch], mark, (first_at, last_at), {})
            elif decided_at is not None and decided_at > first_at:
                late.append(touch)
        if late:
            query = self._judge_query(_ARRIVED).bindparams(bindparam("late", expanding=True))
            connection.execute(query, {**stretch, "late": late, "mark": mark, "nothing": NOTHING})
        set_meta(connection, ARRIVED, str(up_to))
        return True

    def _appeared(self, connection: Connection, workflows: Iterable[str], mark: int, seen: tuple[Instant, Instant], as_of: Mapping[str, Instant]) -> None:
        """Cases found without an agent around, where one has now been seen somewhere in the stretch `seen`."""
        start, end = seen
        for name in workflows:
            workflow, groups = self._names.workflows[name], self._names.groups_of(name)
            if groups:
                connection.execute(
                    _APPEARED, {"mark": mark, "workflow": workflow, "groups": groups, "start": start, "end": end, "as_of": as_of.get(name, ALWAYS)}
                )

    def _undo(self, connection: Connection, undone: Sequence[tuple[int, Instant]], mark: int) -> None:
        """Take back touches of readings that were superseded after they had been taken in."""
        for touch, at in undone:
            connection.execute(_UNTOUCH, {"touch": touch, "at": at})
            if connection.execute(_UNTOUCHED, {"touch": touch, "at": at}).rowcount == 0:
                continue
            for name in self._names.agents.names.get(touch, ()):
                connection.execute(_VANISHED, {"mark": mark, "workflow": self._names.workflows[name], "at": at})
            connection.execute(self._judge_query(_TAKEN_BACK), {"touch": touch, "at": at, "mark": mark, "nothing": NOTHING})

    def _advance(self, connection: Connection, as_of: Mapping[str, Instant]) -> None:
        """Agent events that had landed ahead of a workflow's T come to count when T passes them; where T went back, what was derived beyond is undone."""
        mark = 0
        if any(self._seen_as_of.get(name) != until for name, until in as_of.items()):
            # a case of none may be one of a workflow whose T is ahead of theirs
            mark = self._next_mark(connection)
            connection.execute(_PERHAPS_IN, {"mark": mark, "ahead": max(as_of.values()), "until": as_of.get("", ALWAYS), "workflow": NO_WORKFLOW})
        for name, until in as_of.items():
            since = self._seen_as_of.get(name)
            if since != until:
                mark = mark or self._next_mark(connection)
                self._go_back(connection, name, mark, until)
                if name:
                    self._appeared(connection, [name], mark, (-ALWAYS if since is None else since, until), as_of)

    def _go_back(self, connection: Connection, name: str, mark: int, until: Instant) -> None:
        """A T goes back when a push source falls silent or a source is added. It costs a look at all events, so it must stay rare."""
        before = meta_number(connection, AS_OF + name)
        if until < before:
            workflow = self._names.workflows[name] if name else NO_WORKFLOW
            connection.execute(_GONE_BACK, {"mark": mark, "workflow": workflow, "until": until, "before": before})
        if until != before:
            set_meta(connection, AS_OF + name, str(until))

    def _judge_query(self, touched: str) -> TextClause:
        """Have the first decisions after these touches judged again."""
        return text(_JUDGE.format(blob=self._dialect.blob, touched=touched))
