from typing import Any

import msgspec
import pytest
from pydantic import SecretStr, ValidationError

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.oauth import ClientCredentials
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.sources.dynamics365 import Dynamics365
from sources.server import Reply, Request, serving

USER, APPLICATION = "4026BE43-0000-0000-0000-000000000001", "4026BE43-0000-0000-0000-000000000002"
ROW: dict[str, Any] = {"auditid": "a", "createdon": "2026-01-15T09:00:00Z", "operation": 2, "action": 2, "_objectid_value": "c", "_userid_value": USER}


def told(**row: Any) -> list[Event]:
    source = Dynamics365(name="service", base_url="https://x.example", token=SecretStr("t"))
    payload = msgspec.json.encode({"kind": "audits", "row": {**ROW, **row}, "machines": [APPLICATION]})
    return [event for event in source.events(source.page_of(payload, "here")) if isinstance(event, Event)]


def changed(name: str, old: Any, new: Any) -> str:
    return msgspec.json.encode({"changedAttributes": [{"logicalName": name, "oldValue": old, "newValue": new}]}).decode()


@pytest.mark.parametrize(
    ("name", "old", "new", "activity", "after"),
    [
        ("statecode", "0", "1", Activity.CLOSED, "1"),
        ("statecode", "1", "2", Activity.CHANGED, "2"),
        ("statecode", "2", "0", Activity.REOPENED, "0"),
        ("ownerid", None, f"team,{USER}", Activity.CHANGED, USER.lower()),
        ("isescalated", "0", "1", Activity.ESCALATED, "true"),
        ("new_phone", None, "0305550815", Activity.CHANGED, None),
        ("new_areacode", None, "7", Activity.CHANGED, "7"),
    ],
)
def test_columns_become_what_they_mean_and_free_text_is_left_out(name: str, old: Any, new: Any, activity: Activity, after: str | None) -> None:
    (event,) = told(changedata=changed(name, old, new))

    assert (event.activity, event.after) == (activity, after)


def test_the_real_caller_is_who_did_it() -> None:
    (event,) = told(changedata=changed("prioritycode", "1", "2"), _callinguserid_value=APPLICATION)

    assert (event.actor_kind, event.actor_id, event.detail["via"]) == (ActorKind.SYSTEM, APPLICATION.lower(), ["impersonated"])


@pytest.mark.parametrize("options", [{}, {"token": "t", "client_secret": "s"}, {"client_secret": "s", "client_id": "c"}])
def test_there_is_one_way_in(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="give"):
        Dynamics365.model_validate({"base_url": "https://x.example", **options})


def test_tokens_are_asked_for_at_the_tenant_for_the_environment() -> None:
    given = {"base_url": "https://x.example", "tenant": "acme.example", "client_id": "c", "client_secret": "s"}
    grant = Dynamics365.model_validate(given).endpoint().grant

    assert isinstance(grant, ClientCredentials)
    assert (grant.token_url, grant.scope) == ("https://login.microsoftonline.com/acme.example/oauth2/v2.0/token", "https://x.example/.default")


@pytest.mark.parametrize(
    ("environment", "table", "column", "words"),
    [
        (True, True, True, []),
        (False, True, True, ["switch it on for the environment"]),
        (True, False, True, ["incident is not audited"]),
        (True, True, False, ["changes of ownerid are not audited"]),
    ],
)
def test_auditing_that_is_off_is_told_with_its_remedy(environment: bool, table: bool, column: bool, words: list[str]) -> None:
    def answer(request: Request) -> Reply:
        if request.path.endswith("/organizations"):
            return Reply({"value": [{"isauditenabled": environment}]})
        columns = [{"LogicalName": "ownerid", "IsAuditEnabled": {"Value": column}}, {"LogicalName": "other", "IsAuditEnabled": {"Value": False}}]
        return Reply({"LogicalName": "incident", "IsAuditEnabled": {"Value": table}, "Attributes": columns})

    with serving(answer) as server:
        source = Dynamics365(name="service", base_url=server.url, token=SecretStr("t"))
        sentences = list(source.lacking(Api(source.endpoint())))

    assert len(sentences) == len(words)
    assert all(word in sentence for word, sentence in zip(words, sentences, strict=True))
