"""Reading the counts: rows of a window's stretch, and states."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

from sqlalchemy import select

from rollout_metrics.store.codec import Series
from rollout_metrics.store.schema import counts
from rollout_metrics.store.tables import Tables

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PART = 100_000
"""Rows held at a time."""

STATE = 0
"""The minute of series that hold "at T" or "so far" and belong to no minute."""


class Counts(Tables):
    """Sums per series and minute."""

    def contributions(self, stretches: Iterable[tuple[str, int, int]]) -> Iterator[tuple[Series, int, int]]:
        """`(series, minute, amount)` of the minutes in (after, up_to] of each stretch `(workflow, after, up_to)`, by one query for all of them.

        The minute STATE is left out.
        """
        names = self._names.series.names
        with self._database.reading() as connection:
            for series, minute, amount in self._dialect.rows(connection, self._dialect.minutes, self._numbered_stretches(stretches)):
                yield names[series], minute, amount

    def tracks(self, stretches: Iterable[tuple[str, int, int]]) -> "Iterator[tuple[Series, NDArray[np.int64], NDArray[np.int64]]]":
        """The same for many rows: `(series, minutes, amounts)` with minutes ascending, each series once for every `PART` of the rows."""
        import numpy as np  # not at the start of programs that only collect

        names = self._names.series.names
        with self._database.reading() as connection:
            rows = iter(self._dialect.rows(connection, self._dialect.minutes, self._numbered_stretches(stretches)))
            while part := tuple(islice(rows, PART)):
                table = np.fromiter(chain.from_iterable(part), np.int64, 3 * len(part)).reshape(-1, 3)
                table = table[np.lexsort((table[:, 1], table[:, 0]))]
                numbers, starts = np.unique(table[:, 0], return_index=True)
                for number, piece in zip(numbers.tolist(), np.split(table, starts[1:]), strict=True):
                    yield names[number], piece[:, 1], piece[:, 2]

    def _numbered_stretches(self, stretches: Iterable[tuple[str, int, int]]) -> list[tuple[int, int, int]]:
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
