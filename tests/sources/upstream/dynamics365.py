"""Dynamics 365: the audit log and lists of notes and resolutions, filtered by time, behind next links."""

import json
import re
from collections.abc import Sequence
from typing import Any

from rollout_metrics.domain.time import format_instant, parse_instant
from sources.server import Request
from sources.upstream.simulator import END, Profile, Simulator, given, slice_at
from sources.upstream.world import AGENT, CUSTOMER, PEOPLE, Case, Change

ROOT = "/api/data/v9.2"
USERS = {name: f"00000000-0000-0000-0000-{place:012d}" for place, name in enumerate((*PEOPLE, AGENT, CUSTOMER))}
COLUMNS = {"status": "statecode", "priority": "prioritycode", "assignee": "ownerid", "label": "new_labels"}
STATES = {"open": "0", "working": "0", "closed": "1"}
ACTIONS = {"create": 1, "assignee": 13}
LISTS = {"annotations": "comment", "incidentresolutions": "work"}


def _id(number: int, kind: int = 1) -> str:
    return f"{kind:08d}-0000-0000-0000-{number:012d}"


def _value(what: str, value: Any) -> Any:
    if what == "assignee":
        return f"systemuser,{USERS[value]}" if value else None
    return STATES[value] if what == "status" else json.dumps(value) if what == "label" else value


def _audit(case: Case, change: Change) -> dict[str, Any]:
    who = {"_objectid_value": _id(case.number), "_userid_value": USERS[change.actor], "_callinguserid_value": None, "objecttypecode": "incident"}
    action = ACTIONS.get(change.what, 2)
    data = json.dumps({"changedAttributes": _made(case) if change.what == "create" else _changed(change)})
    made = {"auditid": _id(change.number, 2), "createdon": format_instant(change.at)}
    return _annotated({**made, "operation": min(action, 2), "action": action, "changedata": data, **who})


def _annotated(row: dict[str, Any]) -> dict[str, Any]:
    """With what stands beside each column for people, and beside each look-up, when all annotations are asked for."""
    lookups = [name for name, value in row.items() if name.startswith("_") and value]
    formatted = [*lookups, *(name for name in ("createdon", "modifiedon", "operation", "action", "objecttypecode") if name in row)]
    shown = {f"{name}@OData.Community.Display.V1.FormattedValue": str(row[name]) for name in formatted}
    tables = {f"{name}@Microsoft.Dynamics.CRM.lookuplogicalname": "incident" if name == "_objectid_value" else "systemuser" for name in lookups}
    return {"@odata.etag": 'W/"8273311"', **row, **shown, **tables}


def _made(case: Case) -> list[dict[str, Any]]:
    changes = {what: case.of(what) for what in ("priority", "assignee")}
    first = {what: found[0].before if found else case.values[what] for what, found in changes.items()}
    set_ = [{"logicalName": COLUMNS[what], "oldValue": None, "newValue": _value(what, value)} for what, value in first.items()]
    return [*set_, {"logicalName": "statecode", "oldValue": None, "newValue": "0"}]


def _changed(change: Change) -> list[dict[str, Any]]:
    sides = {"oldValue": _value(change.what, change.before), "newValue": _value(change.what, change.after)}
    return [{"logicalName": COLUMNS[change.what], **sides}]


def _row(case: Case, change: Change) -> dict[str, Any]:
    """A note or a resolution: each has more columns than shown, and the other's are not asked for."""
    stamp, owner = format_instant(change.at), {"_createdby_value": USERS[change.actor]}
    about = {"_objectid_value": _id(case.number), "_incidentid_value": _id(case.number), "notetext": str(change.after), "timespent": 5}
    made = {"annotationid": _id(change.number, 3), "activityid": _id(change.number, 4), "createdon": stamp, "modifiedon": stamp}
    return _annotated({**made, **owner, **about})


def _list(simulator: Simulator, match: re.Match[str], request: Request) -> Any:
    condition, start, name = given(request, "$filter"), int(given(request, "$skiptoken", "0")), match[1]
    rows: Sequence[tuple[Case, Change]] = []
    if "action ge" not in condition:
        between = re.search(r"(\w+) ge (\S+) and \1 lt (\S+)", condition)
        first, last = map(parse_instant, between.groups()[1:]) if between else (0, END)
        rows = simulator.trail(first, last, *(("create", *COLUMNS) if name == "audits" else (LISTS.get(name, ""),)))
    page, following = slice_at(rows, start, simulator.size)
    query = "&".join(f"{name}={value}" for name, values in request.query.items() if name != "$skiptoken" for value in values)
    link = {"@odata.nextLink": f"http://{request.headers['Host']}{request.path}?{query}&$skiptoken={following}"} if following is not None else {}
    return {"value": [(_audit if name == "audits" else _row)(*one) for one in page], "@odata.count": len(rows), **link}


PROFILE = Profile(
    kind="dynamics365",
    routes={
        rf"GET {ROOT}/systemusers": lambda *_: {"value": [{"systemuserid": USERS[AGENT]}]},
        rf"GET {ROOT}/(audits|annotations|emails|incidentresolutions)": _list,
    },
    case_id=_id,
)
