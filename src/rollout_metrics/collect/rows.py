"""Rows of tables in files: CSV and TSV (plain, gzip, members of zip archives) and Parquet, as text by column, streamed."""

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from fnmatch import fnmatch
from hashlib import blake2b
from math import isnan
from pathlib import Path
from typing import IO, Any, Literal, cast

import msgspec

from rollout_metrics.collect.files import unreadable
from rollout_metrics.domain.errors import ConfigurationError, PayloadError
from rollout_metrics.domain.events import text_value

MAX_FIELD = 1 << 20
"""Longest field in characters."""
SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".zip", ".parquet")

Format = Literal["csv", "tsv", "parquet"]


class FileRow(msgspec.Struct, frozen=True, gc=False):
    """One row: where it stands and its values by column; `problem` says why it has none."""

    where: str
    values: dict[str, str | None]
    problem: str = ""


class TableFormat(msgspec.Struct, frozen=True):
    """How the files are written. `format` None: as the name says."""

    format: Format | None
    delimiter: str | None
    encoding: str
    member: str
    nulls: frozenset[str]


def rows_of(path: Path, form: TableFormat, columns: frozenset[str]) -> Iterator[FileRow]:
    """The rows of a file, with the wanted columns only. Raises `PayloadError` where it is not the table the configuration describes."""
    try:
        if path.suffix == ".zip":
            yield from _members(path, form, columns)
        elif (form.format or _format(path.name)) == "parquet":
            yield from _parquet(path, form, columns)
        else:
            with cast(IO[bytes], gzip.open(path) if path.suffix == ".gz" else path.open("rb")) as file:
                yield from _separated(str(path), file, form, columns)
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise PayloadError(f"{path}: is a broken archive ({error}): write it again") from None
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(path, error) from None


def digest(path: Path) -> str:
    """A digest of a file's bytes."""
    found = blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def cell(value: Any) -> str | None:
    """A typed value of Parquet or SQL as text."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and isnan(value):
        return None
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value.is_finite() else None
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, list | tuple | set):
        return text_value([cell(item) for item in value])
    if isinstance(value, Mapping):
        return text_value(msgspec.to_builtins(value, enc_hook=str))
    return text_value(value) if isinstance(value, bool | int | float) else str(value)


def missing(columns: Iterable[str], there: list[str]) -> str:
    """What to say of columns that a table lacks."""
    named = []
    for column in sorted(columns):
        near = get_close_matches(column, there, 1)
        named.append(f"{column!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    return f"has no column {', '.join(named)}; there are: {', '.join(there)}"


def _format(name: str) -> str:
    base = name.removesuffix(".gz")
    return "parquet" if base.endswith(".parquet") else "tsv" if base.endswith(".tsv") else "csv"


def _members(path: Path, form: TableFormat, columns: frozenset[str]) -> Iterator[FileRow]:
    with zipfile.ZipFile(path) as archive:
        names = sorted(info.filename for info in archive.infolist() if not info.is_dir() and fnmatch(info.filename, form.member))
        if not names:
            raise PayloadError(f"{path}: has no member {form.member}: name another as member")
        for name in names:
            with archive.open(name) as file:
                yield from _separated(f"{path}/{name}", file, form, columns)


def _separated(name: str, file: IO[bytes], form: TableFormat, columns: frozenset[str]) -> Iterator[FileRow]:
    delimiter = form.delimiter or ("\t" if (form.format or _format(name)) == "tsv" else ",")
    encoding = "utf-8-sig" if form.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else form.encoding
    with ExitStack() as stack:
        before = csv.field_size_limit(MAX_FIELD)
        stack.callback(csv.field_size_limit, before)
        lines = io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape", newline="")
        stack.callback(lines.detach)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        header = next(reader, None)
        if header is None:
            return
        places = _places(name, header, columns)
        nulls = form.nulls
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield FileRow(f"{name}:{reader.line_num}", {}, f"is no row of this table ({error})")
                continue
            if not row:
                continue
            where = f"{name}:{reader.line_num}"
            if len(row) != len(header):
                yield FileRow(where, {}, f"has {len(row)} fields where the header has {len(header)}")
                continue
            values = {column: None if (text := row[place]) in nulls else text for column, place in places}
            yield FileRow(where, values, _characters(values))


def _places(name: str, header: list[str], columns: frozenset[str]) -> list[tuple[str, int]]:
    names = [column.strip() for column in header]
    if lacking := columns.difference(names):
        raise PayloadError(f"{name}: {missing(lacking, names)}")
    if twice := sorted({column for column in columns if names.count(column) > 1}):
        raise PayloadError(f"{name}: column {', '.join(twice)} stands more than once: give every column its own name")
    return [(column, names.index(column)) for column in sorted(columns)]


def _characters(values: Mapping[str, str | None]) -> str:
    for column, value in values.items():
        if value is not None and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return f"{column} is not written in the declared encoding"
        if value is not None and "\0" in value:
            return f"{column} holds a NUL, which is no text"
    return ""


def _parquet(path: Path, form: TableFormat, columns: frozenset[str]) -> Iterator[FileRow]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ConfigurationError(f"{path}: Parquet needs pyarrow: install rollout-metrics[parquet]") from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            if lacking := columns.difference(file.schema_arrow.names):
                raise PayloadError(f"{path}: {missing(lacking, file.schema_arrow.names)}")
            number = 0
            for batch in file.iter_batches(batch_size=4096, columns=sorted(columns)):
                for values in batch.to_pylist():
                    number += 1
                    texts = nulled({column: cell(value) for column, value in values.items()}, form.nulls)
                    yield FileRow(f"{path}:{number}", texts, _characters(texts))
    except pyarrow.ArrowInvalid as error:
        raise PayloadError(f"{path}: is no Parquet file ({str(error).splitlines()[0]})") from None


def nulled(values: dict[str, str | None], nulls: frozenset[str]) -> dict[str, str | None]:
    """The values with null tokens as None."""
    return {column: None if value in nulls else value for column, value in values.items()}
