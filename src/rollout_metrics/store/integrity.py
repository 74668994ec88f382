"""Checking that what is stored agrees with itself."""

from collections.abc import Iterator

from sqlalchemy import Connection, select, text

from rollout_metrics.store.codec import decode_counted
from rollout_metrics.store.schema import cases, counts, judgements
from rollout_metrics.store.tables import ARRIVED, RETIRED, Tables, meta_number

_TOUCHES = text("SELECT (SELECT coalesce(sum(events), 0) FROM touches), (SELECT count(*) FROM events WHERE touch IS NOT NULL AND id <= :arrived)")


class Integrity(Tables):
    """A check of the whole database; it reads everything once."""

    def check(self) -> list[str]:
        """What is wrong, in words; nothing for a sound database.

        The counts must be the sum of what cases and judgements contributed. Minutes to which cases that are kept no longer contributed are left out.
        """
        problems = self._dialect.check(self._database.engine)
        with self._database.reading(snapshot=True) as connection:
            expected: dict[tuple[int, int], int] = {}
            for packed in self._contributions(connection):
                for series, minute, amount in decode_counted(packed):
                    expected[series, minute] = expected.get((series, minute), 0) + amount
            retired = meta_number(connection, RETIRED)
            for series, minute, amount in connection.execute(select(counts.c.series, counts.c.minute, counts.c.amount)):
                contributed = expected.pop((series, minute), 0)
                if amount != contributed and not (retired and minute <= retired):
                    problems.append(f"count of {self._names.series.names[series]} in minute {minute} is {amount}, its cases contributed {contributed}")
            problems += [
                f"count of {self._names.series.names[series]} in minute {minute} is missing" for (series, minute), amount in expected.items() if amount
            ]
            touched, labelled = connection.execute(_TOUCHES, {"arrived": meta_number(connection, ARRIVED)}).one()
            if touched != labelled:
                problems.append(f"touches stand for {touched} events, {labelled} events are labelled")
        return problems

    def _contributions(self, connection: Connection) -> Iterator[bytes]:
        for table in (cases, judgements):
            for rows in connection.execution_options(yield_per=2000).execute(select(table.c.counted)).partitions():
                yield from (packed for (packed,) in rows)
