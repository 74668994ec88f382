"""Freshdesk's pages: the files of a day's activities, and what is learnt from their order."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec

from rollout_metrics.domain.time import Instant, instant

_PERFORMED = re.compile(r"(\d{2})-(\d{2})-(\d{4}) (\d{2}):(\d{2}):(\d{2}) ([+-]\d{2}):?(\d{2})$")


class Agent(msgspec.Struct):
    """A member of staff."""

    id: int


class Ticket(msgspec.Struct):
    """A ticket as it is listed."""

    id: int
    updated_at: str


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


def performed_at(text: str) -> Instant:
    """An activity's instant, day first; raises `ValueError` for any other form."""
    found = _PERFORMED.match(text)
    if found is None:
        raise ValueError("is not DD-MM-YYYY HH:MM:SS +ZZZZ")
    day, month, year, hour, minute, second = (int(found[place]) for place in range(1, 7))
    offset = timedelta(hours=int(found[7]), minutes=int(found[7][0] + found[8]))
    return instant(datetime(year, month, day, hour, minute, second, tzinfo=UTC) - offset)


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
