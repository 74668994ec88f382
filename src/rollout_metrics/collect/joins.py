"""Second tables that belong to a table's rows: loaded by key, one row for each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from rollout_metrics.collect.mapping import MappingOptions, Order, Row, Text, TimeOptions, When, holds, sort_key
from rollout_metrics.collect.rows import TableFormat, rows_of


class JoinOptions(MappingOptions):
    """A second table in a file, of which one row belongs to each row."""

    path: Path
    """The file, written as the main ones are."""
    match: dict[str, Text] = Field(min_length=1)
    """Column there -> what it equals here, such as `pr_id: "{id}"`."""
    when: When = ()
    """Which of its rows count."""
    last_by: Order = Field(default={})
    """Of several rows the last by these columns; without it the last in the file."""

    @model_validator(mode="after")
    def _plain(self) -> Self:
        for tests in self.when:
            if any(test.changed is not None or test.before for test in tests.values()):
                raise ValueError("a join cannot test `changed` or `from`")
        return self


class Joined:
    """The rows of one join, in memory, by key; only the wanted columns."""

    def __init__(self, name: str, options: JoinOptions, form: TableFormat, columns: frozenset[str], time: TimeOptions) -> None:
        self._match = tuple(options.match.values())
        self._nothing: dict[str, str | None] = {f"{name}.{column}": None for column in columns}
        self._rows: dict[tuple[str | None, ...], dict[str, str | None]] = {}
        ranks: dict[tuple[str | None, ...], tuple[int | float | str, ...]] = {}
        needed = columns.union(options.match, options.last_by, *options.when)
        for row in rows_of(options.path, form, needed):
            if row.problem or not holds(options.when, row.values, None):
                continue
            key = tuple(row.values[column] for column in options.match)
            try:
                rank = sort_key(options.last_by, row.values, time)
            except ValueError:
                continue
            if key not in ranks or rank >= ranks[key]:
                ranks[key] = rank
                self._rows[key] = {f"{name}.{column}": row.values[column] for column in columns}

    def of(self, row: Row) -> Mapping[str, str | None]:
        """The columns that belong to a row, all None where there is no such row."""
        return self._rows.get(tuple(text.read(row) for text in self._match), self._nothing)
