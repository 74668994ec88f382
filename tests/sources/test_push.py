from typing import Any

import pytest
from pydantic import ValidationError

from rollout_metrics import sources
from rollout_metrics.collect.source import Rejected, Window
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.sources.push import Push

TOKEN = {"name": "runtime", "secret": "0123456789abcdef", "workflows": ["triage"]}


def push(*tokens: dict[str, Any], **options: Any) -> Push:
    return Push.model_validate({"name": "runtime", "tokens": [TOKEN | token for token in tokens or ({},)], **options})


def refused(*tokens: dict[str, Any], **options: Any) -> str:
    with pytest.raises(ValidationError) as error:
        push(*tokens, **options)
    return "; ".join(item["msg"] for item in error.value.errors())


def test_a_token_speaks_for_the_agent_about_proposals_acts_blocks_and_evaluations_unless_told_otherwise() -> None:
    [token] = push().tokens

    assert token.actor_kinds == {ActorKind.AGENT}
    assert token.activities == {Activity.RECOMMENDED, Activity.EXECUTED, Activity.BLOCKED, Activity.EVALUATED}


def test_no_token_may_speak_for_an_operator() -> None:
    assert "no token may speak for an operator" in refused({"actor_kinds": ["agent", "operator"]})


def test_a_token_names_its_workflows_and_has_a_long_secret_of_its_own() -> None:
    assert "at least 1 item" in refused({"workflows": []})
    assert "name at least one token" in refused(tokens=[])
    assert "shorter than 16 characters" in refused({"secret": "short"})
    assert "two tokens have the same secret" in refused({}, {"name": "other"})
    assert "two tokens have the same name" in refused({}, {"secret": "fedcba9876543210"})


def test_the_secret_is_never_shown() -> None:
    assert TOKEN["secret"] not in repr(push())
    assert TOKEN["secret"] not in push().model_dump_json()


def test_it_is_not_read_but_sent_to_and_found_by_its_name() -> None:
    assert sources.find("push") is Push
    assert not Push.pulled
    assert list(push().pages(None, Window(0, 1))) == []


def test_a_record_kept_aside_can_be_read_once_more() -> None:
    good = b'{"event_id":"1","occurred_at":"2026-03-02T09:00:00Z","case_id":"1","activity":"closed","actor_kind":"system"}'
    [event] = push().events(push().page_of(good, "request"))
    [refused] = push().events(push().page_of(b"{}", "request"))

    assert isinstance(event, Event)
    assert isinstance(refused, Rejected)
