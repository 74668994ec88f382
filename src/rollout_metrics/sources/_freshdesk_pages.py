"""Freshdesk's pages: the files of a day's activities, and what is learnt from their order."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from rollout_metrics.domain.time import Instant, parse_instant

_PERFORMED = re.compile(r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d [+-]\d\d:?\d\d", re.ASCII)


class Agent(msgspec.Struct):
    """A member of staff."""

    id: int


class Ticket(msgspec.Struct):
    """A ticket as it is listed."""

    id: int
    updated_at: Any = None


class Link(msgspec.Struct):
    """Where a file can be fetched."""

    url: str | None = None


class Export(msgspec.Struct):
    """Whether a day's file is there."""

    export: Link | None = None


class Metadata(msgspec.Struct):
    """What a file says of itself."""

    activities_count: int | None = None


class File(msgspec.Struct):
    """A day's activities."""

    activities_data: list[dict[str, Any]]
    metadata: Metadata | None = None


class Row(msgspec.Struct):
    """An activity or a record of a list, its name within its day, and the ticket's status before it (None: not known)."""

    kind: str
    row: dict[str, Any]
    name: str = ""
    status: str | None = None
    staff: bool = False
    revision: int = 0
    """How long the file was: one that has grown since tells better what came before what."""


AGENTS = msgspec.json.Decoder(list[Agent])
TICKETS = msgspec.json.Decoder(list[Ticket])
RECORDS = msgspec.json.Decoder(list[dict[str, Any]])
EXPORT = msgspec.json.Decoder(Export | list[Link] | None)
FILE = msgspec.json.Decoder(File)
ROW = msgspec.json.Decoder(Row)


@lru_cache(maxsize=10_000)
def performed_at(text: str) -> Instant:
    """An activity's instant, day first; raises `ValueError` for any other form. It is asked for to sort a file and again to tell it."""
    if not _PERFORMED.fullmatch(text):
        raise ValueError("is not DD-MM-YYYY HH:MM:SS +ZZZZ")
    return parse_instant(f"{text[6:10]}-{text[3:5]}-{text[:2]}T{text[11:19]}{text[20:]}")


def in_order(rows: Iterable[dict[str, Any]], day: date, statuses: dict[int, str]) -> list[Row]:
    """A day's activities by time, named by content since they have no ids, each with its ticket's status before it; `statuses` moves on."""
    twins: Counter[str] = Counter()
    named: list[tuple[Instant, int, Row]] = []
    for place, row in enumerate(rows):
        text = blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=12).hexdigest()
        twins[text] += 1
        try:
            at = performed_at(str(row.get("performed_at")))
        except ValueError:
            at = 0
        named.append((at, place, Row("activity", row, f"{day:%Y%m%d}/{text}/{twins[text]:03d}")))
    found: list[Row] = []
    for _, _, one in sorted(named, key=lambda each: each[:2]):
        ticket, activity = one.row.get("ticket_id"), one.row.get("activity")
        if isinstance(ticket, int):
            one.status = statuses.get(ticket)
            if isinstance(activity, Mapping) and activity.get("status") is not None:
                statuses[ticket] = str(activity["status"])
        one.revision = len(named)
        found.append(one)
    return found
