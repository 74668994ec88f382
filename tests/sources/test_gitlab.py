from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from rollout_metrics.collect.http import Api
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.sources._gitlab_pages import User
from rollout_metrics.sources._gitlab_story import _who
from rollout_metrics.sources.gitlab import Gitlab
from sources.server import Reply, Request, serving

AT = "2026-01-15T09:00:00.000Z"
ITEM = {"iid": 1, "created_at": AT, "updated_at": AT, "state": "opened", "web_url": "x"}


def gitlab(url: str = "https://gitlab.example") -> Gitlab:
    return Gitlab(name="code", base_url=url, token=SecretStr("t"), projects=("acme/shop",))


def said(body: str) -> list[Event]:
    note = {"id": 7, "created_at": AT, "body": body, "system": True, "author": {"username": "ann"}}
    source = gitlab()
    page = source.page_of(msgspec.json.encode({"project": "acme/shop", "kind": "issues", "item": ITEM, "notes": [note]}), "here")
    return [event for event in source.events(page) if isinstance(event, Event) and event.activity is not Activity.CREATED]


@pytest.mark.parametrize(
    ("body", "seconds"), [("added 2h of time spent", 7200), ("added 1mo 1w 1d 1m of time spent at 2026-01-15", 160 * 3600 + 40 * 3600 + 8 * 3600 + 60)]
)
def test_time_spent_is_read_from_the_note(body: str, seconds: int) -> None:
    (event,) = said(body)

    assert (event.activity, event.detail["seconds"]) == (Activity.TIME_LOGGED, seconds)


@pytest.mark.parametrize("body", ["mentioned in issue #4", "subtracted 1h of time spent", "changed weight to 5", "closed", ""])
def test_notes_that_say_nothing_or_repeat_events_are_left_out(body: str) -> None:
    assert said(body) == []


@pytest.mark.parametrize(
    ("username", "kind"),
    [
        ("ann", ActorKind.OPERATOR),
        ("project_5_bot_ab12", ActorKind.SYSTEM),
        ("group_77_bot", ActorKind.SYSTEM),
        ("GitLabDuo", ActorKind.SYSTEM),
        ("duo-developer", ActorKind.SYSTEM),
        ("ghost", ActorKind.SYSTEM),
        ("project_manager", ActorKind.OPERATOR),
        ("support-bot", ActorKind.CUSTOMER),
    ],
)
def test_accounts_are_what_their_names_say(username: str, kind: ActorKind) -> None:
    assert _who(User(username)) == (kind, username)


@pytest.mark.parametrize(("roles", "lacks"), [({"project_access": {"access_level": 30}}, 0), ({"group_access": {"access_level": 10}}, 1), (None, 1)])
def test_a_role_that_hides_notes_is_told(roles: Any, lacks: int) -> None:
    with serving(lambda _: Reply({"id": 5, "permissions": roles})) as server:
        source = gitlab(server.url)

        assert len(list(source.lacking(Api(source.endpoint())))) == lacks


def test_the_reconciliation_finds_what_is_gone_and_reads_open_items_again() -> None:
    def answer(request: Request) -> Reply:
        if "iids[]" in request.query:
            return Reply([{**ITEM, "iid": 1}])
        if request.query.get("state") == ["opened"] and request.path.endswith("/issues"):
            return Reply([ITEM])
        return Reply([{"id": 5, "created_at": AT, "action": "add", "label": {"name": "late"}}] if request.path.endswith("label_events") else [])

    with serving(answer) as server:
        source = gitlab(server.url)
        roll: Any = lambda: iter([("acme/shop#1", 5), ("acme/shop#2", 7)])  # noqa: E731
        found = [event for page in source.reconcile(Api(source.endpoint()), roll) for event in source.events(page) if isinstance(event, Event)]

    assert [(event.case_id, event.activity) for event in found if event.activity is Activity.DELETED] == [("acme/shop#2", Activity.DELETED)]
    assert ["late"] in [event.detail.get("via") for event in found]
