"""Redmine: issues by their time of update in seconds, each whole with its journals, and time entries by day."""

import re
from collections.abc import Sequence
from typing import Any

from rollout_metrics.domain.time import DAY, format_instant, parse_instant
from sources.server import Reply, Request
from sources.upstream.simulator import Profile, Simulator, given, slice_at
from sources.upstream.world import AGENT, CUSTOMER, PEOPLE, Case, Change

USERS = {name: 10 + place for place, name in enumerate((*PEOPLE, AGENT, CUSTOMER))}
IDS = {"open": 1, "working": 2, "closed": 5, "low": 1, "normal": 2, "high": 3} | USERS
FIELDS = {"status": "status_id", "priority": "priority_id", "assignee": "assigned_to_id"}


def _ref(value: str) -> dict[str, int]:
    return {"id": IDS[value]}


def _journal(change: Change) -> dict[str, Any]:
    made = {"id": change.number, "user": _ref(change.actor), "created_on": format_instant(change.at), "notes": "", "details": []}
    if change.what == "comment":
        return made | {"notes": change.after}
    sides = {name: str(IDS[value]) if value else None for name, value in (("old_value", change.before), ("new_value", change.after))}
    return made | {"details": [{"property": "attr", "name": FIELDS[change.what], **sides}]}


def _whole(simulator: Simulator, match: re.Match[str], _: Request) -> Any:
    case = simulator.world.cases[int(match[1])]
    if case.deleted:
        return Reply({}, 404)
    fields = {name: _ref(case.values[name]) for name in ("status", "priority")} | {"project": {"id": 1}, "tracker": {"id": 1}, "author": _ref(CUSTOMER)}
    if case.values["assignee"]:
        fields["assigned_to"] = _ref(case.values["assignee"])
    journals = [_journal(change) for change in case.of("status", "priority", "assignee", "comment")]
    return {"issue": {"id": case.number, "created_on": format_instant(case.created_at), **fields, "journals": journals}}


def _list(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    if wanted := given(request, "issue_id"):
        cases: Sequence[Case] = simulator.world.those(map(int, wanted.split(",")))
        size = len(cases)
    else:
        cases, size = simulator.changed(parse_instant(given(request, "updated_on").removeprefix(">="))), int(given(request, "limit"))
    page, _following = slice_at(cases, int(given(request, "offset", "0")), size)
    return {"issues": [{"id": case.number, "updated_on": format_instant(case.updated_at)} for case in page], "total_count": len(cases)}


def _time(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    first, last = (parse_instant(f"{given(request, name)}T00:00:00Z") for name in ("from", "to"))
    found = [(case, change) for case, change in simulator.world.trail(first, last + DAY) if change.what == "work" and not case.deleted]
    page, _following = slice_at(found, int(given(request, "offset", "0")), int(given(request, "limit")))
    entries = [
        {
            "id": change.number,
            "hours": change.after / 3600,
            "issue": {"id": case.number},
            "user": _ref(change.actor),
            **dict.fromkeys(("created_on", "updated_on"), format_instant(change.at)),
        }
        for case, change in page
    ]
    return {"time_entries": entries, "total_count": len(found)}


PROFILE = Profile(
    kind="redmine",
    routes={
        r"GET /issue_statuses.json": lambda *_: {"issue_statuses": [{"id": 1}, {"id": 2}, {"id": 5, "is_closed": True}]},
        r"GET /time_entries.json": _time,
        r"GET /issues.json": _list,
        r"GET /issues/(\d+).json": _whole,
    },
    forgets=True,
    per_case=2,
)
