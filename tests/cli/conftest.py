"""A twentieth of the simulated company, collected once by the command line itself; tests that change anything take a copy of its database."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from rollout_metrics.cli import main
from rollout_metrics.domain.time import DAY
from rollout_metrics.simulate.configuration import demo_config
from rollout_metrics.simulate.deployments import write_records
from rollout_metrics.simulate.server import Company
from rollout_metrics.simulate.world import World


class Ran(msgspec.Struct, frozen=True):
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output, read as JSON."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[dict[str, str]]:
        """Its output, read as a table with tabs."""
        head, *rows = [line.split("\t") for line in self.out.splitlines()]
        return [dict(zip(head, row, strict=True)) for row in rows]


Run = Callable[..., Ran]


class Collected(msgspec.Struct, frozen=True):
    """The simulated company and a configuration whose history has been collected."""

    company: Company
    options: dict[str, Any]
    folder: Path
    output: str


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in this process."""

    def running(*args: object) -> Ran:
        capfd.readouterr()
        code = main([str(arg) for arg in args])
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return running


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collected]:
    """The history of ninety days, read."""
    folder = tmp_path_factory.mktemp("demo")
    now = time.time_ns() // 1000
    with Company(World(11, (now - 90 * DAY) // DAY * DAY, scale=0.05), lambda: now, directory=folder / "feeds", every_seconds=3600) as company:
        write_records(folder / "changes", company.world.plot, now)
        more = {
            "store": {"url": f"sqlite:///{folder / 'demo.db'}"},
            "listen": {"metrics": "127.0.0.1:0", "web": "127.0.0.1:0"},
            "privacy": {"min_operators": 2},
        }
        text = demo_config(
            company.world.plot,
            zendesk_url=company.zendesk_url,
            hubspot_url=company.hubspot_url,
            feeds=folder / "feeds",
            changes=folder / "changes",
            more=more,
        )
        (folder / "rollout-metrics.yaml").write_text(text, encoding="utf-8")
        assert main(["collect", "--config", str(folder / "rollout-metrics.yaml"), "--json"]) == 0
        yield Collected(company, yaml.safe_load(text), folder, "")


@pytest.fixture(scope="session")
def config(collected: Collected) -> Path:
    """The configuration of the collected company; do not change what is stored."""
    return collected.folder / "rollout-metrics.yaml"


@pytest.fixture
def copied(collected: Collected, tmp_path: Path) -> Callable[..., Path]:
    """Makes a configuration on a copy of the database, with some options changed: `copied(zendesk={"token": "x"})` changes a source."""

    def copying(*, database: bool = True, settings: dict[str, Any] | None = None, **sources: dict[str, Any]) -> Path:
        if database:
            shutil.copy(collected.folder / "demo.db", tmp_path / "demo.db")
        options = json.loads(json.dumps(collected.options))
        for name, changed in sources.items():
            options["sources"][name] |= changed
        options |= {"store": {"url": f"sqlite:///{tmp_path / 'demo.db'}"}} | (settings or {})
        file = tmp_path / "rollout-metrics.yaml"
        file.write_text(yaml.safe_dump(options, sort_keys=False), encoding="utf-8")
        return file

    return copying
