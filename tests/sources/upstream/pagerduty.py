"""PagerDuty: one feed of log entries, newest first, by offset within a stretch."""

import re
from typing import Any

from rollout_metrics.domain.time import format_instant, parse_instant
from sources.server import Reply, Request
from sources.upstream.simulator import Profile, Simulator, given, slice_at
from sources.upstream.world import AGENT, Case, Change

KINDS = {"comment": "annotate", "label": "snooze", "work": "notify", "assignee": "assign"}


def _incident(case: Case) -> dict[str, Any]:
    """The whole incident, as `include[]=incidents` brings it with every entry; references as everywhere with two addresses."""
    number = f"P{case.number}"
    references = {
        name: {"id": f"P{name}", "type": f"{name}_reference", "summary": name, "self": f"https://api.pagerduty.com/{name}s/P{name}", "html_url": None}
        for name in ("service", "escalation_policy", "first_trigger_log_entry", "last_status_change_by", "priority")
    }
    said = {"incident_number": case.number, "title": "Checkout is slow", "status": "triggered", "urgency": "high", "incident_key": "k" * 32}
    return {
        "id": number,
        "type": "incident",
        "html_url": f"https://acme.pagerduty.com/incidents/{number}",
        **said,
        **references,
        "teams": [],
        "pending_actions": [],
    }


def _entry(case: Case, number: str, at: int, actor: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "type": f"{kind}_log_entry",
        "created_at": format_instant(at),
        "agent": {"id": actor, "type": "service_reference" if actor == AGENT else "user_reference"},
        "channel": {"type": "website"},
        "incident": _incident(case),
        "service": {"id": "PS1", "type": "service_reference"},
        **more,
    }


def _of(case: Case, change: Change) -> dict[str, Any]:
    if change.what == "create":
        return _entry(case, f"T{case.number:06d}", change.at, change.actor, "trigger")
    kind, more = KINDS.get(change.what, "escalate"), {}
    if change.what == "status":
        kind = {"closed": "resolve", "working": "acknowledge"}.get(change.after, "unacknowledge")
    if kind in ("escalate", "assign"):
        more = {"assignees": [{"id": str(change.after), "type": "user_reference"}]}
    return _entry(case, f"L{change.number:06d}", change.at, change.actor, kind, **more)


def _feed(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    since, until = (parse_instant(given(request, name)) for name in ("since", "until"))
    found = simulator.trail(since, until)
    page, following = slice_at(range(len(found) - 1, -1, -1), int(given(request, "offset", "0")), simulator.size)
    return {"log_entries": [_of(*found[place]) for place in page], "more": following is not None, "total": len(found)}


PROFILE = Profile(
    kind="pagerduty",
    routes={r"GET /log_entries": _feed},
    throttled=Reply({"error": {"message": "Rate Limit Exceeded"}}, 429, {"ratelimit-reset": "1"}),
    case_id="P{}".format,
)
