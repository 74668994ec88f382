"""GitLab: items by `updated_after`, their state, label and milestone events, and all else in notes; pages by number with `X-Next-Page`."""

import re
from typing import Any

from rollout_metrics.domain.time import format_instant, parse_instant
from sources.server import Reply, Request
from sources.upstream.simulator import Profile, Simulator, given, linked
from sources.upstream.world import AGENT, CUSTOMER, Case, Change

ACCOUNTS = {AGENT: "project_5_bot_ab12", CUSTOMER: "support-bot"}


def _user(name: str) -> dict[str, Any]:
    login = ACCOUNTS.get(name, name)
    pages = {"avatar_url": f"https://gitlab.example/uploads/{login}/avatar.png", "web_url": f"https://gitlab.example/{login}"}
    return {"id": 1, "username": login, "name": name, "state": "active", "locked": False, "public_email": None, **pages}


def _item(case: Case) -> dict[str, Any]:
    return {
        "iid": case.number,
        "created_at": format_instant(case.created_at),
        "updated_at": format_instant(case.updated_at),
        "state": "closed" if case.values["status"] == "closed" else "opened",
        "web_url": f"https://gitlab.example/acme/shop/-/issues/{case.number}",
        "author": _user(CUSTOMER),
        "labels": case.labels,
        "assignees": [_user(case.values["assignee"])] if case.values["assignee"] else [],
        "milestone": {"title": case.values["priority"]},
    }


def _base(change: Change, place: int = 0) -> dict[str, Any]:
    return {"id": change.number * 10 + place, "created_at": format_instant(change.at)}


def _labels(change: Change) -> list[dict[str, Any]]:
    gone, come = set(change.before) - set(change.after), set(change.after) - set(change.before)
    made = [("remove", one) for one in gone] + [("add", one) for one in come]
    return [{**_base(change), "user": _user(change.actor), "action": action, "label": {"name": name}} for action, name in made]


def _states(change: Change) -> list[dict[str, Any]]:
    state = "closed" if change.after == "closed" else "reopened" if change.before == "closed" else None
    return [{**_base(change), "user": _user(change.actor), "state": state}] if state else []


def _milestones(change: Change) -> list[dict[str, Any]]:
    made = (("remove", change.before), ("add", change.after))
    return [
        {**_base(change, place), "user": _user(change.actor), "action": action, "milestone": {"title": title}} for place, (action, title) in enumerate(made)
    ]


def _notes(change: Change) -> list[dict[str, Any]]:
    if change.what == "comment":
        return [{**_base(change), "updated_at": format_instant(change.at), "author": _user(change.actor), "body": change.after, "system": False}]
    if change.what == "assignee":
        body = f"assigned to @{change.after}" + (f" and unassigned @{change.before}" if change.before else "")
    else:
        body = f"added {change.after // 60}m of time spent"
    return [{**_base(change), "author": _user(change.actor), "body": body, "system": True}]


OF: dict[str, tuple[Any, tuple[str, ...]]] = {
    "resource_state_events": (_states, ("status",)),
    "resource_label_events": (_labels, ("label",)),
    "resource_milestone_events": (_milestones, ("priority",)),
    "notes": (_notes, ("comment", "assignee", "work")),
}


def _list(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    if "iids[]" in request.query:
        return [_item(case) for case in simulator.world.those(map(int, request.query["iids[]"]))]
    if since := given(request, "updated_after"):
        cases = simulator.changed(parse_instant(since), parse_instant(given(request, "updated_before")))
    else:
        cases = [case for case in simulator.world.unsettled() if case.values["status"] != "closed"]
    return linked(simulator, request, cases, _item)


def _part(simulator: Simulator, match: re.Match[str], request: Request) -> Any:
    translated, kinds = OF[match[2]]
    return linked(simulator, request, [one for change in simulator.world.cases[int(match[1])].of(*kinds) for one in translated(change)])


PROFILE = Profile(
    kind="gitlab",
    options={"projects": ["acme/shop"], "only": "issues"},
    routes={
        r"GET /api/v4/projects/acme%2Fshop/issues": _list,
        r"GET /api/v4/projects/acme%2Fshop/issues/(\d+)/(\w+)": _part,
    },
    throttled=Reply({"message": "429 Too Many Requests"}, 429, {"RateLimit-Reset": "1", "Retry-After": "1"}),
    forgets=True,
    case_id="acme/shop#{}".format,
    per_case=5,
    per_known=6,  # what is open is read again
)
