"""Real incidents of PagerDuty with their log entries."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from rollout_metrics.collect.http import Answer
from rollout_metrics.collect.source import Page, Rejected
from rollout_metrics.domain.events import Activity, Event
from rollout_metrics.domain.time import parse_instant
from rollout_metrics.sources.pagerduty import _ENTRIES, Pagerduty

DATA = Path(__file__).parents[3] / "shared" / "data" / "jira_devlake"


@pytest.fixture(scope="module")
def incidents() -> list[dict[str, Any]]:
    if not DATA.is_dir():
        pytest.skip(f"the real data is not at {DATA}")
    with gzip.open(DATA / "pagerduty" / "incidents.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["data"] for line in lines]


@pytest.fixture(scope="module")
def events(incidents: list[dict[str, Any]]) -> list[Event]:
    source = Pagerduty(name="pagerduty", token=SecretStr("t"))
    entries = [entry for incident in incidents for entry in incident["log_entries"]]
    page, rejected = _ENTRIES.read(Answer(msgspec.json.encode({"log_entries": entries, "more": False}), "recorded", 200, {}))
    records = list(source.events(Page([*rejected, *page.log_entries], "recorded")))
    assert len(page.log_entries) == len(entries)
    assert [record for record in records if isinstance(record, Rejected)] == []
    return [record for record in records if isinstance(record, Event)]


def test_every_incident_begins_when_it_was_made_and_ends_if_it_was_resolved(incidents: list[dict[str, Any]], events: list[Event]) -> None:
    began = {event.case_id: event.occurred_at for event in events if event.activity is Activity.CREATED}
    over = {event.case_id: event.occurred_at for event in events if event.activity is Activity.CLOSED}

    assert began == {incident["id"]: parse_instant(incident["created_at"]) for incident in incidents}
    assert over == {one["id"]: parse_instant(one["last_status_change_at"]) for one in incidents if one["status"] == "resolved"}


def test_escalations_acknowledgements_and_notes_are_all_there(incidents: list[dict[str, Any]], events: list[Event]) -> None:
    kinds = Counter(entry["type"] for incident in incidents for entry in incident["log_entries"])
    found = Counter(event.activity for event in events)
    acknowledged = [event for event in events if event.attribute == "status" and event.after == "acknowledged"]

    assert found[Activity.ESCALATED] == kinds["escalate_log_entry"] > 0
    assert found[Activity.COMMENTED] == kinds["annotate_log_entry"] > 0
    assert len(acknowledged) == kinds["acknowledge_log_entry"] > 0
