"""Zendesk: the incremental stream of ticket events, by second, with the last second of a page repeated on the next."""

import re
from typing import Any

from rollout_metrics.domain.time import SECOND, format_instant
from sources.server import Request
from sources.upstream.simulator import END, Profile, Simulator, given
from sources.upstream.world import AGENT, CUSTOMER, PEOPLE, Case, Change

USERS = {name: 5000 + place for place, name in enumerate(PEOPLE)} | {AGENT: 6000, CUSTOMER: 9000}
FIELDS = {"status": "status", "priority": "priority", "assignee": "assignee_id"}
STATUSES = {"open": "new", "working": "open", "closed": "solved"}


def _audit(case: Case, change: Change) -> dict[str, Any]:
    via, child = "Web service" if change.actor == AGENT else "Web form", {"id": change.number * 10, "via": "Web form"} | _child(change)
    who = {"ticket_id": case.number, "timestamp": _second(change), "updater_id": USERS[change.actor]}
    return {"id": change.number * 10 + 9, **who, "via": via, "child_events": [child]}


def _second(change: Change) -> int:
    return change.at // SECOND


def _value(what: str, value: Any) -> Any:
    return STATUSES[value] if what == "status" else USERS.get(value) if what == "assignee" else value


def _child(change: Change) -> dict[str, Any]:
    if change.what == "create":
        return {"event_type": "Create", "status": "new", "priority": "normal"}
    if change.what in FIELDS:
        sides = {FIELDS[change.what]: _value(change.what, change.after), "previous_value": _value(change.what, change.before)}
        return {"event_type": "Change", **sides}
    if change.what == "label":
        gone, come = set(change.before) - set(change.after), set(change.after) - set(change.before)
        return {"event_type": "Change", "tags": change.after, "added_tags": sorted(come), "removed_tags": sorted(gone)}
    if change.what == "comment":
        channel = "api" if change.actor == AGENT else "web"  # comments come with the other spelling
        return {"event_type": "Comment", "body": change.after, "public": change.actor == CUSTOMER, "via": {"channel": channel, "source": {}}}
    return {"event_type": "Notification"}


def _stream(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    """Every third ticket only an AI agent has had: such are shown to those who ask for them."""
    start = int(given(request, "start_time"))
    found = simulator.trail(start * SECOND)
    if given(request, "support_type_scope", "agent") != "all":
        found = [one for one in found if one[0].number % 3]
    size = simulator.size
    while size < len(found) and (_second(found[size - 1][1]) == start or _second(found[size][1]) in (start, _second(found[size - 1][1]))):
        size += 1
    page = found[:size]
    end = _second(page[-1][1]) if page else None
    return {"ticket_events": [_audit(*one) for one in page], "count": len(page), "end_time": end, "end_of_stream": len(page) == len(found)}


def _side(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    """Work on a case is talked over beside it. A page ends within a second, and the next one begins with that second."""
    start = int(given(request, "start_time"))
    told, size = simulator.trail(start * SECOND, END, "work"), simulator.size
    while size < len(told) and _second(told[size - 1][1]) == start:
        size += 1
    page = told[:size]
    events = [
        {
            "id": f"side-{change.number}",
            "side_conversation_id": f"of-{case.number}",
            "ticket_id": case.number,
            "type": "create" if change.after == 60 else "reply",
            "created_at": format_instant(change.at),
            "actor": {"user_id": USERS[change.actor], "name": change.actor, "email": f"{change.actor}@acme.example"},
            "message": {"body": f"took {change.after}"},
            "via": "support",
        }
        for case, change in page
    ]
    following = f"http://{request.headers['Host']}{request.path}?start_time={_second(page[-1][1])}" if len(page) < len(told) else None
    return {"events": events, "count": len(events), "end_time": _second(page[-1][1]) if page else None, "next_page": following}


PROFILE = Profile(
    kind="zendesk",
    options={"incremental_per_minute": 1_000_000, "side_conversations": True},
    routes={
        r"GET /api/v2/users.json": lambda *_: {"users": [{"id": USERS[name]} for name in PEOPLE], "meta": {"has_more": False}},
        r"GET /api/v2/incremental/ticket_events.json": _stream,
        r"GET /api/v2/tickets/side_conversations/events": _side,
    },
)
