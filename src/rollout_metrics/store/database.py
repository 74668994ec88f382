"""The open database: one writer at a time, readers beside it, every failure told in words."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from rollout_metrics.domain.errors import StorageError
from rollout_metrics.store import failures
from rollout_metrics.store.dialects import Dialect
from rollout_metrics.store.postgres import Postgres
from rollout_metrics.store.sqlite import Sqlite


class Database:
    """Transactions on one database. Threads may read while one of them writes."""

    def __init__(self, url: str, *, patience_seconds: float = 30.0) -> None:
        self.dialect: Dialect = dialect_of(url, patience_seconds)
        self._lock = threading.Lock()
        self._writer: Connection | None = None
        with self.told("open"):
            self.engine: Engine = self.dialect.engine()
            event.listen(self.engine, "begin", self.dialect.begin)

    def close(self) -> None:
        """Give every connection back."""
        with self._lock:
            self._drop_writer()
            self.engine.dispose()

    @contextmanager
    def told(self, doing: str) -> Iterator[None]:
        """Turn what the driver raises into a `StorageError` that says what, where and what to do."""
        failing: tuple[type[Exception], ...] = (SQLAlchemyError, *self.dialect.errors)
        try:
            yield
        except failing as error:
            raise self.dialect.told(error, doing) from error

    @contextmanager
    def reading(self, *, snapshot: bool = False, warm: bool = False) -> Iterator[Connection]:
        """A transaction that only reads; with `snapshot` all of it sees one state however long it takes.

        `warm`: on the writer's connection while nothing is written, where only that one's cache outlasts what it writes; for short looks, as writing waits.
        """
        with self.told("read"):
            if warm and self.dialect.own_caches and self._lock.acquire(blocking=False):
                try:
                    with self._on_writer(writes=False) as connection:
                        yield connection
                finally:
                    self._lock.release()
                return
            with self.engine.connect() as connection:
                if snapshot:
                    connection = self.dialect.snapshot(connection)  # noqa: PLW2901
                with connection.begin():
                    yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """The one writing transaction: committed at the end, rolled back on any exception."""
        with self._lock, self.told("write"):
            self.dialect.still_there()
            with self._on_writer(writes=True) as connection:
                self.dialect.lock_writer(connection)
                yield connection

    @contextmanager
    def _on_writer(self, *, writes: bool) -> Iterator[Connection]:
        if self._writer is None:
            self._writer = self.engine.connect()
        try:
            with self._writer.execution_options(writes=writes).begin():
                yield self._writer
        except BaseException as error:
            if not isinstance(error, Exception) or isinstance(error, (SQLAlchemyError, *self.dialect.errors)):
                self._drop_writer()
            raise

    def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(SQLAlchemyError, *self.dialect.errors):
                writer.invalidate()
            with suppress(SQLAlchemyError, *self.dialect.errors):
                writer.close()


def dialect_of(url: str, patience_seconds: float) -> Dialect:
    """The dialect of a database URL; a `StorageError` says what is wrong with it."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        # not repeated: what cannot be read can still hold a password
        raise StorageError("store.url is no database URL: write sqlite:///path/to/file.db or postgresql://user@host/database") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return Sqlite(parsed, patience_seconds)
    if backend in ("postgresql", "postgres"):
        return Postgres(parsed, patience_seconds)
    raise StorageError(f"{failures.where(parsed)}: {backend} is not supported; use sqlite:///path/to/file.db or postgresql://user@host/database")
