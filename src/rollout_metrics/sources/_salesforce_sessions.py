"""Agentforce's sessions in Data 360, as far as they belong to a case by the messaging session they were part of."""

from collections.abc import Iterator
from typing import Any

import msgspec

from rollout_metrics.collect.http import Answer, Api, decode
from rollout_metrics.collect.paging import LoopGuard
from rollout_metrics.domain.time import DAY, Instant, format_instant
from rollout_metrics.sources._salesforce_pages import AT_ONCE, among, rows, select

TABLES = (("ssot__AiAgentSession__dlm", "ssot__"), ("std__AiAgentSessionDmo__dlm", "std__"))
"""The names of the object in the releases there have been, and what its columns begin with."""
COLUMNS = ("Id", "EndTimestamp", "AiAgentSessionEndType", "RelatedMessagingSessionId")
LATE = DAY
"""How long a session may take to come into Data 360."""
ABSENT = frozenset((400, 403, 404))


class Session(msgspec.Struct):
    """A session that is over, and the case it was about."""

    id: str
    case_id: str
    ended_at: str
    how: str


class _Column(msgspec.Struct):
    place: int = msgspec.field(name="placeInOrder")


class _Result(msgspec.Struct, rename="camel"):
    """A batch of a query's result: rows as arrays, and where each column stands in them."""

    data: list[list[Any]]
    metadata: dict[str, _Column]
    done: bool
    next_batch_id: str | None = None


_RESULT = msgspec.json.Decoder(_Result)


def available(api: Api, root: str) -> tuple[str, str] | None:
    """The name of the sessions' object here and the beginning of its columns; None: there is none, or it may not be read."""
    for table, prefix in TABLES:
        if _ask(api, root, f"SELECT {prefix}Id__c FROM {table} LIMIT 1").status == 200:  # noqa: S608
            return table, prefix
    return None


def sessions(api: Api, root: str, named: tuple[str, str], start: Instant, end: Instant) -> Iterator[tuple[list[Session], Answer]]:
    """Sessions that ended in [start, end), or shortly before; those that belong to no case are left out. `named`: what is `available`."""
    table, prefix = named
    columns = [f"{prefix}{name}__c" for name in COLUMNS]
    ended = columns[1]
    condition = f"{ended} >= TIMESTAMP '{_sql(start - LATE)}' AND {ended} < TIMESTAMP '{_sql(end)}'"
    guard, batch = LoopGuard(), ""
    answer = _ask(api, root, f"SELECT {', '.join(columns)} FROM {table} WHERE {condition} ORDER BY {ended}, {columns[0]}")  # noqa: S608
    while True:
        page = decode(answer, _RESULT)
        guard.check(batch, answer, records=len(page.data))
        places = [page.metadata[name].place for name in columns]
        yield list(_with_cases(api, root, [tuple(row[place] for place in places) for row in page.data])), answer
        if page.done or not page.next_batch_id:
            return
        batch = page.next_batch_id
        answer = api.get(f"{root}/ssot/queryv2/{batch}")


def _ask(api: Api, root: str, sql: str) -> Answer:
    return api.post(f"{root}/ssot/queryv2", {"sql": sql}, label=sql.partition(" WHERE ")[0][-60:], accept=ABSENT)


def _with_cases(api: Api, root: str, told: list[tuple[Any, ...]]) -> Iterator[Session]:
    """Sessions with the case of their messaging session."""
    ids = sorted({str(messaging) for _, _, _, messaging in told if messaging})
    cases: dict[str, str] = {}
    for start in range(0, len(ids), AT_ONCE):
        found = rows(api, root, select(("Id", "CaseId"), "MessagingSession", among("Id", ids[start : start + AT_ONCE])))
        cases |= {str(row["Id"]): str(row["CaseId"]) for row in found if row.get("CaseId")}
    for number, ended_at, how, messaging in told:
        if str(messaging) in cases and ended_at and how:
            yield Session(str(number), cases[str(messaging)], str(ended_at).replace(" UTC", "Z"), str(how).lower())


def _sql(at: Instant) -> str:
    return format_instant(at).replace("T", " ").replace("Z", "")[:19]
