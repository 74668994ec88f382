"""Freshdesk: tickets by time of update, their conversations, and a file of activities for each day that is over."""

import re
from typing import Any

from rollout_metrics.domain.time import DAY, format_instant, moment, parse_instant
from sources.server import Reply, Request
from sources.upstream.simulator import END, Profile, Simulator, given, linked
from sources.upstream.world import AGENT, CUSTOMER, PEOPLE, Case, Change

USERS = {name: 7000 + place for place, name in enumerate((*PEOPLE, AGENT, CUSTOMER))}
STATUSES = {"open": "Open", "working": "Pending", "closed": "Resolved"}
KEYS = {"status": "status", "priority": "priority", "assignee": "agent"}


def _row(case: Case, change: Change) -> dict[str, Any]:
    stamp = f"{moment(change.at):%d-%m-%Y %H:%M:%S} +0000"
    who = {"performer_type": "user", "performer_id": USERS[change.actor]}
    return {"performed_at": stamp, "ticket_id": case.number, **who, "activity": _activity(change)}


def _activity(change: Change) -> dict[str, Any]:
    if change.what == "create":
        return {"new_ticket": True, "status": "Open"}
    if change.what == "label":
        gone, come = sorted(set(change.before) - set(change.after)), sorted(set(change.after) - set(change.before))
        return {"added_tags": come} if come else {"removed_tags": gone}
    value = STATUSES[change.after] if change.what == "status" else USERS[change.after] if change.what == "assignee" else change.after
    return {KEYS[change.what]: value}


def _file(simulator: Simulator, match: re.Match[str], _: Request) -> Any:
    start = parse_instant(f"{match[1]}T00:00:00Z")
    found = [_row(case, change) for case, change in simulator.world.trail(start, start + DAY) if change.what in ("create", *KEYS, "label")]
    return {"metadata": {"activities_count": len(found)}, "activities_data": found}


def _export(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    day = given(request, "created_at")
    ready = parse_instant(f"{day}T00:00:00Z") + DAY <= simulator.world.now
    return {"export": {"url": f"http://{request.headers['Host']}/files/{day}"}} if ready else Reply({}, 404)


def _tickets(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    if given(request, "filter"):
        return []
    found = simulator.changed(parse_instant(given(request, "updated_since")))
    return linked(simulator, request, found, lambda case: {"id": case.number, "updated_at": format_instant(case.updated_at)})


def _conversations(simulator: Simulator, match: re.Match[str], request: Request) -> Any:
    said = [
        {
            "id": change.number,
            "body_text": change.after,
            "private": False,
            "incoming": change.actor == CUSTOMER,
            "user_id": USERS[change.actor],
            "created_at": format_instant(change.at),
            "updated_at": format_instant(change.at),
        }
        for change in simulator.world.cases[int(match[1])].of("comment")
    ]
    return linked(simulator, request, said)


def _entries(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    return [
        {
            "id": change.number,
            "ticket_id": case.number,
            "agent_id": USERS[change.actor],
            "time_spent": f"00:{change.after // 60:02d}",
            "executed_at": format_instant(change.at),
            "updated_at": format_instant(change.at),
        }
        for case, change in simulator.trail(parse_instant(given(request, "executed_after")), END, "work")
    ]


PROFILE = Profile(
    kind="freshdesk",
    options={"memory": 3 * DAY},
    routes={
        r"GET /api/v2/agents": lambda *_: [{"id": USERS[name]} for name in (*PEOPLE, AGENT)],
        r"GET /api/v2/tickets": _tickets,
        r"GET /api/v2/tickets/(\d+)/conversations": _conversations,
        r"GET /api/v2/time_entries": _entries,
        r"GET /api/v2/surveys/satisfaction_ratings": lambda *_: [],
        r"GET /api/v2/export/ticket_activities": _export,
        r"GET /files/(\S+)": _file,
    },
    throttled=Reply({"message": "You have exceeded the limit of requests per hour"}, 429, {"Retry-After": "1"}),
    per_case=2,
)
