"""Bringing a database to this program's schema, by itself at start or for `db upgrade`."""

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, text

from rollout_metrics.domain.errors import StorageError
from rollout_metrics.store.database import Database
from rollout_metrics.store.schema import metadata

HEAD = "0006"
"""The newest revision in `migrations`."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_version = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), nullable=False), PrimaryKeyConstraint("version_num", name="alembic_version_pkc")
)
"""Where Alembic keeps the revision, as it makes it itself."""


def current(database: Database) -> str | None:
    """The database's schema revision, None where there is none yet."""
    with database.reading() as connection:
        return _current(connection)


def ensure(database: Database, *, migrate: bool) -> None:
    """Have the database at `HEAD`, or say why not."""
    found = current(database)
    if found == HEAD:
        return
    where = database.dialect.where
    if found is not None and found > HEAD:
        raise StorageError(f"{where} has schema {found}, newer than this program's {HEAD}: install the newer rollout-metrics again, or use another database")
    if not migrate:
        had = "no schema yet" if found is None else f"schema {found}"
        raise StorageError(f"{where} has {had}, this program needs {HEAD}: run `rollout-metrics db upgrade`, or allow migrations at start")
    upgrade(database)


def upgrade(database: Database) -> str:
    """Bring the schema to `HEAD`, all in one transaction; returns the revision reached.

    An empty database gets today's tables at once, which are those the migrations lead to (a test compares them).
    """
    with database.writing() as connection:
        found = _current(connection)
        if found == HEAD:
            return HEAD
        if _foreign(connection):
            raise StorageError(f"{database.dialect.where} holds tables of another program: use a database (or schema) of its own")
        if found is None and not inspect(connection).get_table_names():
            metadata.create_all(connection, checkfirst=False)
            _version.create(connection)
            connection.execute(_version.insert().values(version_num=HEAD))
        else:
            _migrate(connection)
    return HEAD


def _migrate(connection: Connection) -> None:
    from alembic import command  # slow to import, and needed only here
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _foreign(connection: Connection) -> bool:
    names = set(inspect(connection).get_table_names())
    return bool(names) and "alembic_version" not in names
