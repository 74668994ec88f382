"""The demo as it is started from a checkout: into a folder named by a relative path."""

from pathlib import Path

import pytest

from rollout_metrics.cli import demo
from rollout_metrics.cli.session import database_url
from rollout_metrics.config.load import Configuration


class Served(Exception):  # noqa: N818  (no error: as far as this test goes)
    """The configuration with which the demo would go on."""


def test_the_database_of_the_demo_lies_in_its_folder_wherever_it_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def serving(configuration: Configuration) -> None:
        raise Served(database_url(configuration))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "serving", serving)

    with pytest.raises(Served) as served:
        demo.demo(Path("demo-data"), seed=1, once=True)

    assert Path(str(served.value).removeprefix("sqlite:///")).resolve() == tmp_path / "demo-data" / "demo.db"
