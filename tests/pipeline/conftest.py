"""One configuration and one empty database for all tests of the pipeline."""

import pytest

from pipeline.worlds import Place, configured, settings
from rollout_metrics.config.load import Configuration
from rollout_metrics.store import upgrade


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("stores")
    upgrade(f"sqlite:///{folder / 'template.db'}")
    return Place(folder, (folder / "template.db").read_bytes())


@pytest.fixture(scope="session")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    return configured(settings(privacy={"min_operators": 1, "key": "${KEY}"}), tmp_path_factory.mktemp("config"))
