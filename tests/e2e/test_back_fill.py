"""The months before installation: exported, made into blocks by promtool, asked of a real Prometheus, and the same figures as asked of us."""

import math
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from e2e.conftest import Configured, clock
from e2e.exporter import PROGRAM, until
from e2e.prometheus import Prometheus, needs_prometheus
from rollout_metrics.domain.time import DAY, HOUR, SECOND, floor_minute, format_instant

pytestmark = [pytest.mark.e2e, needs_prometheus]


def done(*words: str | Path) -> str:
    ran = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return ran.stdout


def test_the_round_trip_through_prometheus_gives_the_figures_as_of_then(configured: Configured, tmp_path: Path) -> None:
    file = configured()
    until_ = floor_minute(clock()) // HOUR * HOUR - 12 * HOUR
    since, step = until_ - 4 * DAY, 8 * HOUR
    done(*PROGRAM, "collect", "--config", file)
    arguments = ("--since", format_instant(since), "--until", format_instant(until_), "--step", "8h", "--output", tmp_path / "history.om")

    done(*PROGRAM, "export", "--config", file, *arguments)
    done("promtool", "tsdb", "create-blocks-from", "openmetrics", tmp_path / "history.om", tmp_path / "data")

    prometheus = Prometheus(tmp_path, "127.0.0.1:1")
    try:
        until(lambda: prometheus.query("vector(1)"), "Prometheus answering")
        for at in (since, since + 5 * step, until_):
            stored = {key(item["metric"]): float(item["value"][1]) for item in prometheus.query('{__name__=~"agent_rollout_.+"}', at / SECOND)}
            text = done(*PROGRAM, "snapshot", "--config", file, "--as-of", format_instant(at))
            told = {(s.name, frozenset(s.labels.items())): s.value for family in parse(text) for s in family.samples}

            assert len(told) > 1000
            assert stored.keys() == told.keys()
            assert [series for series, value in told.items() if stored[series] != value and not math.isnan(value)] == []
        assert prometheus.query("agent_rollout_autonomy_level", (since + HOUR) / SECOND) == []
    finally:
        prometheus.stop()


def key(metric: dict[str, Any]) -> tuple[str, frozenset[tuple[str, str]]]:
    labels = dict(metric)
    return labels.pop("__name__"), frozenset(labels.items())
