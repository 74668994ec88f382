"""`rollout-metrics run` as a process: readiness, signals, continuing where it stopped, being killed."""

import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import Configured, clock
from e2e.exporter import PROGRAM, Exporter, until
from rollout_metrics.domain.time import HOUR, floor_minute, format_instant

pytestmark = pytest.mark.e2e


@pytest.fixture
def hanging() -> Iterator[str]:
    """Where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


def test_it_becomes_ready_stops_cleanly_and_goes_on_where_it_stopped(configured: Configured) -> None:
    file = configured()
    with Exporter(file) as first:
        first.ready()
        read = first.value("agent_rollout_source_requests_total", source="zendesk")
        events = _events(file)
        code, took = first.stop()
    with Exporter(file) as second:
        second.ready()
        until(lambda: "source_requests_total{" in second.get("/metrics")[1], "a sweep of the second start")
        until(lambda: second.value("agent_rollout_source_last_success_timestamp_seconds", source="zendesk"), "a sweep of zendesk")
        again = second.value("agent_rollout_source_requests_total", source="zendesk")
        assert second.stop()[0] == 0

    assert (code, took < 10) == (0, True)
    assert events > 500
    assert again < read
    assert again <= 8
    assert "Traceback" not in first.log.read_text() + second.log.read_text()


def test_it_stops_in_time_even_while_a_source_hangs(configured: Configured, hanging: str) -> None:
    with Exporter(configured(grace="1s", zendesk={"base_url": hanging})) as exporter:
        until(lambda: "hubspot" in exporter.get("/metrics")[1], "a pass of the other sources")
        status, why = exporter.get("/readyz")

        code, took = exporter.stop()

    assert (status, "source zendesk has not been read yet" in why) == (503, True)
    assert (code, took < 10) == (0, True)


def test_sighup_takes_over_a_good_configuration_and_keeps_the_old_one_on_a_bad_one(configured: Configured) -> None:
    file = configured()
    good = file.read_text(encoding="utf-8")
    with Exporter(file) as exporter:
        exporter.ready()

        file.write_text(good + "nonsense: 1\n", encoding="utf-8")
        os.kill(exporter.process.pid, signal.SIGHUP)
        exporter.said("configuration not taken over")
        assert exporter.value("agent_rollout_autonomy_level", workflow="triage") == 2
        assert exporter.get("/readyz")[0] == 200

        file.write_text(good.replace("owner: support-operations", "owner: night-shift"), encoding="utf-8")
        os.kill(exporter.process.pid, signal.SIGHUP)
        exporter.said("configuration taken over")
        until(lambda: 'owner_team="night-shift"' in exporter.get("/metrics")[1], "figures of the new configuration")
        assert 'owner_team="support-operations"' not in exporter.get("/metrics")[1]
        assert exporter.stop()[0] == 0


def test_killed_in_the_middle_of_a_sweep_it_ends_with_the_figures_of_one_that_was_not(configured: Configured) -> None:
    undisturbed, disturbed = configured("undisturbed"), configured("disturbed")
    at = format_instant(floor_minute(clock() - HOUR))
    _done("collect", undisturbed)

    for least in (1, 600):
        with Exporter(disturbed, "collect") as killed:
            until(lambda least=least: killed.process.poll() is not None or _events(disturbed) >= least, "some events")
            if killed.process.poll() is None:
                killed.stop(signal.SIGKILL)
    _done("collect", disturbed)

    expected, found = _done("snapshot", undisturbed, "--as-of", at), _done("snapshot", disturbed, "--as-of", at)
    assert "agent_rollout_decisions{" in expected
    assert _without_coverage(found) == _without_coverage(expected)
    assert _done("db", disturbed, "check") == ""


def _events(file: Path) -> int:
    try:
        with sqlite3.connect(f"file:{file.with_suffix('.db')}?mode=ro", uri=True) as database:
            return int(database.execute("SELECT count(*) FROM events").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def _done(verb: str, file: Path, *more: str) -> str:
    words = [verb, *more, "--config", str(file)] if verb == "db" else [verb, "--config", str(file), *more]
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _without_coverage(text: str) -> list[str]:
    return [line for line in text.splitlines() if "coverage" not in line]
