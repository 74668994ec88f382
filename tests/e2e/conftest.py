"""A small simulated company that goes on living, and configurations that read it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from checkout import ROOT
from e2e.exporter import Exporter, free_port, until
from e2e.prometheus import Prometheus
from rollout_metrics.domain.time import DAY
from rollout_metrics.simulate.configuration import demo_config
from rollout_metrics.simulate.deployments import write_records
from rollout_metrics.simulate.server import Company
from rollout_metrics.simulate.world import World

Configured = Callable[..., Path]


def clock() -> int:
    return time.time_ns() // 1000


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("company")
    now = clock()
    world = World(5, (now - 90 * DAY) // DAY * DAY, scale=0.03)
    write_records(folder / "changes", world.plot, now)
    with Company(world, clock, directory=folder / "feeds", every_seconds=1) as running:
        running.folder = folder  # type: ignore[attr-defined]
        yield running


@pytest.fixture
def configured(company: Company, tmp_path: Path) -> Configured:
    """Makes a configuration file with a database of its own: `configured(zendesk={...})` changes a source."""
    return _configured(company, tmp_path)


@pytest.fixture(scope="session")
def shared_exporter(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """An exporter of the company for tests that only ask."""
    with Exporter(_configured(company, tmp_path_factory.mktemp("shared"))()) as exporter:
        yield exporter.ready()


@pytest.fixture(scope="session")
def shared_prometheus(shared_exporter: Exporter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus with the shipped rules that scrapes it; it has some scrapes and evaluations behind it."""
    folder = tmp_path_factory.mktemp("prometheus")
    rules = []
    for file in sorted((ROOT / "deploy/prometheus").glob("*.yaml")):
        shipped = yaml.safe_load(file.read_text(encoding="utf-8"))
        if "groups" in shipped:
            hurried = {"groups": [group | {"interval": "1s"} for group in shipped["groups"]]}
            rules.append(folder / file.name)
            rules[-1].write_text(yaml.safe_dump(hurried), encoding="utf-8")
    running = Prometheus(folder, shared_exporter.url.removeprefix("http://"), rules=rules)
    try:
        until(lambda: (running.value("count_over_time(up[5m])") or 0) >= 10, "ten scrapes")
        until(lambda: running.query("company:agent_rollout_override_ratio:ratio"), "recorded rules")
        yield running
    finally:
        running.stop()


def _configured(company: Company, tmp_path: Path) -> Configured:
    def making(name: str = "rollout-metrics", *, grace: str = "5s", **sources: dict[str, Any]) -> Path:
        return configure(company, tmp_path, name, {"schedule": {"grace": grace}}, sources)

    return making


def configure(company: Company, folder: Path, name: str, settings: dict[str, Any], sources: dict[str, dict[str, Any]]) -> Path:
    """A configuration file that reads the company, with a database of its own in `folder`."""
    home: Path = company.folder  # type: ignore[attr-defined]
    text = demo_config(
        company.world.plot,
        zendesk_url=company.zendesk_url,
        hubspot_url=company.hubspot_url,
        feeds=home / "feeds",
        changes=home / "changes",
        every="1m",
        more={
            "store": {"url": f"sqlite:///{folder / name}.db"},
            "listen": {"metrics": f"127.0.0.1:{free_port()}", "web": f"127.0.0.1:{free_port()}"},
            "privacy": {"min_operators": 2},
            **settings,
        },
    )
    options = yaml.safe_load(text)
    for source, changed in sources.items():
        options["sources"][source] |= changed
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(options, sort_keys=False), encoding="utf-8")
    return file
