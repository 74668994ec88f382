"""Zendesk's JSON: an update of a ticket as a ticket event and as an audit, a ticket as it is, its users."""

from typing import Any

import msgspec

from rollout_metrics.domain.time import SECOND, Instant
from rollout_metrics.simulate.cast import ADMIN, BOTS, CUSTOMERS, SYSTEM, ZENDESK_STAFF
from rollout_metrics.simulate.draft import Case, Field, Save, Value
from rollout_metrics.simulate.wire import seconds_text

VIA_NAMES = {"web": "Web form", "email": "Mail", "mobile": "Mobile", "api": "Web service", "rule": "Rule"}
"""Channels as the event stream spells them."""
_TRIGGER, _AUTOMATION = 35079792, 35079800
_MERGED_TAG = "closed_by_merge"
_NOTICE = 90
"""Place among the children that the notification of a public comment takes."""


def audit_id(case: Case, place: int) -> int:
    """The id of the update at a place in the case: it grows along the case."""
    return case.id * 100_000 + place * 100


def ticket_event(case: Case, save: Save, place: int, *, comments: bool) -> dict[str, Any]:
    """The update in the incremental stream: a child per changed field, whose name is a key of the child."""
    number = audit_id(case, place)
    via = "Merge" if (save.ending or "").startswith("merged") else VIA_NAMES[save.via]
    children: list[dict[str, Any]] = []
    if save.created:
        children.append(_created(save, number + 1, via))
    else:
        for offset, field in enumerate(_fields(case, save), start=1):
            child = _change(field, number + offset, "Rule" if field.by_rule else via)
            if child["via"] == "Rule":
                child["via_reference_id"] = _TRIGGER if field.by_rule else _AUTOMATION
            children.append(child)
    if save.comment is not None:
        children.append(_comment(save, number, via, comments=comments))
        if save.public:
            children.append({"id": number + _NOTICE, "via": "Rule", "via_reference_id": _TRIGGER, "event_type": "Notification", "recipients": [ADMIN]})
    if save.score is not None:
        children.append({"id": number + 80, "via": via, "via_reference_id": None, "event_type": "SatisfactionRating", "score": save.score, "comment": None})
    return {
        "id": number,
        "ticket_id": case.id,
        "timestamp": save.at // SECOND,
        "created_at": seconds_text(save.at),
        "updater_id": SYSTEM if save.via == "rule" else save.actor,
        "via": via,
        "system": {"client": "demo", "location": "", "latitude": None, "longitude": None},
        **({"metadata": {"custom": {}, "system": {}}} if comments else {}),
        "event_type": "Audit",
        "child_events": children,
    }


def _fields(case: Case, save: Save) -> tuple[Field, ...]:
    """What the update changed; deleting and merging are changes of status here."""
    if save.ending is None:
        return save.fields
    values = values_at(case, save.at)
    if save.ending == "deleted":
        return (Field("status", values["status"], "deleted"),)
    tags = values["tags"]
    assert isinstance(tags, tuple)
    return Field("tags", tags, tuple(sorted((*tags, _MERGED_TAG)))), Field("status", values["status"], "closed")


def values_at(case: Case, at: Instant) -> dict[str | int, Value]:
    """The ticket's fields before whatever ends it."""
    return {field.name: field.after for save in case.saves if save.at <= at for field in save.fields}


def _created(save: Save, number: int, via: str) -> dict[str, Any]:
    body: dict[str, Any] = {"id": number, "via": via, "via_reference_id": None, "event_type": "Create", "organization_id": None, "assignee_id": None}
    custom: dict[str, Any] = {}
    for field in save.fields:
        if isinstance(field.name, int):
            custom[str(field.name)] = field.after
        else:
            body["ticket_type" if field.name == "type" else field.name] = field.after
    return body | {"custom_ticket_fields": custom}


def _change(field: Field, number: int, via: str) -> dict[str, Any]:
    body: dict[str, Any] = {"id": number, "via": via, "via_reference_id": None, "event_type": "Change"}
    if field.name == "tags":
        before, after = set(_members(field.before)), set(_members(field.after))
        return body | {"tags": sorted(after), "added_tags": sorted(after - before), "removed_tags": sorted(before - after)}
    if isinstance(field.name, int):
        return body | {"custom_ticket_fields": {str(field.name): field.after}, "previous_value": field.before}
    return body | {field.name: field.after, "previous_value": field.before}


def _members(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _comment(save: Save, number: int, via: str, *, comments: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"id": number + 70, "via": via, "via_reference_id": None, "event_type": "Comment"}
    if not comments:
        return body | {"comment_present": True, "comment_public": save.public}
    text = save.comment or ""
    said_by = {} if via in ("Rule", "Merge") else {"via": {"channel": save.via, "source": {"from": {}, "to": {}, "rel": None}}}
    return body | {
        **said_by,  # comments spell their channel as an object
        "type": "Comment",
        "author_id": save.actor,
        "body": text,
        "html_body": f'<div class="zd-comment" dir="auto">{text}</div>',
        "plain_body": text,
        "public": save.public,
        "attachments": [],
        "audit_id": number,
        "created_at": seconds_text(save.at),
    }


def audit(case: Case, save: Save, place: int) -> dict[str, Any]:
    """The update among the ticket's audits: `field_name`, `value`, `previous_value`."""
    number = audit_id(case, place)
    events: list[dict[str, Any]] = []
    for offset, field in enumerate(_fields(case, save), start=1):
        value = list(field.after) if isinstance(field.after, tuple) else field.after
        child: dict[str, Any] = {"id": number + offset, "type": "Create" if save.created else "Change", "field_name": str(field.name), "value": value}
        if not save.created:
            child["previous_value"] = list(field.before) if isinstance(field.before, tuple) else field.before
        if field.by_rule:
            child["via"] = _rule_via(_TRIGGER, "trigger")
        events.append(child)
    if save.comment is not None:
        events.append({"id": number + 70, "type": "Comment", "author_id": save.actor, "body": save.comment, "public": save.public, "attachments": []})
    if save.score is not None:
        events.append({"id": number + 80, "type": "SatisfactionRating", "score": save.score, "assignee_id": None, "body": None})
    via = _rule_via(_AUTOMATION, "automation") if save.via == "rule" else {"channel": save.via, "source": {"from": {}, "to": {}, "rel": None}}
    if (save.ending or "").startswith("merged"):
        via = {"channel": "web", "source": {"from": {}, "to": {}, "rel": "merge"}}
    author = SYSTEM if save.via == "rule" else save.actor
    return {
        "id": number,
        "ticket_id": case.id,
        "created_at": seconds_text(save.at),
        "author_id": author,
        "via": via,
        "metadata": {"custom": {}, "system": {"client": "demo"}},
        "events": events,
    }


def _rule_via(number: int, relation: str) -> dict[str, Any]:
    return {"channel": "rule", "source": {"rel": relation, "from": {"id": number, "title": "Rule"}, "to": {}}}


class Snapshot(msgspec.Struct, frozen=True):
    """A ticket as of an instant."""

    body: dict[str, Any]
    changed_at: Instant
    deleted: bool


def ticket(case: Case, at: Instant) -> Snapshot:
    """The ticket's snapshot as of `at`."""
    values = values_at(case, at)
    last = max(save.at for save in case.saves if save.at <= at)
    ending = next((save.ending for save in case.saves if save.at <= at and save.ending), None)
    status = values["status"] if ending is None else "deleted" if ending == "deleted" else "closed"
    scores = [save.score for save in case.saves if save.at <= at and save.score]
    tags = list(_members(values["tags"])) + ([_MERGED_TAG] if status == "closed" and ending else [])
    body = {
        "id": case.id,
        "created_at": seconds_text(case.saves[0].at),
        "updated_at": seconds_text(last),
        "generated_timestamp": last // SECOND,
        "via": {"channel": case.saves[0].via, "source": {"from": {}, "to": {}, "rel": None}},
        "submitter_id": values["requester_id"],
        **{name: value for name, value in values.items() if isinstance(name, str)},
        "assignee_id": values.get("assignee_id"),
        "status": status,
        "tags": sorted(tags),
        "custom_fields": [{"id": name, "value": value} for name, value in values.items() if isinstance(name, int)],
        "satisfaction_rating": {"score": scores[-1]} if scores else None,
    }
    return Snapshot(body, last, status == "deleted")


def rating(case: Case, save: Save, place: int) -> dict[str, Any]:
    """A satisfaction rating of its own."""
    return {
        "id": audit_id(case, place) + 80,
        "ticket_id": case.id,
        "requester_id": save.actor,
        "score": save.score,
        "created_at": seconds_text(save.at),
        "updated_at": seconds_text(save.at),
    }


def staff() -> list[dict[str, Any]]:
    """Agents and administrators; bots have an agent's seat, as they do in life."""
    return [found for number in sorted((*ZENDESK_STAFF, *BOTS)) if (found := user(number)) is not None]


def user(number: int) -> dict[str, Any] | None:
    """One user; None where there is none."""
    if number in ZENDESK_STAFF or number in BOTS:
        role = "admin" if number == ADMIN else "agent"
    elif number in CUSTOMERS:
        role = "end-user"
    else:
        return None
    return {"id": number, "name": f"Person {number}", "email": f"person-{number}@demo.example", "role": role, "active": True, "suspended": False}
