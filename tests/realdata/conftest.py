"""Real data lies beside the checkout, in ../shared/data; nothing of it is copied here."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rollout_metrics.collect.source import Rejected
from rollout_metrics.collect.sweep import run
from rollout_metrics.config.load import Configuration, load
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import Instant, parse_instant

HERE = Path(__file__).parent
DATA = HERE.parents[2] / "shared" / "data"
NOW = parse_instant("2026-01-01T00:00:00Z")


class Collected(msgspec.Struct):
    """What all sources of a configuration delivered, as it may be stored, and how far each has been read."""

    configuration: Configuration
    events: list[Event]
    rejected: list[Rejected]
    watermarks: dict[str, Instant]


def collected(name: str) -> Collected:
    """Sweep every source of a configuration here."""
    configuration = load(HERE / name, {})
    pseudonyms = configuration.pseudonyms(b"test")
    found = Collected(configuration, [], [], {})

    def land(events: list[Event], rejected: list[Rejected], progress: Mapping[str, Any]) -> None:
        found.events.extend(pseudonyms.event(event) for event in events)
        found.rejected.extend(rejected)
        found.watermarks[source.name] = json.loads(json.dumps(progress)).get("watermark")

    for source in configuration.sources.values():
        run(source, None, None, lambda: NOW, land)
    return found


@pytest.fixture(scope="session")
def collect() -> Callable[[str], Collected]:
    """`collect("aidev.yaml")`, once per configuration; skips where the data is not there."""
    kept: dict[str, Collected] = {}

    def of(name: str) -> Collected:
        if not DATA.is_dir():
            pytest.skip(f"the real data is not at {DATA}")
        if name not in kept:
            kept[name] = collected(name)
        return kept[name]

    return of
