"""HubSpot: a search by time of change in milliseconds, and the records read back with the history of their properties, newest first.

What is said on a case is said in its conversation, and work on it is written down in notes and calls.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from rollout_metrics.domain.time import format_instant, parse_instant
from sources.server import Request
from sources.upstream.simulator import Profile, Simulator, given, slice_at
from sources.upstream.world import AGENT, CUSTOMER, PEOPLE, STATUSES, Case, Change

PROPERTIES = {"status": "hs_pipeline_stage", "priority": "hs_ticket_priority", "assignee": "hubspot_owner_id"}
MODIFIED = "hs_lastmodifieddate"


def _milliseconds(case: Case) -> int:
    return case.updated_at // 1000


def _search(simulator: Simulator, match: re.Match[str], request: Request) -> Any:
    (group,) = request.body["filterGroups"]
    if match[1] == "tickets":
        first = max([0, *(int(one["value"]) for one in group["filters"] if one["propertyName"] == MODIFIED and one["operator"] != "LT")])
        times = {case.number: _milliseconds(case) for case in simulator.changed(first * 1000)}
    else:
        times = {change.number: change.at // 1000 for change, _ in _work(simulator, match[1])}
    found = [(number, at) for number, at in times.items() if all(_holds(number, at, one) for one in group["filters"])]
    by_id = request.body["sorts"] == ["hs_object_id"]
    found.sort(key=lambda one: (0 if by_id else one[1], one[0]))
    hits = [{"id": str(number), "properties": {MODIFIED: format_instant(at * 1000)}} for number, at in found]
    return {"total": len(hits), "results": hits[: request.body["limit"]]}


WRITTEN: Mapping[str, Callable[[Change], bool]] = {
    "notes": lambda change: change.what == "work" and change.after <= 60,
    "calls": lambda change: change.what == "work" and change.after > 60,
    "feedback_submissions": lambda change: change.what == "comment" and change.actor == CUSTOMER,
}


def _work(simulator: Simulator, kind: str) -> list[tuple[Change, Case]]:
    """What was written down about work, and answers to surveys."""
    shown = simulator.world.now - simulator.lag
    return [(change, case) for case in simulator.world.cases.values() for change in case.changes if change.at <= shown and WRITTEN[kind](change)]


def _holds(number: int, at: int, one: dict[str, str]) -> bool:
    value = number if one["propertyName"] == "hs_object_id" else at
    return {"GTE": value >= int(one["value"]), "LT": value < int(one["value"]), "GT": value > int(one["value"]), "EQ": value == int(one["value"])}[
        one["operator"]
    ]


def _entry(change: Change) -> dict[str, Any]:
    said = {"timestamp": format_instant(change.at), "value": change.after, "sourceLabel": None, "updatedByUserId": None}
    if change.actor == AGENT:
        return said | {"sourceType": "INTEGRATION", "sourceId": "77"}
    return said | {"sourceType": "CRM_UI", "sourceId": f"userId:{change.actor}"}


def _record(case: Case) -> dict[str, Any]:
    histories = {}
    for what, name in PROPERTIES.items():
        changes = case.of(what)
        first = changes[0].before if changes else case.values[what]
        made = {
            "timestamp": format_instant(case.created_at),
            "value": first,
            "sourceType": "FORM",
            "sourceId": None,
            "sourceLabel": None,
            "updatedByUserId": None,
        }
        histories[name] = [*map(_entry, reversed(changes)), made]
    stamp, updated, number = format_instant(case.created_at), format_instant(case.updated_at), str(case.number)
    properties = {"createdate": stamp, MODIFIED: updated, "hs_object_id": number}
    return {"id": number, "createdAt": stamp, "updatedAt": updated, "archived": False, "properties": properties, "propertiesWithHistory": histories}


def _read(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    wanted = [int(one["id"]) for one in request.body["inputs"]]
    return {"results": [_record(simulator.world.cases[number]) for number in wanted]}


def _engagements(simulator: Simulator, match: re.Match[str], request: Request) -> Any:
    known = {change.number: change for change, _ in _work(simulator, match[1])}
    return {"results": [_engagement(known[int(one["id"])]) for one in request.body["inputs"]]}


def _engagement(change: Change) -> dict[str, Any]:
    at = format_instant(change.at)
    said = {"hs_timestamp": at, "hs_note_body": f"<p>took {change.after}</p>", "hs_call_duration": str(change.after * 1000), "hs_object_source": "CRM_UI"}
    if change.what == "comment":
        said = {"hs_submission_timestamp": at, "hs_response_group": GROUPS[change.number % 3], "hs_object_source": "FEEDBACK"}
    said |= dict.fromkeys(("hs_object_source_label", "hs_object_source_user_id", "hs_created_by_user_id")) | {"hs_object_source_id": f"userId:{change.actor}"}
    said |= {"hs_createdate": at, MODIFIED: at, "hs_object_id": str(change.number)}
    return {"id": str(change.number), "createdAt": at, "updatedAt": at, "archived": False, "properties": said}


def _links(simulator: Simulator, match: re.Match[str], request: Request) -> Any:
    cases = {change.number: case.number for change, case in _work(simulator, match[1])}
    return {
        "results": [{"from": {"id": one["id"]}, "to": [{"toObjectId": cases[int(one["id"])], "associationTypes": TYPES}]} for one in request.body["inputs"]]
    }


def _threads(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    since = parse_instant(given(request, "latestMessageTimestampAfter"))
    shown = simulator.world.now - simulator.lag
    latest = {case.number: max(change.at for change in case.of("comment")) for case in simulator.world.cases.values() if case.of("comment")}
    found = sorted((at, number) for number, at in latest.items() if since <= at <= shown)
    page, following = slice_at(found, int(given(request, "after", "0")), simulator.size)
    threads = [
        {
            "id": str(7000 + number),
            "createdAt": format_instant(simulator.world.cases[number].created_at),
            "latestMessageTimestamp": format_instant(at),
            "status": "OPEN",
            "inboxId": "88",
            "originalChannelId": "1000",
            "originalChannelAccountId": "55",
            "associatedContactId": "901",
            "spam": False,
            "archived": False,
            "threadAssociations": {"associatedTicketId": str(number)},
        }
        for at, number in page
    ]
    return {"results": threads, **_paging(following)}


def _messages(simulator: Simulator, match: re.Match[str], request: Request) -> Any:
    said = simulator.world.cases[int(match[1]) - 7000].of("comment")
    page, following = slice_at(said, int(given(request, "after", "0")), simulator.size)
    return {"results": [_message(change) for change in page], **_paging(following)}


def _message(change: Change) -> dict[str, Any]:
    by = {AGENT: "L-1", CUSTOMER: "V-9"}.get(change.actor, f"A-{change.actor}")
    said = {"text": change.after, "richText": f"<p>{change.after}</p>", "attachments": [], "truncationStatus": "NOT_TRUNCATED", "archived": False}
    way = {"client": {"clientType": "HUBSPOT"}, "direction": "OUTGOING", "channelId": "1000", "channelAccountId": "55"}
    people = {"createdBy": by, "senders": [{"actorId": by, "name": change.actor}], "recipients": []}
    return {"id": f"m{change.number}", "type": "MESSAGE", "createdAt": format_instant(change.at), "conversationsThreadId": "7000", **way, **people, **said}


def _paging(following: int | None) -> dict[str, Any]:
    return {} if following is None else {"paging": {"next": {"after": str(following)}}}


TYPES = [{"category": "HUBSPOT_DEFINED", "typeId": 228, "label": None}]
GROUPS = ("DETRACTOR", "PASSIVE", "PROMOTER")
STAGES = [{"id": status, "metadata": {"ticketState": "CLOSED" if status == "closed" else "OPEN"}} for status in STATUSES]

PROFILE = Profile(
    kind="hubspot",
    options={
        "objects": ["tickets"],
        "conversations": True,
        "engagements": ["notes", "calls"],
        "surveys": True,
        "assignee": "user",
        "deletions": False,
        "history_cap": 1000,
        "requests_per_ten_seconds": 1_000_000,
        "searches_per_second": 1_000_000,
    },
    routes={
        r"GET /crm/v3/owners": lambda *_: {"results": [{"id": name, "userIdIncludingInactive": place} for place, name in enumerate(PEOPLE, 70)]},
        r"GET /crm/v3/pipelines/tickets": lambda *_: {"results": [{"stages": STAGES}]},
        r"POST /crm/v3/objects/(tickets|notes|calls|feedback_submissions)/search": _search,
        r"POST /crm/v3/objects/tickets/batch/read": _read,
        r"POST /crm/v3/objects/(notes|calls|feedback_submissions)/batch/read": _engagements,
        r"POST /crm/v4/associations/(notes|calls|feedback_submissions)/tickets/batch/read": _links,
        r"GET /conversations/v3/conversations/threads": _threads,
        r"GET /conversations/v3/conversations/threads/(\d+)/messages": _messages,
    },
    case_id="tickets/{}".format,
    per_case=2,
    fixed=20,
)
