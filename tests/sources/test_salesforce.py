from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.oauth import ClientCredentials, JwtBearer
from rollout_metrics.collect.source import Refused, Window
from rollout_metrics.domain.errors import RetryLater
from rollout_metrics.domain.events import Activity, Event
from rollout_metrics.domain.time import parse_instant
from rollout_metrics.sources._salesforce_pages import full_id
from rollout_metrics.sources.salesforce import Salesforce
from sources.server import Reply, Request, Server, recorded, serving

TYPICAL = recorded(Path(__file__).parent / "salesforce" / "typical")
WINDOW = Window(parse_instant("2026-01-15T09:00:00Z"), parse_instant("2026-01-15T13:00:00Z"))
SESSION_COLUMNS = ("AiAgentSessionEndType", "Id", "EndTimestamp", "RelatedMessagingSessionId")
SPENT = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]


def salesforce(server: Server, **options: Any) -> Salesforce:
    given = options or {"token": SecretStr("t")}
    return Salesforce(name="crm", base_url=server.url, **given)


def api_of(source: Salesforce) -> Api:
    return Api(source.endpoint(), sleep=lambda _: None, random=lambda: 0.0)


def read(source: Salesforce) -> list[Event]:
    return [event for page in source.pages(api_of(source), WINDOW) for event in source.events(page) if isinstance(event, Event)]


@pytest.mark.parametrize(
    ("short", "long"), [("500800000XYZabC", "500800000XYZabCAU4"), ("005A0000000abcd", "005A0000000abcdIAA"), ("500800000XYZabCAU4", "500800000XYZabCAU4")]
)
def test_ids_are_written_in_eighteen_characters(short: str, long: str) -> None:
    assert full_id(short)[:15] == long[:15]
    assert len(full_id(short)) == 18
    assert full_id(full_id(short)) == full_id(short)


def test_the_end_of_an_id_tells_its_capitals() -> None:
    assert full_id("001000000000000") == "001000000000000AAA"
    assert full_id("0010000000000aB") == "0010000000000aBAAQ"


def test_a_day_whose_requests_are_used_up_is_not_a_refusal_and_not_asked_again_at_once() -> None:
    with serving(lambda _: Reply(SPENT, 403)) as server, pytest.raises(RetryLater, match=r"^403 from .*REQUEST_LIMIT_EXCEEDED") as raised:
        read(salesforce(server))

    assert raised.value.after_seconds == 3600
    assert len(server.requests) == 1


def test_a_forgotten_place_in_a_query_is_read_again_by_the_next_sweep() -> None:
    def answer(request: Request) -> Reply:
        if request.path.endswith("/query/01gX-1"):
            return Reply([{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}], 400)
        return TYPICAL(request)

    with serving(answer) as server, pytest.raises(RetryLater, match="has forgotten how far"):
        read(salesforce(server))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"token": "t", "client_id": "c", "client_secret": "s"},
        {"client_secret": "s"},
        {"client_id": "c"},
        {"client_id": "c", "private_key": "a key"},
    ],
)
def test_there_is_one_way_in(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give"):
        Salesforce.model_validate({"base_url": "https://acme.my.salesforce.com", **options})


def test_both_grants_ask_the_organisation_itself() -> None:
    where = {"base_url": "https://acme.my.salesforce.com", "client_id": "app"}
    secret = Salesforce.model_validate({**where, "client_secret": "s"}).endpoint().grant
    signed = Salesforce.model_validate({**where, "username": "reader@acme.example", "private_key": "a key"}).endpoint().grant

    assert isinstance(secret, ClientCredentials)
    assert isinstance(signed, JwtBearer)
    assert secret.token_url == signed.token_url == "https://acme.my.salesforce.com/services/oauth2/token"
    assert (signed.subject, signed.audience) == ("reader@acme.example", "https://login.salesforce.com")


def organisation(*objects: str, tracked: bool = True) -> Any:
    def answer(request: Request) -> Reply:
        query = request.query.get("q", [""])[0]
        if request.path.endswith("/sobjects"):
            return Reply({"sobjects": [{"name": name} for name in objects]})
        if request.path.endswith("/describe"):
            return Reply({"fields": [{"name": name} for name in ("Id", "Status", "Priority", "OwnerId", "Origin", "Type", "Reason", "RecordTypeId")]})
        found = [{"QualifiedApiName": "Status", "IsFieldHistoryTracked": tracked}] if "FieldDefinition" in query else [{"Id": "1"}]
        return Reply({"done": True, "totalSize": 1, "records": found})

    return answer


@pytest.mark.parametrize(
    ("objects", "tracked", "words"),
    [
        (("Case", "CaseComment", "EmailMessage", "ProcessInstanceStep"), True, ["CaseHistory cannot be read", "IsEscalated cannot be read"]),
        (("Case", "CaseHistory", "ProcessInstanceStep"), True, ["IsEscalated", "CaseComment cannot be read", "EmailMessage cannot be read"]),
        (("Case", "CaseHistory", "CaseComment", "EmailMessage", "ProcessInstanceStep"), False, ["IsEscalated", "changes of Status leave no trace"]),
        (
            ("Case", "CaseHistory", "CaseComment", "EmailMessage", "ProcessInstanceStep", "ApprovalWorkItem"),
            True,
            ["IsEscalated", "set flow_approvals: true"],
        ),
    ],
)
def test_what_is_lacking_is_told_with_its_remedy(objects: tuple[str, ...], tracked: bool, words: list[str]) -> None:
    with serving(organisation(*objects, tracked=tracked)) as server:
        source = salesforce(server)
        told = list(source.lacking(api_of(source)))

    assert len(told) == len(words)
    for sentence, part in zip(told, words, strict=True):
        assert part in sentence


def test_approvals_by_flows_are_read_where_they_are_wanted() -> None:
    case_id = "500000000000001AAA"
    item = {
        "Id": "0oO1",
        "ApprovalSubmission": {"RelatedRecordId": case_id, "CreatedById": "005000000000002AAA"},
        "Status": "Approved",
        "CreatedDate": "2026-01-15T09:30:00.000+0000",
        "LastModifiedById": "005000000000001AAA",
        "LastModifiedDate": "2026-01-15T09:45:00.000+0000",
    }

    def answer(request: Request) -> Reply:
        query = request.query.get("q", [""])[0]
        if request.path.endswith("/sobjects"):
            return Reply({"sobjects": [{"name": "Case"}, {"name": "CaseHistory"}, {"name": "ApprovalWorkItem"}]})
        if "FROM ApprovalWorkItem" in query:
            return Reply({"done": True, "records": [item]})
        return TYPICAL(request)

    with serving(answer) as server:
        events = read(salesforce(server, token=SecretStr("t"), flow_approvals=True))
    told = {(event.activity, event.actor_id) for event in events if "approval/" in event.event_id}

    assert told == {(Activity.APPROVAL_REQUESTED, "005000000000002AAA"), (Activity.APPROVED, "005000000000001AAA")}


@pytest.mark.parametrize("table", ["ssot__AiAgentSession__dlm", "std__AiAgentSessionDmo__dlm"])
def test_how_sessions_of_agentforce_ended_is_told_of_cases(table: str) -> None:
    prefix = table.partition("__")[0]
    columns = {f"{prefix}__{name}__c": {"type": "VARCHAR", "placeInOrder": place} for place, name in enumerate(SESSION_COLUMNS)}
    ended = [
        ["escalated", "s1", "2026-01-15 09:30:00.000 UTC", "0Mw1"],
        ["resolved", "s2", "2026-01-15 09:40:00.000 UTC", "0Mw2"],
        ["resolved", "s3", "2026-01-15 09:45:00.000 UTC", "0Mw3"],
    ]

    def answer(request: Request) -> Reply:
        if request.path.endswith("/ssot/queryv2"):
            if table not in request.body["sql"]:
                return Reply([{"errorCode": "NOT_FOUND", "message": "no such table"}], 404)
            return Reply({"data": ended[:2], "metadata": columns, "done": False, "nextBatchId": "next"})
        if request.path.endswith("/ssot/queryv2/next"):
            return Reply({"data": ended[2:], "metadata": columns, "done": True})
        if "MessagingSession" in request.query.get("q", [""])[0]:
            found = [{"Id": "0Mw1", "CaseId": "500000000000001AAA"}, {"Id": "0Mw2", "CaseId": "500000000000002AAA"}, {"Id": "0Mw3", "CaseId": None}]
            return Reply({"done": True, "records": found})
        return TYPICAL(request)

    with serving(answer) as server:
        events = read(salesforce(server, token=SecretStr("t"), agent_sessions=True))
    told = [(event.case_id[-6:], event.activity, event.after, event.actor_id) for event in events if "/session/" in event.event_id]

    assert told == [("001AAA", Activity.ESCALATED, None, "agentforce"), ("002AAA", Activity.CHANGED, "resolved", "agentforce")]


def test_an_organisation_without_sessions_is_read_all_the_same_and_told() -> None:
    with serving(organisation("Case", "CaseHistory", "CaseComment", "EmailMessage", "ProcessInstanceStep")) as server:
        usual = server.answer
        server.answer = lambda request: Reply([], 404) if request.method == "POST" else usual(request)
        source = salesforce(server, token=SecretStr("t"), agent_sessions=True)

        assert any("no sessions of Agentforce" in sentence for sentence in source.lacking(api_of(source)))
        told = [one for page in source.pages(api_of(source), WINDOW) for one in source.events(page)]
        assert [one.part for one in told if isinstance(one, Refused)] == ["sessions"]
