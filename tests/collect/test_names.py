"""Names come from a system's listings; what may not be listed has none, and no source asks for persons."""

from typing import Any

import pytest
from pydantic import SecretStr

from rollout_metrics import sources
from rollout_metrics.collect.http import Api
from rollout_metrics.collect.names import together
from rollout_metrics.collect.source import HttpSource, Named
from rollout_metrics.domain.errors import PayloadError
from sources.server import Reply, Request, serving

SNOW = "/api/now/table"
FORCE = "/services/data/v62.0"
DATAVERSE = "/api/data/v9.2/"


def choices(table: str, kind: str) -> str:
    """Where Dataverse tells a table's columns of choices of a kind."""
    return f"{DATAVERSE}EntityDefinitions(LogicalName='{table}')/Attributes/Microsoft.Dynamics.CRM.{kind}AttributeMetadata"


def label(text: str) -> dict[str, Any]:
    """A text of Dataverse in the reader's language, with the others."""
    return {"UserLocalizedLabel": {"Label": text, "LanguageCode": 1033}, "LocalizedLabels": [{"Label": f"{text} (1031)", "LanguageCode": 1031}]}


LISTINGS: dict[str, dict[str, Any]] = {
    "zendesk": {
        "/api/v2/groups.json": {"groups": [{"id": 1, "name": "Billing"}]},
        "/api/v2/brands.json": {"brands": [{"id": 3, "name": "Acme Home"}]},
        "/api/v2/custom_statuses.json": {"custom_statuses": [{"id": 5, "agent_label": "Waiting for parts", "status_category": "hold"}]},
        "/api/v2/ticket_fields.json": {"ticket_fields": [{"id": 7, "title": "Risk class"}, {"id": 8, "title": "Reason"}]},
    },
    "hubspot": {
        "/crm/v3/pipelines/deals": {"results": [{"id": "p", "label": "Sales", "stages": [{"id": "s", "label": "Won"}]}]},
        "/crm/v3/properties/deals": {
            "results": [{"name": "tier", "label": "Tier", "hubspotDefined": False}, {"name": "amount", "label": "Amount", "hubspotDefined": True}]
        },
    },
    "jira": {
        "/rest/api/3/status": [{"id": "3", "name": "In Progress"}],
        "/rest/api/3/resolution": [{"id": "10000", "name": "Done"}],
        "/rest/api/3/project/search": {"values": [{"id": "10", "name": "Support"}]},
        "/rest/api/3/field": [{"id": "customfield_7", "name": "Risk class"}, {"id": "summary", "name": "Summary"}],
    },
    "redmine": {
        "/trackers.json": {"trackers": [{"id": 2, "name": "Bug"}]},
        "/custom_fields.json": {
            "custom_fields": [{"id": 1, "name": "Risk class", "customized_type": "issue"}, {"id": 2, "name": "Phone", "customized_type": "user"}]
        },
    },
    "request_tracker": {
        "/REST/2.0/queues/all": {"items": [{"id": "4", "Name": "Refunds"}, {"id": "5", "Name": "Support"}]},
        "/REST/2.0/queue/4": {"id": 4, "Name": "Refunds", "AdminCc": [{"id": "alice"}], "TicketCustomFields": [{"id": "2", "name": "Risk class"}]},
        "/REST/2.0/queue/5": {"id": 5, "Name": "Support", "TicketCustomFields": [{"id": "2", "name": "Risk class"}, {"id": "3", "name": "Tone"}]},
    },
    "intercom": {"/teams": {"teams": [{"id": "5", "name": "Tier 2"}]}, "/ticket_types": {"type": "list", "data": [{"id": "1", "name": "Refund"}]}},
    "tryton": {"/crm/rest/model/company.company": [{"id": 1, "__name__": "company.company", "rec_name": "Acme"}]},
    "servicenow": {
        f"{SNOW}/sys_user_group": {"result": [{"sys_id": "g1", "name": "Network"}]},
        f"{SNOW}/cmdb_ci_service": {"result": [{"sys_id": "s1", "name": "Email"}]},
        f"{SNOW}/sc_cat_item": {"result": [{"sys_id": "c1", "name": "New laptop"}]},
        f"{SNOW}/sys_choice": {
            "result": [
                {"name": "task", "element": "priority", "value": "1", "label": "1 - Critical"},
                {"name": "task", "element": "state", "value": "3", "label": "Closed Complete"},
                {"name": "incident", "element": "state", "value": "3", "label": "On Hold"},
                {"name": "incident", "element": "state", "value": "7", "label": "Closed"},
            ]
        },
        f"{SNOW}/sys_dictionary": {
            "result": [{"element": "u_reason", "column_label": "Correction reason"}, {"element": "u_risk", "column_label": "Risk class"}]
        },
        f"{SNOW}/sn_nowassist_skill_config": {"result": [{"sys_id": "k1", "name": "Incident summarization"}]},
        f"{SNOW}/sn_aia_usecase": {"result": [{"sys_id": "u1", "name": "Triage incidents"}]},
        f"{SNOW}/sn_aia_agent": {"result": [{"sys_id": "a1", "name": "Categorize agent"}]},
    },
    "salesforce": {
        f"{FORCE}/query": {"totalSize": 1, "done": True, "records": [{"attributes": {"type": "Group"}, "Id": "00G000000000001AAA", "Name": "Tier 2"}]},
        f"{FORCE}/sobjects/Case/describe": {
            "fields": [
                {
                    "name": "Status",
                    "label": "Status",
                    "type": "picklist",
                    "picklistValues": [{"value": "New", "label": "New"}, {"value": "Closed", "label": "Erledigt"}],
                },
                {"name": "Kind__c", "label": "Reply kind", "type": "picklist", "picklistValues": [{"value": "r", "label": "Refund"}]},
                {"name": "Tier__c", "label": "Tier", "type": "multipicklist", "picklistValues": [{"value": "g", "label": "Gold"}]},
                {"name": "Note__c", "label": "Note", "type": "textarea"},
            ],
            "recordTypeInfos": [{"recordTypeId": "012000000000001AAA", "name": "Refund request", "active": True}],
        },
        f"{FORCE}/sobjects/Lead/describe": {
            "fields": [{"name": "Status", "label": "Lead Status", "type": "picklist", "picklistValues": [{"value": "Closed", "label": "Verloren"}]}],
            "recordTypeInfos": [{"recordTypeId": "012000000000000AAA", "name": "Master", "active": True}],
        },
    },
    "dynamics365": {
        f"{DATAVERSE}teams": {"value": [{"teamid": "0000000A-0000-0000-0000-000000000001", "name": "Tier 2"}]},
        f"{DATAVERSE}subjects": {"value": [{"subjectid": "0000000b-0000-0000-0000-000000000001", "title": "Refunds"}]},
        f"{DATAVERSE}products": {"value": [{"productid": "0000000c-0000-0000-0000-000000000001", "name": "Kettle"}]},
        f"{DATAVERSE}processstages": {"value": [{"processstageid": "0000000d-0000-0000-0000-000000000001", "stagename": "Research"}]},
        choices("incident", "Picklist"): {
            "value": [
                {
                    "LogicalName": "prioritycode",
                    "IsCustomAttribute": False,
                    "DisplayName": label("Priority"),
                    "OptionSet": {"Options": [{"Value": 1, "Label": label("High")}]},
                    "GlobalOptionSet": None,
                },
                {
                    "LogicalName": "new_risk",
                    "IsCustomAttribute": True,
                    "DisplayName": label("Risk class"),
                    "OptionSet": None,
                    "GlobalOptionSet": {"Options": [{"Value": 100000000, "Label": {"UserLocalizedLabel": None, "LocalizedLabels": [{"Label": "Low"}]}}]},
                },
            ]
        },
        choices("incident", "Status"): {"value": [{"LogicalName": "statuscode", "OptionSet": {"Options": [{"Value": 1, "Label": label("In Progress")}]}}]},
        choices("lead", "Status"): {"value": [{"LogicalName": "statuscode", "OptionSet": {"Options": [{"Value": 1, "Label": label("New")}]}}]},
    },
    "freshdesk": {
        "/api/v2/groups": [{"id": 9, "name": "Billing", "agent_ids": [11]}],
        "/api/v2/products": [{"id": 4, "name": "Kettle"}],
        "/api/v2/ticket_fields": [
            {"id": 1, "name": "priority", "label": "Priority", "type": "default_priority", "choices": {"Low": 1, "Urgent": 4}},
            {"id": 2, "name": "source", "label": "Source", "type": "default_source", "choices": {"Email": 1}},
            {"id": 3, "name": "agent", "label": "Agent", "type": "default_agent", "choices": {"Ann Lee": 11}},
            {"id": 4, "name": "status", "label": "Status", "type": "default_status", "choices": {"2": ["Open", "Being processed"]}},
            {"id": 5, "name": "ticket_type", "label": "Type", "type": "default_ticket_type", "choices": ["Question"]},
        ],
    },
    "pagerduty": {
        "/services": {"services": [{"id": "PSVC", "type": "service", "name": "Checkout"}], "limit": 100, "offset": 0, "more": False},
        "/escalation_policies": {"escalation_policies": [{"id": "PESC", "type": "escalation_policy", "name": "Payments on call"}], "more": False},
        "/priorities": {"priorities": [{"id": "PRIO", "type": "priority", "name": "P1"}]},
    },
}
EXPECTED = {
    "zendesk": [
        ("group", "1", "Billing"),
        ("brand", "3", "Acme Home"),
        ("custom_status", "5", "Waiting for parts"),
        ("custom:7", None, "Risk class"),
        ("reason", None, "Reason"),
    ],
    "hubspot": [("pipeline", "p", "Sales"), ("status", "s", "Won"), ("custom:tier", None, "Tier")],
    "jira": [("status", "3", "In Progress"), ("resolution", "10000", "Done"), ("project", "10", "Support"), ("custom:7", None, "Risk class")],
    "redmine": [("tracker", "2", "Bug"), ("custom:1", None, "Risk class")],
    "request_tracker": [("queue", "4", "Refunds"), ("queue", "5", "Support"), ("custom:2", None, "Risk class"), ("tone", None, "Tone")],
    "intercom": [("team", "5", "Tier 2"), ("ticket_type", "1", "Refund")],
    "tryton": [("company", "1", "Acme")],
    "servicenow": [
        ("group", "g1", "Network"),
        ("service", "s1", "Email"),
        ("item", "c1", "New laptop"),
        ("priority", "1", "1 - Critical"),
        ("status", "3", "Closed Complete in change_request, On Hold in incident"),
        ("status", "7", "Closed"),
        ("correction_reason", None, "Correction reason"),
        ("u_risk", None, "Risk class"),
        ("now_assist", "k1", "Incident summarization"),
        ("ai_agent", "u1", "Triage incidents"),
        ("ai_agent", "a1", "Categorize agent"),
    ],
    "salesforce": [
        ("owner", "00G000000000001AAA", "Tier 2"),
        ("record_type", "012000000000001AAA", "Refund request"),
        ("status", "Closed", "Erledigt in Case, Verloren in Lead"),
        ("kind", None, "Reply kind"),
        ("kind", "r", "Refund"),
        ("custom:Tier", None, "Tier"),
        ("record_type", "012000000000000AAA", "Master"),
    ],
    "dynamics365": [
        ("owner", "0000000a-0000-0000-0000-000000000001", "Tier 2"),
        ("subject", "0000000b-0000-0000-0000-000000000001", "Refunds"),
        ("product", "0000000c-0000-0000-0000-000000000001", "Kettle"),
        ("stage", "0000000d-0000-0000-0000-000000000001", "Research"),
        ("priority", "1", "High"),
        ("risk", None, "Risk class"),
        ("risk", "100000000", "Low"),
        ("status", "1", "In Progress in incident, New in lead"),
    ],
    "freshdesk": [
        ("group", "9", "Billing"),
        ("internal_group", "9", "Billing"),
        ("product", "4", "Kettle"),
        ("priority", "1", "Low"),
        ("priority", "4", "Urgent"),
        ("channel", "1", "Email"),
    ],
    "pagerduty": [("service", "PSVC", "Checkout"), ("escalation_policy", "PESC", "Payments on call"), ("priority", "PRIO", "P1")],
}
OPTIONS: dict[str, dict[str, Any]] = {
    "zendesk": {"fields": {"8": "reason"}},
    "hubspot": {"objects": ("deals",)},
    "tryton": {"database": "crm"},
    "intercom": {"only": "all"},
    "request_tracker": {"fields": {"3": "tone"}},
    "servicenow": {
        "tables": ("incident", "change_request"),
        "fields": {"u_reason": "correction_reason", "cat_item": "item"},
        "now_assist": True,
        "ai_agents": True,
    },
    "salesforce": {"objects": ("Case", "Lead"), "fields": {"Kind__c": "kind"}},
    "dynamics365": {"tables": ("incident", "lead"), "fields": {"new_risk": "risk"}},
}
MOST_REQUESTS = 40
GROUPS = frozenset((f"{SNOW}/sys_user_group",))
"""Listings of groups that are called after their users."""


def names_of(kind: str, listings: dict[str, Any], *, otherwise: int = 403) -> tuple[list[Named], list[Request]]:
    asked = []

    def answer(request: Request) -> Reply:
        asked.append(request)
        return Reply(listings[request.path]) if request.path in listings else Reply({"message": "no"}, otherwise)

    with serving(answer) as server:
        options = {"name": kind, "base_url": server.url, "token": SecretStr("secret"), **OPTIONS.get(kind, {})}
        source = sources.find(kind).model_validate(options)
        assert isinstance(source, HttpSource)
        endpoint = source.endpoint()
        assert endpoint is not None
        return list(source.names(Api(endpoint))), asked


@pytest.mark.parametrize("kind", LISTINGS)
def test_names_are_those_of_the_listings_and_of_no_person(kind: str) -> None:
    found, asked = names_of(kind, LISTINGS[kind])

    paths = {request.path for request in asked}
    assert [(one.attribute, one.value, one.name) for one in found] == EXPECTED[kind]
    assert not [path for path in paths - GROUPS if any(word in path for word in ("user", "owner", "contact", "admin"))]


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("kind", LISTINGS)
def test_what_may_not_be_listed_has_no_names_and_is_no_error(kind: str, status: int) -> None:
    found, asked = names_of(kind, {}, otherwise=status)

    assert found == []
    assert 0 < len(asked) < MOST_REQUESTS


def test_groups_and_owners_are_asked_for_without_the_persons_among_them() -> None:
    _, groups = names_of("salesforce", {})
    _, teams = names_of("dynamics365", {})

    assert "Type = 'Queue'" in groups[0].query["q"][0]
    assert teams[0].query["$filter"] == ["teamtype ne 1"]
    assert not [request for request in teams if "queue" in request.path]  # everybody has one that bears their name


def test_listings_without_an_end_are_left_after_ten_pages() -> None:
    full = [{"id": f"P{number}", "name": "x"} for number in range(100)]
    _, asked = names_of("pagerduty", {"/services": {"services": full, "more": True}})

    assert [int(request.query["offset"][0]) for request in asked if request.path == "/services"] == [100 * page for page in range(10)]


def test_names_that_two_places_tell_differently_say_where_each_is_from() -> None:
    told = {
        "crm": [Named("group", "1", "Sales"), Named("group", "2", "Billing"), Named("group", "3", "")],
        "desk": [Named("group", "1", "Refunds"), Named("group", "2", "Billing")],
        "shop": [Named("group", "1", "Sales"), Named("form", "1", "Sales")],
    }

    assert list(together(told)) == [
        Named("group", "1", "Sales in crm and shop, Refunds in desk"),
        Named("group", "2", "Billing"),
        Named("form", "1", "Sales"),
    ]


def test_a_listing_of_another_shape_names_the_page() -> None:
    with pytest.raises(PayloadError, match=r"^GET 127\.0\.0\.1.*status"):
        names_of("jira", {"/rest/api/3/status": {"values": []}})
