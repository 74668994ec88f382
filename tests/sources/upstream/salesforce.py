"""Salesforce: SOQL over cases, their history, comments and users, in batches behind locators that stand for the result as it was."""

import re
from collections.abc import Iterable
from typing import Any

from rollout_metrics.domain.time import Instant, format_instant, parse_instant
from sources.server import Request
from sources.upstream.simulator import END, Profile, Simulator, given, slice_at
from sources.upstream.world import AGENT, CUSTOMER, PEOPLE, Case, Change

ROOT = "/services/data/v62.0"
USERS = {name: f"005{place:012d}AAA" for place, name in enumerate((*PEOPLE, AGENT, CUSTOMER))}
FIELDS = {"status": "Status", "priority": "Priority", "assignee": "Owner", "label": "Labels__c"}
STATUSES = {"open": "New", "working": "Working", "closed": "Closed"}
QUERY = re.compile(r"SELECT (?P<fields>.+?) FROM (?P<name>\w+)(?: WHERE (?P<where>.+?))?(?: ORDER BY .*)?$")
RESULTS: dict[str, list[dict[str, Any]]] = {}
"""What locators stand for."""


def _id(case: Case) -> str:
    return f"500{case.number:012d}AAA"


def _value(what: str, value: Any) -> Any:
    return STATUSES[value] if what == "status" else USERS.get(value) if what == "assignee" else None if what == "label" else value


def _touched(case: Case) -> Instant:
    """A comment does not change its case."""
    return max((change.at for change in case.changes if change.what in FIELDS), default=case.created_at)


def _record(case: Case) -> dict[str, Any]:
    values = {"Status": STATUSES[case.values["status"]], "Priority": case.values["priority"], "OwnerId": USERS.get(case.values["assignee"])}
    stamp = _time(_touched(case))
    made = {"Id": _id(case), "CreatedDate": _time(case.created_at), "CreatedById": USERS[CUSTOMER], "IsDeleted": False}
    return {**made, **values, "SystemModstamp": stamp, "LastModifiedById": USERS[AGENT], "ClosedDate": None}


def _history(case: Case, change: Change) -> list[dict[str, Any]]:
    row = {"CaseId": _id(case), "Field": FIELDS[change.what], "CreatedById": USERS[change.actor], "CreatedDate": _time(change.at)}
    row |= {"OldValue": _value(change.what, change.before), "NewValue": _value(change.what, change.after), "DataType": "DynamicEnum"}
    number = f"017{change.number * 2:012d}AAA"
    if change.what != "assignee":
        return [{**row, "Id": number}]
    names = {"OldValue": change.before or None, "NewValue": change.after, "DataType": "Text"}
    return [{**row, "Id": number, "DataType": "EntityId"}, {**row, **names, "Id": f"017{change.number * 2 + 1:012d}AAA"}]


def _comment(case: Case, change: Change) -> dict[str, Any]:
    stamp, by = _time(change.at), USERS[change.actor]
    said = {"IsPublished": True, "CommentBody": change.after, "CreatedById": by, "CreatedDate": stamp, "SystemModstamp": stamp}
    return {"Id": f"00a{change.number:012d}AAA", "ParentId": _id(case), **said}


FIXED = {
    "CaseStatus": [{"ApiName": "Closed", "MasterLabel": "Zu", "IsClosed": True}],
    "User": [{"Id": number, "UserType": "CspLitePortal" if who == CUSTOMER else "Standard"} for who, number in USERS.items()],
}
TYPES = {"500": "Case", "017": "CaseHistory", "00a": "CaseComment", "005": "User"}
REFERENCES = {"Case": "Id", "CaseHistory": "CaseId", "CaseComment": "ParentId"}


def _rows(name: str, cases: Iterable[Case]) -> list[dict[str, Any]]:
    if name == "Case":
        return [_record(case) for case in cases]
    if name == "CaseHistory":
        return [row for case in cases for change in case.of(*FIELDS) for row in _history(case, change)]
    return [_comment(case, change) for case in cases for change in case.of("comment")]


def _result(simulator: Simulator, query: str) -> list[dict[str, Any]]:
    """The rows of cases by id, or of those that were touched in a stretch of time."""
    match = QUERY.match(query)
    assert match is not None, query
    name, where = match["name"], match["where"] or ""
    if name not in REFERENCES:
        return FIXED.get(name, [])
    if listed := re.search(rf"{REFERENCES[name]} IN \((.*?)\)", where):
        rows = _rows(name, simulator.world.those(int(one) for one in re.findall(r"'500(\d+)AAA'", listed[1])))
    else:
        between = re.search(r"SystemModstamp >= (\S+) AND SystemModstamp < (\S+)", where)
        start, end = map(parse_instant, between.groups()) if between else (0, END)
        end = min(end, simulator.world.now - simulator.lag + 1)
        found = _rows(name, simulator.world.changed(start, END))
        rows = [row for row in found if start <= parse_instant(row["SystemModstamp"]) < end]
    return sorted(rows, key=lambda row: (row.get("SystemModstamp") or row["CreatedDate"], row["Id"]))


def _time(at: Instant) -> str:
    return format_instant(at).replace("Z", ".000+0000")


def _query(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    locator = f"01g{simulator.requests.total():06d}"
    RESULTS[locator] = _result(simulator, given(request, "q"))
    return _batch(simulator, locator, 0)


def _with_type(row: dict[str, Any]) -> dict[str, Any]:
    """Every record says what it is and where."""
    kind = TYPES.get(str(row.get("Id"))[:3], "CaseStatus")
    return {"attributes": {"type": kind, "url": f"{ROOT}/sobjects/{kind}/{row.get('Id')}"}, **row}


def _batch(simulator: Simulator, locator: str, start: int) -> Any:
    page, following = slice_at(RESULTS[locator], start, simulator.size)
    answer = {"totalSize": len(RESULTS[locator]), "done": following is None, "records": [_with_type(row) for row in page]}
    return answer if following is None else answer | {"nextRecordsUrl": f"{ROOT}/query/{locator}-{following}"}


FIELDS_THERE = ("Id", "CreatedDate", "CreatedById", "LastModifiedById", "SystemModstamp", "IsDeleted", "Status", "Priority", "OwnerId", "ClosedDate")

PROFILE = Profile(
    kind="salesforce",
    routes={
        rf"GET {ROOT}/sobjects": lambda *_: {"sobjects": [{"name": name} for name in ("Case", "CaseHistory", "CaseComment", "CaseStatus", "User")]},
        rf"GET {ROOT}/sobjects/Case/describe": lambda *_: {"fields": [{"name": name} for name in FIELDS_THERE]},
        rf"GET {ROOT}/query(?:All)?": _query,
        rf"GET {ROOT}/query/(\w+)-(\d+)": lambda simulator, match, _: _batch(simulator, match[1], int(match[2])),
    },
    forgets=True,
    case_id="500{:012d}AAA".format,
)
