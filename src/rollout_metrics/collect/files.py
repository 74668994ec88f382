"""Files as a source of records: which there are, how far each has been read, and the lines that came since."""

import glob
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import IO, Annotated, Any, Literal, cast

import msgspec
from pydantic import AwareDatetime, BeforeValidator

from rollout_metrics.domain.errors import CredentialsError, RetryLater
from rollout_metrics.domain.time import MINUTE, Instant, Span, instant

MAX_LINE = 1 << 20
"""Longest line in bytes; what is longer is cut off there and refused."""
_FINGERPRINT = 1024


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str | Path) else value


Paths = Annotated[tuple[Path, ...], BeforeValidator(_one_or_many)]
"""One path or a list of them: files, directories, globs (`exports/*.csv.gz`), relative to the configuration file."""

ReadUpTo = Literal["now", "newest"] | AwareDatetime
"""How far a source of files counts as read: up to the time of reading, up to the newest event it holds, or up to an instant."""


class FileState(msgspec.Struct, array_like=True):
    """How far a file has been read. `offset` counts bytes of text (uncompressed), `lines` its lines; `done`: nothing of this size and time is left."""

    size: int = 0
    modified: int = 0
    offset: int = 0
    lines: int = 0
    fingerprint: str = ""
    done: bool = False


class Lines(msgspec.Struct, frozen=True):
    """Consecutive lines of a file; `first` is the number of the first one, 0 where there is only one and `file` names it already."""

    file: str
    first: int
    lines: list[bytes]
    broken: str = ""
    """Why nothing more could be read behind them, where the file is broken."""

    def where(self, place: int) -> str:
        """`file:line` of the line at a place of `lines`."""
        return f"{self.file}:{self.first + place}" if self.first else self.file


def reached(read_up_to: str | datetime, *, now: Instant, newest: Instant | None) -> Instant | None:
    """The watermark once all files have been read. For `newest`: the whole minute at or after the newest event, so that figures as of then see it."""
    if isinstance(read_up_to, datetime):
        return min(now, instant(read_up_to))
    if read_up_to == "now":
        return now
    return None if newest is None else -(-newest // MINUTE) * MINUTE


def found(paths: Iterable[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """The files that are there now, each once, sorted by path: files as named, matches of globs, and files with one of the suffixes in directories below.

    Raises `RetryLater` where a named file or directory is not there; a glob may match nothing.
    """
    files: set[Path] = set()
    for path in paths:
        text = str(path)
        if path.is_dir():
            files.update(_inside(path, suffixes))
        elif path.exists():
            files.add(path)
        elif glob.has_magic(text):
            for match in glob.glob(text, recursive=True):
                files.update(_inside(Path(match), suffixes) if os.path.isdir(match) else (Path(match),))
        else:
            raise RetryLater(f"{path}: there is no such file or directory: check the path, or write a glob if it may come later")
    return sorted(files)


def _inside(directory: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name) for name in names if name.endswith(suffixes) and not name.startswith("."))


def _refuse(error: OSError) -> None:
    raise unreadable(Path(str(error.filename)), error)


def unreadable(path: Path, error: OSError) -> Exception:
    """What to raise for a file that could not be read."""
    if isinstance(error, PermissionError):
        return CredentialsError(f"{path}: permission denied: let the user that runs this read it")
    return RetryLater(f"{path}: cannot be read ({error.strerror or error})")


def new_lines(path: Path, state: FileState | None, *, now: Instant, patience: Span, most: int) -> Iterator[tuple[Lines, FileState]]:
    """The lines a file (plain or .gz) holds beyond `state`, about `most` bytes at a time, each with the state after them.

    A file that was replaced or cut is read from its beginning. A last line without its end is left for the next time while it is no whole JSON value
    and the file is younger than `patience`; an archive that breaks off likewise.
    """
    try:
        about = path.stat()
        if state is not None and state.done and (state.size, state.modified) == (about.st_size, about.st_mtime_ns):
            return
        packed = path.suffix == ".gz"
        with cast(IO[bytes], gzip.open(path) if packed else path.open("rb")) as file:
            head = b"" if state is None else _head(file, state.offset)
            if state is None or mark(head) != state.fingerprint or (not packed and about.st_size < state.offset):
                state, head = FileState(), b""
            young = now * 1000 - about.st_mtime_ns < patience * 1000
            start = FileState(about.st_size, about.st_mtime_ns, state.offset, state.lines)
            yield from _read(path, file, start, head, young=young, packed=packed, most=most, seek=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(path, error) from None


def last_lines(path: Path, *, most: int) -> Iterator[Lines]:
    """The lines of a plain file from its end back to its beginning, about `most` bytes at a time; those of one piece are in order. For a look only.

    Which line of the file they are is not known. A last line that is no whole JSON value is left out: it is being written.
    """
    try:
        with path.open("rb") as file:
            end = size = file.seek(0, os.SEEK_END)
            while end > 0:
                start, piece = end, b""
                while start > 0 and b"\n" not in piece[:-1]:  # a line may be longer than that
                    start = max(0, start - most)
                    file.seek(start)
                    piece = file.read(end - start)
                begin = piece.index(b"\n") + 1 if start > 0 else 0
                lines = piece[begin:].split(b"\n")
                if not lines[-1] or (end == size and not _complete(lines[-1])):
                    lines.pop()
                end = start + begin
                yield Lines(f"{path} from byte {end} on", 0, [line[:MAX_LINE] for line in lines])
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(path, error) from None


def newest_first(files: Iterable[Path]) -> list[Path]:
    """Files by when they were last written, then by name, the last one first."""
    return sorted(files, key=lambda path: (path.stat().st_mtime_ns if path.exists() else 0, path), reverse=True)


def stream_lines(file: IO[bytes], name: str, *, most: int) -> Iterator[Lines]:
    """All lines of a stream that is read once."""
    for lines, _ in _read(Path(name), file, FileState(), b"", young=False, packed=False, most=most, seek=False):
        yield lines


def _read(path: Path, file: IO[bytes], state: FileState, head: bytes, *, young: bool, packed: bool, most: int, seek: bool) -> Iterator[tuple[Lines, FileState]]:
    offset, number, batch, held, broken = state.offset, state.lines, list[bytes](), 0, ""

    def so_far(*, done: bool) -> tuple[Lines, FileState]:
        lines = Lines(str(path), number - len(batch) + 1, batch, broken)
        return lines, FileState(state.size, state.modified, offset, number, mark(head), done)

    whole, line, taken = True, b"", 0
    while whole:
        try:
            if seek:
                file.seek(offset)
                seek = False
            line, taken, whole = _line(file)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            broken = "" if young else f"the archive breaks off here ({error or 'its end is missing'})"
            yield so_far(done=not young)
            return
        if line and (whole or packed or not young or _complete(line)):
            batch.append(line)
            head = (head + line)[:_FINGERPRINT] if len(head) < _FINGERPRINT else head
            offset, number, held = offset + taken, number + 1, held + taken
            line = b""
        if whole and held >= most:
            yield so_far(done=False)
            batch, held = [], 0
    yield so_far(done=not line)


def _line(file: IO[bytes]) -> tuple[bytes, int, bool]:
    """The next line, cut off after `MAX_LINE`, how many bytes it took, and whether it was ended."""
    line = piece = file.readline(MAX_LINE + 1)
    taken = len(line)
    while len(piece) > MAX_LINE and not piece.endswith(b"\n"):
        piece = file.readline(MAX_LINE + 1)
        taken += len(piece)
    return line, taken, piece.endswith(b"\n")


def _head(file: IO[bytes], offset: int) -> bytes:
    try:
        return file.read(min(offset, _FINGERPRINT))
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""


def mark(head: bytes) -> str:
    """A fingerprint of how a file begins."""
    return blake2b(head, digest_size=8).hexdigest()


def _complete(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True
