"""Rows of a SQL query by SQLAlchemy URL: read-only, streamed, from a watermark column's last value on."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from rollout_metrics.collect.rows import FileRow, cell, missing, nulled
from rollout_metrics.domain.errors import ConfigurationError, CredentialsError, PayloadError, RetryLater
from rollout_metrics.domain.time import SECOND, Span

BATCH = 2000


class Reached(msgspec.Struct, frozen=True, array_like=True):
    """The greatest value of the watermark column so far; `kind` is time, integer or text."""

    kind: str
    value: str | int


class Query(msgspec.Struct, frozen=True):
    """What to read. `watermark`: the column that only grows; `case`: read all rows of the cases that have new ones, by this column."""

    url: str
    sql: str
    watermark: str | None
    case: str | None
    columns: frozenset[str]
    nulls: frozenset[str]


def check_url(url: str) -> str:
    """The URL without its password, for messages; raises `ValueError` where it is none."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        raise ValueError("is no SQLAlchemy URL such as postgresql+psycopg://USER:PASSWORD@HOST/DATABASE or sqlite:///FILE") from None


def with_password(url: str, password: str | None) -> str:
    """The URL with a password that was given apart."""
    return url if password is None else make_url(url).set(password=password).render_as_string(hide_password=False)


def rows_of(query: Query, reached: Reached | None, lookback: Span, *, backwards: bool = False) -> Iterator[tuple[FileRow, Reached | None]]:
    """The rows from `reached` (less `lookback` where it is a time) on, in order of the watermark column, each with the value reached after it.

    `backwards`: the greatest value first.
    """
    shown = check_url(query.url)
    with _connected(query.url, shown) as connection:
        streaming = connection.execution_options(stream_results=True, max_row_buffer=BATCH)
        yield from _rows(streaming, query, shown, _statement(connection, query, reached, lookback, backwards=backwards), reached)


def one_row(url: str, sql: str, parameters: Mapping[str, str], *, timeout: Span) -> tuple[Any, ...]:
    """The only row of a query that may name the parameters as `:name`. Raises as `rows_of` does, and `PayloadError` where it is not the only one."""
    shown = check_url(url)
    named = "|".join(map(re.escape, parameters))
    statement = text(re.sub(rf"(?<!:):(?!({named})\b)|(?<=:):", r"\:", sql.strip().rstrip(";")))
    with _connected(url, shown) as connection:
        _limit(connection, timeout)
        rows = connection.execute(statement, {name: value for name, value in parameters.items() if name in statement.compile().params}).fetchmany(2)
    if len(rows) != 1:
        raise PayloadError(f"{shown}: the query yields {'no row' if not rows else 'more than one row'}: write one that yields one")
    return tuple(rows[0])


def _limit(connection: Connection, timeout: Span) -> None:
    """Read only, and for no longer than that, where the database can be told."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
        ends = monotonic() + timeout / SECOND
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: monotonic() > ends, 10_000)
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET statement_timeout = {timeout // 1000}")


@contextmanager
def _connected(url: str, shown: str) -> Iterator[Connection]:
    """A connection that only reads; what goes wrong on it is raised as what there is to do about it."""
    engine = _engine(url, shown)
    try:
        with engine.connect().execution_options(postgresql_readonly=True) as connection:
            yield connection
    except OperationalError as error:
        if _refused(error):
            raise CredentialsError(f"{shown}: the database refuses us ({_reason(error)}): check user, password and permissions") from None
        if "no such table" in str(error) or "no such column" in str(error) or "syntax error" in str(error):
            raise ConfigurationError(f"{shown}: the query fails ({_reason(error)}): check the query") from None
        raise RetryLater(f"{shown}: the database does not answer ({_reason(error)})") from None
    except InterfaceError as error:
        raise RetryLater(f"{shown}: the database does not answer ({_reason(error)})") from None
    except SQLAlchemyError as error:
        if _refused(error):
            raise CredentialsError(f"{shown}: the database refuses us ({_reason(error)}): check user, password and permissions") from None
        raise ConfigurationError(f"{shown}: the query fails ({_reason(error)}): check the query") from None
    finally:
        engine.dispose()


def _engine(url: str, shown: str) -> Engine:
    plain = make_url(url)
    if plain.drivername == "postgresql":  # the driver that we bring
        plain = plain.set(drivername="postgresql+psycopg")
    try:
        return create_engine(plain, poolclass=NullPool, hide_parameters=True)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(f"{shown}: there is no driver for this database ({error}): install it, for PostgreSQL as rollout-metrics[postgres]") from None


def _rows(
    connection: Connection, query: Query, shown: str, statement: tuple[str, dict[str, Any]], reached: Reached | None
) -> Iterator[tuple[FileRow, Reached | None]]:
    with connection.execute(text(statement[0]), statement[1]) as result:
        names = list(result.keys())
        wanted = query.columns | ({query.watermark} if query.watermark else frozenset())
        if lacking := wanted.difference(names):
            raise PayloadError(f"{shown}: the query's result {missing(lacking, names)}")
        number = 0
        for batch in result.mappings().partitions(BATCH):
            for values in batch:
                number += 1
                if query.watermark is not None:
                    reached = _further(reached, values[query.watermark])
                texts = nulled({column: cell(values[column]) for column in query.columns}, query.nulls)
                problem = next((f"{column} holds a NUL, which is no text" for column, value in texts.items() if value and "\0" in value), "")
                yield FileRow(f"{shown}: row {number}", texts, problem), reached


def _statement(connection: Connection, query: Query, reached: Reached | None, lookback: Span, *, backwards: bool) -> tuple[str, dict[str, Any]]:
    inner = f"({_escaped(query.sql)})"
    if query.watermark is None:
        return f"SELECT * FROM {inner} read_rows", {}  # noqa: S608  (the query is the operator's own)
    quoted = connection.dialect.identifier_preparer.quote
    column = quoted(query.watermark)
    after = f" WHERE {column} >= :after" if reached is not None else ""
    parameters = {} if reached is None else {"after": _start(reached, lookback)}
    if query.case is not None:
        case = quoted(query.case)
        touched = f" WHERE {case} IN (SELECT {case} FROM {inner} new_rows{after})" if after else ""  # noqa: S608
        return f"SELECT * FROM {inner} read_rows{touched}", parameters  # noqa: S608
    return f"SELECT * FROM {inner} read_rows{after} ORDER BY {column}{' DESC' if backwards else ''}", parameters  # noqa: S608


def _escaped(sql: str) -> str:
    """The operator's query with its colons meaning themselves, without a closing semicolon."""
    return re.sub(r":", r"\\:", sql.strip().rstrip(";"))


def _start(reached: Reached, lookback: Span) -> Any:
    if reached.kind == "time":
        return datetime.fromisoformat(str(reached.value)) - timedelta(microseconds=lookback)
    return reached.value


def _further(reached: Reached | None, value: Any) -> Reached | None:
    if value is None:
        return reached
    if isinstance(value, datetime):
        found = Reached("time", value.isoformat())
        later = reached is None or datetime.fromisoformat(str(reached.value)) < value
    else:
        found = Reached("integer", value) if isinstance(value, int) else Reached("text", str(value))
        later = reached is None or reached.value < found.value  # type: ignore[operator]
    return found if later else reached


def _refused(error: SQLAlchemyError) -> bool:
    original = getattr(error, "orig", None)
    state = str(getattr(original, "sqlstate", "") or "")
    said = str(original).lower()
    return state.startswith("28") or state == "42501" or any(words in said for words in _REFUSALS)


_REFUSALS = ("password authentication failed", "access denied", "permission denied", "no pg_hba.conf entry", "no password supplied", 'fatal:  role "')


def _reason(error: SQLAlchemyError) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return (str(original).strip().splitlines() or [type(original).__name__])[0]
