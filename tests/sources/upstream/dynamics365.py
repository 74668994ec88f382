"""Dynamics 365: the audit log and lists of notes and resolutions, filtered by time, behind next links."""

import json
import re
from typing import Any

from rollout_metrics.domain.time import format_instant, parse_instant
from sources.server import Request
from sources.upstream.simulator import Profile, Simulator, given, slice_at
from sources.upstream.world import AGENT, CUSTOMER, PEOPLE, Case, Change

ROOT = "/api/data/v9.2"
USERS = {name: f"00000000-0000-0000-0000-{place:012d}" for place, name in enumerate((*PEOPLE, AGENT, CUSTOMER))}
COLUMNS = {"status": "statecode", "priority": "prioritycode", "assignee": "ownerid", "label": "new_labels"}
STATES = {"open": "0", "working": "0", "closed": "1"}
ACTIONS = {"assignee": 13}


def _id(number: int, kind: int = 1) -> str:
    return f"{kind:08d}-0000-0000-0000-{number:012d}"


def _value(what: str, value: Any) -> Any:
    if what == "assignee":
        return f"systemuser,{USERS[value]}" if value else None
    return STATES[value] if what == "status" else json.dumps(value) if what == "label" else value


def _audit(number: int, case: Case, at: int, actor: str, action: int, changed: list[dict[str, Any]]) -> dict[str, Any]:
    who = {"_objectid_value": _id(case.number), "_userid_value": USERS[actor], "_callinguserid_value": None, "objecttypecode": "incident"}
    data = json.dumps({"changedAttributes": changed})
    return {"auditid": _id(number, 2), "createdon": format_instant(at), "operation": min(action, 2), "action": action, "changedata": data, **who}


def _made(case: Case) -> dict[str, Any]:
    changes = {what: case.of(what) for what in ("priority", "assignee")}
    first = {what: found[0].before if found else case.values[what] for what, found in changes.items()}
    set_ = [{"logicalName": COLUMNS[what], "oldValue": None, "newValue": _value(what, value)} for what, value in first.items()]
    return _audit(900_000 + case.number, case, case.created_at, CUSTOMER, 1, [*set_, {"logicalName": "statecode", "oldValue": None, "newValue": "0"}])


def _changed(case: Case, change: Change) -> dict[str, Any]:
    sides = {"oldValue": _value(change.what, change.before), "newValue": _value(change.what, change.after)}
    return _audit(change.number, case, change.at, change.actor, ACTIONS.get(change.what, 2), [{"logicalName": COLUMNS[change.what], **sides}])


def _rows(simulator: Simulator, name: str) -> list[dict[str, Any]]:
    cases = list(simulator.world.cases.values())
    if name == "audits":
        return [_made(case) for case in cases] + [_changed(case, change) for case in cases for change in case.of(*COLUMNS)]
    what = {"annotations": "comment", "incidentresolutions": "work"}.get(name, "")
    rows = []
    for case in cases:
        for change in case.of(what):
            stamp, owner = format_instant(change.at), {"_createdby_value": USERS[change.actor]}
            about = {"_objectid_value": _id(case.number), "_incidentid_value": _id(case.number), "notetext": str(change.after), "timespent": 5}
            rows.append({"annotationid": _id(change.number, 3), "activityid": _id(change.number, 4), "createdon": stamp, "modifiedon": stamp, **owner, **about})
    return rows


def _list(simulator: Simulator, match: re.Match[str], request: Request) -> Any:
    condition, start = given(request, "$filter"), int(given(request, "$skiptoken", "0"))
    rows = [] if "action ge" in condition else _rows(simulator, match[1])
    if between := re.search(r"(\w+) ge (\S+) and \1 lt (\S+)", condition):
        first, last = parse_instant(between[2]), min(parse_instant(between[3]), simulator.world.now - simulator.lag + 1)
        rows = [row for row in rows if first <= parse_instant(row[between[1]]) < last]
    rows.sort(key=lambda row: (row["createdon"], row.get("auditid") or row["annotationid"]))
    page, following = slice_at(rows, start, simulator.size)
    query = "&".join(f"{name}={value}" for name, values in request.query.items() if name != "$skiptoken" for value in values)
    link = {"@odata.nextLink": f"http://{request.headers['Host']}{request.path}?{query}&$skiptoken={following}"} if following is not None else {}
    return {"value": page, "@odata.count": len(rows), **link}


PROFILE = Profile(
    kind="dynamics365",
    routes={
        rf"GET {ROOT}/systemusers": lambda *_: {"value": [{"systemuserid": USERS[AGENT]}]},
        rf"GET {ROOT}/(audits|annotations|emails|incidentresolutions)": _list,
    },
    case_id=_id,
    per_case=3,
)
