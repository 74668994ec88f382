"""`changes list`: the records of files and of systems together, and what is wrong with the latter."""

import sqlite3
from pathlib import Path

import msgspec
import pytest
import yaml

from cli.conftest import Run
from rollout_metrics.domain.records import ChangeReading
from rollout_metrics.store import open_store

RECORD = {"workflow": "refunds", "kind": "prompt", "risk_class": "low", "proposed_at": "2026-03-01T10:00:00Z", "deployed_at": "2026-03-02T10:00:00Z"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "changes").mkdir()
    (tmp_path / "changes" / "a.yaml").write_text(yaml.safe_dump({"id": "CHG-1", **RECORD}))
    options = {
        "sources": {"desk": {"kind": "events", "paths": "desk.jsonl"}},
        "changes": {"paths": "changes"},
        "store": {"url": f"sqlite:///{tmp_path / 'store.db'}"},
        "workflows": [{"name": "refunds", "sources": "desk", "agents": "bot", "decides": "refund", "levels": [{"level": "assisted", "since": "2026-01-01"}]}],
    }
    file = tmp_path / "rollout-metrics.yaml"
    file.write_text(yaml.safe_dump(options))
    return file


def held(config: Path, **records: dict[str, str]) -> None:
    """Have the source hold these."""
    with open_store(f"sqlite:///{config.parent / 'store.db'}", clock=lambda: 0) as store:
        store.land("desk", [], changes=[ChangeReading(number, 1, {"id": number, **RECORD, **said}) for number, said in records.items()])


def test_records_of_files_and_systems_are_listed_with_what_they_lack_and_where_they_are(config: Path, run: Run) -> None:
    held(config, **{"CHG-2": {"title": "Shorter prompt", "deployed_at": "2026-03-05T10:00:00Z"}})

    plain, listed = run("changes", "list", "--config", config), run("changes", "list", "--config", config, "--json")

    assert (plain.code, listed.code, listed.json["problems"]) == (0, 0, [])
    assert [(row["id"], row["source"], row["stage"]) for row in listed.json["records"]] == [("CHG-2", "desk", "deployed"), ("CHG-1", None, "deployed")]
    assert min(row["lacks"] for row in listed.json["records"]) > 10
    assert [line.split()[0] for line in plain.out.splitlines()[-2:]] == ["CHG-2", "CHG-1"]


def test_a_record_that_is_left_out_is_told_and_ends_with_1(config: Path, run: Run) -> None:
    held(config, **{"CHG-1": {"title": "another"}, "CHG-3": {"workflow": "refund"}})

    found = run("changes", "list", "--config", config)

    assert found.code == 1
    assert "CHG-1 of source desk: a file has it too and holds" in found.err
    assert "CHG-3 of source desk: there is no workflow 'refund'; did you mean 'refunds'?" in found.err


def test_of_two_readings_the_later_holds_in_any_order(config: Path) -> None:
    with open_store(f"sqlite:///{config.parent / 'store.db'}", clock=lambda: 0) as store:
        for revision in (3, 1, 2):
            store.land("desk", [], changes=[ChangeReading("7", revision, {"id": "7", "title": str(revision)})])

        assert [msgspec.to_builtins(reading)["record"]["title"] for _, reading in store.change_readings()] == ["3"]
    with sqlite3.connect(config.parent / "store.db") as connection:
        assert connection.execute("SELECT count(*) FROM change_readings").fetchone() == (1,)
