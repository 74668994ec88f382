"""Jira Cloud: search by JQL, changelogs in pieces that repeat at their edges, comments and worklogs beside the issue."""

import re
from datetime import UTC, datetime
from typing import Any

from rollout_metrics.domain.time import Instant, format_instant, instant
from sources.server import Reply, Request
from sources.upstream.simulator import Profile, Simulator, given, slice_at
from sources.upstream.world import AGENT, CUSTOMER, Case, Change

IDS = {"open": "1", "working": "3", "closed": "5", "low": "4", "normal": "3", "high": "2"}
TYPES = {AGENT: "app", CUSTOMER: "customer"}
SINCE = re.compile(r'updated >= "([^"]+)" AND updated < "([^"]+)"')


def _user(name: str) -> dict[str, Any]:
    """An account with its pictures, as Jira repeats it everywhere."""
    pictures = {f"{size}x{size}": f"https://avatar.atlassian.example/{name}/{size}" for size in (16, 24, 32, 48)}
    said = {"self": f"https://acme.atlassian.net/rest/api/3/user?accountId={name}", "displayName": name, "active": True, "timeZone": "UTC"}
    return {"accountId": name, "accountType": TYPES.get(name, "atlassian"), "avatarUrls": pictures, **said}


def _time(at: Instant) -> str:
    return format_instant(at).replace("Z", ".000+0000")


def _id(case: Case) -> str:
    return str(10000 + case.number)


def _those(simulator: Simulator, ids: list[str]) -> list[Case]:
    return simulator.world.those(int(one) - 10000 for one in ids)


def _comment(change: Change) -> dict[str, Any]:
    at = _time(change.at)
    return {"id": str(change.number), "author": _user(change.actor), "body": change.after, "created": at, "updated": at}


def _worklog(change: Change) -> dict[str, Any]:
    at = _time(change.at)
    return {"id": str(change.number), "author": _user(change.actor), "timeSpentSeconds": change.after, "created": at, "updated": at, "started": at}


def _issue(case: Case) -> dict[str, Any]:
    values, created = case.values, _user(CUSTOMER)
    comments, worklogs = [_comment(one) for one in case.of("comment")], [_worklog(one) for one in case.of("work")]
    fields = {
        "created": _time(case.created_at),
        "updated": _time(case.updated_at),
        "creator": created,
        "reporter": created,
        "status": {"id": IDS[values["status"]]},
        "priority": {"id": IDS[values["priority"]]},
        "assignee": _user(values["assignee"]) if values["assignee"] else None,
        "components": [{"id": label} for label in case.labels],
        "comment": {"comments": comments[:1], "total": len(comments)},
        "worklog": {"worklogs": worklogs, "total": len(worklogs)},
    }
    return {"id": _id(case), "key": f"APP-{case.number}", "fields": fields}


def _history(change: Change) -> dict[str, Any]:
    if change.what == "label":  # a component is added or taken
        gone, come = (next(iter(set(one) - set(other)), None) for one, other in ((change.before, change.after), (change.after, change.before)))
        item = {"field": "Component", "fieldId": "components", "from": gone, "to": come}
    else:
        item = {"field": change.what, "fieldId": change.what, **{side: IDS.get(value, value) or None for side, value in _sides(change)}}
    return {"id": str(change.number), "created": change.at // 1000, "author": _user(change.actor), "items": [item]}


def _sides(change: Change) -> tuple[tuple[str, str], ...]:
    return ("from", change.before), ("to", change.after)


def _search(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    found = SINCE.search(request.body["jql"])
    assert found is not None
    start, end = (instant(datetime.strptime(text, "%Y/%m/%d %H:%M").replace(tzinfo=UTC)) for text in found.groups())
    page, following = slice_at(simulator.changed(start, end), int(request.body.get("nextPageToken", 0)), simulator.size)
    return {"issues": [_issue(case) for case in page], "isLast": following is None, "nextPageToken": None if following is None else str(following)}


def _changelogs(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    cases = _those(simulator, request.body["issueIdsOrKeys"])
    histories = [(_id(case), _history(change)) for case in cases for change in case.of("status", "priority", "assignee", "label")]
    start = int(request.body.get("nextPageToken", 0))
    page, following = slice_at(histories, start, 4)
    page = histories[max(0, start - 1) : start] + page  # the last one of the page before comes once more
    logs = [{"issueId": number, "changeHistories": [one]} for number, one in page]
    return {"issueChangeLogs": logs, "nextPageToken": None if following is None else str(following)}


def _comments(simulator: Simulator, match: re.Match[str], request: Request) -> Any:
    found = [_comment(change) for change in simulator.world.cases[int(match[1]) - 10000].of("comment")]
    return {"comments": slice_at(found, int(given(request, "startAt", "0")), 2)[0], "total": len(found)}


def _known(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    return {"issues": [{"id": _id(case)} for case in _those(simulator, request.body["issueIdsOrKeys"])], "issueErrors": []}


STATUSES = [
    {"id": "1", "statusCategory": {"key": "new"}},
    {"id": "3", "statusCategory": {"key": "indeterminate"}},
    {"id": "5", "statusCategory": {"key": "done"}},
]

PROFILE = Profile(
    kind="jira",
    routes={
        r"GET /rest/api/3/myself": lambda *_: {"timeZone": "UTC"},
        r"GET /rest/api/3/status": lambda *_: STATUSES,
        r"POST /rest/api/3/search/jql": _search,
        r"POST /rest/api/3/changelog/bulkfetch": _changelogs,
        r"GET /rest/api/3/issue/(\d+)/comment": _comments,
        r"POST /rest/api/3/issue/bulkfetch": _known,
    },
    throttled=Reply({"errorMessages": ["slow down"]}, 429, {"Retry-After": "1", "RateLimit-Reason": "jira-burst-based"}),
    forgets=True,
    case_id=lambda number: str(10000 + number),
)


def _older_search(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    """Data Center: by number, with the changelog beside each issue; or by id."""
    jql, start = request.body["jql"], int(request.body.get("startAt", 0))
    if found := re.fullmatch(r"id in \(([\d,]+)\)", jql):
        known = _those(simulator, found[1].split(","))
        return {"issues": [{"id": _id(case)} for case in known], "total": len(known)}
    found = SINCE.search(jql)
    assert found is not None
    since, end = (instant(datetime.strptime(text, "%Y/%m/%d %H:%M").replace(tzinfo=UTC)) for text in found.groups())
    cases = simulator.changed(since, end)
    page, _following = slice_at(cases, start, simulator.size)
    return {"issues": [_issue(case) | {"changelog": _changelog(case)} for case in page], "total": len(cases), "startAt": start}


def _changelog(case: Case) -> dict[str, Any]:
    histories = [_history(change) | {"created": _time(change.at)} for change in case.of("status", "priority", "assignee", "label")]
    return {"histories": histories, "total": len(histories)}


OTHERS = {
    "data_center": Profile(
        kind="jira",
        options={"deployment": "data_center"},
        routes={
            r"GET /rest/api/2/myself": lambda *_: {"timeZone": "UTC"},
            r"GET /rest/api/2/status": lambda *_: STATUSES,
            r"POST /rest/api/2/search": _older_search,
            r"GET /rest/api/2/issue/(\d+)/comment": _comments,
        },
        forgets=True,
        case_id=lambda number: str(10000 + number),
    )
}
