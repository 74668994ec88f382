"""Any table as events, by a mapping from columns: CSV, TSV, Parquet, zip archives of them, or a SQL query."""

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import ClassVar, Self

import msgspec
from pydantic import Field, SecretStr, field_validator, model_validator

from rollout_metrics.collect import queries, rows, snapshots
from rollout_metrics.collect.files import Paths, ReadUpTo, found, newest_first, reached, unreadable
from rollout_metrics.collect.http import Api, Endpoint
from rollout_metrics.collect.joins import Joined, JoinOptions
from rollout_metrics.collect.mapping import Text, TextOptions, TimeOptions, sort_key
from rollout_metrics.collect.snapshots import Record
from rollout_metrics.collect.source import Page, Rejected, Source, Window
from rollout_metrics.collect.table_events import events_of
from rollout_metrics.collect.table_options import EventOptions, RowMapping, SnapshotOptions, actor_kinds
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import Instant

PAGE_ROWS = 2000


class TableState(msgspec.Struct, array_like=True):
    """How far a file has been read: `rows` of it, all where `done`; files of snapshots only as a whole."""

    size: int
    modified: int
    digest: str
    rows: int = 0
    done: bool = False


class Cursor(msgspec.Struct, omit_defaults=True):
    """Where to go on: the state of each file (joined ones under `joins`), records delivered of a set of snapshots, or the query's watermark."""

    files: dict[str, TableState] = {}
    joins: dict[str, TableState] = {}
    records: int = 0
    query: queries.Reached | None = None
    newest: Instant | None = None


class Table(Source):
    """Rows of files or of a SQL query, turned into events by a declared mapping. Texts may hold `{column}`, which stands for the row's value."""

    kind: ClassVar[str] = "table"
    windowed: ClassVar[bool] = False

    paths: Paths = ()
    """Files (.csv, .tsv, plain or .gz; .zip; .parquet), globs, or directories of them. A file that changed is read again."""
    format: rows.Format | None = None
    """`csv`, `tsv` or `parquet`; default: as the file's name says."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Between fields; default: a comma, in .tsv a tab."""
    encoding: str = "utf-8"
    """Of text files: `utf-8`, `latin-1`, `cp1252`, ..."""
    member: str = "*"
    """Which members of a zip archive to read."""
    url: str | None = Field(default=None, repr=False)
    """SQLAlchemy URL of a database, instead of `paths`."""
    password: SecretStr | None = None
    """The database's password, so that the URL need not hold it."""
    query: str | None = None
    """The query to read there; anything the database can select from."""
    watermark_column: str | None = None
    """A column of the query that only grows (a time of update, a serial number): each sweep reads from its last value on, times less `lookback`.
    Without it each sweep reads everything."""
    read_up_to: ReadUpTo = "now"
    """What counts as read: `now`; `newest` (the newest event) or an instant for archives, whose figures are as of their end."""
    nulls: frozenset[str] = frozenset({"", "NULL", "null", "NA", "N/A"})
    """Texts that mean no value."""
    time: TimeOptions = TimeOptions()
    """How times are written."""
    case_id: Text
    """The case's id, such as `{number}`."""
    case_source: Text | None = None
    """The source whose cases these are, where that is another one."""
    occurred_at: Text | None = None
    """When it happened, for all events that do not say it themselves."""
    actor_id: Text | None = None
    """Who did it, likewise."""
    actor_kind: Text | None = None
    """`agent`, `operator`, `customer` or `system`, likewise."""
    revision: Text | None = None
    """A number or time that grows with each correction of a row, likewise."""
    joins: dict[str, JoinOptions] = Field(default={})
    """Name -> a second table, one row of which belongs to each row: its columns are `{name.column}`."""
    snapshots: SnapshotOptions | None = None
    """For audit logs with a whole record per update: what changed is found by comparing with the case's row before."""
    mapping: tuple[EventOptions, ...] = ()
    """What events a row tells of."""

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None:
            queries.check_url(value)
        return value

    @field_validator("actor_kind")
    @classmethod
    def _kinds(cls, value: TextOptions | None) -> TextOptions | None:
        return None if value is None else actor_kinds(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        if bool(self.paths) == bool(self.url):
            yield "say either paths (files) or url and query (a database)"
        if (self.url is None) != (self.query is None):
            yield "url and query belong together"
        if self.watermark_column and not self.query:
            yield "watermark_column belongs to a query: files are read again when they change"
        if self.joins and self.url:
            yield "joins belong to files: join in the query instead"
        if not self.mapping and self.snapshots is None:
            yield "say what events the rows tell of, in mapping or snapshots"
        if self.snapshots is None:
            tests = [test for event in self.mapping for tests in event.when for test in tests.values()]
            if any(test.changed is not None or test.before for test in tests):
                yield "the tests `changed` and `from` need snapshots"
        elif self.occurred_at is None or self.actor_kind is None:
            yield "snapshots need occurred_at and actor_kind of the table"
        elif self.watermark_column and self.case_id.column is None:
            yield "snapshots with a watermark_column need a case_id that is one column, such as {number}"
        for place, event in enumerate(self.mapping):
            if event.occurred_at is None and self.occurred_at is None:
                yield f"mapping[{place}] has no occurred_at, nor has the table"
            if event.actor_kind is None and self.actor_kind is None:
                yield f"mapping[{place}] has no actor_kind, nor has the table"

    def endpoint(self) -> Endpoint | None:
        """Files and databases need none."""
        return None

    def pages(self, api: Api | None, window: Window) -> Iterator[Page]:
        """What was not read before, in pages of rows."""
        cursor = msgspec.convert(window.cursor, Cursor) if window.cursor else Cursor()
        pages = self._query_pages(cursor) if self.url is not None else self._file_pages(cursor)
        for page in pages:
            if self.read_up_to == "newest":
                found_at = [event.occurred_at for event in self.events(page) if isinstance(event, Event)]
                cursor.newest = max([*found_at, *([] if cursor.newest is None else [cursor.newest])], default=None)
            yield msgspec.structs.replace(page, cursor=msgspec.to_builtins(cursor))
        last = reached(self.read_up_to, now=window.end, newest=cursor.newest)
        yield Page([], f"{self.name}: the end", last, msgspec.to_builtins(cursor))

    def newest(self, api: Api | None, now: Instant) -> Iterator[Iterator[Page]]:
        """File by file, the one written last first; a query by its watermark column, backwards. What is compared row by row is read as it always is."""
        if self.snapshots is not None or (self.url is not None and self.watermark_column is None):
            yield from super().newest(api, now)
        elif self.url is not None:
            yield from (iter((page,)) for page in self._query_pages(Cursor(), backwards=True))
        else:
            read = self._reader()
            yield from (_pages(read(path)) for path in newest_first(found(self.paths, rows.SUFFIXES)))

    def events(self, page: Page) -> Iterator[Event | Rejected]:
        """The events of each row."""
        seen: dict[str, Event] = {}
        for record in page.body:
            yield from events_of(record, self._mapping, seen)

    def page_of(self, payload: bytes, where: str) -> Page:
        """The page that holds only this row."""
        found = msgspec.json.decode(payload)
        return Page([Record(where, **found)], where)

    @cached_property
    def _mapping(self) -> RowMapping:
        return RowMapping(
            source=self.name,
            case_source=self.case_source,
            case_id=self.case_id,
            occurred_at=self.occurred_at,
            actor_id=self.actor_id,
            actor_kind=self.actor_kind,
            revision=self.revision,
            time=self.time,
            events=self.mapping,
            snapshots=self.snapshots,
        )

    def _file_pages(self, cursor: Cursor) -> Iterator[Page]:
        files = found(self.paths, rows.SUFFIXES)
        joined_before = cursor.joins
        cursor.joins = {name: _state(join.path, cursor.joins.get(name)) for name, join in self.joins.items()}
        if any(cursor.joins[name].digest != (known.digest if (known := joined_before.get(name)) else "") for name in self.joins):
            cursor.files = {}
        states = {str(path): _state(path, cursor.files.get(str(path))) for path in files}
        yield from self._snapshot_pages(cursor, states) if self.snapshots is not None else self._row_pages(cursor, states)

    def _row_pages(self, cursor: Cursor, states: dict[str, TableState]) -> Iterator[Page]:
        cursor.files = states
        pending = [name for name, state in states.items() if not state.done]
        read = self._reader() if pending else None
        for name in pending:
            state, body, first = states[name], list[Record](), ""
            assert read is not None
            for number, row in enumerate(read(Path(name))):
                if number < state.rows:
                    continue
                body.append(Record(row.where, row.values, problem=row.problem))
                if len(body) == PAGE_ROWS:
                    state.rows = number + 1
                    yield Page(body, body[0].where)
                    body = []
            state.rows, state.done = 0, True
            first = body[0].where if body else name
            yield Page(body, first)

    def _snapshot_pages(self, cursor: Cursor, states: dict[str, TableState]) -> Iterator[Page]:
        if {name: state.digest for name, state in states.items()} != {name: state.digest for name, state in cursor.files.items()}:
            cursor.records = 0
            for state in states.values():
                state.done = False
        cursor.files = states
        if all(state.done for state in states.values()):
            return
        read = self._reader()
        everything = (row for name in states for row in read(Path(name)))
        yield from self._paged(self._in_order(everything), cursor)
        cursor.records = 0
        for state in states.values():
            state.done = True

    def _paged(self, records: Iterator[Record], cursor: Cursor) -> Iterator[Page]:
        skip, body = cursor.records, list[Record]()
        for number, record in enumerate(records):
            if number < skip:
                continue
            body.append(record)
            if len(body) == PAGE_ROWS:
                cursor.records = number + 1
                yield Page(body, body[0].where)
                body = []
        if body:
            cursor.records += len(body)
            yield Page(body, body[0].where)

    def _in_order(self, everything: Iterator[rows.FileRow]) -> Iterator[Record]:
        assert self.snapshots is not None
        order = self.snapshots.order
        return snapshots.in_order(everything, self.case_id.read, lambda row: sort_key(order, row, self.time))

    def _reader(self) -> Callable[[Path], Iterator[rows.FileRow]]:
        """How to read a file's rows, joined ones included."""
        form = rows.TableFormat(self.format, self.delimiter, self.encoding, self.member, self.nulls)
        needed = self._mapping.columns()
        prefixed = {name: frozenset(column[len(name) + 1 :] for column in needed if column.startswith(f"{name}.")) for name in self.joins}
        own = frozenset(column for column in needed if not any(column.startswith(f"{name}.") for name in self.joins))
        own |= frozenset(column for join in self.joins.values() for text in join.match.values() for column in text.columns)
        joined = [Joined(name, join, form, prefixed[name], self.time) for name, join in self.joins.items()]

        def read(path: Path) -> Iterator[rows.FileRow]:
            for row in rows.rows_of(path, form, own):
                if not row.problem:
                    for join in joined:
                        row.values.update(join.of(row.values))
                yield row

        return read

    def _query_pages(self, cursor: Cursor, *, backwards: bool = False) -> Iterator[Page]:
        assert self.url is not None
        assert self.query is not None
        url = queries.with_password(self.url, self.password.get_secret_value() if self.password is not None else None)
        case = self.case_id.column if self.snapshots is not None and self.watermark_column else None
        query = queries.Query(url, self.query, self.watermark_column, case, self._mapping.columns(), self.nulls)
        read = queries.rows_of(query, cursor.query, self.lookback, backwards=backwards)
        if self.snapshots is not None:
            latest = [cursor.query]

            def plain() -> Iterator[rows.FileRow]:
                for row, further in read:
                    latest[0] = further
                    yield row

            yield from self._paged(self._in_order(plain()), Cursor())
            cursor.query = latest[0]
            return
        body = list[Record]()
        for row, further in read:
            body.append(Record(row.where, row.values, problem=row.problem))
            if len(body) == PAGE_ROWS:
                cursor.query = further
                yield Page(body, body[0].where)
                body = []
        if body:
            cursor.query = further
            yield Page(body, body[0].where)


def _pages(read: Iterator[rows.FileRow]) -> Iterator[Page]:
    """Rows in pages that lead nowhere, for a look."""
    while body := [Record(row.where, row.values, problem=row.problem) for row in islice(read, PAGE_ROWS)]:
        yield Page(body, body[0].where)


def _state(path: Path, known: TableState | None) -> TableState:
    """A file's state now: as it was known where it has not changed."""
    try:
        about = path.stat()
        if known is not None and (known.size, known.modified) == (about.st_size, about.st_mtime_ns):
            return known
        found_digest = rows.digest(path)
    except OSError as error:
        raise unreadable(path, error) from None
    if known is not None and known.digest == found_digest:
        return msgspec.structs.replace(known, modified=about.st_mtime_ns)
    return TableState(about.st_size, about.st_mtime_ns, found_digest)
