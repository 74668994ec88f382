"""Harm metrics from elsewhere: read while their deployment is watched, kept with their instants, and what fails is said and counted."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import T0
from pipeline.worlds import DESK, RUNTIME, Desk, Place, configured, desk, settings, values
from rollout_metrics.domain.time import DAY, HOUR, format_instant
from rollout_metrics.pipeline.as_of import families_as_of


@pytest.fixture
def made(sqlite_place: Place, tmp_path: Path) -> Any:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE churn (share REAL)")
        connection.execute("INSERT INTO churn VALUES (0.01)")
    record = {
        "id": "c1",
        "workflow": "w",
        "kind": "prompt",
        "proposed_at": format_instant(T0 - DAY),
        "deployed_at": format_instant(T0),
        "harm": {"metrics": [{"name": "churn", "sql": "SELECT share FROM churn", "database": "shop", "at_most": 0.05}]},
    }
    (tmp_path / "changes.yaml").write_text(yaml.safe_dump(record))
    more = {"changes": {"paths": ["changes.yaml"]}, "harm": {"databases": {"shop": {"url": f"sqlite:///{tmp_path / 'shop.db'}"}}}}
    with desk(configured(settings(**more), tmp_path), sqlite_place, now=T0) as opened:
        yield opened


def at(made: Desk, hours: int, share: float | None = None, folder: Path | None = None) -> list[str]:
    if share is not None and folder is not None:
        with sqlite3.connect(folder / "shop.db") as connection:
            connection.execute("UPDATE churn SET share = ?", (share,))
    made.now = T0 + hours * HOUR
    made.pipeline.clock = made.pipeline._harm._clock = lambda: made.now
    return made.pipeline.read_harm()


def open_failures(made: Desk, hours: int) -> float:
    made.read_up_to(T0 + hours * HOUR, DESK, RUNTIME)
    return values(made.families(), workflow="w")["open_failures"]


def test_a_figure_beyond_its_limit_fails_the_deployment_until_it_is_back(made: Desk, tmp_path: Path) -> None:
    found = []
    for hours, share in ((1, 0.01), (2, 0.2), (3, 0.02)):
        assert at(made, hours, share, tmp_path) == []
        found.append(open_failures(made, hours))

    assert found == [0, 1, 0]
    known = made.pipeline.deployments("w")
    assert known is not None
    failure = known.deployments[0].failure
    assert failure is not None
    assert (failure.cause, failure.started_at, failure.recovered_at) == ("harm", T0 + HOUR, T0 + 3 * HOUR)
    assert failure.evidence[0].said == "churn 0.2, limit at most 0.05"
    assert values(families_as_of(made.pipeline, T0 + 2 * HOUR), workflow="w")["open_failures"] == 1


def test_it_is_read_every_so_often_and_not_once_its_deployment_is_watched_no_more(made: Desk) -> None:
    for hours in (1, 1, 24 * 8):
        at(made, hours)

    assert made.pipeline.metrics.registry.get_sample_value("agent_rollout_harm_readings_total", {"outcome": "read"}) == 1


def test_what_cannot_be_read_is_said_and_counted_and_tried_again(made: Desk, tmp_path: Path) -> None:
    (tmp_path / "shop.db").rename(tmp_path / "gone.db")

    (said,) = at(made, 1)

    assert said.startswith("harm metric churn of c1 could not be read")
    assert made.pipeline.metrics.registry.get_sample_value("agent_rollout_harm_readings_total", {"outcome": "failed"}) == 1
    (tmp_path / "gone.db").rename(tmp_path / "shop.db")
    assert at(made, 2) == []


def unread(made: Desk) -> float | None:
    found: float | None = made.pipeline.metrics.registry.get_sample_value("agent_rollout_harm_metrics_unread", {"workflow": "w"})
    return found


def test_a_watched_metric_that_is_not_read_for_twice_its_time_is_told_until_it_is_read_or_watched_no_more(made: Desk, tmp_path: Path) -> None:
    told = []
    at(made, 1)
    told.append(unread(made))
    (tmp_path / "shop.db").rename(tmp_path / "gone.db")
    for hours in (2, 3):
        at(made, hours)
        told.append(unread(made))
    (tmp_path / "gone.db").rename(tmp_path / "shop.db")
    for hours in (4, 24 * 8):
        at(made, hours)
        told.append(unread(made))

    assert told == [0, 0, 1, 0, 0]
