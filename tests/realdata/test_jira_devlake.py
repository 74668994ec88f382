"""Real payloads of a Jira Cloud site: every changelog entry and lead time that an independent reader got out of them."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from rollout_metrics.collect.source import Coverage, Page, Rejected
from rollout_metrics.domain.events import Activity, Event
from rollout_metrics.domain.time import MINUTE, parse_instant
from rollout_metrics.sources._jira_pages import Bundle, History, Issue
from rollout_metrics.sources._jira_story import ATTRIBUTES, NAMES, OWN
from rollout_metrics.sources.jira import Jira

DATA = Path(__file__).parents[3] / "shared" / "data" / "jira_devlake"
ACCOUNT = "jira:JiraAccount:2:"


def rows(name: str) -> list[Any]:
    with gzip.open(DATA / "jira_raw" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def expected(name: str) -> Iterator[dict[str, str]]:
    with (DATA / "jira_expected" / f"{name}.csv").open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


@pytest.fixture(scope="module")
def records() -> list[Event | Rejected | Coverage]:
    if not DATA.is_dir():
        pytest.skip(f"the real data is not at {DATA}")
    source = Jira(name="jira", base_url="https://jira.example", token=SecretStr("t"))
    closing = [row["data"]["id"] for row in rows("status") if row["data"]["statusCategory"]["key"] == "done"]
    separate: dict[str, list[History]] = {}
    for row in rows("issue_changelogs"):
        separate.setdefault(str(row["input"]["issue_id"]), []).append(msgspec.convert(row["data"], History))
    bundles = []
    for row in rows("issues"):
        issue = msgspec.convert(row["data"], Issue)
        histories, issue.changelog = issue.changelog.histories if issue.changelog else [], None
        bundles.append(Bundle(issue, closing, histories))
    for number, histories in separate.items():  # issues of which only the changelog was recorded
        fields = {"created": "2020-01-01T00:00:00.000+0000", "updated": "2022-01-01T00:00:00.000+0000"}
        bundles.append(Bundle(Issue(number, fields), closing, histories))
    return list(source.events(Page(bundles, "recorded")))


def test_no_record_is_set_aside(records: list[Any]) -> None:
    assert [record for record in records if isinstance(record, Rejected)] == []
    assert sum(record.total for record in records if isinstance(record, Coverage)) == 36


def test_every_lead_time_is_the_expected_one(records: list[Any]) -> None:
    resolved: dict[str, int] = {}
    created: dict[str, int] = {}
    for event in records:
        if isinstance(event, Event) and event.activity is Activity.CREATED:
            created[event.case_id] = event.occurred_at
        elif isinstance(event, Event) and event.attribute == "resolution" and event.after is not None:
            resolved[event.case_id] = max(event.occurred_at, resolved.get(event.case_id, 0))
    wanted = {row["id"].rpartition(":")[2]: int(row["lead_time_minutes"]) for row in expected("issues") if row["lead_time_minutes"]}

    assert len(wanted) == 30
    assert {number: (at - created[number]) // MINUTE for number, at in resolved.items() if number in wanted} == wanted


def attribute(field_id: str, field_name: str) -> str:
    key = field_id or NAMES.get(field_name, field_name)
    return ATTRIBUTES.get(key) or (f"custom:{key.removeprefix('customfield_')}" if key.startswith("customfield_") else key)


def test_every_entry_of_the_changelogs_is_there_at_its_time_by_its_author(records: list[Any]) -> None:
    """One row there stands for all changes of one field in one update: versions are added and taken one by one."""
    wanted = {
        (
            row["issue_id"].rpartition(":")[2],
            row["id"].split(":")[3].zfill(20),
            attribute(row["field_id"], row["field_name"]),
            parse_instant(row["created_date"]),
            row["author_id"].removeprefix(ACCOUNT),
        )
        for row in expected("issue_changelogs")
        if row["field_name"] not in OWN
    }
    issues = {number for number, *_ in wanted}
    found = {
        (event.case_id, event.event_id.split("/")[1].partition(":")[0], event.attribute, event.occurred_at, event.actor_id or "")
        for event in records
        if isinstance(event, Event) and event.case_id in issues and ":" in event.event_id
    }

    assert len(wanted) > 600
    assert found == wanted


def test_assignees_changed_as_expected(records: list[Any]) -> None:
    wanted = [
        (row["issue_id"].rpartition(":")[2], row["original_from_value"].removeprefix(ACCOUNT) or None, row["original_to_value"].removeprefix(ACCOUNT) or None)
        for row in expected("issue_changelogs")
        if row["field_name"] == "assignee"
    ]
    found = [(e.case_id, e.before, e.after) for e in records if isinstance(e, Event) and e.attribute == "assignee" and e.activity is Activity.CHANGED]

    assert len(wanted) == 41
    assert sorted(found, key=str) == sorted(wanted, key=str)
