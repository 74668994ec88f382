"""Reading the counts: rows of a window's stretch, and states."""

from collections.abc import Iterable, Iterator

from sqlalchemy import select

from rollout_metrics.store.codec import Series
from rollout_metrics.store.schema import counts
from rollout_metrics.store.tables import STATE, Tables

MinutesOf = tuple[str, int, int]
"""`(workflow, after, up_to)`: the minutes in (after, up_to] of a workflow."""


class Counts(Tables):
    """Sums per series and minute."""

    def contributions(self, stretches: Iterable[MinutesOf]) -> Iterator[tuple[Series, int, int]]:
        """`(series, minute, amount)` of the minutes in (after, up_to] of each stretch, by one query for all of them.

        The minute STATE is left out.
        """
        names = self._names.series.names
        with self._database.reading() as connection:
            for series, minute, amount in self._dialect.rows(connection, self._dialect.minutes, self._numbered_stretches(stretches)):
                yield names[series], minute, amount

    def _numbered_stretches(self, stretches: Iterable[MinutesOf]) -> list[tuple[int, int, int]]:
        numbered = ((self._names.workflows.known(workflow), after, up_to) for workflow, after, up_to in stretches)
        return [(number, after, up_to) for number, after, up_to in numbered if number is not None]

    def counts(self, workflow: str, after: int, up_to: int) -> Iterator[tuple[int, Series, int]]:
        """`(minute, series, amount)` of a workflow for the minutes in (after, up_to], in order of minutes; the minute STATE is left out."""
        return iter(sorted((minute, series, amount) for series, minute, amount in self.contributions([(workflow, after, up_to)])))

    def state_counts(self, workflow: str) -> dict[Series, int]:
        """The amounts of a workflow that belong to no minute."""
        number = self._names.workflows.known(workflow)
        query = select(counts.c.series, counts.c.amount).where(counts.c.workflow == number, counts.c.minute == STATE, counts.c.amount != 0)
        names = self._names.series.names
        with self._database.reading() as connection:
            return {names[series]: amount for series, amount in connection.execute(query)}
