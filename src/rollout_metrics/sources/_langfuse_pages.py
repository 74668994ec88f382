"""Langfuse's pages as they come: the shapes that are decoded, how its lists are read, and what is kept of traces and of records that are none."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from rollout_metrics.collect.http import Answer, Api, ShapeError, decode
from rollout_metrics.collect.paging import LoopGuard, whole
from rollout_metrics.collect.source import Rejected
from rollout_metrics.collect.traces import Attributes, Span
from rollout_metrics.domain.time import Instant, format_instant

T = TypeVar("T")

OBSERVATIONS, OLDER_OBSERVATIONS = "/api/public/v2/observations", "/api/public/observations"
SCORES, TRACE = "/api/public/v2/scores", "/api/public/traces/{}"
NOT_THERE = frozenset((404, 501))
"""How servers answer that have no second version of the observations."""
AT_ONCE = {OBSERVATIONS: 500, OLDER_OBSERVATIONS: 100, SCORES: 100}
GROUPS = "core,basic,time,metadata,trace_context"
SAID = frozenset(("input", "output", "comment"))
"""What people and models said."""


class Trace(msgspec.Struct, rename="camel", gc=False):
    """A trace, as it is asked for by its id."""

    id: str
    name: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    version: str | None = None
    release: str | None = None
    metadata: Any = None
    tags: list[str] | None = None


class Observation(msgspec.Struct, rename="camel", gc=False):
    """What a runtime did."""

    id: str
    type: str
    start_time: str
    trace_id: str | None = None
    end_time: str | None = None
    updated_at: str | None = None
    project_id: str | None = None
    name: str | None = None
    level: str | None = None
    status_message: str | None = None
    environment: str | None = None
    version: str | None = None
    release: str | None = None
    session_id: str | None = None
    trace_name: str | None = None
    metadata: Any = None
    tags: list[str] | None = None


class Score(msgspec.Struct, rename="camel", gc=False):
    """What people, programs or evaluators said of a trace or an observation."""

    id: str
    name: str
    timestamp: str
    source: str
    value: float | str | bool | None = None
    string_value: str | None = None
    updated_at: str | None = None
    trace_id: str | None = None
    observation_id: str | None = None
    author_user_id: str | None = None


class Scored(msgspec.Struct, gc=False):
    """A score with what its trace says of the case."""

    score: Score
    attributes: Attributes
    user: str | None = None


class Known(msgspec.Struct, frozen=True, gc=False):
    """What is kept of a trace."""

    attributes: Attributes = {}
    user: str | None = None


class _Meta(msgspec.Struct, rename="camel"):
    cursor: str | None = None
    total_pages: int | None = None
    total_items: int | None = None


class _List(msgspec.Struct):
    data: list[msgspec.Raw]
    meta: _Meta


_LIST = msgspec.json.Decoder(_List)
_TRACE = msgspec.json.Decoder(Trace)
OBSERVATION = msgspec.json.Decoder(Observation)
SCORE = msgspec.json.Decoder(Score)
KEPT = (msgspec.json.Decoder(Span), msgspec.json.Decoder(Scored))


class Traces:
    """What traces tell, each asked for once; nothing of one that is gone, or not there yet. Raises `ShapeError` for one that is none."""

    def __init__(self, api: Api, read: Callable[[Trace], Known]) -> None:
        self._api, self._read = api, read
        self._known: dict[str, Known] = {}

    def __call__(self, trace_id: str | None) -> Known:
        if not trace_id:
            return Known()
        if trace_id not in self._known:
            answer = self._api.get(TRACE.format(quote(trace_id, safe="")), {"fields": "core,io"}, accept=frozenset((404,)))
            self._known[trace_id] = Known() if answer.status == 404 else self._read(decode(answer, _TRACE))
        return self._known[trace_id]


def observations(api: Api, start: Instant, end: Instant, expanded: str) -> Iterator[tuple[Answer, list[tuple[msgspec.Raw, str]]]]:
    """Pages of the observations that began in [start, end): of the second version by cursor where there is one, else of the first."""
    params = {"fromStartTime": format_instant(start), "toStartTime": format_instant(end)}
    asked = {**params, "limit": AT_ONCE[OBSERVATIONS], "fields": GROUPS, "expandMetadata": expanded}
    guard, cursor = LoopGuard(), None
    while True:
        answer = api.get(OBSERVATIONS, {**asked, "cursor": cursor} if cursor else asked, accept=NOT_THERE if cursor is None else frozenset())
        if answer.status in NOT_THERE:
            yield from numbered(api, OLDER_OBSERVATIONS, params)
            return
        page = decode(answer, _LIST)
        guard.check(cursor, answer, records=len(page.data))
        yield answer, _placed(page, answer)
        cursor = page.meta.cursor
        if not cursor:
            return


def numbered(api: Api, path: str, params: Mapping[str, Any]) -> Iterator[tuple[Answer, list[tuple[msgspec.Raw, str]]]]:
    """Pages by number, newest first. What comes in meanwhile shifts records to later pages: some come twice, and only those that were there count."""
    guard, number, seen, total = LoopGuard(), 1, set[int](), None
    while True:
        answer = api.get(path, {**params, "limit": AT_ONCE[path], "page": number})
        page = decode(answer, _LIST)
        if page.meta.total_pages is None:
            raise ShapeError(f"{answer.where} is not of the documented shape: it has no totalPages")
        guard.check(number, answer, records=len(page.data))
        seen.update(hash(bytes(raw)) for raw in page.data)
        yield answer, _placed(page, answer)
        items = page.meta.total_items
        total = items if total is None or items is None else min(total, items)
        if number >= page.meta.total_pages:
            whole(len(seen), total, answer.where)
            return
        number += 1


def _placed(page: _List, answer: Answer) -> list[tuple[msgspec.Raw, str]]:
    return [(raw, f"{answer.where} record {number}") for number, raw in enumerate(page.data)]


def record_of(raw: msgspec.Raw, where: str, decoder: msgspec.json.Decoder[T]) -> T | Rejected:
    """A record of a list, or that it is none."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        return Rejected("malformed", where, str(error), kept(raw))


def kept(raw: msgspec.Raw) -> bytes:
    """What is set aside of a record: without what people and models said, which older servers hand out unasked."""
    record = msgspec.json.decode(raw)
    return msgspec.json.encode({key: value for key, value in record.items() if key not in SAID} if isinstance(record, dict) else record)
