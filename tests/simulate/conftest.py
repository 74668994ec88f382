"""A small simulated company, and everything the real sources read from it over HTTP."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builders import Plain
from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Rejected, Window
from rollout_metrics.config.load import Configuration, loads
from rollout_metrics.domain.events import Event, resolve
from rollout_metrics.domain.time import Instant
from rollout_metrics.simulate.configuration import demo_config
from rollout_metrics.simulate.deployments import write_records
from rollout_metrics.simulate.server import Company
from rollout_metrics.simulate.world import World
from simulate.companies import NOW, START, Known


@pytest.fixture(scope="session")
def world() -> World:
    """A tenth of the demo's company, ninety days old."""
    return World(11, START, scale=0.1).until(NOW)


@pytest.fixture(scope="session")
def full() -> World:
    """The demo's company in full."""
    return World(7, START).until(NOW)


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[[World, Instant], Known]:
    """Reads a world through the demo's configuration and the real sources."""

    def reading(world: World, now: Instant) -> Known:
        directory = tmp_path_factory.mktemp("company")
        with Company(world, lambda: now, directory=directory / "feeds") as company:
            write_records(directory / "changes", world.plot, now)
            text = demo_config(
                world.plot, zendesk_url=company.zendesk_url, hubspot_url=company.hubspot_url, feeds=directory / "feeds", changes=directory / "changes"
            )
            configuration = loads(text, {}, file=str(Path(directory) / "rollout-metrics.yaml"))
            readings = [item for name in configuration.sources for item in _everything(configuration, name, world.start, now)]
        events = resolve([item for item in readings if isinstance(item, Event)])
        rejected = [item for item in readings if isinstance(item, Rejected)]
        return Known(world, now, events, rejected, configuration.company(Plain()), configuration)

    return reading


@pytest.fixture(scope="session")
def known(world: World, read: Callable[[World, Instant], Known]) -> Known:
    """The small company, read as of now."""
    return read(world, NOW)


def _everything(configuration: Configuration, name: str, start: Instant, end: Instant) -> Iterator[object]:
    source = configuration.sources[name]
    endpoint = source.endpoint()
    api = None if endpoint is None else Api(endpoint)
    for page in source.pages(api, Window(start, end)):
        yield from source.events(page)
    if api is not None:
        api.close()
