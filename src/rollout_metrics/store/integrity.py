"""Checking that what is stored agrees with itself."""

from collections.abc import Iterator

from sqlalchemy import Connection, select, text

from rollout_metrics.store.codec import decode_counted
from rollout_metrics.store.names import OPERATOR
from rollout_metrics.store.schema import cases, counts, hours, judgements
from rollout_metrics.store.tables import ARRIVED, HOUR, RETIRED, STATE, SUMMED, Tables, meta_number

_TOUCHES = text(
    "SELECT (SELECT coalesce(sum(t.events), 0) FROM touches AS t JOIN names AS n ON n.no = t.touch AND n.kind = :kind),"
    " (SELECT count(*) FROM events AS e JOIN names AS n ON n.no = e.touch AND n.kind = :kind WHERE e.id <= :arrived)"
)

_ADDED = "corrections_to_settled"
"""What `replace` was told to add: no case contributes to it."""


class Integrity(Tables):
    """A check of the whole database; it reads everything once."""

    def check(self) -> list[str]:
        """What is wrong, in words; nothing for a sound database.

        The counts must be the sum of what cases and judgements contributed. Minutes to which cases that are kept no longer contributed are left out.
        """
        problems = self._dialect.check(self._database.engine)
        with self._database.reading(snapshot=True) as connection:
            expected: dict[tuple[int, int], int] = {}
            for packed in self._packed(connection):
                for series, minute, amount in decode_counted(packed):
                    expected[series, minute] = expected.get((series, minute), 0) + amount
            retired = meta_number(connection, RETIRED)
            for series, minute, amount in connection.execute(select(counts.c.series, counts.c.minute, counts.c.amount)):
                contributed = expected.pop((series, minute), 0)
                name = self._names.series.names[series]
                if amount != contributed and name[1] != _ADDED and not (retired and minute <= retired):
                    problems.append(f"count of {name} in minute {minute} is {amount}, its cases contributed {contributed}")
            problems += [
                f"count of {self._names.series.names[series]} in minute {minute} is missing" for (series, minute), amount in expected.items() if amount
            ]
            problems += self._unlike(connection)
            touched, labelled = connection.execute(_TOUCHES, {"arrived": meta_number(connection, ARRIVED), "kind": OPERATOR}).one()
            if touched != labelled:
                problems.append(f"operators' touches stand for {touched} events, {labelled} events are labelled")
        return problems

    def _unlike(self, connection: Connection) -> Iterator[str]:
        """Hours that are not the sum of their minutes."""
        summed = meta_number(connection, SUMMED)
        sums: dict[tuple[int, int], int] = {}
        for series, minute, amount in connection.execute(select(counts.c.series, counts.c.minute, counts.c.amount)):
            if STATE < minute <= summed:
                sums[series, -(-minute // HOUR)] = sums.get((series, -(-minute // HOUR)), 0) + amount
        for series, hour, amount in connection.execute(select(hours)):
            if (found := sums.pop((series, hour), 0)) != amount:
                yield f"hour {hour} of {self._names.series.names[series]} is {amount}, its minutes come to {found}"
        for (series, hour), amount in sums.items():
            if amount:
                yield f"hour {hour} of {self._names.series.names[series]} is missing"

    def _packed(self, connection: Connection) -> Iterator[bytes]:
        for table in (cases, judgements):
            for rows in connection.execution_options(yield_per=2000).execute(select(table.c.counted)).partitions():
                yield from (packed for (packed,) in rows)
