import gzip
import json
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from builders import Plain, company
from rollout_metrics.domain.errors import ConfigurationError, StorageError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import MINUTE, SECOND, parse_instant
from rollout_metrics.sources.push import Push
from rollout_metrics.web.bounds import standing_of
from rollout_metrics.web.push import push_blueprint

SECRETS = {"triage": "triage-secret-0001", "billing": "billing-secret-001", "rules": "rules-secret-00001"}
TOKENS = [
    {"name": "triage", "secret": SECRETS["triage"], "workflows": ["triage"]},
    {"name": "billing", "secret": SECRETS["billing"], "workflows": ["billing"]},
    {"name": "rules", "secret": SECRETS["rules"], "workflows": ["triage", "billing"], "actor_kinds": ["system"], "activities": ["closed", "recommended"]},
]
COMPANY = company(
    {"name": "triage", "sources": ["desk", "runtime"], "agents": ["triage-bot"]},
    {"name": "billing", "sources": ["desk", "runtime"], "agents": ["billing-bot"]},
)


class Endpoint:
    """The endpoint in an app of its own, with what it accepted."""

    def __init__(self, **options: Any) -> None:
        self.now = parse_instant("2026-03-02T10:00:00Z")
        self.accepted: list[list[Event]] = []
        self.broken = False
        app = Flask("test")
        source = Push.model_validate({"name": "runtime", "tokens": TOKENS, **options})
        app.register_blueprint(push_blueprint([source], self.accept, lambda: self.now, judge=standing_of(COMPANY, Plain()), held=self.held))
        self.client = app.test_client()

    def accept(self, source: str, events: list[Event]) -> None:
        assert source == "runtime"
        if self.broken:
            raise StorageError("disk full at /secret/place")
        self.accepted.append(events)

    def held(self, source: str, ids: Collection[str]) -> Mapping[str, Event]:
        return {event.event_id: event for events in self.accepted for event in events if event.event_id in ids}

    def post(
        self, body: Any, *, token: str | None = "triage", path: str = "/api/v1/events", content_type: str = "application/json", **headers: str
    ) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given_headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given_headers["Authorization"] = f"Bearer {SECRETS.get(token, token)}"
        return self.client.post(path, data=data, content_type=content_type, headers=given_headers)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


def record(**fields: Any) -> dict[str, Any]:
    return {
        "event_id": "rec-1",
        "occurred_at": "2026-03-02T09:00:00Z",
        "case_source": "desk",
        "case_id": "4711",
        "activity": "recommended",
        "actor_kind": "agent",
        "actor_id": "triage-bot",
        "attribute": "priority",
        "after": "high",
        **fields,
    }


def problems(answer: TestResponse) -> list[tuple[int, str, str]]:
    return [(item["index"], item["field"], item["message"]) for item in answer.get_json()["problems"]]


@pytest.mark.parametrize("shape", ["array", "wrapped", "lines", "gzip"])
def test_events_are_accepted_in_every_documented_shape(endpoint: Endpoint, shape: str) -> None:
    records = [record(), record(event_id="rec-2")]
    bodies: dict[str, tuple[Any, dict[str, str]]] = {
        "array": (records, {}),
        "wrapped": ({"events": records}, {}),
        "lines": (b"\n".join(json.dumps(item).encode() for item in records) + b"\n\n", {"content_type": "application/x-ndjson"}),
        "gzip": (gzip.compress(json.dumps(records).encode()), {"Content_Encoding": "gzip"}),
    }
    body, headers = bodies[shape]
    answer = endpoint.post(body, **headers)

    assert (answer.status_code, answer.get_json()) == (200, {"accepted": 2})
    assert [[event.ref for event in events] for events in endpoint.accepted] == [[("runtime", "rec-1"), ("runtime", "rec-2")]]
    assert endpoint.accepted[0][0].case == ("desk", "4711")


def test_the_same_request_twice_says_the_same_events(endpoint: Endpoint) -> None:
    assert endpoint.post([record()]).status_code == endpoint.post([record()]).status_code == 200
    assert endpoint.accepted[0] == endpoint.accepted[1]


def test_a_heartbeat_is_an_accepted_request_without_events(endpoint: Endpoint) -> None:
    answer = endpoint.post(b"", path="/api/v1/heartbeat")

    assert (answer.status_code, answer.get_json()) == (200, {"accepted": 0})
    assert endpoint.accepted == [[]]


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/heartbeat"])
@pytest.mark.parametrize("token", [None, "wrong", "", "triage-secret-000", "triage-secret-00011", "tri\u00e4ge"])
def test_without_a_token_of_ours_nothing_is_read(endpoint: Endpoint, path: str, token: str | None) -> None:
    answer = endpoint.post(b"not even json", token=token, path=path)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert endpoint.accepted == []


def test_another_scheme_with_the_right_secret_is_refused(endpoint: Endpoint) -> None:
    assert endpoint.client.post("/api/v1/heartbeat", headers={"Authorization": f"Basic {SECRETS['triage']}"}).status_code == 401


def test_every_problem_of_every_record_is_named_and_none_is_accepted(endpoint: Endpoint) -> None:
    answer = endpoint.post([record(), record(activity="recomended", actor_kind="human"), record(occurred_at="yesterday"), 7])

    assert answer.status_code == 422
    assert answer.get_json()["error"] == "3 of 4 events are not as the event format says; none was accepted"
    assert [(index, field) for index, field, _ in problems(answer)] == [(1, "activity"), (1, "actor_kind"), (2, "occurred_at"), (3, "")]
    assert "did you mean 'recommended'?" in answer.text
    assert endpoint.accepted == []


@pytest.mark.parametrize(
    ("token", "fields", "field", "message"),
    [
        ("triage", {"activity": "closed"}, "activity", "this token may report blocked, evaluated, executed, recommended, not closed"),
        ("rules", {"actor_kind": "customer", "actor_id": None}, "actor_kind", "this token may speak for system, not customer"),
        ("triage", {"actor_id": "billing-bot"}, "case_source", "this token may report on triage; this event can concern billing"),
        ("triage", {"actor_id": "unknown-bot"}, "case_source", "this token may report on triage; this event can concern billing, triage"),
        ("rules", {"actor_kind": "system"}, "actor_kind", "this token may speak for system, not agent, as which the configuration knows this actor"),
    ],
)
def test_a_token_may_only_say_what_it_is_bound_to(endpoint: Endpoint, token: str, fields: dict[str, Any], field: str, message: str) -> None:
    answer = endpoint.post(
        [record(event_id="fine", actor_kind="system", actor_id="rule") if token == "rules" else record(event_id="fine"), record(**fields)], token=token
    )

    assert answer.status_code == 403
    assert problems(answer) == [(1, field, message)]
    assert endpoint.accepted == []


@pytest.mark.parametrize("token", list(SECRETS))
@pytest.mark.parametrize("activity", ["approved", "rejected", "closed", "changed", "recommended"])
def test_nothing_can_speak_for_an_operator(endpoint: Endpoint, token: str, activity: str) -> None:
    assert endpoint.post([record(activity=activity, actor_kind="operator", actor_id="ann")], token=token).status_code == 403
    assert endpoint.accepted == []


def test_an_event_nobody_reads_is_refused(endpoint: Endpoint) -> None:
    elsewhere = Endpoint()
    answer = elsewhere.post([record(actor_kind="system", actor_id="rule", case_source="nowhere")], token="rules")

    assert answer.status_code == 200  # the push source itself is read by both workflows
    lonely = company({"name": "triage", "sources": ["desk"]})
    app = Flask("lonely")
    source = Push.model_validate({"name": "runtime", "tokens": TOKENS})
    app.register_blueprint(push_blueprint([source], endpoint.accept, lambda: 0, judge=standing_of(lonely, Plain()), held=endpoint.held))
    sent = app.test_client().post(
        "/api/v1/events", json=[record(actor_kind="system", actor_id="rule", case_source="nowhere")], headers={"Authorization": f"Bearer {SECRETS['rules']}"}
    )
    assert problems(sent) == [(0, "case_source", "'nowhere' is read by no workflow, nor is the actor an agent of one")]


def test_a_token_cannot_correct_what_another_one_may_say(endpoint: Endpoint) -> None:
    endpoint.post([record()])
    stolen = endpoint.post([record(actor_id="billing-bot", revision=9)], token="billing")

    assert stolen.status_code == 403
    assert problems(stolen) == [(0, "event_id", "names an event that this token may not correct")]
    assert endpoint.post([record(revision=9)]).status_code == 200


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"[]", "text/plain", 415),
        (b"[]", "", 415),
        (b"[{", "application/json", 400),
        (b"", "application/json", 400),
        (b"7", "application/json", 400),
        (b'{"event": []}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"\xff\n", "application/x-ndjson", 422),
        (b"<html>", "application/x-ndjson", 422),
        (b"[]", "application/json; charset=utf-8", 200),
    ],
)
def test_a_body_that_is_no_list_of_events_is_refused_as_what_it_is(endpoint: Endpoint, body: bytes, content_type: str, status: int) -> None:
    assert endpoint.post(body, content_type=content_type).status_code == status


def test_a_body_beyond_the_bounds_is_refused_packed_or_not() -> None:
    endpoint = Endpoint(max_body=2000, max_events=3)
    bomb = gzip.compress(b" " * 50_000_000)

    assert endpoint.post([record(after="x" * 2000)]).status_code == 413
    assert endpoint.post(gzip.compress(bomb), Content_Encoding="gzip").status_code == 413
    assert endpoint.post(gzip.compress(b" " * 2001), Content_Encoding="gzip").status_code == 413
    assert endpoint.post([record(event_id=str(number)) for number in range(4)]).status_code == 413
    assert endpoint.post(gzip.compress(b"[]") + gzip.compress(b" " * 1990), Content_Encoding="gzip").status_code == 200


def test_a_broken_archive_or_an_unknown_encoding_is_refused(endpoint: Endpoint) -> None:
    assert endpoint.post(b"no gzip", Content_Encoding="gzip").status_code == 400
    assert endpoint.post(gzip.compress(b"[]")[:-3], Content_Encoding="gzip").status_code == 400
    assert endpoint.post(gzip.compress(b"[]") + b"more", Content_Encoding="gzip").status_code == 400
    assert endpoint.post(b"[]", Content_Encoding="br").status_code == 415


def test_an_archive_of_very_many_parts_is_read_to_its_end(endpoint: Endpoint) -> None:
    """Each part was once copied together with all that follow it: a body of two megabytes took ten seconds."""
    assert endpoint.post(gzip.compress(b"") * 20_000 + gzip.compress(b"[]"), Content_Encoding="gzip").json == {"accepted": 0}


def test_a_token_has_a_budget_of_requests_that_fills_up_again() -> None:
    endpoint = Endpoint(requests_per_minute=2)
    beat = {"path": "/api/v1/heartbeat"}

    assert [endpoint.post(b"", **beat).status_code for _ in range(3)] == [200, 200, 429]
    assert endpoint.post(b"", token="billing", **beat).status_code == 200
    answer = endpoint.post(b"", **beat)
    assert answer.headers["Retry-After"] == "30"
    endpoint.now += 31 * SECOND
    assert endpoint.post(b"", **beat).status_code == 200
    endpoint.now += 10 * MINUTE
    assert [endpoint.post(b"", **beat).status_code for _ in range(3)] == [200, 200, 429]


def test_a_store_that_cannot_keep_them_says_come_back_and_nothing_of_itself(endpoint: Endpoint) -> None:
    endpoint.broken = True
    answer = endpoint.post([record()])

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"
    assert "secret" not in answer.text


def test_two_sources_may_not_share_a_secret() -> None:
    sources = [Push.model_validate({"name": name, "tokens": TOKENS[:1]}) for name in ("a", "b")]

    with pytest.raises(ConfigurationError, match="token 'triage' has the same secret as 'triage' of a"):
        push_blueprint(sources, lambda *_: None, lambda: 0, judge=standing_of(COMPANY, Plain()), held=lambda *_: {})


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80), st.sampled_from(["application/json", "application/x-ndjson"]), st.sampled_from(["identity", "gzip"]))
def test_any_bytes_get_an_answer_that_names_the_problem(body: bytes, content_type: str, encoding: str) -> None:
    answer = Endpoint().post(body, content_type=content_type, Content_Encoding=encoding)

    assert answer.status_code in (200, 400, 422)
    assert answer.status_code == 200 or answer.get_json()["error"]
