"""The simulated HubSpot behaves on the wire as the real one is known to."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from rollout_metrics.domain.time import DAY, SECOND, Instant
from rollout_metrics.simulate import hubspot
from rollout_metrics.simulate.cast import HUBSPOT, SALES
from rollout_metrics.simulate.stories.leads import CLOSED_STAGES
from rollout_metrics.simulate.world import World
from simulate.companies import NOW

SEARCH, READ = "/crm/v3/objects/leads/search", "/crm/v3/objects/leads/batch/read"
TOKEN = {"Authorization": f"Bearer {hubspot.TOKEN}"}


def client(world: World, *, now: Instant = NOW, limits: hubspot.Limits = hubspot.GENEROUS, monotonic: Callable[[], float] = lambda: 0.0) -> FlaskClient:
    return hubspot.application(world, lambda: now, limits=limits, monotonic=monotonic).test_client()


def post(web: FlaskClient, path: str, **body: Any) -> TestResponse:
    return web.post(path, json=body, headers=TOKEN)


def changed_since(at: Instant) -> list[dict[str, Any]]:
    return [{"filters": [{"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": str(at // 1000)}]}]


def everything(web: FlaskClient, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = "0"
    while True:
        body = post(web, SEARCH, **query, after=after).get_json()
        found += body["results"]
        if "paging" not in body:
            assert len(found) == body["total"]
            return found
        after = body["paging"]["next"]["after"]


def live(world: World, now: Instant) -> set[str]:
    return {str(case.id) for case in world.cases(now, system=HUBSPOT) if not (case.saves[-1].ending and case.saves[-1].at <= now)}


@pytest.mark.parametrize("limit", [3, 50, 200])
def test_paging_a_search_finds_every_live_object_once_in_order(world: World, limit: int) -> None:
    found = everything(client(world), sorts=["hs_lastmodifieddate"], limit=limit, properties=["hs_pipeline_stage"])

    times = [item["properties"]["hs_lastmodifieddate"] for item in found]
    assert times == sorted(times)
    assert {item["id"] for item in found} == live(world, NOW - 3 * SECOND)
    assert len(found) == len(live(world, NOW - 3 * SECOND))


def test_filters_compare_times_as_epoch_milliseconds(world: World) -> None:
    since = NOW - 5 * DAY

    found = everything(client(world), filterGroups=changed_since(since), sorts=["-hs_lastmodifieddate"], limit=200)

    assert 0 < len(found) < len(live(world, NOW))
    assert [item["updatedAt"] for item in found] == sorted((item["updatedAt"] for item in found), reverse=True)


def test_results_beyond_the_ceiling_are_refused(world: World) -> None:
    web = client(world, limits=hubspot.Limits(searches=100, ceiling=60))

    assert post(web, SEARCH, limit=30, after="30").status_code == 200
    assert post(web, SEARCH, limit=30, after="31").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 201},
        {"sorts": ["a", "b"]},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [{"propertyName": "x", "operator": "ABOUT", "value": "1"}]}]},
        {"properties": ["p" * 3000]},
    ],
)
def test_queries_beyond_what_is_documented_are_refused(world: World, query: dict[str, Any]) -> None:
    assert post(client(world), SEARCH, **query).status_code == 400


def test_history_is_newest_first_and_forgets_after_twenty_versions(world: World) -> None:
    chatty = max(world.cases(NOW - 20 * DAY, system=HUBSPOT), key=lambda case: len(case.saves))
    body = post(client(world), READ, inputs=[{"id": str(chatty.id)}], propertiesWithHistory=["lead_score", "hubspot_owner_id"]).get_json()

    history = body["results"][0]["propertiesWithHistory"]
    times = [entry["timestamp"] for entry in history["lead_score"]]
    assert body["status"] == "COMPLETE"
    assert times == sorted(times, reverse=True)
    assert len(times) == 20


def test_people_and_apps_can_be_told_apart_in_the_history(world: World) -> None:
    ids = [{"id": number} for number in sorted(live(world, NOW))[:50]]
    body = post(client(world), READ, inputs=ids, propertiesWithHistory=["hubspot_owner_id"]).get_json()
    entries = [entry for item in body["results"] for entry in item["propertiesWithHistory"]["hubspot_owner_id"]]

    assert {entry["sourceType"] for entry in entries} == {"CRM_UI", "INTEGRATION"}
    assert all((entry.get("updatedByUserId") in SALES) == (entry["sourceType"] == "CRM_UI") for entry in entries)


def test_objects_that_are_missing_are_a_partial_failure(world: World) -> None:
    known = min(live(world, NOW))

    answer = post(client(world), READ, inputs=[{"id": known}, {"id": "1"}])

    assert answer.status_code == 207
    assert [item["id"] for item in answer.get_json()["results"]] == [known]
    assert answer.get_json()["errors"][0]["context"]["ids"] == ["1"]


def test_more_than_fifty_objects_with_history_are_refused(world: World) -> None:
    inputs = [{"id": str(number)} for number in range(51)]

    assert post(client(world), READ, inputs=inputs).status_code == 207
    assert post(client(world), READ, inputs=inputs, propertiesWithHistory=["hs_pipeline"]).status_code == 400


def test_the_id_of_a_merged_object_answers_with_its_survivor(full: World) -> None:
    merged = next(case for case in full.cases(NOW, system=HUBSPOT) if (case.saves[-1].ending or "").startswith("merged:"))
    survivor = merged.saves[-1].ending.removeprefix("merged:")  # type: ignore[union-attr]
    web = client(full)

    body = post(web, READ, inputs=[{"id": str(merged.id)}], properties=["hs_merged_object_ids"]).get_json()

    assert body["results"][0]["id"] == survivor
    assert str(merged.id) in body["results"][0]["properties"]["hs_merged_object_ids"]
    assert str(merged.id) not in {item["id"] for item in everything(web, limit=200)}


def test_archived_objects_are_only_where_archived_ones_are_asked_for(full: World) -> None:
    gone = {str(case.id) for case in full.cases(NOW, system=HUBSPOT) if case.saves[-1].ending == "deleted" and case.saves[-1].at <= NOW}
    web = client(full)

    listed = web.get("/crm/v3/objects/leads", query_string={"archived": "true", "limit": 100}, headers=TOKEN).get_json()

    assert {item["id"] for item in listed["results"]} == gone
    assert all(item["archived"] and item["archivedAt"] for item in listed["results"])
    assert post(web, READ, inputs=[{"id": min(gone)}]).status_code == 207
    assert post(web, READ + "?archived=true", inputs=[{"id": min(gone)}]).status_code == 200


def test_a_change_takes_a_moment_until_a_search_finds_it(world: World) -> None:
    newest = max(save.at for case in world.cases(NOW, system=HUBSPOT) for save in case.saves if save.at <= NOW)
    case = next(case for case in world.cases(NOW, system=HUBSPOT) if any(save.at == newest for save in case.saves))

    def found(now: Instant) -> set[str]:
        return {item["id"] for item in everything(client(world, now=now), filterGroups=changed_since(newest), limit=200)}

    assert str(case.id) not in found(newest + 2 * SECOND)
    assert str(case.id) in found(newest + 4 * SECOND)


def test_limits_name_their_policy(world: World) -> None:
    clock = [0.0]
    web = client(world, limits=hubspot.Limits(ten_seconds=4), monotonic=lambda: clock[0])
    searches = [post(web, SEARCH) for _ in range(6)]
    reads = [web.get("/crm/v3/owners", headers=TOKEN) for _ in range(5)]

    assert [answer.status_code for answer in searches] == [200] * 5 + [429]
    assert searches[-1].get_json()["policyName"] == "SECONDLY"
    assert "X-HubSpot-RateLimit-Max" not in searches[0].headers
    assert [answer.status_code for answer in reads] == [200] * 4 + [429]
    assert reads[-1].get_json()["policyName"] == "TEN_SECONDLY_ROLLING"
    clock[0] = 10.0
    assert web.get("/crm/v3/owners", headers=TOKEN).status_code == 200


def test_stages_say_which_of_them_are_closed(world: World) -> None:
    pipeline = client(world).get("/crm/v3/pipelines/leads", headers=TOKEN).get_json()["results"][0]

    assert {stage["id"] for stage in pipeline["stages"] if stage["metadata"]["isClosed"] == "true"} == CLOSED_STAGES


def test_owners_have_other_ids_than_users(world: World) -> None:
    owners = client(world).get("/crm/v3/owners?limit=3", headers=TOKEN).get_json()

    assert [owner["userId"] for owner in owners["results"]] == list(SALES[:3])
    assert all(owner["id"] != str(owner["userId"]) for owner in owners["results"])
    assert owners["paging"]["next"]["after"] == "3"


def test_without_the_token_there_is_nothing(world: World) -> None:
    assert client(world).post(SEARCH, json={}).status_code == 401
