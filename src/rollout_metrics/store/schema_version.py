"""Bringing a database to this program's schema, by itself at start or for `db upgrade`."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from rollout_metrics.domain.errors import StorageError
from rollout_metrics.store.database import Database

HEAD = "0001"
"""The newest revision in `migrations`."""

_MIGRATIONS = Path(__file__).parent / "migrations"


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
    """Run the migrations that are missing, all in one transaction; returns the revision reached."""
    from alembic import command  # slow to import, and needed only here
    from alembic.config import Config

    with database.writing() as connection:
        if _current(connection) != HEAD:
            if _foreign(connection):
                raise StorageError(f"{database.dialect.where} holds tables of another program: use a database (or schema) of its own")
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return HEAD


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _foreign(connection: Connection) -> bool:
    names = set(inspect(connection).get_table_names())
    return bool(names) and "alembic_version" not in names
