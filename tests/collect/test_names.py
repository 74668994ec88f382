"""Names come from a system's listings; what may not be listed has none, and no source asks for persons."""

from typing import Any

import pytest
from pydantic import SecretStr

from rollout_metrics import sources
from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import HttpSource, Named
from rollout_metrics.domain.errors import PayloadError
from sources.server import Reply, Request, serving

LISTINGS: dict[str, dict[str, Any]] = {
    "zendesk": {
        "/api/v2/groups.json": {"groups": [{"id": 1, "name": "Billing"}]},
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
        "/rest/api/3/project/search": {"values": [{"id": "10", "name": "Support"}]},
        "/rest/api/3/field": [{"id": "customfield_7", "name": "Risk class"}, {"id": "summary", "name": "Summary"}],
    },
    "redmine": {"/trackers.json": {"trackers": [{"id": 2, "name": "Bug"}]}},
    "request_tracker": {"/REST/2.0/queues/all": {"items": [{"id": "4", "Name": "Refunds"}]}},
    "intercom": {"/teams": {"teams": [{"id": "5", "name": "Tier 2"}]}},
    "tryton": {"/crm/rest/model/company.company": [{"id": 1, "__name__": "company.company", "rec_name": "Acme"}]},
}
EXPECTED = {
    "zendesk": [("group", "1", "Billing"), ("custom:7", None, "Risk class"), ("reason", None, "Reason")],
    "hubspot": [("pipeline", "p", "Sales"), ("status", "s", "Won"), ("custom:tier", None, "Tier")],
    "jira": [("status", "3", "In Progress"), ("project", "10", "Support"), ("custom:7", None, "Risk class")],
    "redmine": [("tracker", "2", "Bug")],
    "request_tracker": [("queue", "4", "Refunds")],
    "intercom": [("team", "5", "Tier 2")],
    "tryton": [("company", "1", "Acme")],
}
OPTIONS: dict[str, dict[str, Any]] = {"zendesk": {"fields": {"8": "reason"}}, "hubspot": {"objects": ("deals",)}, "tryton": {"database": "crm"}}


def names_of(kind: str, listings: dict[str, Any]) -> tuple[list[Named], list[str]]:
    asked = []

    def answer(request: Request) -> Reply:
        asked.append(request.path)
        return Reply(listings[request.path]) if request.path in listings else Reply({"message": "no"}, 403)

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

    assert [(one.attribute, one.value, one.name) for one in found] == EXPECTED[kind]
    assert not [path for path in asked if "user" in path or "owner" in path or "contact" in path or "admin" in path]


def test_a_listing_of_another_shape_names_the_page() -> None:
    with pytest.raises(PayloadError, match=r"^GET 127\.0\.0\.1.*status"):
        names_of("jira", {"/rest/api/3/status": {"values": []}})
