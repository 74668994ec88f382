from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from rollout_metrics.collect.http import Api
from rollout_metrics.domain.time import format_instant, moment
from rollout_metrics.sources._freshdesk_pages import in_order, performed_at
from rollout_metrics.sources.freshdesk import Freshdesk
from sources.server import Reply, Request, serving


@given(st.integers(946_684_800, 4_102_444_799))
def test_the_day_stands_first(seconds: int) -> None:
    at = seconds * 1_000_000

    assert performed_at(f"{moment(at):%d-%m-%Y %H:%M:%S} +0000") == at


@pytest.mark.parametrize(("text", "at"), [("02-03-2026 00:30:00 +0100", "2026-03-01T23:30:00"), ("02-03-2026 23:30:00 -0130", "2026-03-03T01:00:00")])
def test_offsets_count(text: str, at: str) -> None:
    assert format_instant(performed_at(text)).startswith(at)


@pytest.mark.parametrize("text", ["2026-03-02 00:30:00 +0000", "31-02-2026 00:00:00 +0000", "02-13-2026 00:00:00 +0000", "", "02-03-2026"])
def test_other_forms_of_dates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        performed_at(text)


def test_rows_are_named_by_content_wherever_they_stand_and_twins_are_told_apart() -> None:
    row: dict[str, Any] = {"performed_at": "02-03-2026 09:00:00 +0000", "ticket_id": 1, "activity": {"priority": 2}}
    other = {**row, "ticket_id": 2}
    one = in_order([row, other, row], date(2026, 3, 2), {})
    another = in_order([other, row, row], date(2026, 3, 2), {})

    assert len({each.name for each in one}) == 3
    assert {each.name for each in one} == {each.name for each in another}


def test_statuses_are_carried_from_day_to_day() -> None:
    statuses: dict[int, str] = {}
    row = {"performed_at": "02-03-2026 09:00:00 +0000", "ticket_id": 1, "activity": {"status": "Closed"}}
    in_order([row], date(2026, 3, 2), statuses)

    (later,) = in_order([{**row, "performed_at": "09-03-2026 09:00:00 +0000", "activity": {"status": "Open"}}], date(2026, 3, 9), statuses)

    assert later.status == "Closed"


@pytest.mark.parametrize(
    ("export", "ratings", "words"),
    [
        (Reply({"export": {"url": "https://files.example/1"}}), 200, []),
        (Reply({}, 403), 200, ["use an administrator's key"]),
        (Reply({}, 404), 200, ["switch on the daily export"]),
        (Reply({"export": {}}), 200, ["switch on the daily export"]),
        (Reply([]), 403, ["switch on the daily export", "set ratings: false"]),
    ],
)
def test_what_is_lacking_is_told_with_its_remedy(export: Reply, ratings: int, words: list[str]) -> None:
    def answer(request: Request) -> Reply:
        if request.path.endswith("ticket_activities"):
            return export
        return Reply([], ratings if request.path.endswith("satisfaction_ratings") else 200)

    with serving(answer) as server:
        source = Freshdesk(name="tickets", base_url=server.url, token=SecretStr("key"))
        sentences = list(source.lacking(Api(source.endpoint())))

    assert len(sentences) == len(words)
    assert all(word in sentence for word, sentence in zip(words, sentences, strict=True))
