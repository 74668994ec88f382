"""The webhook of Alertmanager on the listener for people and senders."""

import json
from typing import Any

import pytest
from flask import Flask

from rollout_metrics.collect.source import Coverage, Rejected
from rollout_metrics.domain.errors import ConfigurationError, StorageError
from rollout_metrics.domain.events import Event
from rollout_metrics.sources.alertmanager import Alertmanager
from rollout_metrics.web.alerts import alerts_blueprint

SECRET = "alertmanager-secret-1"
ALERT = {"status": "firing", "fingerprint": "c1", "startsAt": "2026-01-15T10:00:00Z", "labels": {"alertname": "AgentDown"}}


class Webhook:
    def __init__(self, **options: Any) -> None:
        self.taken: list[tuple[str, list[Event], list[Rejected]]] = []
        self.covered: list[tuple[int, int]] = []
        self.broken = False
        source = Alertmanager.model_validate({"name": "alerts", "tokens": [{"name": "am", "secret": SECRET}], **options})
        app = Flask("test")
        app.register_blueprint(alerts_blueprint([source], self.take, lambda: 0))
        self.client = app.test_client()

    def take(self, source: str, events: list[Event], rejected: list[Rejected], coverage: list[Coverage]) -> None:
        if self.broken:
            raise StorageError("disk full")
        self.covered += [(part.covered, part.total) for part in coverage]
        self.taken.append((source, events, rejected))

    def post(self, body: Any, token: str | None = SECRET) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.client.post("/api/v1/alertmanager", data=data, content_type="application/json", headers=headers)


def test_what_is_understood_is_stored_and_the_rest_set_aside() -> None:
    webhook = Webhook()
    answer = webhook.post({"version": "4", "receiver": "r", "alerts": [ALERT, {"status": "firing"}]})
    ((source, events, rejected),) = webhook.taken

    assert (answer.status_code, answer.get_json()) == (200, {"accepted": 1})
    assert (source, [event.case_id for event in events], len(rejected)) == ("alerts", ["c1/1768471200"], 1)


def test_no_alerts_are_a_sign_of_life() -> None:
    webhook = Webhook()

    assert webhook.post({"alerts": []}).status_code == 200
    assert webhook.taken == [("alerts", [], [])]


@pytest.mark.parametrize("token", [None, "", "wrong", SECRET + "1"])
def test_nobody_else_may_send(token: str | None) -> None:
    webhook = Webhook()

    assert webhook.post({"alerts": [ALERT]}, token).status_code == 401
    assert webhook.taken == []


def test_what_is_no_webhook_is_refused_with_the_remedy() -> None:
    answer = Webhook().post(b"[]")

    assert answer.status_code == 400
    assert "version 4" in answer.get_json()["error"]


def test_alertmanager_is_asked_to_send_again_what_could_not_be_stored() -> None:
    webhook = Webhook()
    webhook.broken = True
    answer = webhook.post({"alerts": [ALERT]})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "disk" not in answer.get_data(as_text=True)


def test_a_body_that_is_too_large_and_requests_that_are_too_many_are_refused() -> None:
    webhook = Webhook(max_body=100, requests_per_minute=2)

    assert [webhook.post({"alerts": [], "pad": "x" * size}).status_code for size in (200, 1, 1)] == [413, 200, 429]


def test_two_sources_cannot_share_a_secret() -> None:
    sources = [Alertmanager.model_validate({"name": name, "tokens": [{"name": "am", "secret": SECRET}]}) for name in ("one", "two")]
    with pytest.raises(ConfigurationError, match="same secret"):
        alerts_blueprint(sources, lambda *_: None, lambda: 0)


def test_alerts_that_were_cut_off_are_counted_as_missing() -> None:
    webhook = Webhook()

    assert webhook.post({"alerts": [ALERT], "truncatedAlerts": 3}).status_code == 200
    assert webhook.covered == [(1, 4)]
