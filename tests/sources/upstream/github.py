"""GitHub: issues by `since`, the timeline of each, everything in pages by `Link` header."""

import re
from typing import Any

from rollout_metrics.domain.time import format_instant, parse_instant
from sources.server import Reply, Request
from sources.upstream.simulator import Profile, Simulator, given, linked
from sources.upstream.world import AGENT, CUSTOMER, Case, Change

REPOSITORY = "acme/shop"


ADDRESSES = ("followers", "following", "gists", "starred", "subscriptions", "organizations", "repos", "events", "received_events")


def _user(name: str) -> dict[str, Any]:
    """An account with all its addresses, as GitHub repeats it everywhere."""
    login = "robot[bot]" if name == AGENT else name
    addresses = {f"{part}_url": f"https://api.github.com/users/{login}/{part}" for part in ADDRESSES}
    return {"login": login, "id": 1, "node_id": "MDQ6VXNlcjE=", "type": "Bot" if name == AGENT else "User", "site_admin": False, **addresses}


def _issue(case: Case) -> dict[str, Any]:
    found = {
        "number": case.number,
        "created_at": format_instant(case.created_at),
        "updated_at": format_instant(case.updated_at),
        "state": "closed" if case.values["status"] == "closed" else "open",
        "html_url": f"https://github.com/{REPOSITORY}/issues/{case.number}",
        "user": _user(CUSTOMER),
        "author_association": "NONE",
        "labels": [{"name": label} for label in case.labels],
        "assignees": [_user(case.values["assignee"])] if case.values["assignee"] else [],
        "milestone": {"title": case.values["priority"]},
        "closed_at": format_instant(case.updated_at),
    }
    return found | ({"pull_request": {"url": "x"}} if case.number % 3 == 0 else {})


def _items(change: Change) -> list[dict[str, Any]]:
    said = {"actor": _user(change.actor), "created_at": format_instant(change.at), "performed_via_github_app": None}

    def item(event: str, place: int = 0, **more: Any) -> dict[str, Any]:
        return {"event": event, "id": change.number * 10 + place, **said, **more}

    before, after = change.before, change.after
    if change.what == "status":
        return [item("closed")] if after == "closed" else [item("reopened")] if before == "closed" else []
    if change.what == "label":
        gone, come = set(before) - set(after), set(after) - set(before)
        return [item("unlabeled", label={"name": one}) for one in gone] + [item("labeled", label={"name": one}) for one in come]
    if change.what == "assignee":
        sides = (("unassigned", before), ("assigned", after))
        return [item(event, place, assignee=_user(one)) for place, (event, one) in enumerate(sides) if one]
    if change.what == "priority":
        return [item("demilestoned", milestone={"title": before}), item("milestoned", 1, milestone={"title": after})]
    if change.what == "comment":
        return [item("commented", user=_user(change.actor), body=after, updated_at=said["created_at"], author_association="MEMBER")]
    return [item("subscribed")]


def _list(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    since = given(request, "since")
    cases = simulator.changed(parse_instant(since)) if since else simulator.world.living()
    return linked(simulator, request, cases, _issue)


def _timeline(simulator: Simulator, match: re.Match[str], request: Request) -> Any:
    return linked(simulator, request, [item for change in simulator.world.cases[int(match[1])].changes for item in _items(change)])


def _one(simulator: Simulator, match: re.Match[str], _: Request) -> Any:
    case = simulator.world.cases[int(match[1])]
    return Reply({"message": "This issue was deleted"}, 410) if case.deleted else _issue(case)


PROFILE = Profile(
    kind="github",
    options={"repositories": [REPOSITORY]},
    routes={
        rf"GET /repos/{REPOSITORY}/issues": _list,
        rf"GET /repos/{REPOSITORY}/issues/(\d+)/timeline": _timeline,
        rf"GET /repos/{REPOSITORY}/issues/(\d+)": _one,
        rf"GET /repos/{REPOSITORY}/pulls/(\d+)": lambda *_: {"head": {"ref": "copilot/fix"}, "base": {"ref": "main"}},
    },
    throttled=Reply({"message": "API rate limit exceeded"}, 403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}),
    forgets=True,
    case_id=lambda number: f"{REPOSITORY}#{number}",
    per_case=2,
    per_known=1,  # the older ones; a hundredth for those among the newest
)
