"""Intercom: a search by time of update in seconds, cut into pages behind cursors, and each conversation with its parts."""

import re
from typing import Any

from rollout_metrics.domain.time import SECOND
from sources.server import Reply, Request
from sources.upstream.simulator import Profile, Simulator
from sources.upstream.world import AGENT, CUSTOMER, PEOPLE, Case, Change

ADMINS = {name: str(200 + place) for place, name in enumerate(PEOPLE)}
KINDS = {"open": "open", "working": "snoozed", "closed": "close"}


def _author(name: str) -> dict[str, Any]:
    if name == AGENT:
        return {"type": "bot", "id": "1", "from_ai_agent": True, "is_ai_answer": False, "name": "Fin", "email": "fin@acme.example"}
    known = {"from_ai_agent": False, "is_ai_answer": False, "name": name, "email": f"{name}@acme.example"}
    return ({"type": "user", "id": "c1"} if name == CUSTOMER else {"type": "admin", "id": ADMINS[name]}) | known


def _part(change: Change) -> dict[str, Any]:
    at = change.at // SECOND
    part: dict[str, Any] = {"type": "conversation_part", "id": str(change.number), "created_at": at, "updated_at": at, "notified_at": at, "body": None}
    part |= {"author": _author(change.actor), "assigned_to": None, "attachments": [], "external_id": None, "redacted": False}
    part |= {"email_message_metadata": None, "event_details": None, "app_package_code": None, "tags": {"type": "tag.list", "tags": []}}
    if change.what == "status":
        return part | {"part_type": KINDS[change.after]}
    if change.what == "assignee":
        return part | {"part_type": "assignment", "assigned_to": {"type": "admin", "id": ADMINS[change.after]}}
    if change.what == "priority":
        value = {"name": change.after, "previous": change.before}
        return part | {"part_type": "conversation_attribute_updated_by_admin", "event_details": {"attribute": {"name": "Urgency"}, "value": value}}
    return part | {"part_type": "comment" if change.what == "comment" else "participant_added", "body": str(change.after)}


def _search(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    conditions = [(one["field"], one["operator"], one["value"]) for one in request.body["query"]["value"]]
    ids = [number for field, _, value in conditions if field == "id" for number in value]
    first = max([0, *(value for field, operator, value in conditions if field != "id" and operator == ">")])
    found = simulator.world.those(map(int, ids)) if ids else simulator.changed(first * SECOND)
    shown = [case for case in found if all(_holds(case, *one) for one in conditions)]
    shown.sort(key=lambda case: (case.updated_at // SECOND, case.number))
    after = request.body["pagination"].get("starting_after")
    rest = shown if after is None else [case for case in shown if [case.updated_at // SECOND, case.number] > list(map(int, after.split("-")))]
    page = rest[: simulator.size]
    stubs = [{"id": str(case.number), "updated_at": case.updated_at // SECOND} for case in page]
    following = f"{page[-1].updated_at // SECOND}-{page[-1].number}" if len(rest) > len(page) else None
    return {"total_count": len(shown), "pages": {"next": {"starting_after": following}} if following else {}, "conversations": stubs}


def _holds(case: Case, field: str, operator: str, value: Any) -> bool:
    if field == "id":
        return str(case.number) in value
    at = case.updated_at // SECOND
    return at > value if operator == ">" else at < value


BESIDE: dict[str, Any] = {
    "type": "conversation",
    **dict.fromkeys(("title", "waiting_since", "snoozed_until", "first_contact_reply", "sla_applied", "conversation_rating", "ai_agent")),
    "state": "open",
    "open": True,
    "read": True,
    "priority": "not_priority",
    "admin_assignee_id": 200,
    "team_assignee_id": "0",
    "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": "c1", "external_id": None}]},
    "teammates": {"type": "admin.list", "admins": []},
    "tags": {"type": "tag.list", "tags": []},
    "linked_objects": {"type": "list", "data": [], "total_count": 0, "has_more": False},
    "ai_agent_participated": False,
}
TIMES = dict.fromkeys(
    (
        *(f"time_to_{what}" for what in ("assignment", "admin_reply", "first_close", "last_close")),
        *(f"{which}_{what}_at" for which in ("first", "last") for what in ("contact_reply", "assignment", "admin_reply", "close")),
        *("median_time_to_reply", "last_assignment_admin_reply_at", "last_closed_by_id", "count_reopens", "count_assignments", "handling_time"),
    )
)
"""What a conversation holds besides."""


def _conversation(simulator: Simulator, match: re.Match[str], _: Request) -> Any:
    case = simulator.world.cases[int(match[1])]
    if case.deleted:
        return Reply({"type": "error.list", "errors": [{"code": "not_found", "message": "Resource Not Found"}]}, 404)
    parts = [_part(change) for change in case.changes]
    return {
        **BESIDE,
        "id": match[1],
        "created_at": case.created_at // SECOND,
        "updated_at": case.updated_at // SECOND,
        "source": {"type": "conversation", "author": _author(CUSTOMER)},
        "custom_attributes": {"Urgency": case.values["priority"]},
        "statistics": {"type": "conversation_statistics", **TIMES, "count_conversation_parts": len(parts)},
        "conversation_parts": {"type": "conversation_part.list", "total_count": len(parts), "conversation_parts": parts},
    }


PROFILE = Profile(
    kind="intercom",
    options={"fields": {"Urgency": "priority"}},
    routes={
        r"GET /me": lambda *_: {"type": "admin", "id": "1", "app": {"id_code": "abc"}},
        r"POST /conversations/search": _search,
        r"GET /conversations/(\d+)": _conversation,
    },
    throttled=Reply({"errors": [{"code": "rate_limit_exceeded"}]}, 429, {"X-RateLimit-Reset": "1"}),
    forgets=True,
    per_case=2,
)
