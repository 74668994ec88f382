"""Reading the counts: rows of a window's stretch, and states."""

from collections.abc import Iterator

from sqlalchemy import select

from rollout_metrics.store.codec import Series
from rollout_metrics.store.schema import counts
from rollout_metrics.store.tables import Tables

STATE = 0
"""The minute of series that hold "at T" or "so far" and belong to no minute."""


class Counts(Tables):
    """Sums per series and minute."""

    def counts(self, workflow: str, after: int, up_to: int) -> Iterator[tuple[int, Series, int]]:
        """`(minute, series, amount)` of a workflow for the minutes in (after, up_to], in order of minutes; the minute STATE is left out."""
        number = self._names.workflows.known(workflow)
        query = (
            select(counts.c.minute, counts.c.series, counts.c.amount)
            .where(counts.c.workflow == number, counts.c.minute > after, counts.c.minute <= up_to, counts.c.minute != STATE, counts.c.amount != 0)
            .order_by(counts.c.minute)
        )
        names = self._names.series.names
        if number is None:
            return
        with self._database.reading() as connection:
            for rows in connection.execute(query).partitions(10_000):
                yield from ((minute, names[series], amount) for minute, series, amount in rows)

    def state_counts(self, workflow: str) -> dict[Series, int]:
        """The amounts of a workflow that belong to no minute."""
        number = self._names.workflows.known(workflow)
        query = select(counts.c.series, counts.c.amount).where(counts.c.workflow == number, counts.c.minute == STATE, counts.c.amount != 0)
        names = self._names.series.names
        with self._database.reading() as connection:
            return {names[series]: amount for series, amount in connection.execute(query)}
