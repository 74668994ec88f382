import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rollout_metrics.collect.source import Coverage, Page, Rejected
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.events import Activity, ActorKind, Event, resolve
from rollout_metrics.domain.time import parse_instant
from rollout_metrics.sources.alertmanager import Alertmanager

SECRET = "alertmanager-secret-1"
NEVER = "0001-01-01T00:00:00Z"


def source(**options: Any) -> Alertmanager:
    return Alertmanager.model_validate({"name": "alerts", "tokens": [{"name": "am", "secret": SECRET}], **options})


def alert(status: str = "firing", *, starts: str = "2026-01-15T10:00:00Z", ends: str = NEVER, fingerprint: str = "c1", **labels: str) -> dict[str, Any]:
    known = {"alertname": "AgentDown", "severity": "page", **labels}
    annotations = {"summary": "free words"}
    urls = {"generatorURL": "https://prometheus.example/graph"}
    return {"status": status, "labels": known, "annotations": annotations, "startsAt": starts, "endsAt": ends, "fingerprint": fingerprint, **urls}


def webhook(*alerts: Any, **more: Any) -> bytes:
    body = {"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "rollout", "alerts": list(alerts), **more}
    return json.dumps(body).encode()


def records(*alerts: Any, options: Any = None, **more: Any) -> list[Event | Rejected | Coverage]:
    return list(source(**(options or {})).events(Page(webhook(*alerts, **more), "webhook")))


def events(*alerts: Any, **options: Any) -> list[Event]:
    return [record for record in records(*alerts, options=options) if isinstance(record, Event)]


def test_an_alert_is_a_case_that_opens_when_it_starts_and_closes_when_it_is_resolved() -> None:
    (firing,) = events(alert())
    again, resolved = events(alert("resolved", ends="2026-01-15T10:20:00Z"))

    assert (firing.activity, firing.occurred_at, firing.actor_kind) == (Activity.CREATED, parse_instant("2026-01-15T10:00:00Z"), ActorKind.SYSTEM)
    assert firing.detail["attributes"] == {"alertname": "AgentDown", "severity": "page", "status": "firing"}
    assert firing == again
    assert (resolved.case, resolved.activity, resolved.occurred_at) == (firing.case, Activity.CLOSED, parse_instant("2026-01-15T10:20:00Z"))


def test_the_same_alert_that_fires_once_more_is_another_case() -> None:
    one, other = events(alert(), alert(starts="2026-01-15T12:00:00Z"))

    assert one.case_id != other.case_id


def test_times_are_understood_with_nanoseconds_and_any_offset() -> None:
    (event,) = events(alert(starts="2026-01-15T11:00:00.123456789+01:00"))

    assert event.occurred_at == parse_instant("2026-01-15T10:00:00.123456Z")


def test_a_label_can_name_the_change_that_caused_it() -> None:
    (event,) = events(alert(rollout_change="CH-7"), labels={"rollout_change": "change"})

    assert event.detail["attributes"]["change"] == "CH-7"


def test_free_text_is_not_read() -> None:
    assert "free words" not in repr(events(alert()))


@given(st.permutations(["firing", "firing", "resolved", "resolved later", "firing"]))
def test_repetitions_in_any_order_say_the_same(order: list[str]) -> None:
    ends = {"firing": NEVER, "resolved": "2026-01-15T10:20:00Z", "resolved later": "2026-01-15T10:25:00Z"}
    found = [event for status in order for event in events(alert(status.partition(" ")[0], ends=ends[status]))]
    held = sorted(resolve(found), key=lambda event: event.occurred_at)

    assert [event.activity for event in held] == [Activity.CREATED, Activity.CLOSED]
    assert held[1].occurred_at == parse_instant("2026-01-15T10:20:00Z")


def test_a_bad_alert_is_set_aside_and_translated_again_later() -> None:
    bad: dict[str, Any] = {"status": "firing", "labels": {}}
    late = alert(starts="yesterday")
    found = records(alert(), bad, late)
    rejected = [record for record in found if isinstance(record, Rejected)]

    assert [record.reason for record in rejected] == ["malformed", "malformed"]
    assert [json.loads(record.payload) for record in rejected] == [bad, late]
    assert sum(isinstance(record, Event) for record in found) == 1
    for record in rejected:
        again = [one for one in source().events(source().page_of(record.payload, record.where)) if isinstance(one, Rejected)]
        assert [one.payload for one in again] == [record.payload]


def test_alerts_that_were_cut_off_are_counted() -> None:
    assert Coverage("history", 1, 8) in records(alert(), truncatedAlerts=7)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"alerts": 7}', b"<html>", b'{"alerts": ['])
def test_what_is_no_webhook_is_an_error(body: bytes) -> None:
    with pytest.raises(PayloadError, match=r"^webhook "):
        list(source().events(Page(body, "webhook")))


@pytest.mark.parametrize("tokens", [[], [{"name": "a", "secret": "short"}], [{"name": "a", "secret": SECRET}, {"name": "b", "secret": SECRET}]])
def test_senders_must_be_told_apart(tokens: list[Any]) -> None:
    with pytest.raises(ValidationError):
        source(tokens=tokens)
