"""One configuration and one empty database for all tests of the pipeline."""

from collections.abc import Iterator

import pytest

from pipeline.worlds import Place, PostgresPlace, configured, settings
from rollout_metrics.config.load import Configuration
from rollout_metrics.store import upgrade
from servers import postgres, postgres_programs


@pytest.fixture(scope="session")
def sqlite_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("stores")
    upgrade(f"sqlite:///{folder / 'template.db'}")
    return Place(folder, (folder / "template.db").read_bytes())


@pytest.fixture(scope="session")
def postgres_place() -> Iterator[Place]:
    if postgres_programs() is None:
        pytest.skip("no PostgreSQL 15 or later is installed here")
    with postgres() as server:
        yield PostgresPlace(server)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Place:
    """Every test of the pipeline runs on SQLite and on PostgreSQL alike."""
    made: Place = request.getfixturevalue("sqlite_place" if request.param == "sqlite" else "postgres_place")
    return made


@pytest.fixture(scope="session")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    return configured(settings(privacy={"min_operators": 1, "key": "${KEY}"}), tmp_path_factory.mktemp("config"))
