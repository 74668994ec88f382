"""HubSpot: a search by time of change in milliseconds, and the records read back with the history of their properties, newest first."""

import re
from typing import Any

from rollout_metrics.domain.time import format_instant
from sources.server import Request
from sources.upstream.simulator import Profile, Simulator
from sources.upstream.world import AGENT, STATUSES, Case, Change

PROPERTIES = {"status": "hs_pipeline_stage", "priority": "hs_ticket_priority", "assignee": "hubspot_owner_id"}
MODIFIED = "hs_lastmodifieddate"


def _milliseconds(case: Case) -> int:
    return case.updated_at // 1000


def _search(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    (group,) = request.body["filterGroups"]
    cases = [case for case in simulator.changed(0) if all(_holds(case, one) for one in group["filters"])]
    by_id = request.body["sorts"] == ["hs_object_id"]
    cases.sort(key=lambda case: (0 if by_id else _milliseconds(case), case.number))
    hits = [{"id": str(case.number), "properties": {MODIFIED: format_instant(_milliseconds(case) * 1000)}} for case in cases]
    return {"total": len(hits), "results": hits[: request.body["limit"]]}


def _holds(case: Case, one: dict[str, str]) -> bool:
    value = case.number if one["propertyName"] == "hs_object_id" else _milliseconds(case)
    return {"GTE": value >= int(one["value"]), "LT": value < int(one["value"]), "GT": value > int(one["value"]), "EQ": value == int(one["value"])}[
        one["operator"]
    ]


def _entry(change: Change) -> dict[str, Any]:
    said = {"timestamp": format_instant(change.at), "value": change.after}
    if change.actor == AGENT:
        return said | {"sourceType": "INTEGRATION", "sourceId": "77"}
    return said | {"sourceType": "CRM_UI", "sourceId": f"userId:{change.actor}"}


def _record(case: Case) -> dict[str, Any]:
    histories = {}
    for what, name in PROPERTIES.items():
        changes = case.of(what)
        first = changes[0].before if changes else case.values[what]
        made = {"timestamp": format_instant(case.created_at), "value": first, "sourceType": "FORM"}
        histories[name] = [*map(_entry, reversed(changes)), made]
    stamp = format_instant(case.created_at)
    return {"id": str(case.number), "createdAt": stamp, "updatedAt": format_instant(case.updated_at), "propertiesWithHistory": histories}


def _read(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    wanted = [int(one["id"]) for one in request.body["inputs"]]
    return {"results": [_record(simulator.world.cases[number]) for number in wanted]}


STAGES = [{"id": status, "metadata": {"ticketState": "CLOSED" if status == "closed" else "OPEN"}} for status in STATUSES]

PROFILE = Profile(
    kind="hubspot",
    options={"objects": ["tickets"], "deletions": False, "history_cap": 1000, "requests_per_ten_seconds": 1_000_000, "searches_per_second": 1_000_000},
    routes={
        r"GET /crm/v3/pipelines/tickets": lambda *_: {"results": [{"stages": STAGES}]},
        r"POST /crm/v3/objects/tickets/search": _search,
        r"POST /crm/v3/objects/tickets/batch/read": _read,
    },
    case_id="tickets/{}".format,
    per_case=2,
)
