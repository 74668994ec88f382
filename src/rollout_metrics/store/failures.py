"""What a database's errors mean: what happened, where, and what to do about it."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from rollout_metrics.domain.errors import StorageError


def where(url: URL) -> str:
    """A database URL as it may be shown: without its password."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{url.database}" if url.database else "sqlite://"
    return url.render_as_string(hide_password=True)


def json_text(value: Any) -> str:
    """A parameter that is a JSON array."""
    return msgspec.json.encode(value).decode()


_SQLITE: Sequence[tuple[str, str]] = (
    ("SQLITE_FULL", "{path}: the disk is full, nothing of this step was kept; free some space on it and it will be repeated"),
    ("SQLITE_BUSY", "{path} has been locked by another program for {patience:g} s; stop that program, or use PostgreSQL to share the database"),
    ("SQLITE_LOCKED", "{path} has been locked by another program for {patience:g} s; stop that program, or use PostgreSQL to share the database"),
    ("SQLITE_READONLY", "{path} cannot be written: make the file and its folder writable for this user"),
    ("SQLITE_PERM", "{path} cannot be written: make the file and its folder writable for this user"),
    ("SQLITE_CANTOPEN", "{path} cannot be opened: the folder {folder} must exist and be writable for this user"),
    ("SQLITE_NOTADB", "{path} is no SQLite database: name another file, or move this one away"),
    ("SQLITE_CORRUPT", "{path} is damaged: restore a backup, or move it away and collect the history again"),
    ("SQLITE_IOERR", "{path}: the disk failed to read or write; check the disk, then start again"),
    ("SQLITE_TOOBIG", "{path}: a value is larger than a row may be"),
)


def sqlite(error: Exception, doing: str, path: Path, patience: float) -> StorageError:
    """An SQLite error in words."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", "") or ""
        for prefix, message in _SQLITE:
            if name.startswith(prefix):
                return StorageError(message.format(path=path, folder=path.parent.resolve(), patience=patience))
    if isinstance(cause, OSError):
        return StorageError(f"{path} cannot be opened: {cause.strerror}; the folder {path.parent.resolve()} must exist and be writable for this user")
    return StorageError(f"could not {doing} {path}: {cause}")


_POSTGRES: Sequence[tuple[str, str]] = (
    ("53100", "the server's disk is full, nothing of this step was kept; free some space on it and it will be repeated"),
    ("53300", "the server has no connection left; raise max_connections or close other programs"),
    ("53", "the server is out of resources ({cause}); it will be tried again"),
    ("28", "the server refused the user or password ({cause}); check them in the database URL"),
    ("3D000", "there is no such database; create it (createdb) or correct its name in the URL"),
    ("42501", "the user lacks a permission ({cause}); let it own the database's schema"),
    ("25006", "the server is read-only (a standby?); point the URL at the primary"),
    ("55P03", "another process has been writing for {patience:g} s; stop it or wait"),
    ("57P03", "the server is starting or stopping; it will be tried again"),
    ("57P", "the server closed the connection ({cause}); it will be tried again"),
    ("08", "the connection is lost ({cause}); check that the server runs and can be reached"),
    ("XX", "the server reports an internal error ({cause}); see its log"),
)


def postgres(error: Exception, doing: str, url: URL, patience: float) -> StorageError:
    """A PostgreSQL error in words."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    state = getattr(cause, "sqlstate", None) or ""
    told = " ".join(str(cause).split())
    if url.password:
        told = told.replace(str(url.password), "***")
    for prefix, message in _POSTGRES:
        if state.startswith(prefix):
            return StorageError(f"{where(url)}: " + message.format(cause=told, patience=patience))
    if not state and type(cause).__name__ in ("OperationalError", "InterfaceError"):
        for word, message in (("password authentication", _POSTGRES[3][1]), ("does not exist", _POSTGRES[4][1])):
            if word in told:
                return StorageError(f"{where(url)}: " + message.format(cause=told, patience=patience))
        return StorageError(f"{where(url)}: the server cannot be reached or went away ({told}); check that it runs and that host and port are right")
    return StorageError(f"could not {doing} {where(url)}: {told}")
