"""Real payloads of a public repository on GitHub: every pull request and review as an independent reader has them."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from rollout_metrics.collect.source import Page, Rejected
from rollout_metrics.domain.events import Activity, Event
from rollout_metrics.domain.time import parse_instant
from rollout_metrics.sources._github_pages import Bundle, Issue, Item, Pull
from rollout_metrics.sources.github import Github

DATA = Path(__file__).parents[3] / "shared" / "data" / "jira_devlake"
REPOSITORY = "panjf2000/ants"


def rows(name: str) -> list[Any]:
    with gzip.open(DATA / "github_raw" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def expected(name: str) -> Iterator[dict[str, str]]:
    with (DATA / "github_expected" / f"{name}.csv").open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """Issues as listed, pull requests as they are, reviews as entries of a timeline; of the rest of the timelines nothing was recorded."""
    if not DATA.is_dir():
        pytest.skip(f"the real data is not at {DATA}")
    source = Github(name="github", token=SecretStr("t"), repositories=(REPOSITORY,))
    reviews: dict[int, dict[int, Item]] = {}
    for row in rows("pull_request_reviews"):
        item = msgspec.convert({"event": "reviewed", **row["data"], "state": row["data"]["state"].lower()}, Item)
        reviews.setdefault(row["input"]["Number"], {})[row["data"]["id"]] = item
    bundles = {(row["data"]["number"], False): Bundle(REPOSITORY, msgspec.convert(row["data"], Issue)) for row in rows("issues")}
    for row in rows("pull_requests"):
        number, data = row["data"]["number"], row["data"]
        issue = msgspec.convert({**data, "pull_request": {}}, Issue)
        bundles[number, True] = Bundle(REPOSITORY, issue, list(reviews.get(number, {}).values()), msgspec.convert(data, Pull))
    records = list(source.events(Page([bundles[key] for key in sorted(bundles)], "recorded")))
    assert [record for record in records if isinstance(record, Rejected)] == []
    return [record for record in records if isinstance(record, Event)]


def at(text: str) -> int | None:
    return parse_instant(text) if text else None


def test_every_pull_request_opens_closes_and_is_merged_when_it_should(events: list[Event]) -> None:
    wanted = {row["pull_request_key"]: (at(row["created_date"]), at(row["merged_date"]), at(row["closed_date"])) for row in expected("pull_requests")}
    found: dict[str, list[int | None]] = {}
    for event in events:
        number = event.case_id.rpartition("#")[2]
        if event.detail.get("action") == "merge" and event.activity is Activity.APPROVAL_REQUESTED:
            found.setdefault(number, [None, None, None])[0] = event.occurred_at
        elif event.detail.get("action") == "merge" and event.activity is Activity.APPROVED:
            found[number][1] = event.occurred_at
        elif event.activity is Activity.CLOSED and number in found:
            found[number][2] = event.occurred_at

    assert len(wanted) == 49
    assert {number: tuple(times) for number, times in found.items() if number in wanted} == wanted
    assert sum(merged is not None for _, merged, _ in wanted.values()) == 26


def test_every_review_is_there_at_its_time_by_its_author(events: list[Event]) -> None:
    wanted = {(row["github_id"].zfill(20), at(row["github_submit_at"]), row["author_username"]) for row in expected("_tool_github_pull_request_reviews")}
    states = {row["github_id"].zfill(20): row["state"] for row in expected("_tool_github_pull_request_reviews")}
    found = {event.event_id.rpartition("/")[2]: event for event in events if "/reviewed/" in event.event_id}

    assert len(wanted) == 30
    assert {(number, event.occurred_at, event.actor_id) for number, event in found.items()} == wanted
    assert {number for number, event in found.items() if event.activity is Activity.REJECTED} == {
        number for number, state in states.items() if state == "CHANGES_REQUESTED"
    }
