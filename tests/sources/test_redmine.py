"""Redmine's traps: many issues of one second, and single records that cannot be understood."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Rejected, Window
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import HOUR, parse_instant
from rollout_metrics.sources.redmine import Redmine
from sources.server import Reply, Request, serving

AT = "2026-01-15T10:00:00Z"
START = parse_instant("2026-01-15T09:00:00Z")
REF = {"id": 1}


def issue(number: int) -> dict[str, Any]:
    fields = dict.fromkeys(("project", "tracker", "status", "priority", "author"), REF)
    return {"id": number, "created_on": AT, "updated_on": AT, "journals": [], **fields}


def entry(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "hours": 0.5, "created_on": AT, "updated_on": AT, "issue": {"id": 7}, "user": REF, **fields}


@contextmanager
def redmine(issues: list[dict[str, Any]], entries: list[dict[str, Any]]) -> Iterator[list[Any]]:
    """What a sweep tells."""

    def answer(request: Request) -> Reply:
        if request.path == "/issue_statuses.json":
            return Reply({"issue_statuses": [{"id": 5, "is_closed": True}]})
        if request.path == "/time_entries.json":
            return Reply({"time_entries": entries, "total_count": len(entries)})
        if request.path != "/issues.json":
            return Reply({"issue": issue(int(request.path.removeprefix("/issues/").removesuffix(".json")))})
        since, offset, limit = request.query["updated_on"][0].removeprefix(">="), int(request.query["offset"][0]), int(request.query["limit"][0])
        found = [one for one in issues if not str(one["updated_on"])[:1].isdigit() or one["updated_on"] >= since]
        return Reply({"issues": found[offset : offset + limit], "total_count": len(found)})

    with serving(answer) as server:
        source = Redmine(name="tracker", base_url=server.url, token="secret")
        endpoint = source.endpoint()
        assert endpoint is not None
        api = Api(endpoint, sleep=lambda _: None)
        yield [one for page in source.pages(api, Window(START, START + 2 * HOUR)) for one in source.events(page)]


def test_more_issues_of_one_second_than_a_page_holds_are_all_read() -> None:
    with redmine([issue(number) for number in range(1, 121)], []) as told:
        pass

    assert {one.case_id for one in told if isinstance(one, Event)} == {str(number) for number in range(1, 121)}


def test_a_booking_that_cannot_be_understood_is_set_aside_and_tried_again() -> None:
    with redmine([], [entry(1), entry(2, hours="much"), entry(3, updated_on="soon")]) as told:
        pass

    rejected = [one for one in told if isinstance(one, Rejected)]
    source = Redmine(name="tracker", base_url="https://x.example", token="secret")
    again = [next(iter(source.events(source.page_of(one.payload.replace(b'"much"', b"2").replace(b"soon", AT.encode()), "kept")))) for one in rejected]
    assert [one.event_id for one in told if isinstance(one, Event)] == [f"t{1:020d}"]
    assert [one.where.rpartition(" time entry ")[2] for one in rejected] == ["2", "3"]
    assert [one.event_id for one in again] == [f"t{2:020d}", f"t{3:020d}"]


def test_an_issue_of_the_list_without_a_time_is_read_all_the_same_and_one_without_an_id_is_set_aside() -> None:
    with redmine([issue(1), {**issue(2), "updated_on": "soon"}, {**issue(3), "id": None}], []) as told:
        pass

    assert {one.case_id for one in told if isinstance(one, Event)} == {"1", "2"}
    assert [one.reason for one in told if isinstance(one, Rejected)] == ["malformed"]
