"""HubSpot's search limit, bulk imports and merges, against a server that searches like HubSpot."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Page, Window
from rollout_metrics.domain.errors import CredentialsError, PayloadError, RetryLater
from rollout_metrics.domain.events import Activity, Event
from rollout_metrics.domain.time import DAY
from rollout_metrics.sources._hubspot_pages import closing_stages
from rollout_metrics.sources.hubspot import Hubspot
from sources.server import Reply, Request, serving

START = 1_768_435_200_000  # 2026-01-15T00:00:00Z


def iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Crm:
    """Records with their time of change; answers search and batch reads."""

    def __init__(self, changed: dict[int, int], spoilt: Mapping[int, Any] = {}) -> None:
        self.changed, self.spoilt = changed, spoilt
        self.deepest = 0

    def answer(self, request: Request) -> Reply:
        if request.path.endswith("/search"):
            return self.search(request.body)
        if request.path.endswith("/batch/read"):
            assert len(request.body["inputs"]) <= 50
            made = [{"id": one["id"], "createdAt": iso(START), "propertiesWithHistory": {}} for one in request.body["inputs"]]
            return Reply({"status": "COMPLETE", "results": made})
        return Reply({"results": []})

    def search(self, body: dict[str, Any]) -> Reply:
        rows = list(self.changed.items())
        for one in body["filterGroups"][0]["filters"]:
            value, column = int(one["value"]), 0 if one["propertyName"] == "hs_object_id" else 1
            keep = {"GTE": int.__ge__, "LT": int.__lt__, "GT": int.__gt__, "EQ": int.__eq__}[one["operator"]]
            rows = [row for row in rows if keep(row[column], value)]
        rows.sort(key=lambda row: row[0] if body["sorts"] == ["hs_object_id"] else row[1])
        offset = int(body["after"])
        self.deepest = max(self.deepest, offset + body["limit"])
        page = rows[offset : offset + body["limit"]]
        found = [self.spoilt.get(number, {"properties": {"hs_lastmodifieddate": iso(at)}}) | {"id": str(number)} for number, at in page]
        return Reply({"total": len(rows), "results": found})


def read_all(changed: dict[int, int], spoilt: Mapping[int, Any] = {}) -> tuple[set[str], Crm]:
    crm = Crm(changed, spoilt)
    source = Hubspot(name="crm", token=SecretStr("secret-token"), objects=("deals",), deletions=False)
    with serving(crm.answer, packed=False) as server:
        source = source.model_copy(update={"base_url": server.url})
        api = Api(source.endpoint(), monotonic=lambda: 0.0, sleep=lambda _: None)
        pages = source.pages(api, Window(START * 1000, (START + 10_000) * 1000))
        found = [event for page in pages for event in source.events(page) if isinstance(event, Event)]
    return {event.case_id for event in found}, crm


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9_999), st.integers(1, 450)), max_size=5))
def test_every_changed_record_is_read_however_many_share_a_millisecond(bulks: list[tuple[int, int]]) -> None:
    changed: dict[int, int] = {}
    for at, count in bulks:
        changed |= {len(changed) + number + 1: START + at for number in range(count)}
    found, crm = read_all(changed)

    assert found == {f"deals/{number}" for number in changed}
    assert crm.deepest <= 200


SPOILT = st.sampled_from([{}, *({"properties": {"hs_lastmodifieddate": stamp}} for stamp in (None, "yesterday", 5, iso(START + 10**9)))])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9_999), st.integers(1, 450)), max_size=3), SPOILT, st.integers(2, 5))
def test_a_time_of_change_that_cannot_be_read_loses_no_record(bulks: list[tuple[int, int]], spoilt: dict[str, Any], every: int) -> None:
    changed: dict[int, int] = {}
    for at, count in bulks:
        changed |= {len(changed) + number + 1: START + at for number in range(count)}
    found, _ = read_all(changed, {number: spoilt for number in changed if number % every})

    assert found == {f"deals/{number}" for number in changed}


def test_where_no_time_of_change_can_be_read_and_more_are_to_come_the_sweep_stops() -> None:
    with pytest.raises(PayloadError, match="has no record whose hs_lastmodifieddate can be read, and more are to come"):
        read_all(dict.fromkeys(range(1, 300), START), {number: {} for number in range(1, 300)})


@pytest.mark.parametrize(("policy", "seconds"), [("DAILY", 3600), ("TEN_SECONDLY_ROLLING", 10), ("SECONDLY", 1)])
def test_each_limit_is_waited_for_as_its_name_says(policy: str, seconds: int) -> None:
    slept: list[float] = []
    with serving(lambda request: Reply({"errorType": "RATE_LIMIT", "policyName": policy}, 429)) as server:
        source = Hubspot(name="crm", token=SecretStr("secret-token"), base_url=server.url)
        with pytest.raises(RetryLater, match=policy) as raised:
            next(source.pages(Api(source.endpoint(), sleep=slept.append), Window(0, 60_000_000)))

    assert raised.value.after_seconds == seconds
    assert set(slept) == (set() if policy == "DAILY" else {seconds})


def test_a_token_that_runs_out_before_the_notes_are_read_is_no_missing_scope() -> None:
    crm = Crm({1: START})
    source = Hubspot(name="crm", token=SecretStr("secret-token"), objects=("deals",), engagements=("notes",), deletions=False)
    with serving(lambda request: Reply({}, 401) if "/notes" in request.path else crm.answer(request), packed=False) as server:
        api = Api(source.model_copy(update={"base_url": server.url}).endpoint())
        pages = source.pages(api, Window(START * 1000, (START + 10_000) * 1000))

        assert next(pages).read_up_to is None
        with pytest.raises(CredentialsError, match="401"):
            next(pages)


def history(values: list[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"value": value, "timestamp": iso(at), "sourceType": "CRM_UI", "updatedByUserId": 7} for value, at in reversed(values)]


def events_of(properties: dict[str, Any], **options: Any) -> list[Event]:
    source = Hubspot(name="crm", token=SecretStr("secret-token"), **options)
    record = {"id": "1", "createdAt": iso(START), "propertiesWithHistory": properties}
    page: Page = source.page_of(msgspec.json.encode({"object": "deals", "closing": ["won"], "record": record}), "here")
    return [event for event in source.events(page) if isinstance(event, Event)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 1000)), min_size=1, max_size=30, unique_by=lambda pair: pair[1]), st.integers(2, 8))
def test_a_history_cut_at_its_cap_yields_a_part_of_the_same_events(values: list[tuple[str, int]], cap: int) -> None:
    made = [(value, START + at * 60_000) for value, at in sorted(values, key=lambda pair: pair[1])]
    whole = {event.event_id: event for event in events_of({"amount": history(made)}, history_cap=1000)}
    cut = {event.event_id: event for event in events_of({"amount": history(made[-cap:])}, history_cap=cap)}

    assert all(whole[event_id] == event for event_id, event in cut.items())


def test_a_stage_that_closes_is_known_by_its_id_not_its_name() -> None:
    moves = [("new", START), ("won", START + DAY // 1000), ("lost again", START + DAY // 500)]
    activities = [(event.activity, event.after) for event in events_of({"dealstage": history(moves)})]

    assert activities == [(Activity.CLOSED, "won"), (Activity.REOPENED, "lost again"), (Activity.CREATED, None)]


@pytest.mark.parametrize(
    ("metadata", "closes"),
    [
        ({"isClosed": "true", "probability": "1.0"}, True),
        ({"isClosed": "false", "probability": "1.0"}, False),
        ({"probability": "0.0"}, True),
        ({"probability": "0.4"}, False),
        ({"ticketState": "CLOSED"}, True),
        ({"leadState": "IN_PROGRESS"}, False),
        ({}, False),
    ],
)
def test_a_stage_says_itself_whether_it_closes_and_else_how_likely_the_deal_is(metadata: dict[str, str], closes: bool) -> None:
    with serving(lambda _: Reply({"results": [{"stages": [{"id": "9", "metadata": metadata}]}]})) as server:
        source = Hubspot(name="crm", token=SecretStr("secret-token"), base_url=server.url)

        assert closing_stages(Api(source.endpoint()), "deals") == ({"9"} if closes else set())


def test_a_deal_made_in_a_closing_stage_is_closed_at_once() -> None:
    events = events_of({"dealstage": history([("won", START)])})

    assert [(event.activity, event.occurred_at) for event in events] == [(Activity.CREATED, START * 1000), (Activity.CLOSED, START * 1000)]
