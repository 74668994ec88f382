"""Zendesk's pages as they come: the shapes that are decoded, and what is done with records that have none of them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from rollout_metrics.collect.http import Answer, ShapeError, decode
from rollout_metrics.collect.records import decoded
from rollout_metrics.collect.source import Rejected


class Metadata(msgspec.Struct, gc=False):
    """What an integration stamped on an update."""

    custom: dict[str, Any] | None = None


class Audit(msgspec.Struct, gc=False):
    """One update of one ticket, with what it did as children."""

    id: int
    ticket_id: int
    child_events: list[dict[str, Any]]
    timestamp: int | None = None
    created_at: str | None = None
    updater_id: int | None = None
    via: str | dict[str, Any] | None = None
    metadata: Metadata | None = None


class Stream(msgspec.Struct):
    """A page of the incremental export."""

    ticket_events: list[Audit]
    end_of_stream: bool
    end_time: int | None = None
    count: int | None = None


class RawStream(msgspec.Struct):
    """The same page with its updates as they came."""

    ticket_events: list[msgspec.Raw]
    end_of_stream: bool
    end_time: int | None = None
    count: int | None = None


class User(msgspec.Struct, gc=False):
    """A member of the help desk's staff."""

    id: int


class _More(msgspec.Struct):
    has_more: bool = False


class _Links(msgspec.Struct):
    next: str | None = None


class Users(msgspec.Struct):
    """A page of the staff listing."""

    users: list[User]
    meta: _More | None = None
    links: _Links | None = None
    next_page: str | None = None


STREAM = msgspec.json.Decoder(Stream)
RAW_STREAM = msgspec.json.Decoder(RawStream)
AUDIT = msgspec.json.Decoder(Audit)
USERS = msgspec.json.Decoder(Users)


def as_it_came(page: bytes, number: int, rejected: Sequence[Rejected]) -> bytes:
    """The bytes of an audit of a page: of those that were not rejected, the one with this number."""
    bad = {record.payload for record in rejected}
    return [bytes(raw) for raw in RAW_STREAM.decode(page).ticket_events if bytes(raw) not in bad][number]


def read_stream(answer: Answer) -> tuple[Stream, list[Rejected]]:
    """The page with what in it is an audit, and what is not."""
    try:
        return decode(answer, STREAM), []
    except ShapeError:
        page = decode(answer, RAW_STREAM)
    audits, rejected = decoded(page.ticket_events, AUDIT, f"{answer.where} record")
    return Stream(audits, page.end_of_stream, page.end_time, page.count), rejected


def more_users(page: Users) -> str | None:
    """Where the staff listing goes on."""
    if page.meta is not None:
        return page.links.next if page.meta.has_more and page.links is not None else None
    return page.next_page
