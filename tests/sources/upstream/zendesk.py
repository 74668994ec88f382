"""Zendesk: the incremental stream of ticket events, by second, with the last second of a page repeated on the next."""

import re
from typing import Any

from rollout_metrics.domain.time import SECOND, format_instant
from sources.server import Request
from sources.upstream.simulator import Profile, Simulator, given
from sources.upstream.world import AGENT, CUSTOMER, PEOPLE, Case, Change

USERS = {name: 5000 + place for place, name in enumerate(PEOPLE)} | {AGENT: 6000, CUSTOMER: 9000}
FIELDS = {"status": "status", "priority": "priority", "assignee": "assignee_id"}
STATUSES = {"open": "new", "working": "open", "closed": "solved"}


def _audit(number: int, case: Case, at: int, actor: str, *children: dict[str, Any]) -> dict[str, Any]:
    numbered = [{"id": number * 10 + place, "via": "Web form", **child} for place, child in enumerate(children)]
    via = "Web service" if actor == AGENT else "Web form"
    return {"id": number * 10 + 9, "ticket_id": case.number, "timestamp": at // SECOND, "updater_id": USERS[actor], "via": via, "child_events": numbered}


def _value(what: str, value: Any) -> Any:
    return STATUSES[value] if what == "status" else USERS.get(value) if what == "assignee" else value


def _child(change: Change) -> dict[str, Any]:
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
    world, start = simulator.world, int(given(request, "start_time"))
    shown_cases = [case for case in world.cases.values() if case.number % 3 or given(request, "support_type_scope", "agent") == "all"]
    found = [
        _audit(900_000 + case.number, case, case.created_at, CUSTOMER, {"event_type": "Create", "status": "new", "priority": "normal"}) for case in shown_cases
    ]
    found += [_audit(change.number, case, change.at, change.actor, _child(change)) for case in shown_cases for change in case.changes]
    shown = (world.now - simulator.lag) // SECOND
    rest = sorted((one for one in found if start <= one["timestamp"] <= shown), key=lambda one: (one["timestamp"], one["id"]))
    page = rest[: simulator.size]
    while (len(page) < len(rest) and rest[len(page)]["timestamp"] in (start, page[-1]["timestamp"])) or (
        len(page) < len(rest) and page[-1]["timestamp"] == start
    ):
        page = rest[: len(page) + 1]
    end = page[-1]["timestamp"] if page else None
    return {"ticket_events": page, "count": len(page), "end_time": end, "end_of_stream": len(page) == len(rest)}


def _side(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    """Work on a case is talked over beside it. A page ends within a second, and the next one begins with that second."""
    world, start = simulator.world, int(given(request, "start_time"))
    told = [(change, case) for case in world.cases.values() for change in case.of("work") if start <= change.at // SECOND]
    told = sorted((one for one in told if one[0].at <= world.now - simulator.lag), key=lambda one: one[0].number)
    size = simulator.size
    while size < len(told) and told[size - 1][0].at // SECOND == start:
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
        for change, case in page
    ]
    following = f"http://{request.headers['Host']}{request.path}?start_time={page[-1][0].at // SECOND}" if len(page) < len(told) else None
    return {"events": events, "count": len(events), "end_time": page[-1][0].at // SECOND if page else None, "next_page": following}


PROFILE = Profile(
    kind="zendesk",
    options={"incremental_per_minute": 1_000_000, "side_conversations": True},
    routes={
        r"GET /api/v2/users.json": lambda *_: {"users": [{"id": USERS[name]} for name in PEOPLE], "meta": {"has_more": False}},
        r"GET /api/v2/incremental/ticket_events.json": _stream,
        r"GET /api/v2/tickets/side_conversations/events": _side,
    },
    per_case=2,
)
