"""Events in our own format as JSON Lines: files, globs, directories watched for new files, and stdin (`-`)."""

import sys
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
from pydantic import Field

from rollout_metrics.collect.event_format import read_event
from rollout_metrics.collect.files import FileState, Lines, Paths, ReadUpTo, found, last_lines, new_lines, newest_first, reached, stream_lines
from rollout_metrics.collect.http import Api, Endpoint
from rollout_metrics.collect.source import Duration, Page, Rejected, Source, Window
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import MINUTE, Instant

SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
PAGE_BYTES = 1 << 20


class Cursor(msgspec.Struct):
    """Where to go on: the state of each file, and the newest event seen."""

    files: dict[str, FileState] = {}
    newest: Instant | None = None


class Events(Source):
    """JSON Lines in our event format (`event.schema.json`), one event per line."""

    kind: ClassVar[str] = "events"
    windowed: ClassVar[bool] = False

    paths: Paths = Field(min_length=1)
    """Files (plain or .gz), globs, directories (.jsonl and .ndjson, plain or .gz, at any depth; new ones are found at each sweep), or `-` for stdin."""
    read_up_to: ReadUpTo = "now"
    """What counts as read: `now` for files still being written; `newest` (the newest event) or an instant for archives, whose figures are as of their end."""
    patience: Duration = 10 * MINUTE
    """How long a half-written last line or archive may wait for its rest before it is refused."""

    def endpoint(self) -> Endpoint | None:
        """Files need none."""
        return None

    def pages(self, api: Api | None, window: Window) -> Iterator[Page]:
        """Every line that was not read before, about a megabyte at a time."""
        cursor = msgspec.convert(window.cursor, Cursor) if window.cursor else Cursor()
        files = found((path for path in self.paths if path.name != "-"), SUFFIXES)
        cursor.files = {str(path): cursor.files[str(path)] for path in files if str(path) in cursor.files}
        body: list[Lines] = []
        for lines, state in self._news(cursor, files, window.end):
            body.append(lines)
            if state is not None:
                cursor.files[lines.file] = state
            if sum(map(_size, body)) >= PAGE_BYTES:
                yield self._page(body, cursor)
                body = []
        last = self._page(body, cursor)
        yield msgspec.structs.replace(last, read_up_to=reached(self.read_up_to, now=window.end, newest=cursor.newest))

    def newest(self, api: Api | None, now: Instant) -> Iterator[Iterator[Page]]:
        """File by file, the one written last first; of plain files the last lines first."""
        if any(path.name == "-" for path in self.paths):
            yield from super().newest(api, now)
            return
        for path in newest_first(found(self.paths, SUFFIXES)):
            if path.suffix == ".gz":
                yield (self._seen(lines) for lines, _ in new_lines(path, None, now=now, patience=self.patience, most=PAGE_BYTES))
            else:
                yield from (iter((self._seen(lines),)) for lines in last_lines(path, most=PAGE_BYTES))

    def _seen(self, lines: Lines) -> Page:
        return Page([lines], lines.where(0))

    def events(self, page: Page) -> Iterator[Event | Rejected]:
        """The event of each line that is not blank."""
        for lines in page.body:
            for place, line in enumerate(lines.lines):
                record = line.removeprefix(b"\xef\xbb\xbf").strip()
                if record:
                    event = read_event(record, self.name)
                    yield event if isinstance(event, Event) else Rejected("format", lines.where(place), "; ".join(map(str, event)), line)
            if lines.broken:
                yield Rejected("truncated", lines.where(len(lines.lines)), lines.broken, b"")

    def page_of(self, payload: bytes, where: str) -> Page:
        """The page that holds only this line."""
        return Page([Lines(where, 0, [payload])], where)

    def _news(self, cursor: Cursor, files: list[Any], now: Instant) -> Iterator[tuple[Lines, FileState | None]]:
        if any(path.name == "-" for path in self.paths):
            for lines in stream_lines(sys.stdin.buffer, "stdin", most=PAGE_BYTES):
                yield lines, None
        for path in files:
            yield from new_lines(path, cursor.files.get(str(path)), now=now, patience=self.patience, most=PAGE_BYTES)

    def _page(self, body: list[Lines], cursor: Cursor) -> Page:
        where = body[0].where(0) if body else f"{self.name}: nothing new"
        page = Page(body, where)
        if self.read_up_to == "newest":
            found_at = [event.occurred_at for event in self.events(page) if isinstance(event, Event)]
            cursor.newest = max([*found_at, *([] if cursor.newest is None else [cursor.newest])], default=None)
        return msgspec.structs.replace(page, cursor=msgspec.to_builtins(cursor))


def _size(lines: Lines) -> int:
    return sum(map(len, lines.lines)) + 1024
