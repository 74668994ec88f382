"""ServiceNow: tables by encoded query, pages by offset with links, rows that may not be seen cut out of them, times in whole seconds."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from rollout_metrics.domain.time import Instant, format_instant, parse_instant
from sources.server import Reply, Request
from sources.upstream.simulator import END, Handler, Profile, Simulator, given, slice_at
from sources.upstream.world import AGENT, CUSTOMER, Case, Change

STATES = {"open": "1", "working": "2", "closed": "7"}
FIELDS = {"status": "state", "priority": "priority", "assignee": "assigned_to", "label": "u_labels", "work": "time_worked"}
LIMITS = re.compile(r"sys_updated_on>=([^^]+)\^sys_updated_on<([^^]+)\^.*ORDERBY")
QUESTION = f"{0xA1:032x}"

COLUMNS = [
    "active",
    "activity_due",
    "additional_assignee_list",
    "approval",
    "approval_history",
    "approval_set",
    "assignment_group",
    "business_duration",
    "business_impact",
    "business_service",
    "business_stc",
    "calendar_duration",
    "calendar_stc",
    "category",
    "cause",
    "caused_by",
    "child_incidents",
    "close_code",
    "close_notes",
    "closed_at",
    "closed_by",
    "cmdb_ci",
    "comments",
    "comments_and_work_notes",
    "company",
    "contact_type",
    "contract",
    "correlation_display",
    "correlation_id",
    "delivery_plan",
    "delivery_task",
    "description",
    "due_date",
    "escalation",
    "expected_start",
    "follow_up",
    "group_list",
    "hold_reason",
    "impact",
    "incident_state",
    "knowledge",
    "location",
    "made_sla",
    "notify",
    "opened_at",
    "opened_by",
    "order",
    "origin_id",
    "origin_table",
    "parent",
    "parent_incident",
    "problem_id",
    "reassignment_count",
    "reopen_count",
    "reopened_by",
    "reopened_time",
    "resolved_at",
    "resolved_by",
    "rfc",
    "route_reason",
    "service_offering",
    "severity",
    "short_description",
    "sla_due",
    "state",
    "subcategory",
    "sys_class_name",
    "sys_domain",
    "sys_domain_path",
    "sys_tags",
    "sys_updated_by",
    "task_effective_number",
    "time_worked",
    "universal_request",
    "upon_approval",
    "upon_reject",
    "urgency",
    "user_input",
    "watch_list",
    "work_end",
    "work_notes",
    "work_notes_list",
    "work_start",
]
"""What a row of incident has besides, mostly empty: without sysparm_fields all of it comes."""
EMPTY = dict.fromkeys(COLUMNS, "")
AUDITED = {"reason": "", "record_checkpoint": "4", "internal_checkpoint": "18f0a2b3c4d0000001", "sys_tags": ""}


def _id(case: Case) -> str:
    return f"{case.number:032x}"


def _time(at: Instant) -> str:
    return format_instant(at).removesuffix("Z").replace("T", " ")


def _instant(text: str) -> Instant:
    return parse_instant(f"{text.replace(' ', 'T')}Z")


def _value(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else STATES.get(value, str(value or ""))


def _record(case: Case) -> dict[str, Any]:
    return {
        **EMPTY,
        "sys_id": _id(case),
        "number": f"INC{case.number:07d}",
        "sys_created_on": _time(case.created_at),
        "sys_created_by": CUSTOMER,
        "sys_updated_on": _time(case.updated_at),
        "sys_mod_count": str(len(case.changes)),
        "caller_id": "c" * 32,
        "state": STATES[case.values["status"]],
        "priority": case.values["priority"],
        "assigned_to": case.values["assignee"],
        "u_labels": ",".join(case.labels),
    }


def _kept(case: Case, until: Change, *, included: bool) -> str:
    seconds = sum(change.after for change in case.of("work") if change.number < until.number or (included and change is until))
    return _time(parse_instant("1970-01-01T00:00:00Z") + seconds * 1_000_000) if seconds else ""


def _audit(case: Case, change: Change) -> dict[str, Any]:
    old, new = _value(change.before), _value(change.after)
    if change.what == "work":
        old, new = _kept(case, change, included=False), _kept(case, change, included=True)
    said = {"tablename": "incident", "documentkey": _id(case), "fieldname": FIELDS[change.what], "oldvalue": old, "newvalue": new}
    return {"sys_id": f"{change.number:032x}", "user": change.actor, "sys_created_on": _time(change.at), "sys_created_by": change.actor, **AUDITED, **said}


def _journal(case: Case, change: Change) -> dict[str, Any]:
    said = {"element_id": _id(case), "element": "comments", "name": "incident", "value": change.after}
    return {"sys_id": f"{change.number:032x}", "sys_created_on": _time(change.at), "sys_created_by": change.actor, **said}


def _named(simulator: Simulator, request: Request, field: str) -> list[Case]:
    found = re.search(rf"{field}IN([^^]*)", given(request, "sysparm_query"))
    return simulator.world.those(int(one, 16) for one in found[1].split(",")) if found else []


def _limits(request: Request) -> tuple[Instant, Instant]:
    found = LIMITS.match(given(request, "sysparm_query"))
    return (_instant(found[1]), _instant(found[2])) if found else (0, END)


def _page(simulator: Simulator, request: Request, rows: list[Any]) -> Reply:
    """A page by offset; a row that may not be seen is missing in it, and is counted all the same."""
    page, following = slice_at(rows, int(given(request, "sysparm_offset", "0")), simulator.size)
    headers = {"X-Total-Count": str(len(rows))}
    if following is not None:
        query = {name: values[0] for name, values in request.query.items()} | {"sysparm_offset": following}
        headers["Link"] = f'<http://{request.headers["Host"]}{request.path}?{urlencode(query)}>;rel="next"'
    return Reply({"result": [row for row in page if row is not None]}, 200, headers)


def _incidents(simulator: Simulator, _: re.Match[str], request: Request) -> Reply:
    start, end = _limits(request)
    rows: list[Any] = []
    for case in simulator.changed(start, end):
        rows += [_record(case), None] if case.number % 4 == 0 else [_record(case)]  # None: a row of another department
    return _page(simulator, request, rows)


def _audits(simulator: Simulator, _: re.Match[str], request: Request) -> Reply:
    found = [(case, change) for case in _named(simulator, request, "documentkey") for change in case.of(*FIELDS)]
    return _page(simulator, request, [_audit(*one) for one in sorted(found, key=lambda one: one[1].number)])


def _journals(simulator: Simulator, _: re.Match[str], request: Request) -> Reply:
    return _page(simulator, request, [_journal(case, change) for case in _named(simulator, request, "element_id") for change in case.of("comment")])


def _plan(_: Case, change: Change) -> dict[str, Any] | None:
    return {"state": "completed", "usecase": f"{7:032x}", "agent": ""} if change.what == "label" and change.actor == AGENT else None


def _answer(_: Case, change: Change) -> dict[str, Any] | None:
    if change.what != "comment" or change.actor != CUSTOMER:
        return None
    return {"metric": QUESTION, "actual_value": str(len(change.after) % 5), "string_value": "words", "instance.taken_on": _time(change.at)}


def _worked(_: Case, change: Change) -> dict[str, Any] | None:
    return {"user.user_name": change.actor, "time_in_seconds": str(change.after), "time_worked": ""} if change.what == "work" else None


def _beside(said: Callable[[Case, Change], dict[str, Any] | None], table: str, record: str) -> Handler:
    """A table of which each row says something of an incident, in columns of these names."""

    def answer(simulator: Simulator, _: re.Match[str], request: Request) -> Reply:
        start, end = _limits(request)
        rows = []
        for case, change in simulator.trail(start, end):
            if not case.deleted and (row := said(case, change)) is not None:
                at = {"sys_created_on": _time(change.at), "sys_updated_on": _time(change.at), "sys_created_by": change.actor}
                rows.append({"sys_id": f"{change.number:032x}", **at, table: "incident", record: _id(case), **row})
        asked = given(request, "sysparm_fields").split(",")
        rows.sort(key=lambda row: (row["sys_updated_on"], row["sys_id"]))
        return _page(simulator, request, [{column: row[column] for column in asked} for row in rows])

    return answer


def _tasks(simulator: Simulator, _: re.Match[str], request: Request) -> Reply:
    return _page(simulator, request, [{"sys_id": _id(case)} for case in _named(simulator, request, "sys_id")])


PROFILE = Profile(
    kind="servicenow",
    options={
        "tables": ("incident",),
        "fields": {"u_labels": "labels"},
        "agents": frozenset((AGENT,)),
        "ai_agents": True,
        "surveys": {QUESTION: 2},
        "time_rows": True,
    },
    routes={
        r"GET /api/now/table/incident": _incidents,
        r"GET /api/now/table/sys_audit": _audits,
        r"GET /api/now/table/sys_journal_field": _journals,
        r"GET /api/now/table/sys_user": lambda *_: {"result": [{"sys_id": "c" * 32, "user_name": CUSTOMER}]},
        r"GET /api/now/table/sysapproval_approver": lambda *_: {"result": []},
        r"GET /api/now/table/task": _tasks,
        r"GET /api/now/table/sn_aia_execution_plan": _beside(_plan, "related_task_table", "related_task_record"),
        r"GET /api/now/table/asmt_metric_result": _beside(_answer, "instance.trigger_table", "instance.trigger_id"),
        r"GET /api/now/table/task_time_worked": _beside(_worked, "task.sys_class_name", "task"),
    },
    throttled=Reply({"error": {"message": "Rate limit exceeded", "detail": "wait"}, "status": "failure"}, 429, {"Retry-After": "1"}),
    forgets=True,
    case_id="{:032x}".format,
)
