"""Audit logs that hold a whole record per update: their rows by case and in order, each beside the one before."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator

import msgspec

from rollout_metrics.collect.mapping import Row
from rollout_metrics.collect.rows import FileRow

SortKey = tuple[int | float | str, ...]


class Record(msgspec.Struct, frozen=True, gc=False):
    """A row ready to be mapped. `previous`: the case's row before it; `twin`: its number among rows of that sort key, from 0; `problem`: why it cannot be."""

    where: str
    row: dict[str, str | None]
    previous: dict[str, str | None] | None = None
    twin: int = 0
    problem: str = ""


def in_order(rows: Iterable[FileRow], case: Callable[[Row], str | None], key: Callable[[Row], SortKey]) -> Iterator[Record]:
    """All rows by case, each case's by key and then as they came; memory stays flat, since they are sorted in a temporary file of SQLite's."""
    shelf = sqlite3.connect("")
    try:
        width = 0
        insert = ""
        encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(dict[str, str | None]).decode
        pending: list[tuple[object, ...]] = []
        for number, row in enumerate(rows):
            name, sort, problem = _place(row, case, key)
            if problem:
                yield Record(row.where, row.values, problem=problem)
                continue
            if not insert:
                width = len(sort)
                keys = "".join(f", k{place}" for place in range(width))
                shelf.execute(f"CREATE TABLE shelf (name TEXT{keys}, number INTEGER, place TEXT, data BLOB)")
                insert = f"INSERT INTO shelf VALUES ({', '.join('?' * (width + 4))})"  # noqa: S608
            pending.append((name, *sort, number, row.where, encode(row.values)))
            if len(pending) >= 1000:
                shelf.executemany(insert, pending)
                pending.clear()
        if insert:
            shelf.executemany(insert, pending)
            keys = "".join(f", k{place}" for place in range(width))
            last: tuple[object, ...] | None = None
            previous: dict[str, str | None] | None = None
            twin = 0
            for name, *sorted_by, where, data in shelf.execute(f"SELECT name{keys}, place, data FROM shelf ORDER BY name{keys}, number"):  # noqa: S608
                row_values = decode(data)
                if last is None or last[0] != name:
                    previous = None
                twin = twin + 1 if last == (name, *sorted_by) else 0
                yield Record(where, row_values, previous, twin)
                last, previous = (name, *sorted_by), row_values
    finally:
        shelf.close()


def _place(row: FileRow, case: Callable[[Row], str | None], key: Callable[[Row], SortKey]) -> tuple[str, SortKey, str]:
    if row.problem:
        return "", (), row.problem
    name = case(row.values)
    if name is None:
        return "", (), "case_id: is empty"
    try:
        return name, key(row.values), ""
    except ValueError as error:
        return "", (), str(error)
