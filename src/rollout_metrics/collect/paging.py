"""The ways vendors cut a list into pages, each written once: next link, token, offset, Link header; endless and silently truncated lists are noticed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import requests

from rollout_metrics.collect.http import Answer, Api, decode
from rollout_metrics.domain.errors import TruncatedError

T = TypeVar("T")

Ask = Callable[[str | None], Answer]
"""Asks for the page a link or token leads to; None: the first."""

MAX_PAGES = 100_000
_EDGE = 4096


class LoopGuard:
    """Notices that paging stands still: the same request answered the same way twice, one page served under two names, or no end in sight."""

    def __init__(self, limit: int = MAX_PAGES) -> None:
        self._limit = limit
        self._pages = 0
        self._answers: dict[Any, int] = {}
        self._bodies: dict[int, Any] = {}

    def check(self, request: Any, answer: Answer, *, records: int) -> None:
        """Raise `TruncatedError` if `answer` to `request` (cursor, link or offset) brings paging no further; pages without records may look alike."""
        self._pages += 1
        body = answer.body
        digest = hash((len(body), body[:_EDGE], body[-_EDGE:]))
        if self._answers.get(request) == digest:
            raise TruncatedError(f"{answer.where} was answered the same way twice: paging runs in a loop and would never end")
        if records and self._bodies.setdefault(digest, request) != request:
            raise TruncatedError(f"{answer.where} repeats the page before it: the paging parameter is being ignored")
        self._answers[request] = digest
        if self._pages >= self._limit:
            raise TruncatedError(f"{answer.where} is page {self._pages} and there is still no end: stopped")


def whole(seen: int, total: int | None, where: str) -> None:
    """Raise `TruncatedError` if a finished list brought fewer records than the vendor said there are."""
    if total is not None and seen < total:
        raise TruncatedError(f"{where} ended after {seen} of {total} records: the list was cut short without saying so")


def next_links(
    api: Api,
    path: str,
    params: Mapping[str, Any] | None,
    decoder: msgspec.json.Decoder[T],
    *,
    link: Callable[[T], str | None],
    records: Callable[[T], Sequence[Any]],
) -> Iterator[tuple[T, Answer]]:
    """Pages whose body holds the next page's address."""
    ask: Ask = lambda following: api.get(following or path, None if following else params)  # noqa: E731
    return _followed(ask, decoder, records, lambda page, _: link(page))


def tokens(
    api: Api,
    path: str,
    params: Mapping[str, Any],
    decoder: msgspec.json.Decoder[T],
    *,
    parameter: str,
    token: Callable[[T], str | None],
    records: Callable[[T], Sequence[Any]],
    first: str | None = None,
) -> Iterator[tuple[T, Answer]]:
    """Pages that hand out a token to ask for the next one with; `first` resumes."""
    ask: Ask = lambda current: api.get(path, {**params, parameter: current} if current else params)  # noqa: E731
    return _followed(ask, decoder, records, lambda page, _: token(page), first)


def offsets(
    api: Api,
    path: str,
    params: Mapping[str, Any],
    decoder: msgspec.json.Decoder[T],
    *,
    parameter: str,
    records: Callable[[T], Sequence[Any]],
    total: Callable[[T], int | None],
    cap: int | None = None,
    step: int | None = None,
) -> Iterator[tuple[T, Answer]]:
    """Pages by offset (`step` None: counted in records) or page number (`step` 1, from 1), until an empty one or the vendor's total.

    Raises `TruncatedError` where the list ends before its total or reaches `cap`, the vendor's limit of depth.
    """
    guard = LoopGuard()
    position, seen = (step or 0), 0
    while True:
        answer = api.get(path, {**params, parameter: position})
        page = decode(answer, decoder)
        count, expected = len(records(page)), total(page)
        guard.check(position, answer, records=count)
        yield page, answer
        seen += count
        if count == 0 or (expected is not None and seen >= expected):
            whole(seen, expected, answer.where)
            return
        if cap is not None and seen >= cap:
            raise TruncatedError(f"{answer.where} is at the vendor's limit of {cap} records and there are more: ask for a shorter stretch")
        position += step or count


def link_headers(
    api: Api, path: str, params: Mapping[str, Any] | None, decoder: msgspec.json.Decoder[T], *, records: Callable[[T], Sequence[Any]]
) -> Iterator[tuple[T, Answer]]:
    """Pages whose `Link` header names the next one."""
    ask: Ask = lambda following: api.get(following or path, None if following else params)  # noqa: E731
    return _followed(ask, decoder, records, lambda _, answer: next_link(answer))


def next_link(answer: Answer) -> str | None:
    """The next page's address, by the `Link` header."""
    links = requests.utils.parse_header_links(answer.headers.get("Link", ""))
    return next((link["url"] for link in links if link.get("rel") == "next"), None)


def _followed(
    ask: Ask, decoder: msgspec.json.Decoder[T], records: Callable[[T], Sequence[Any]], following: Callable[[T, Answer], str | None], first: str | None = None
) -> Iterator[tuple[T, Answer]]:
    """Pages each of which says where the next one is, by link or token, until one does not."""
    guard = LoopGuard()
    current = first
    while True:
        answer = ask(current)
        page = decode(answer, decoder)
        guard.check(current, answer, records=len(records(page)))
        yield page, answer
        current = following(page, answer)
        if not current:
            return
