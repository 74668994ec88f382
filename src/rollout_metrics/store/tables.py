"""What every kind of row shares: the database, the numbers for names, single values, and the clock."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text

from rollout_metrics.domain.events import CaseKey
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.bulk import Collected, Contributions, Numbered, contributions
from rollout_metrics.store.codec import Contribution, Counted
from rollout_metrics.store.database import Database
from rollout_metrics.store.names import NO_WORKFLOW, Names
from rollout_metrics.store.schema import counts, hours

ARRIVED = "arrived"
"""Up to which event id arrivals have been taken in."""
FIRST_AGENT = "first_agent:"
"""By workflow: the first agent event on cases that are kept no longer."""
PERSONS_UNTIL = "persons_until"
"""Glances before this instant are counted for good: who they were is forgotten."""
KEPT_FROM = "kept_from"
"""Cases over before this instant have been dropped."""
RETIRED = "retired"
"""The last minute to which cases that are kept no longer contributed."""
AS_OF = "as_of:"
"""By workflow: the T of the last derivation."""
SUMMED = "summed"
"""The minute, the last of an hour, up to which counts are summed by the hour as well."""
REWRITTEN = "rewritten"
"""How often readings that were there already were replaced, dropped, or marked to be derived again."""
MARK = "mark"
"""The last mark given to anything dirty."""

STATE = 0
"""The minute of series that hold "at T" or "so far" and belong to no minute."""
HOUR = 60
"""Minutes of an hour."""

LAST_EVENT = text("SELECT max(id) FROM events")
PREVIOUS_TOUCH = text("SELECT max(at) FROM touches WHERE touch = :touch AND at < :before")

_META = text("SELECT value FROM meta WHERE key = :key")
_SET_META = text("INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
_FIRST = text("SELECT min(first_agent_at) FROM cases WHERE workflow = :workflow AND first_agent_at IS NOT NULL")


class Tables:
    """Common ground of the mix-ins that make up a `Store`, one for each kind of row."""

    def __init__(self, database: Database, clock: Callable[[], Instant]) -> None:
        self._database = database
        self._clock = clock
        self._dialect = database.dialect
        self._names = Names(database.reading)
        self._company: Company | None = None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._database.writing() as connection:
                self._names.use(connection)
                try:
                    yield connection
                finally:
                    self._names.use(None)
        except BaseException:
            self._names.forget()
            raise

    def meta(self, key: str) -> str | None:
        """A single value kept under a name, None if there is none."""
        with self._database.reading() as connection:
            return _meta(connection, key)

    def set_meta(self, key: str, value: str) -> None:
        """Keep a single value under a name."""
        with self._writing() as connection:
            set_meta(connection, key, value)

    def _next_mark(self, connection: Connection) -> int:
        mark = meta_number(connection, MARK) + 1
        set_meta(connection, MARK, str(mark))
        return mark

    def _rewrite(self, connection: Connection) -> None:
        """Tell whoever keeps something made of the past that it may be another."""
        set_meta(connection, REWRITTEN, str(meta_number(connection, REWRITTEN) + 1))

    def _first_agent(self, connection: Connection, workflow: int) -> Instant | None:
        """The first agent event on a workflow's cases, as far as derived; cases kept no longer included."""
        found = connection.execute(_FIRST, {"workflow": workflow}).scalar()
        kept = _meta(connection, f"{FIRST_AGENT}{self._names.workflows.names[workflow]}")
        return min((int(at) for at in (found, kept) if at is not None), default=None)

    def _keys(self, keys: Iterable[CaseKey]) -> list[tuple[int, str]]:
        """Case keys as stored; of sources never met nothing is stored, their number 0 finds nothing."""
        return [(self._names.sources.known(source) or 0, case) for source, case in keys]

    def _wanted(self, keys: Sequence[tuple[int, str]]) -> Mapping[str, Any]:
        return self._dialect.wanted_by(keys)

    def _workflow_number(self, name: str | None) -> int:
        return self._names.workflows[name] if name is not None else NO_WORKFLOW

    def _contributions(self, counted: Iterable[Collection[Contribution]]) -> Contributions:
        """What each of several cases contributes; within `_writing`."""
        collected = Collected(3)
        for rows in counted:
            collected.take(rows)
        return self._numbered(collected)

    def _numbered(self, counted: Collected) -> Contributions:
        """What cases contribute, with the numbers of the series; within `_writing`."""
        return contributions(counted.columns(self._names.series.of), counted.lengths)

    def _apply(self, connection: Connection, difference: Contributions) -> list[Numbered]:
        """Add a difference to the counts."""
        name_of, workflows = self._names.series.names, self._names.workflows
        rows = difference.counts(lambda series: workflows[name_of[series][0]])
        self._dialect.upsert(connection, counts, rows, add="amount")
        self._sum(connection, rows)
        return rows

    def _named(self, rows: Iterable[Numbered]) -> Counted:
        """Rows of counts with series by name."""
        name_of = self._names.series.names
        return {(name_of[series], minute): amount for _, minute, series, amount in rows}

    def _sum(self, connection: Connection, rows: Iterable[Numbered]) -> None:
        """Add rows of counts to the hours that are summed already."""
        summed = meta_number(connection, SUMMED)
        sums: dict[tuple[int, int], int] = {}
        for _, minute, series, amount in rows:
            if STATE < minute <= summed:
                hour = (series, -(-minute // HOUR))
                sums[hour] = sums.get(hour, 0) + amount
        self._dialect.upsert(connection, hours, sorted((*hour, amount) for hour, amount in sums.items()), add="amount")


def _meta(connection: Connection, key: str) -> str | None:
    value = connection.execute(_META, {"key": key}).scalar()
    return None if value is None else str(value)


def meta_number(connection: Connection, key: str) -> int:
    """A single value that is a number, 0 where there is none."""
    return int(_meta(connection, key) or 0)


def set_meta(connection: Connection, key: str, value: str) -> None:
    """Keep a single value within a transaction."""
    connection.execute(_SET_META, {"key": key, "value": value})
