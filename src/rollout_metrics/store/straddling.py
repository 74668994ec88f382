"""What an instant in the past divides: the cases of which something lies before it, and something may have changed after it."""

from collections.abc import Container, Sequence

from sqlalchemy import text

from rollout_metrics.domain.events import CaseKey
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.codec import Counted, decode_counted
from rollout_metrics.store.names import WORKFLOW
from rollout_metrics.store.tables import STATE, Tables

_DIVIDED = text(
    "SELECT case_source, case_id FROM stretches WHERE workflow IN (SELECT no FROM names WHERE kind = :kind UNION SELECT 0)"
    " AND ends_at > :first AND starts_at <= :last AND moved_at > :first"
)
_FIRST_AGENTS = text("SELECT first_agent_at, case_source, case_id FROM cases WHERE workflow = :workflow AND first_agent_at IS NOT NULL ORDER BY first_agent_at")
_FIRST_COUNT = text("SELECT min(minute) FROM counts WHERE workflow = :workflow AND minute > 0 AND amount <> 0")


class Straddling(Tables):
    """Cases on both sides of an instant; all others stand as they stood then, or were not there yet."""

    def straddling(self, first: Instant, last: Instant) -> list[CaseKey]:
        """The cases that some instant in [first, last] divides: they had begun, and what they count is not all what they counted then.

        Cases as they were never derived, being of no workflow and without any fact, are not among them: they were so then.
        """
        with self._database.reading() as connection:
            found = connection.execute(_DIVIDED, {"kind": WORKFLOW, "first": first, "last": last})
            names = self._names.sources.names
            return sorted((names[source], case) for source, case in found)

    def contributed(self, keys: Sequence[CaseKey]) -> Counted:
        """What cases have contributed to the counts of minutes, all together."""
        query = (
            f"SELECT c.counted FROM {self._dialect.wanted} AS w"  # noqa: S608
            " CROSS JOIN cases AS c WHERE c.case_source = w.case_source AND c.case_id = w.case_id"
        )
        sums: dict[tuple[int, int], int] = {}
        with self._database.reading() as connection:
            for (packed,) in self._dialect.rows(connection, query, self._keys(keys)):
                for series, minute, amount in decode_counted(packed):
                    if minute != STATE:
                        sums[series, minute] = sums.get((series, minute), 0) + amount
        names = self._names.series.names
        return {(names[series], minute): amount for (series, minute), amount in sums.items()}

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
