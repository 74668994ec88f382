"""What an instant in the past divides: the cases of which something lies before it, and something may have changed after it."""

from collections.abc import Container
from itertools import chain

from sqlalchemy import text

from rollout_metrics.domain.events import CaseKey
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.tables import Tables

_UNFINISHED = text("SELECT case_source, case_id FROM cases WHERE starts_at <= :last AND (ends_at > :first OR next_change_at > :first)")
_GOING_ON = text("SELECT case_source, case_id FROM events GROUP BY case_source, case_id HAVING min(occurred_at) <= :last AND max(occurred_at) > :first")
_FIRST_AGENTS = text("SELECT first_agent_at, case_source, case_id FROM cases WHERE workflow = :workflow AND first_agent_at IS NOT NULL ORDER BY first_agent_at")
_FIRST_COUNT = text("SELECT min(minute) FROM counts WHERE workflow = :workflow AND minute > 0 AND amount <> 0")


class Straddling(Tables):
    """Cases on both sides of an instant; all others stand as they stood then, or were not there yet."""

    def straddling(self, first: Instant, last: Instant) -> list[CaseKey]:
        """The cases that some instant in [first, last] divides: of which a fact, a deadline or an event is later, and something was there before."""
        with self._database.reading() as connection:
            found = chain.from_iterable(connection.execute(query, {"first": first, "last": last}) for query in (_UNFINISHED, _GOING_ON))
            names = self._names.sources.names
            return sorted({(names[source], case) for source, case in found})

    def first_agent_without(self, workflow: str, without: Container[CaseKey]) -> Instant | None:
        """The first agent event on a workflow's cases but for some of them, as far as derived."""
        number = self._names.workflows.known(workflow)
        with self._database.reading() as connection:
            rows = connection.execute(_FIRST_AGENTS, {"workflow": number})
            found = next((at for at, source, case in rows if (self._names.sources.names[source], case) not in without), None)
            rows.close()
        return None if found is None else int(found)

    def first_count(self, workflow: str) -> int | None:
        """The first minute in which anything was counted of a workflow."""
        with self._database.reading() as connection:
            found = connection.execute(_FIRST_COUNT, {"workflow": self._names.workflows.known(workflow)}).scalar()
        return None if found is None else int(found)
