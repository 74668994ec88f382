"""Configuration as the store needs it, and deriving everything again when it changes."""

import msgspec
from sqlalchemy import Connection, text

from rollout_metrics.domain.policy import Company
from rollout_metrics.store.codec import LAYOUT, NOTHING, event_of
from rollout_metrics.store.names import NOBODY
from rollout_metrics.store.schema import decisions
from rollout_metrics.store.tables import ARRIVED, Tables, meta_number, set_meta
from rollout_metrics.store.touches import numbering

_ACTORS = "actors"
_LAYOUT = "layout"
_CHUNK = 20_000

_MARK_ALL = text(
    "INSERT INTO dirty (case_source, case_id, mark, rebuilding) SELECT DISTINCT case_source, case_id, CAST(:mark AS bigint), 1 FROM events WHERE true"
    " ON CONFLICT (case_source, case_id) DO UPDATE SET mark = excluded.mark, rebuilding = 1"
)
_MARK_DERIVED = text(
    "INSERT INTO dirty (case_source, case_id, mark, rebuilding) SELECT case_source, case_id, CAST(:mark AS bigint), 1 FROM cases WHERE true"
    " ON CONFLICT (case_source, case_id) DO UPDATE SET mark = excluded.mark, rebuilding = 1"
)
_NUMBER = text("SELECT count(*) FROM dirty WHERE rebuilding = 1")
_JUDGE_ALL = text("UPDATE judgements SET mark = :mark WHERE decider <> :nobody")
_JUDGE_REST = """
INSERT INTO judgements (decider, at, mark, counted)
SELECT DISTINCT decider, at, CAST(:mark AS bigint), CAST(:nothing AS {blob}) FROM decisions WHERE true ON CONFLICT (decider, at) DO NOTHING
"""
_REBUILDING = text("SELECT 1 FROM dirty WHERE rebuilding = 1 LIMIT 1")
_EVENTS = text("SELECT id, source, event_id, case_source, case_id, occurred_at, revision, body, touch FROM events WHERE id > :after ORDER BY id LIMIT :limit")
_RELABEL = text("UPDATE events SET touch = :touch WHERE id = :id")
_FORGET_TOUCHES = text("DELETE FROM touches")
_TOUCH_AGAIN = text(
    "INSERT INTO touches (touch, at, events) SELECT touch, occurred_at, count(*) FROM events"
    " WHERE id <= :arrived AND touch IS NOT NULL GROUP BY touch, occurred_at"
)


class Setting(Tables):
    """What configuration changes in the store."""

    def configure(self, company: Company) -> bool:
        """Say who agents and systems are; call it before landing or deriving anything, and again when configuration changes.

        True if that differs from before: then stored events were labelled again, and everything is to be derived again (`rebuild`).
        """
        self._company = company
        actors = _actors(company)
        before = self.meta(_ACTORS)
        if before == actors:
            return False
        after = 0
        while True:
            with self._writing() as connection:
                last = self._relabel(connection, company, after)
                if last is None:
                    connection.execute(_FORGET_TOUCHES)
                    connection.execute(_TOUCH_AGAIN, {"arrived": meta_number(connection, ARRIVED)})
                    set_meta(connection, _ACTORS, actors)
                    return before is not None
                after = last

    def _relabel(self, connection: Connection, company: Company, after: int) -> int | None:
        touch = numbering(company, self._names)
        source_of = self._names.sources.names
        rows = connection.execute(_EVENTS, {"after": after, "limit": _CHUNK}).all()
        changed = []
        for number, source, event_id, case_source, case_id, at, revision, body, labelled in rows:
            event = event_of(source_of[source], event_id, source_of[case_source], case_id, at, revision, body)
            if (now := touch(event)) != labelled:
                changed.append({"id": number, "touch": now})
        if changed:
            connection.execute(_RELABEL, changed)
        return rows[-1][0] if rows else None

    def adopt_layout(self) -> bool:
        """Have facts that another version of the program stored derived again if it laid them out differently; whether it did."""
        before = self.meta(_LAYOUT)
        if before == LAYOUT:
            return False
        with self._writing() as connection:
            set_meta(connection, _LAYOUT, LAYOUT)
            connection.execute(decisions.delete())
            return before is not None and self._rebuild(connection) > 0

    def rebuild(self) -> int:
        """Have every case derived again; how many there are.

        What they contributed to the counts stays until each is replaced, so nothing is ever missing; publish when `rebuilding` is over.
        """
        with self._writing() as connection:
            return self._rebuild(connection)

    def _rebuild(self, connection: Connection) -> int:
        self._rewrite(connection)
        mark = self._next_mark(connection)
        connection.execute(_MARK_ALL, {"mark": mark})
        connection.execute(_MARK_DERIVED, {"mark": mark})
        connection.execute(_JUDGE_ALL, {"mark": mark, "nobody": NOBODY})
        connection.execute(text(_JUDGE_REST.format(blob=self._dialect.blob)), {"mark": mark, "nothing": NOTHING})
        return int(connection.execute(_NUMBER).scalar_one())

    def rebuilding(self) -> bool:
        """Whether cases marked by `rebuild` are still to be derived."""
        with self._database.reading() as connection:
            return connection.execute(_REBUILDING).first() is not None


def _actors(company: Company) -> str:
    """Everything on which the labels of events depend, as text."""
    return msgspec.json.encode(
        {
            "agents": sorted(company.agents),
            "agent_markers": sorted(company.agent_markers),
            "systems": sorted(company.systems),
            "system_markers": sorted(company.system_markers),
            "workflows": [(w.name, sorted(w.agents), sorted(w.agent_markers), sorted(w.sources)) for w in company.workflows],
        }
    ).decode()
