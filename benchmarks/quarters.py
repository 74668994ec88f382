"""A company in which people decide what agents recommend, over two quarters and the days after them; and its store many times over.

Nobody waits for millions of events to be landed: a store of some ten thousand cases is multiplied in SQL, each copy under new names and some minutes later,
so that a big store has as many distinct minutes and instants as a company of its size.
"""

import sqlite3
import sys
from collections.abc import Iterator
from random import Random

import msgspec
import numpy as np

from rollout_metrics.config.load import Configuration, loads
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, SECOND, Instant, parse_instant
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.publish.self_metrics import SelfMetrics
from rollout_metrics.publish.snapshot import Board
from rollout_metrics.store import open_store

START = parse_instant("2026-01-01T00:00:00Z")
MIDDLE = parse_instant("2026-04-01T00:00:00Z")
END = parse_instant("2026-07-01T00:00:00Z")
NOW = END + 9 * DAY
"""When it is looked at: the quarter that ends at `END` is over, and a few days have gone by."""
QUARTER = "2026Q2"
STAFF = 200
APART = 7 * MINUTE
"""From one copy of a case to the next."""

_WORKFLOW = """
  - name: flow-{number}
    workflow_type: support
    risk_tier: medium
    owner: support
    sources: [desk]
    scope: {{team: ["t{number}"]}}
    agents: ["bot-{number}"]
    decides: ["set:priority", "set:group"]
    levels: [{{level: assisted, since: "2025-12-01T00:00:00Z"}}]
    authority: [{{automatic: ["set:priority"], approval: ["set:group"]}}]
    escalation: {{target: 4h}}
"""


def configuration() -> Configuration:
    """Three workflows with an agent each, read from one source."""
    workflows = "".join(_WORKFLOW.format(number=number) for number in range(3))
    return loads("sources:\n  desk: {kind: events, paths: desk.jsonl}\nworkflows:\n" + workflows, {})


def cases(count: int, seed: int = 11) -> Iterator[list[Event]]:
    """The events of `count` cases, begun at any instant up to `NOW`: five or six each, and a decision on nine of ten."""
    draw = Random(seed)
    for number in range(count):
        yield list(_case(draw, f"c{number}", START + draw.randrange(NOW - START)))


def _case(draw: Random, case: str, at: Instant) -> Iterator[Event]:
    flow, operator, places = draw.randrange(3), f"op-{draw.randrange(STAFF)}", iter(range(100))
    agent = f"bot-{flow}"

    def event(actor: str, kind: ActorKind, activity: Activity, value: str | None = None, attribute: str | None = None, **detail: object) -> Event:
        return Event("desk", "desk", case, f"{case}-{next(places)}", at, activity, kind, actor, attribute, None, value, detail)

    yield event("customer", ActorKind.CUSTOMER, Activity.CREATED, attributes={"team": f"t{flow}", "priority": "normal"})
    if draw.random() < 0.9:
        at += draw.randrange(SECOND, 10 * MINUTE)
        value = draw.choice(("low", "high", "urgent"))
        yield event(agent, ActorKind.AGENT, Activity.APPROVAL_REQUESTED, value, "priority")
        at += draw.randrange(SECOND, 4 * HOUR)
        chance = draw.random()
        if chance < 0.8:
            yield event(operator, ActorKind.OPERATOR, Activity.APPROVED, action="set:priority")
        else:
            yield event(operator, ActorKind.OPERATOR, Activity.REJECTED, action="set:priority", reason="tone")
            yield event(operator, ActorKind.OPERATOR, Activity.CHANGED, "normal" if chance < 0.9 else "low", "priority")
    if draw.random() < 0.5:
        at += draw.randrange(SECOND, 6 * HOUR)
        yield event(operator, ActorKind.OPERATOR, Activity.COMMENTED, public=True)
    at += draw.randrange(SECOND, 2 * DAY)
    yield event(operator, ActorKind.OPERATOR, Activity.CLOSED)
    if draw.random() < 0.08:
        at += draw.randrange(SECOND, 5 * DAY)
        yield event("customer", ActorKind.CUSTOMER, Activity.REOPENED)
        at += draw.randrange(SECOND, 2 * DAY)
        yield event(operator, ActorKind.OPERATOR, Activity.CLOSED)


def opened(url: str) -> Pipeline:
    """A pipeline on a store, at `NOW`."""
    return Pipeline(configuration(), open_store(url, clock=lambda: NOW), lambda: NOW, Board(), SelfMetrics("1"))


def build(url: str, count: int) -> None:
    """A store in which `count` cases were read and derived."""
    pipeline = opened(url)
    batch: list[Event] = []
    for events in cases(count):
        batch += (pipeline.pseudonyms.event(event) for event in events if event.occurred_at <= NOW)
        if len(batch) > 10_000:
            pipeline.store.land("desk", batch)
            batch.clear()
    pipeline.store.land("desk", batch, (), {"watermark": NOW, "partial": False})
    pipeline.take_in()
    pipeline.store.close()


def multiply(path: str, times: int) -> None:
    """Keep everything that belongs to a case `times` times in a SQLite store, each copy `APART` later than the one before it."""
    connection = sqlite3.connect(path)
    connection.create_function("facts_later", 4, _facts_later, deterministic=True)
    connection.create_function("minutes_later", 2, _minutes_later, deterministic=True)
    connection.create_function("samples_later", 2, _samples_later, deterministic=True)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1048576"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"CREATE TEMP TABLE copies AS WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n + 1 < {times}) SELECT n FROM c")
    for table, changed in _LATER.items():
        described = connection.execute(f"PRAGMA table_info({table})").fetchall()
        columns = [row[1] for row in described if row[1] != "id"]
        chosen = ", ".join(changed.get(column, f"t.{column}") for column in columns)
        added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in _ADDED.get(table, ()))
        conflict = f"ON CONFLICT ({', '.join(row[1] for row in described if row[5])}) DO UPDATE SET {added}" if added else ""
        connection.execute(f"CREATE TEMP TABLE copied AS SELECT * FROM {table}")
        # the copies of a row one after the other: they lie side by side in most indexes
        connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {chosen} FROM copied AS t CROSS JOIN copies AS c WHERE true {conflict}")
        connection.execute("DROP TABLE copied")
    connection.execute("UPDATE meta SET value = (SELECT max(id) FROM events) WHERE key = 'arrived'")
    connection.execute("UPDATE meta SET value = 0 WHERE key = 'summed'")
    connection.execute("DELETE FROM hours")
    connection.commit()
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _later(*columns: str) -> dict[str, str]:
    return {column: f"CASE WHEN t.{column} < {_FAR} THEN t.{column} + c.n * {APART} ELSE t.{column} END" for column in columns}


_FAR = 2**61
_CASE_ID = {"case_id": "t.case_id || '~' || c.n"}
_MINUTE = {"minute": f"CASE WHEN t.minute > 0 THEN t.minute + c.n * {APART // MINUTE} ELSE t.minute END"}
_LATER = {
    "events": {"event_id": "t.event_id || '~' || c.n"} | _CASE_ID | _later("occurred_at"),
    "cases": _CASE_ID
    | _later("scoped_at", "next_change_at", "first_agent_at", "presence_start", "presence_end", "starts_at", "ends_at", "moved_at")
    | {
        "facts": f"facts_later(t.facts, t.case_id, '~' || c.n, c.n * {APART})",
        "counted": f"minutes_later(t.counted, c.n * {APART // MINUTE})",
        "sampled": f"minutes_later(t.sampled, c.n * {APART // MINUTE})",
    },
    "stretches": _CASE_ID | _later("starts_at", "ends_at", "moved_at") | {"samples": f"samples_later(t.samples, c.n * {APART})"},
    "elsewhere": _CASE_ID,
    "decisions": _CASE_ID | _later("at"),
    "judgements": _later("at") | {"counted": f"minutes_later(t.counted, c.n * {APART // MINUTE})"},
    "receipts": _CASE_ID | _MINUTE,
    "touches": _later("at"),
    "counts": _MINUTE,
}
"""What is different in a copy, by table."""
_ADDED = {"counts": ("amount",), "touches": ("events",)}


def _facts_later(packed: bytes, case: str, suffix: str, by: int) -> bytes:
    return msgspec.msgpack.encode(_moved(msgspec.msgpack.decode(packed), case, suffix, by))


def _moved(value: object, case: str, suffix: str, by: int) -> object:
    """Whatever looks like an instant of these years later, the names of events with the suffix."""
    if type(value) is list:
        return [_moved(item, case, suffix, by) for item in value]
    if type(value) is str and value.startswith(f"{case}-"):
        return value + suffix
    return value + by if type(value) is int and _YEARS[0] < value < _YEARS[1] else value


_YEARS = (1_700_000_000_000_000, 1_900_000_000_000_000)


def _minutes_later(packed: bytes | None, by: int) -> bytes | None:
    if packed is None:
        return None
    return msgspec.msgpack.encode([(series, minute + by if minute else 0, amount) for series, minute, amount in msgspec.msgpack.decode(packed)])


def _samples_later(packed: bytes, by: int) -> bytes:
    numbers = np.frombuffer(packed, "<i8")
    later: bytes = (numbers + by * ((numbers > _YEARS[0]) & (numbers < _YEARS[1]))).tobytes()
    return later


if __name__ == "__main__":
    build(f"sqlite:///{sys.argv[1]}", int(sys.argv[2]))
    multiply(sys.argv[1], int(sys.argv[3]))
    again = opened(f"sqlite:///{sys.argv[1]}")
    again.take_in()  # sums counts by the hour, as passes do
    again.store.close()
