"""A real Prometheus scrapes the exporter: what it stores is what was served, all of it."""

import math
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from e2e.conftest import Configured
from e2e.exporter import Exporter, until
from e2e.prometheus import Prometheus, needs_prometheus

pytestmark = [pytest.mark.e2e, needs_prometheus]

Series = tuple[str, frozenset[tuple[str, str]]]
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def exporter(configured: Configured) -> Iterator[Exporter]:
    with Exporter(configured()) as running:
        yield running.ready()


@pytest.fixture
def prometheus(exporter: Exporter, tmp_path: Path) -> Iterator[Prometheus]:
    running = Prometheus(tmp_path, exporter.url.removeprefix("http://"))
    try:
        yield running
    finally:
        running.stop()


def samples_of(text: str) -> dict[Series, float]:
    """Every sample of the text format."""
    return {(sample.name, frozenset(sample.labels.items())): sample.value for family in parse_text(text) for sample in family.samples}


def test_every_sample_that_prometheus_has_is_what_the_exporter_served(exporter: Exporter, prometheus: Prometheus) -> None:
    def caught() -> tuple[dict[Series, float], dict[Series, float]] | None:
        """What was served, and what Prometheus has, of one and the same snapshot."""
        before = exporter.get("/metrics")[1]
        taken = samples_of(before)["agent_rollout_snapshot_timestamp_seconds", frozenset()]
        if prometheus.value("agent_rollout_snapshot_timestamp_seconds") != taken:
            return None
        stored = {_series(item): float(item["value"][1]) for item in prometheus.query('{__name__=~".+", job="rollout", __name__!~"up|scrape_.*"}')}
        return (samples_of(before), stored) if exporter.get("/metrics")[1] == before else None

    served, stored = until(caught, "Prometheus and we looking at the same snapshot")

    assert len(served) > 1000
    assert stored.keys() == served.keys()
    assert [series for series, value in served.items() if stored[series] != value and not math.isnan(value)] == []


def test_nothing_is_dropped_and_nothing_is_complained_of(exporter: Exporter, prometheus: Prometheus) -> None:
    until(lambda: (prometheus.value("count_over_time(up[1m])") or 0) >= 5, "five scrapes")

    assert prometheus.value("min_over_time(up[1m])") == 1
    assert prometheus.value("scrape_samples_scraped") == len(samples_of(exporter.get("/metrics")[1]))
    assert prometheus.value("scrape_samples_scraped - scrape_samples_post_metric_relabeling") == 0
    log = prometheus.log.read_text()
    assert not [
        line for line in log.splitlines() if any(word in line for word in ("out-of-order", "out of order", "duplicate", "Append failed", "level=error"))
    ]


def test_promtool_and_the_parser_of_openmetrics_find_nothing_wrong(exporter: Exporter) -> None:
    text = exporter.get("/metrics")[1]

    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    families = list(parse_openmetrics(exporter.get("/metrics", OPENMETRICS)[1]))

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert sum(len(family.samples) for family in families) == len(samples_of(text))


def _series(item: dict[str, Any]) -> Series:
    labels = dict(item["metric"])
    name = labels.pop("__name__")
    return name, frozenset((key, value) for key, value in labels.items() if key not in ("job", "instance"))
