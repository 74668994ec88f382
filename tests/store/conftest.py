"""Every test of the store runs on SQLite and on PostgreSQL alike."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from builders import T0, company
from rollout_metrics.domain.policy import Company
from rollout_metrics.store import Store, open_store, upgrade
from rollout_metrics.store.schema import metadata
from servers import Postgres, postgres, postgres_programs

NewUrl = Callable[[], str]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    if postgres_programs() is None:
        pytest.skip("no PostgreSQL 15 or later is installed here")
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("template") / "store.db"
    upgrade(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewUrl]:
    """Makes the URL of a new database that has the schema."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres_server")
        yield server.new_database
        server.take_back()
        return
    template: bytes = request.getfixturevalue("sqlite_template")
    numbers = count()

    def new() -> str:
        path = tmp_path / f"store-{next(numbers)}.db"
        path.write_bytes(template)
        return f"sqlite:///{path}"

    yield new


@pytest.fixture
def url(new_url: NewUrl) -> str:
    return new_url()


@pytest.fixture(scope="session")
def one_company() -> Company:
    return company()


@pytest.fixture
def store(url: str, one_company: Company) -> Iterator[Store]:
    """An open, empty store."""
    with open_store(url, clock=lambda: T0) as opened:
        opened.configure(one_company)
        yield opened


@pytest.fixture
def emptied(store: Store, one_company: Company) -> Callable[[], Store]:
    """The store with everything taken out: for tests that need many in a row."""

    def again() -> Store:
        with store._writing() as connection:
            for table in metadata.sorted_tables:
                connection.execute(table.delete())
        store._names.forget()
        store.configure(one_company)
        return store

    return again
