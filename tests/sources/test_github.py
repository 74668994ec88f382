from typing import Any

import pytest
from pydantic import SecretStr

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Window
from rollout_metrics.domain.events import Activity, Event
from rollout_metrics.domain.time import SECOND, format_instant
from rollout_metrics.sources.github import Github
from sources.server import Reply, Request, serving
from sources.upstream.simulator import slice_at
from sources.upstream.world import START


def github(url: str) -> Github:
    return Github(name="code", base_url=url, token=SecretStr("t"), repositories=("acme/shop",))


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("seconds", [[0] * 7, [0, 0, 1, 1, 1, 1, 2, 9, 9], [0, 5, 10]])
def test_every_issue_is_read_once_however_many_share_a_second(seconds: list[int], size: int) -> None:
    times = [format_instant(START + second * SECOND) for second in seconds]

    def answer(request: Request) -> Reply:
        if request.path.endswith("/timeline"):
            return Reply([])
        found = [
            {"number": number, "created_at": at, "updated_at": at, "state": "open", "html_url": "x"}
            for number, at in enumerate(times)
            if at >= request.query["since"][0]
        ]
        number = int(request.query.get("page", ["1"])[0])
        page, following = slice_at(found, (number - 1) * size, size)
        link = f'<http://{request.headers["Host"]}{request.path}?since={request.query["since"][0]}&page={number + 1}>; rel="next"'
        return Reply(page, 200, {"Link": link} if following else {})

    with serving(answer, packed=False) as server:
        source = github(server.url)
        pages = source.pages(Api(source.endpoint()), Window(START, START + 100 * SECOND))
        found = [event.case_id for page in pages for event in source.events(page) if isinstance(event, Event)]

    assert sorted(found) == sorted(f"acme/shop#{number}" for number in range(len(seconds)))


@pytest.mark.parametrize(("status", "activity"), [(410, Activity.DELETED), (404, Activity.DELETED), (200, None)])
def test_an_issue_that_is_not_listed_is_looked_up_before_it_counts_as_deleted(status: int, activity: Activity | None) -> None:
    def answer(request: Request) -> Reply:
        return Reply({"number": 2}, status) if request.path.endswith("/2") else Reply([{"number": 1}])

    with serving(answer) as server:
        source = github(server.url)
        roll: Any = lambda: iter([("acme/shop#1", 5), ("acme/shop#2", 7), ("acme/other#9", 7)])  # noqa: E731
        found = [event for page in source.reconcile(Api(source.endpoint()), roll) for event in source.events(page) if isinstance(event, Event)]

    assert [(event.case_id, event.activity, event.occurred_at) for event in found] == ([("acme/shop#2", activity, 7)] if activity else [])


def test_old_issues_are_looked_up_one_by_one_rather_than_listing_all_there_are() -> None:
    gone, listed = {4, 9_950}, 100

    def answer(request: Request) -> Reply:
        number = request.path.rpartition("/")[2]
        if number.isdigit():
            return Reply({"number": int(number)}, 410 if int(number) in gone else 200)
        first = 10_000 - listed * (int(request.query.get("page", ["1"])[0]) - 1)
        issues = [{"number": one} for one in range(first, first - listed, -1) if one not in gone]
        return Reply(issues, 200, {"Link": f'<http://{request.headers["Host"]}{request.path}?page={(10_000 - first) // listed + 2}>; rel="next"'})

    with serving(answer) as server:
        source = github(server.url)
        roll: Any = lambda: iter([(f"acme/shop#{number}", number) for number in (4, 5, *range(9_800, 9_990))])  # noqa: E731
        found = [event for page in source.reconcile(Api(source.endpoint()), roll) for event in source.events(page) if isinstance(event, Event)]

    assert sorted(event.case_id for event in found) == ["acme/shop#4", "acme/shop#9950"]
    assert [request.path.rpartition("/")[2] for request in server.requests].count("issues") == 3  # down to number 9,800
    assert len(server.requests) == 3 + 3  # 4, 5 and 9,950 are looked up


def test_pull_requests_that_may_not_be_read_are_told() -> None:
    with serving(lambda _: Reply({"message": "Resource not accessible"}, 403)) as server:
        source = github(server.url)
        (sentence,) = source.lacking(Api(source.endpoint()))

    assert "Pull requests (read)" in sentence
