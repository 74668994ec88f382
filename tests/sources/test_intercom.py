from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from rollout_metrics.collect.http import Api
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.sources.intercom import Intercom
from sources.server import Reply, Request, serving

RECORD: dict[str, Any] = {"id": "5", "created_at": 1768467660, "updated_at": 1768467900}


def told(record: dict[str, Any]) -> list[Event]:
    source = Intercom(name="messenger", token=SecretStr("t"))
    page = source.page_of(msgspec.json.encode({"kind": "conversations", "link": "", "record": record}), "here")
    return [event for event in source.events(page) if isinstance(event, Event) and event.activity is not Activity.CREATED]


@pytest.mark.parametrize(
    ("state", "activity", "kind"),
    [
        ("escalated", Activity.ESCALATED, ActorKind.AGENT),
        ("procedure_handoff", Activity.ESCALATED, ActorKind.AGENT),
        ("negative_feedback", Activity.RATED, ActorKind.CUSTOMER),
        ("assumed_resolution", Activity.CHANGED, ActorKind.SYSTEM),
        ("confirmed_resolution", Activity.CHANGED, ActorKind.SYSTEM),
    ],
)
def test_how_fin_left_a_conversation_is_told(state: str, activity: Activity, kind: ActorKind) -> None:
    (event,) = told({**RECORD, "ai_agent": {"resolution_state": state, "updated_at": 1768467900}})

    assert (event.activity, event.actor_kind) == (activity, kind)


def test_what_fin_says_later_replaces_what_it_said_before() -> None:
    (first,) = told({**RECORD, "ai_agent": {"resolution_state": "assumed_resolution", "updated_at": 1768467900}})
    (later,) = told({**RECORD, "ai_agent": {"resolution_state": "escalated", "updated_at": 1768468000}})

    assert first.event_id == later.event_id
    assert first.revision < later.revision


def test_a_preview_of_fin_is_no_case() -> None:
    source = Intercom(name="messenger", token=SecretStr("t"))
    record = {**RECORD, "ai_agent": {"source_type": "workflow_preview", "resolution_state": "escalated", "updated_at": 1768467900}}

    assert list(source.events(source.page_of(msgspec.json.encode({"kind": "conversations", "link": "", "record": record}), "here"))) == []


@pytest.mark.parametrize(
    ("status", "with_fin", "words"), [(200, 3, []), (200, 0, ["there is no conversation with Fin"]), (403, 0, ["conversations cannot be searched .403."])]
)
def test_what_is_lacking_is_told_with_its_remedy(status: int, with_fin: int, words: list[str]) -> None:
    def answer(request: Request) -> Reply:
        of_fin = request.body["query"]["value"][0]["field"] == "ai_agent_participated"
        return Reply({"total_count": with_fin if of_fin else 9, "conversations": []}, 200 if of_fin else status)

    with serving(answer) as server:
        source = Intercom(name="messenger", base_url=server.url, token=SecretStr("t"))
        sentences = list(source.lacking(Api(source.endpoint())))

    assert len(sentences) == len(words)
    assert all(word.replace(".", "") in sentence.replace("(", "").replace(")", "") for word, sentence in zip(words, sentences, strict=True))
