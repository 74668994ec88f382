"""What goes wrong with a database is told in one message: what, where, what to do; and nothing is lost."""

import os
import re
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from builders import T0, ev
from rollout_metrics.domain.errors import StorageError
from rollout_metrics.store import Store, open_store, schema_version, upgrade
from rollout_metrics.store.database import Database
from rollout_metrics.store.schema import metadata
from servers import Postgres, postgres, postgres_programs


def opened(url: str, **options: float) -> Store:
    return open_store(url, clock=lambda: T0, **options)  # type: ignore[arg-type]


def refusal(url: str) -> str:
    with pytest.raises(StorageError) as caught:
        opened(url).close()
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "store.url is no database URL: write sqlite:///path/to/file.db or postgresql://user@host/database"),
        ("mysql://root:secret@db/x", "mysql://root:***@db/x: mysql is not supported; use sqlite:///path/to/file.db or postgresql://user@host/database"),
        ("sqlite://", "sqlite:// names no file: write sqlite:///path/to/file.db"),
        ("sqlite:///:memory:", "sqlite:///:memory: names no file: write sqlite:///path/to/file.db"),
    ],
)
def test_a_wrong_url_is_told(url: str, message: str) -> None:
    assert refusal(url) == message


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none" / "x.db"

    assert refusal(f"sqlite:///{path}") == f"{path} cannot be opened: the folder {path.parent} must exist and be writable for this user"


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"these are not the bytes you are looking for" * 100)

    assert refusal(f"sqlite:///{path}") == f"{path} is no SQLite database: name another file, or move this one away"


def test_a_database_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with opened(f"sqlite:///{path}") as store:
        with store._database.writing() as connection:
            connection.exec_driver_sql("PRAGMA query_only = 1")

        with pytest.raises(StorageError, match=re.escape(f"{path} cannot be written: make the file and its folder writable for this user")):
            store.set_meta("a", "b")


def test_a_full_disk_is_told_and_nothing_of_the_batch_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with opened(f"sqlite:///{path}") as store:
        store.land("desk", [ev("1m", "op-1", "created", id="first")])
        with store._database.writing() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
        batch = [ev("1m", "op-1", "commented", id=f"{number}", case=f"{number}") for number in range(5000)]

        with pytest.raises(StorageError, match=re.escape(f"{path}: the disk is full, nothing of this step was kept; free some space")):
            store.land("desk", batch, progress={"at": 1})

        assert [event.event_id for _, events in store.all_histories() for event in events] == ["first"]
        assert store.progress("desk") is None
        assert store.land("desk", batch).new == 5000, "a new connection has the room again"


def test_a_locked_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with opened(f"sqlite:///{path}", patience_seconds=0.05) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(StorageError, match=re.escape(f"{path} has been locked by another program for 0.05 s; stop that program, or use PostgreSQL")):
            store.land("desk", [ev("1m", "op-1", "created")])

        other.execute("ROLLBACK")
        other.close()
        assert store.land("desk", [ev("1m", "op-1", "created")]).new == 1


def test_a_file_removed_under_us_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with opened(f"sqlite:///{path}") as store:
        os.unlink(path)

        with pytest.raises(StorageError, match=re.escape(f"{path} was removed while it was open")):
            store.land("desk", [ev("1m", "op-1", "created")])

        upgrade(f"sqlite:///{path}")
        with pytest.raises(StorageError, match=re.escape(f"{path} was replaced by another file while it was open")):
            store.set_meta("x", "y")


def test_a_newer_schema_is_told(url: str) -> None:
    with opened(url) as store, store._database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert re.search(r"has schema 9999, newer than this program's \d{4}: install the newer rollout-metrics again, or use another database$", refusal(url))


def test_a_missing_schema_is_told_where_migrations_are_forbidden(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"

    with pytest.raises(StorageError, match=r"has no schema yet, this program needs \d{4}: run `rollout-metrics db upgrade`"):
        open_store(url, clock=lambda: T0, migrate=False)

    upgrade(url)
    open_store(url, clock=lambda: T0, migrate=False).close()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()

    assert "holds tables of another program" in refusal(f"sqlite:///{path}")


def test_a_server_that_is_not_there_is_told() -> None:
    pytest.importorskip("psycopg")

    message = refusal("postgresql://somebody:secret@127.0.0.1:1/x")

    assert message.startswith("postgresql://somebody:***@127.0.0.1:1/x: the server cannot be reached or went away")
    assert "secret" not in message


def test_a_database_that_is_not_there_is_told(postgres_server: Postgres) -> None:
    assert "there is no such database; create it (createdb) or correct its name in the URL" in refusal(postgres_server.url("nowhere"))


def test_a_user_without_permission_is_told(postgres_server: Postgres) -> None:
    url = postgres_server.new_database()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS guest")
        connection.exec_driver_sql("CREATE ROLE guest LOGIN")
    engine.dispose()

    assert "the user lacks a permission" in refusal(url.replace("rollout@", "guest@"))


def test_a_server_that_goes_away_is_told_and_found_again() -> None:
    if postgres_programs() is None:
        pytest.skip("no PostgreSQL 15 or later is installed here")
    with postgres() as server:
        store = opened(server.new_database())
        store.land("desk", [ev("1m", "op-1", "created", id="a")])
        server.stop()

        with pytest.raises(StorageError, match="the server"):
            store.land("desk", [ev("2m", "op-1", "closed", id="b")])
        with pytest.raises(StorageError, match="the server cannot be reached or went away"):
            store.feeds()

        server.start()
        assert store.land("desk", [ev("2m", "op-1", "closed", id="b")]).new == 1
        store.close()


def test_threads_read_while_another_writes(store: Store) -> None:
    store.land("desk", [ev("1m", "op-1", "created", id="a")])
    seen: list[int] = []
    failed: list[BaseException] = []

    def read() -> None:
        try:
            seen.extend(sum(len(events) for _, events in store.all_histories()) for _ in range(20))
            seen.extend(len(store.events(("desk", "1"))) for _ in range(20))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        store.land("desk", [ev("1m", "op-1", "commented", id=f"{number} {place}") for place in range(50)])
    for thread in threads:
        thread.join()

    assert failed == []
    assert {(number - 1) % 50 for number in seen} == {0}, "a reader sees whole batches"


def test_a_case_is_read_within_a_transaction_that_writes_and_between_two(store: Store) -> None:
    store.land("desk", [ev("1h", "bot", "commented", id="first")])
    with store._database.writing():
        during = store.events(("desk", "1"))
    store.land("desk", [ev("2h", "bot", "commented", id="second")])

    between = store.events(("desk", "1"))

    assert ([event.event_id for event in during], sorted(event.event_id for event in between)) == (["first"], ["first", "second"])


def test_the_migrations_make_the_schema_the_code_describes(new_url: Callable[[], str]) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    url = new_url()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()

    assert differences == []
    assert ScriptDirectory(str(schema_version._MIGRATIONS)).get_current_head() == schema_version.HEAD


def test_an_empty_database_gets_at_once_what_the_migrations_lead_to(new_url: Callable[[], str]) -> None:
    migrated, at_once = _emptied(new_url()), _emptied(new_url())
    with migrated.writing() as connection:
        schema_version._migrate(connection)
    schema_version.ensure(at_once, migrate=True)

    assert schema_version.current(migrated) == schema_version.current(at_once) == schema_version.HEAD
    assert _described(migrated) == _described(at_once)
    migrated.close()
    at_once.close()


def _emptied(url: str) -> Database:
    database = Database(url)
    with database.writing() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    assert _described(database) == []
    return database


def _described(database: Database) -> list[tuple[Any, ...]]:
    """All that a database says about its tables and indexes; SQLite by the parts of its own statements, in any order."""
    with database.reading() as connection:
        if connection.dialect.name == "sqlite":
            told = connection.execute(text("SELECT name, coalesce(sql, '') FROM sqlite_master ORDER BY name"))
            return [(name, sorted(re.split(r",?\s*\n\s*|, (?=[a-z_]+ [A-Z]+)", sql))) for name, sql in told]
        columns = text(
            "SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default, is_identity, identity_generation,"
            " character_maximum_length FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2"
        )
        indexes = text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1")
        return [tuple(row) for query in (columns, indexes) for row in connection.execute(query)]
