"""Notes, emails, calls and answers to surveys that HubSpot keeps as records of their own: read with what they belong to, and what they say of it."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from rollout_metrics.collect.http import Api, decode
from rollout_metrics.collect.source import Coverage, Rejected, why
from rollout_metrics.collect.story import MILLISECOND
from rollout_metrics.collect.texts import said, without_markup
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import parse_instant
from rollout_metrics.sources._hubspot_history import Account
from rollout_metrics.sources._hubspot_pages import Entry

NOTES, EMAILS, CALLS, SURVEYS = "notes", "emails", "calls", "feedback_submissions"
SOURCE = ("hs_object_source", "hs_object_source_id", "hs_object_source_label", "hs_object_source_user_id", "hs_created_by_user_id")
"""Properties by which a record tells who made it, and through what."""
ASKED: Mapping[str, tuple[str, ...]] = {
    NOTES: ("hs_note_body",),
    EMAILS: ("hs_email_direction", "hs_email_html", "hs_email_text"),
    CALLS: ("hs_call_duration",),
    SURVEYS: ("hs_response_group", "hs_submission_timestamp", "hs_ticket_id"),
}
TICKETS = "tickets"
INCOMING = "INCOMING_EMAIL"
SCORES: Mapping[str, str] = {"DETRACTOR": "bad", "PROMOTER": "good"}
"""What HubSpot makes of an answer, whatever the scale of its survey; `PASSIVE` is neither good nor bad."""


class Engagement(msgspec.Struct, rename="camel", gc=False):
    """A note, an email, a call or an answer, with its properties as they are."""

    id: str
    created_at: str
    properties: dict[str, str | None]
    updated_at: str | None = None


class Linked(msgspec.Struct, gc=False):
    """One of them, and the cases it belongs to."""

    kind: str
    cases: list[str]
    engagement: msgspec.Raw


class EngagementBody(msgspec.Struct, frozen=True):
    """A page of them."""

    linked: tuple[Linked, ...]


class _Batch(msgspec.Struct):
    results: list[msgspec.Raw]


class _Number(msgspec.Struct):
    id: str


class _To(msgspec.Struct, rename="camel"):
    to_object_id: int | str


class _Association(msgspec.Struct, rename={"origin": "from"}):
    origin: _Number
    to: list[_To]


class _Associations(msgspec.Struct):
    results: list[_Association]


_BATCH = msgspec.json.Decoder(_Batch)
_ASSOCIATIONS = msgspec.json.Decoder(_Associations)
_NUMBER = msgspec.json.Decoder(_Number)
_ENGAGEMENT = msgspec.json.Decoder(Engagement)
_LINKED = msgspec.json.Decoder(Linked)


def engagements(api: Api, kind: str, ids: list[str], objects: Collection[str]) -> tuple[EngagementBody, str]:
    """Those with these ids, with the records of these types that they belong to: a request, and one for each type."""
    asked = {"inputs": [{"id": number} for number in ids], "properties": ["hs_timestamp", *SOURCE, *ASKED[kind]]}
    label = f"of {len(ids)} from {ids[0]}"
    answer = api.post(f"/crm/v3/objects/{kind}/batch/read", asked, label=label)
    found = decode(answer, _BATCH).results
    cases: dict[str, list[str]] = {}
    for other in objects:
        links = api.post(f"/crm/v4/associations/{kind}/{other}/batch/read", {"inputs": asked["inputs"]}, label=label)
        for link in decode(links, _ASSOCIATIONS).results:
            cases.setdefault(link.origin.id, []).extend(f"{other}/{to.to_object_id}" for to in link.to)
    if kind == SURVEYS and TICKETS in objects:
        for raw in found:
            _of_its_ticket(raw, cases)
    return EngagementBody(tuple(Linked(kind, cases.get(_id_of(raw), []), raw) for raw in found)), answer.where


def _of_its_ticket(raw: msgspec.Raw, cases: dict[str, list[str]]) -> None:
    """An answer may name its ticket in a property instead of belonging to it."""
    try:
        answer = _ENGAGEMENT.decode(raw)
    except msgspec.ValidationError:
        return  # it will be set aside
    ticket = answer.properties.get("hs_ticket_id")
    known = cases.setdefault(answer.id, [])
    if ticket and f"{TICKETS}/{ticket}" not in known:
        known.append(f"{TICKETS}/{ticket}")


def _id_of(raw: msgspec.Raw) -> str:
    try:
        return _NUMBER.decode(raw).id
    except msgspec.ValidationError:
        return ""  # it will be set aside


def linked_of(payload: bytes) -> EngagementBody:
    """The page of one of them as it was kept."""
    return EngagementBody((_LINKED.decode(payload),))


def engagement_events(account: Account, body: EngagementBody, where: str) -> Iterator[Event | Rejected | Coverage]:
    """A comment for a note or an email, time for a call, a rating for an answer, on every case that it belongs to."""
    for linked in body.linked:
        yield Coverage("history", 1, 1)
        try:
            engagement = _ENGAGEMENT.decode(linked.engagement)
            yield from [event for case_id in linked.cases for event in _events(account, linked.kind, case_id, engagement)]
        except (ValueError, OverflowError) as error:
            yield Rejected("malformed", f"{where} {linked.kind}", why(error), msgspec.json.encode(linked))


def _events(account: Account, kind: str, case_id: str, engagement: Engagement) -> Iterator[Event]:
    own = engagement.properties
    at = parse_instant(own.get("hs_submission_timestamp") or own.get("hs_timestamp") or engagement.created_at)
    who, labels = account.who(_maker(own))
    if kind == SURVEYS or own.get("hs_email_direction") == INCOMING:
        who = (ActorKind.CUSTOMER, None)
    detail: dict[str, Any] | None
    if kind == CALLS:
        seconds = int(float(own.get("hs_call_duration") or 0)) // 1000
        activity, detail = Activity.TIME_LOGGED, {"seconds": seconds} if seconds > 0 else None
    elif kind == SURVEYS:
        score = SCORES.get(own.get("hs_response_group") or "")
        activity, detail = Activity.RATED, {"score": score} if score is not None else None
    else:
        activity, detail = Activity.COMMENTED, said(_text(own), public=kind == EMAILS)
    if detail is not None:
        revision, marks = parse_instant(engagement.updated_at or engagement.created_at) // MILLISECOND, {"via": sorted({kind, *labels})}
        yield account.story(*case_id.split("/", 1)).event(f"{kind}/{engagement.id}", at, activity, who, {**marks, **detail}, revision=revision)


def _text(own: Mapping[str, str | None]) -> str:
    plain = own.get("hs_email_text")
    return plain or without_markup(own.get("hs_note_body") or own.get("hs_email_html") or "")


def _maker(own: Mapping[str, str | None]) -> Entry:
    """Who made a record, told as who made a version of a property."""
    source, number, label, user, creator = (own.get(name) for name in SOURCE)
    known = user or creator
    return Entry("", None, source, number, label, int(known) if known and known.isdigit() else None)
