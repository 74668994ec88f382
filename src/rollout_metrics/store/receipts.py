"""From a number to its cases: which cases contributed to a series, by minute, the newest first; a page costs what is on it."""

import heapq
from collections.abc import Collection, Iterator, Sequence

import msgspec
from sqlalchemy import Connection, bindparam, text

from rollout_metrics.domain.events import CaseKey
from rollout_metrics.store.bulk import Contributions, exchanged
from rollout_metrics.store.codec import Series
from rollout_metrics.store.dialects import Row
from rollout_metrics.store.schema import receipts
from rollout_metrics.store.tables import Tables

CHUNK = 200

_NEWEST = text(
    "SELECT minute, case_source, case_id, amount FROM receipts WHERE series = :series AND minute > :after AND minute <= :up_to"
    " AND (minute, case_source, case_id) < (:minute, :source, :case) ORDER BY minute DESC, case_source DESC, case_id DESC LIMIT :limit"
)
_OLDEST = text("SELECT min(minute) FROM receipts WHERE series IN :series").bindparams(bindparam("series", expanding=True))
_SUMS = text("SELECT count(*), coalesce(sum(amount), 0) FROM receipts WHERE series IN :series AND minute > :after AND minute <= :up_to").bindparams(
    bindparam("series", expanding=True)
)

BEYOND = 2**31 - 1
"""A minute after every other."""


UNPOSTED = frozenset(("versioned", "used", "review_latency_total", "linked", "incident_cases", "failed_runs", "sample:baseline"))
"""Tallies and samples that nobody asks the cases of: no figure stands for what cases without the agent took."""


class Posted(msgspec.Struct, frozen=True, order=True):
    """A case that stands behind a series in a minute."""

    minute: int
    case: CaseKey


class Receipts(Tables):
    """The cases behind series."""

    def series_named(self, workflow: str, kinds: Collection[str]) -> list[Series]:
        """Every series of these kinds that a workflow ever had."""
        if not self._names.complete:
            self._names.load()
        return [name for name in list(self._names.series) if name[0] == workflow and name[1] in kinds]

    def posted(self, series: Sequence[Series], after: int, up_to: int, before: Posted | None = None) -> Iterator[Posted]:
        """Cases behind any of the series in the minutes (after, up_to], each minute's once, newest first, from before a place on."""
        place = Posted(BEYOND, ("", "")) if before is None else before
        source = -1 if before is None else self._names.sources.known(place.case[0]) or 0
        streams = [self._stream(number, after, up_to, (place.minute, source, place.case[1])) for number in self._numbers(series)]
        last: Row | None = None
        for row in heapq.merge(*streams, reverse=True):
            if row != last:
                last = row
                yield Posted(row[0], (self._names.sources.names[row[1]], row[2]))

    def posted_sum(self, series: Sequence[Series], after: int, up_to: int) -> tuple[int, int]:
        """How many cases (a minute's once for each series) stand behind the series, and what they contribute in all."""
        numbers = self._numbers(series)
        if not numbers:
            return 0, 0
        with self._database.reading() as connection:
            rows, amount = connection.execute(_SUMS, {"series": numbers, "after": after, "up_to": up_to}).one()
        return int(rows), int(amount)

    def some_posted(self, series: Sequence[Series], after: int, up_to: int) -> Iterator[Series]:
        """Those of the series behind which anything stands in the minutes (after, up_to]."""
        for name in series:
            if any(True for _ in self.posted([name], after, up_to)):
                yield name

    def first_minute(self, series: Sequence[Series]) -> int | None:
        """The first minute in which anything stands behind the series."""
        numbers = self._numbers(series)
        if not numbers:
            return None
        with self._database.reading() as connection:
            found = connection.execute(_OLDEST, {"series": numbers}).scalar()
        return None if found is None else int(found)

    def _numbers(self, series: Sequence[Series]) -> list[int]:
        return [number for name in series if (number := self._names.series.known(name)) is not None]

    def _stream(self, series: int, after: int, up_to: int, place: tuple[int, int, str]) -> Iterator[Row]:
        minute, source, case = place
        limit = CHUNK // 4
        while True:
            given = {"series": series, "after": after, "up_to": up_to, "minute": minute, "source": source, "case": case, "limit": limit}
            with self._database.reading() as connection:
                rows = [(row[0], row[1], row[2]) for row in connection.execute(_NEWEST, given)]
            yield from rows
            if len(rows) < limit:
                return
            (minute, source, case), limit = rows[-1], CHUNK

    def _repost(self, connection: Connection, keys: Sequence[Row], now: Contributions, before: Contributions) -> None:
        """Have cases, by their places among `keys`, lead to where they contribute now instead of before: what is alike in both is left alone."""
        come, gone = exchanged(now.of(self._leads), before.of(self._leads))
        self._dialect.delete(connection, receipts, [row[:-1] for row in _rows(gone, keys)])
        self._dialect.upsert(connection, receipts, _rows(come, keys))

    def _leads(self, series: int) -> bool:
        """Whether a series leads to its cases."""
        return self._names.series.names[series][1] not in UNPOSTED


def _rows(posted: Contributions, keys: Sequence[Row]) -> list[Row]:
    """Rows of the table."""
    places = posted.places.tolist()
    sources, names = ([key[column] for key in keys] for column in range(2))
    columns = (posted.series.tolist(), posted.minutes.tolist(), [sources[place] for place in places], [names[place] for place in places])
    return list(zip(*columns, posted.amounts.tolist(), strict=True))
