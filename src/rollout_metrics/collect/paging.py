"""The ways vendors cut a list into pages, each written once: next link, token, offset, Link header, a filter that moves; endless and cut lists are noticed."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
import requests

from rollout_metrics.collect.http import Answer, Api, decode
from rollout_metrics.collect.source import Rejected
from rollout_metrics.domain.errors import TruncatedError
from rollout_metrics.domain.time import Instant, parse_instant

T = TypeVar("T")
R = TypeVar("R")

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
    return followed(_by_address(api, path, params), decoder, records=records, following=lambda page, _: link(page))


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
    return followed(ask, decoder, records=records, following=lambda page, _: token(page), first=first)


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
    return followed(_by_address(api, path, params), decoder, records=records, following=lambda _, answer: next_link(answer))


def _by_address(api: Api, path: str, params: Mapping[str, Any] | None) -> Ask:
    return lambda following: api.get(following or path, None if following else params)


def next_link(answer: Answer) -> str | None:
    """The next page's address, by the `Link` header."""
    links = requests.utils.parse_header_links(answer.headers.get("Link", ""))
    return next((link["url"] for link in links if link.get("rel") == "next"), None)


def followed(
    ask: Ask,
    decoder: msgspec.json.Decoder[T],
    *,
    records: Callable[[T], Sequence[Any]],
    following: Callable[[T, Answer], str | None],
    first: str | None = None,
) -> Iterator[tuple[T, Answer]]:
    """Pages each of which says where the next one is, by link or token, until one does not; `first` resumes."""
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


class Slice(msgspec.Struct, Generic[R]):
    """What one request brings of a list by time of change. `following`: the place where the list goes on (number, link, token); none: it has ended."""

    records: list[R]
    answer: Answer
    following: Any = None
    rejected: list[Rejected] = []


def moving(
    ask: Callable[[Instant, Any], Slice[R]],
    start: Instant,
    end: Instant,
    *,
    key: Callable[[R], Hashable],
    changed_at: Callable[[R], Instant | None],
    begins: Callable[[Instant], Instant] = lambda at: at,
    exact: bool = True,
) -> Iterator[tuple[list[tuple[R, Instant]], Slice[R]]]:
    """What changed in [start, end), oldest first: each record once, with the instant up to which all have been given then, and the slice it came in.

    The filter moves on with each page instead of the place in the list: what changes meanwhile goes to the end and would push another record over an edge.
    Only where the filter would get no further, since all of a page share its finest step of time, the next page is asked for by place.

    `ask`: the slice from an instant, and there from a place, on. `begins`: from when on the vendor lists for an instant that is asked for; `exact`: what it
    lists beyond [start, end) is left out. `changed_at`: none where it cannot be read; such a record leads nowhere, those beside it do.
    """
    guard, seen, since, reached, place = LoopGuard(), set[tuple[Hashable, Instant | None]](), start, start, None
    while True:
        found = ask(since, place)
        guard.check((since, place), found.answer, records=len(found.records) + len(found.rejected))
        times, fresh = list[Instant](), list[tuple[R, Instant]]()
        for record in found.records:
            at = changed_at(record)
            if at is not None:
                times.append(at)
            if (mark := (key(record), at)) not in seen:
                seen.add(mark)
                reached = reached if at is None else max(reached, min(at, end))
                if at is None or not exact or start <= at < end:
                    fresh.append((record, reached))
        yield fresh, found
        place, latest = found.following, max(times, default=since)
        if place is None or latest >= end:
            return
        if times and begins(latest) > min(times):
            since, place = latest, None
            seen = {(number, at) for number, at in seen if at is None or at >= begins(since)}  # what is older is not asked for again


def time_of(text: Any) -> Instant | None:
    """A time in ISO 8601, or none where it cannot be read."""
    try:
        return parse_instant(text)
    except (TypeError, ValueError):
        return None
