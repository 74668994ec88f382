"""Counts summed by the hour: what a start and a review read of months, where minutes would be ten times as many rows.

What is younger than a week is left by the minute, since it still moves.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING

from sqlalchemy import text

from rollout_metrics.domain.time import DAY, MINUTE, Instant
from rollout_metrics.store.codec import Series
from rollout_metrics.store.counting import Counts, MinutesOf
from rollout_metrics.store.dialects import Row
from rollout_metrics.store.names import WORKFLOW
from rollout_metrics.store.tables import HOUR, SUMMED, meta_number, set_meta

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PART = 100_000
"""Rows held at a time."""
STEP = 24 * HOUR
"""Minutes summed by one statement, so that what is sorted for it stays small."""
LEFT = 7 * DAY
"""How old a count is before it is summed."""

_WORKFLOWS = "(SELECT no FROM names WHERE kind = :kind UNION SELECT 0)"
_NEXT = text(
    f"SELECT min(next) FROM (SELECT (SELECT min(minute) FROM counts WHERE workflow = w.no AND minute > :after) AS next FROM {_WORKFLOWS} AS w) AS each_one"  # noqa: S608
)
_SUM = text(
    f"INSERT INTO hours (series, hour, amount) SELECT series, (minute + {HOUR - 1}) / {HOUR}, CAST(sum(amount) AS bigint) FROM counts"  # noqa: S608
    f" WHERE workflow IN {_WORKFLOWS} AND minute > :after AND minute <= :up_to GROUP BY 1, 2 ORDER BY 1, 2"
)


class Hours(Counts):
    """Sums per series and hour."""

    def sum_up(self, as_of: Instant) -> None:
        """Sum the counts that are old enough as of an instant, once a day's worth has come together."""
        until = (as_of - LEFT) // MINUTE // STEP * STEP
        while int(self.meta(SUMMED) or 0) < until:
            with self._writing() as connection:
                after = meta_number(connection, SUMMED)
                first = connection.execute(_NEXT, {"kind": WORKFLOW, "after": after}).scalar()
                summed = until if first is None else min(until, -(-first // STEP) * STEP)
                connection.execute(_SUM, {"kind": WORKFLOW, "after": after, "up_to": summed})
                set_meta(connection, SUMMED, str(summed))

    def tracks(self, stretches: Iterable[MinutesOf], cuts: Mapping[str, Collection[int]]) -> "Iterator[tuple[Series, NDArray[np.int64], NDArray[np.int64]]]":
        """Counts of the minutes of stretches: `(series, minutes, amounts)` with minutes ascending, each series once for every `PART` of the rows.

        Of an hour that is summed and lies in the stretch as a whole there is one row, in its last minute: but for hours in which one of the workflow's `cuts`
        lies (the last minutes of sums that somebody will ask for). The minute STATE is left out.
        """
        import numpy as np

        names = self._names.series.names
        self._names.load()
        with self._database.reading() as connection:
            summed = meta_number(connection, SUMMED)
            plans = [_Plan(stretch, cuts.get(stretch[0], ()), summed) for stretch in stretches]
            for plan in plans:
                series = [(number, *plan.hours) for name, number in list(self._names.series.items()) if name[0] == plan.workflow] if plan.hours else []
                for name, hours, amounts in _tracks(self._dialect.rows(connection, self._dialect.hours, series), names):
                    whole = ~np.isin(hours, plan.cut)
                    yield name, hours[whole] * HOUR, amounts[whole]
            minutes = self._numbered_stretches(piece for plan in plans for piece in plan.minutes)
            yield from _tracks(self._dialect.rows(connection, self._dialect.minutes, minutes), names)


class _Plan:
    """How a stretch is read: what of it by the minute, and which hours, the `cut` ones left out."""

    def __init__(self, stretch: MinutesOf, cuts: Iterable[int], summed: int) -> None:
        self.workflow, after, up_to = stretch
        first, last = -(-after // HOUR), min(up_to, summed) // HOUR
        self.hours = (first, last) if first < last else None
        self.cut: list[int] = []
        self.minutes = [stretch]
        if self.hours is not None:
            self.cut = sorted({-(-minute // HOUR) for minute in cuts if minute % HOUR and first * HOUR < minute <= last * HOUR})
            pieces = [(after, first * HOUR), *(((hour - 1) * HOUR, hour * HOUR) for hour in self.cut), (last * HOUR, up_to)]
            self.minutes = [(self.workflow, *piece) for piece in pieces if piece[0] < piece[1]]


def _tracks(rows: Iterable[Row], names: Mapping[int, Series]) -> "Iterator[tuple[Series, NDArray[np.int64], NDArray[np.int64]]]":
    """Rows `(series, time, amount)` as arrays."""
    import numpy as np  # not at the start of programs that only collect

    left = iter(rows)
    while len(numbers := np.fromiter(chain.from_iterable(islice(left, PART)), np.int64)):
        table = numbers.reshape(-1, 3)
        table = table[np.lexsort((table[:, 1], table[:, 0]))]
        series, starts = np.unique(table[:, 0], return_index=True)
        for number, piece in zip(series.tolist(), np.split(table, starts[1:]), strict=True):
            yield names[number], piece[:, 1], piece[:, 2]
