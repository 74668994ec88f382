"""Paging helpers: every kind of list is read to its end; endless and silently truncated ones are noticed."""

from typing import Any

import msgspec
import pytest

from rollout_metrics.collect.http import Api, Endpoint
from rollout_metrics.collect.paging import link_headers, next_links, offsets, tokens
from rollout_metrics.domain.errors import PayloadError
from sources.server import Reply, Request, serving

ROWS = list(range(25))
ANY = msgspec.json.Decoder(dict[str, Any])


def rows_of(page: dict[str, Any]) -> list[int]:
    rows: list[int] = page["rows"]
    return rows


def api(url: str) -> Api:
    return Api(Endpoint(base_url=url, attempts=1))


def by_offset(request: Request) -> Reply:
    start = int(request.query["offset"][0])
    return Reply({"rows": ROWS[start : start + 10], "total": len(ROWS)})


def by_number(request: Request) -> Reply:
    start = (int(request.query["page"][0]) - 1) * 10
    return Reply({"rows": ROWS[start : start + 10]})


def by_token(request: Request) -> Reply:
    start = int(request.query.get("after", ["0"])[0])
    return Reply({"rows": ROWS[start : start + 10], "after": str(start + 10) if start + 10 < len(ROWS) else None})


def by_link(request: Request) -> Reply:
    start = int(request.query.get("from", ["0"])[0])
    following = f"http://{request.headers['Host']}/rows?from={start + 10}"
    more = start + 10 < len(ROWS)
    return Reply({"rows": ROWS[start : start + 10], "next": following if more else None}, headers={"Link": f'<{following}>; rel="next"'} if more else {})


def test_offsets_are_followed_to_the_total() -> None:
    with serving(by_offset) as server:
        pages = offsets(api(server.url), "/rows", {}, ANY, parameter="offset", records=rows_of, total=lambda page: page["total"])
        found = [row for page, _ in pages for row in page["rows"]]

    assert found == ROWS


def test_page_numbers_are_followed_to_an_empty_page() -> None:
    with serving(by_number) as server:
        pages = offsets(api(server.url), "/rows", {}, ANY, parameter="page", records=rows_of, total=lambda page: None, step=1)
        found = [row for page, _ in pages for row in page["rows"]]

    assert found == ROWS


def test_tokens_are_handed_back_until_there_is_none_and_resume() -> None:
    with serving(by_token) as server:
        found = [
            [row for page, _ in tokens(api(server.url), "/rows", {}, ANY, parameter="after", token=token, records=rows_of, first=first) for row in page["rows"]]
            for first in (None, "20")
        ]

    assert found == [ROWS, ROWS[20:]]


def token(page: dict[str, Any]) -> str | None:
    return page["after"]


def test_links_in_the_body_and_in_the_header_are_followed() -> None:
    with serving(by_link) as server:
        body = [row for page, _ in next_links(api(server.url), "/rows", None, ANY, link=lambda page: page["next"], records=rows_of) for row in page["rows"]]
        header = [row for page, _ in link_headers(api(server.url), "/rows", None, ANY, records=rows_of) for row in page["rows"]]

    assert body == header == ROWS


def test_a_list_that_ends_before_its_total_is_an_error() -> None:
    with serving(lambda request: Reply({"rows": ROWS[:10] if request.query["offset"] == ["0"] else [], "total": 25})) as server:
        pages = offsets(api(server.url), "/rows", {}, ANY, parameter="offset", records=rows_of, total=lambda page: page["total"])
        with pytest.raises(PayloadError, match="ended after 10 of 25 records"):
            list(pages)


def test_the_vendors_limit_of_depth_is_an_error_while_there_is_more() -> None:
    with serving(by_offset) as server:
        pages = offsets(api(server.url), "/rows", {}, ANY, parameter="offset", records=rows_of, total=lambda page: page["total"], cap=20)
        with pytest.raises(PayloadError, match="limit of 20 records and there are more"):
            list(pages)


def test_an_ignored_offset_is_noticed() -> None:
    with serving(lambda request: Reply({"rows": ROWS[:10], "total": 25})) as server:
        pages = offsets(api(server.url), "/rows", {}, ANY, parameter="offset", records=rows_of, total=lambda page: page["total"])
        with pytest.raises(PayloadError, match="repeats the page before it"):
            list(pages)


def test_a_token_that_comes_round_again_is_noticed() -> None:
    def answer(request: Request) -> Reply:
        number = int(request.query.get("after", ["0"])[0])
        return Reply({"rows": [number], "after": str((number + 1) % 3 or 1)})

    with serving(answer) as server, pytest.raises(PayloadError, match="answered the same way twice"):
        list(tokens(api(server.url), "/rows", {}, ANY, parameter="after", token=token, records=rows_of))
