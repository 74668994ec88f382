"""What ServiceNow calls the sys_ids, codes and fields that stand in events."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.names import listing, named, together
from rollout_metrics.collect.source import Named
from rollout_metrics.sources._servicenow_beside import ASSIST, PLANS
from rollout_metrics.sources._servicenow_rows import Account

API = "/api/now/table/"
MOST = 10_000
"""Rows of a listing."""
TASK = "task"
"""The table that gives its choices to those that have none of their own for a field."""
REFERENCES: Mapping[str, str] = {
    "assignment_group": "sys_user_group",
    "business_service": "cmdb_ci_service",
    "cat_item": "sc_cat_item",
    "service_offering": "service_offering",
}
"""Fields that hold sys_ids, though not of persons -> the table where these are."""
ACTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    ASSIST: ("now_assist", ("sn_nowassist_skill_config",)),
    PLANS: ("ai_agent", ("sn_aia_usecase", "sn_aia_agent")),
}
"""Table beside the records -> the actions that it tells, and where the sys_ids in these have names."""


def names(api: Api, account: Account, parts: Collection[str]) -> Iterator[Named]:
    """One request for each listing. `parts`: the tables that are read."""
    for field, table in REFERENCES.items():
        if field in account.attributes:
            yield from _named(api, table, account.attributes[field])
    yield from _choices(api, account)
    asked = _asked(f"nameIN{','.join(sorted(account.tables))}^elementSTARTSWITHu_", "element,column_label")
    for row in listing(api, f"{API}sys_dictionary", key="result", number="element", params=asked):
        element = str(row["element"])
        yield Named(account.attributes.get(element, element), None, str(row.get("column_label") or ""))
    for part, (action, tables) in ACTIONS.items():
        for table in tables if part in parts else ():
            yield from _named(api, table, action)


def _named(api: Api, table: str, attribute: str) -> Iterator[Named]:
    return named(api, f"{API}{table}", attribute, key="result", number="sys_id", params=_asked("ORDERBYDESCsys_updated_on", "sys_id,name"))


def _choices(api: Api, account: Account) -> Iterator[Named]:
    """Labels of choices in English, the language that each has; a table's own are in place of task's."""
    labels: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    of_tables = f"nameIN{','.join(sorted({TASK, *account.tables}))}^elementIN{','.join(sorted(account.attributes))}^language=en"
    for row in listing(api, f"{API}sys_choice", key="result", number="value", params=_asked(of_tables, "name,element,value,label")):
        labels[str(row.get("name")), str(row.get("element"))][str(row["value"])] = str(row.get("label") or "")
    return together(
        {
            table: [
                Named(attribute, value, label)
                for field, attribute in account.attributes.items()
                for value, label in (labels.get((table, field)) or labels.get((TASK, field)) or {}).items()
            ]
            for table in sorted(account.tables)
        }
    )


def _asked(query: str, fields: str) -> dict[str, Any]:
    return {"sysparm_query": query, "sysparm_fields": fields, "sysparm_limit": MOST, "sysparm_display_value": "false"}
