"""Every test of the store runs on SQLite and on PostgreSQL alike."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from builders import T0, company
from rollout_metrics.domain.policy import Company
from rollout_metrics.store import Store, open_store, upgrade
from servers import Postgres, postgres, postgres_programs

NewUrl = Callable[[], str]
NewStore = Callable[[], Store]


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
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> NewUrl:
    """Makes the URL of a new database that has the schema."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres_server")
        return server.new_database
    template: bytes = request.getfixturevalue("sqlite_template")
    numbers = count()

    def new() -> str:
        path = tmp_path / f"store-{next(numbers)}.db"
        path.write_bytes(template)
        return f"sqlite:///{path}"

    return new


@pytest.fixture
def url(new_url: NewUrl) -> str:
    return new_url()


@pytest.fixture(scope="session")
def one_company() -> Company:
    return company()


@pytest.fixture
def new_store(new_url: NewUrl, one_company: Company) -> Iterator[NewStore]:
    """Opens new, empty stores; closed at the end of the test."""
    opened: list[Store] = []

    def new() -> Store:
        store = open_store(new_url(), clock=lambda: T0)
        store.configure(one_company)
        opened.append(store)
        return store

    yield new
    for store in opened:
        store.close()


@pytest.fixture
def store(new_store: NewStore) -> Store:
    return new_store()
