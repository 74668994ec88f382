from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Window
from rollout_metrics.domain.events import Activity, Event
from rollout_metrics.domain.time import HOUR, MINUTE, instant
from rollout_metrics.sources._jira_pages import wall_time, words
from rollout_metrics.sources._jira_story import _instant
from rollout_metrics.sources.jira import Jira
from sources.server import Reply, Request, serving
from sources.upstream import profiles
from sources.upstream.simulator import Simulator
from sources.upstream.world import START, World


def jira(url: str = "https://jira.example", **options: Any) -> Jira:
    return Jira.model_validate({"name": "jira", "base_url": url, "token": SecretStr("t"), **options})


@pytest.mark.parametrize("options", [{"base_url": None}, {"site": "acme"}, {"base_url": None, "site": "https://acme"}])
def test_an_address_is_needed_and_only_one(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        jira(**options)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"]),
)
def test_the_wall_time_of_a_query_never_leaves_anything_out_whichever_hour_is_meant(at: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    start, end = (datetime.strptime(wall_time(instant(at), zone, side)[0], "%Y/%m/%d %H:%M").replace(tzinfo=zone) for side in (-1, 1))

    assert all(start.replace(fold=fold).astimezone(UTC) <= at for fold in (0, 1))
    assert all(end.replace(fold=fold).astimezone(UTC) >= at for fold in (0, 1))
    assert end - start <= timedelta(microseconds=2 * HOUR + MINUTE)


def test_bulk_answers_count_milliseconds_or_seconds() -> None:
    assert _instant(1_767_000_000_123) == 1_767_000_000_123_000
    assert _instant(1_767_000_000) == 1_767_000_000_000_000
    assert _instant("2026-01-17T12:34:00.000+0800") == instant(datetime(2026, 1, 17, 4, 34, tzinfo=UTC))


def test_a_comment_is_its_paragraphs_without_what_it_quotes() -> None:
    text = [{"type": "text", "text": "I "}, {"type": "text", "text": "agree"}]
    body = {"type": "doc", "content": [{"type": "blockquote", "content": [{"type": "text", "text": "no"}]}, {"type": "paragraph", "content": text}]}

    assert words(body) == "I agree\n"


RIGHTS = "/mypermissions"


@pytest.mark.parametrize(
    ("may_browse", "desk", "lacks"), [(True, 200, []), (False, 200, ["may browse no project"]), (True, 403, ["approvals cannot be read (403)"])]
)
def test_a_missing_permission_is_told_apart_from_a_wrong_password(may_browse: bool, desk: int, lacks: list[str]) -> None:
    def answer(request: Request) -> Reply:
        if request.path.endswith(RIGHTS):
            return Reply({"permissions": {"BROWSE_PROJECTS": {"havePermission": may_browse}}})
        return Reply({"values": []}, desk)

    with serving(answer) as server:
        source = jira(server.url)
        found = list(source.lacking(Api(source.endpoint())))

    assert len(found) == len(lacks)
    assert all(words in sentence for words, sentence in zip(lacks, found, strict=True))


@pytest.mark.parametrize("deployment", ["cloud", "data_center"])
def test_an_issue_that_is_no_longer_there_was_deleted_at_its_last_event(deployment: str) -> None:
    asked: list[Any] = []

    def answer(request: Request) -> Reply:
        asked.append(request.body)
        return Reply({"issues": [{"id": "10001"}]})

    with serving(answer) as server:
        source = jira(server.url, deployment=deployment)
        pages = source.reconcile(Api(source.endpoint()), lambda: iter([("10001", 5), ("10002", 7)]))
        (event,) = (event for page in pages for event in source.events(page))

    assert isinstance(event, Event)
    assert (event.case_id, event.activity, event.occurred_at) == ("10002", Activity.DELETED, 7)
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["jira", "jira-data_center"])
@pytest.mark.parametrize("moved", [0, 1, 2])
def test_an_issue_that_is_updated_between_two_pages_hides_no_other(name: str, moved: int) -> None:
    world = World(Random(1))
    while len(world.cases) < 8:
        world.step()
        world.now += 2 * MINUTE
    simulator = Simulator(profiles()[name], world)
    end = world.now + MINUTE
    first = simulator.changed(0)[moved]

    def answer(request: Request) -> Reply:
        reply = simulator(request)
        if "search" in request.path and simulator.requests[request.line] == 1:
            world.now += HOUR
            world.step(first)
        return reply

    with serving(answer, packed=False) as server:
        source = jira(server.url, **simulator.profile.options)
        pages = source.pages(Api(source.endpoint(), sleep=lambda _: None), Window(START, end))
        found = {event.case_id for page in pages for event in source.events(page) if isinstance(event, Event)}

    assert found == {str(10000 + number) for number in world.cases}
