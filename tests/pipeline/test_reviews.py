"""Reviews of real stores: every number is that of the snapshot at the quarter's end, whatever was read when, and what was signed stays."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from builders import T0, ev
from pipeline.test_laws import LAWFUL, world_of
from pipeline.worlds import Desk, Place, configured, desk, settings
from rollout_metrics.config.load import Configuration
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import DAY, HOUR, format_instant, parse_instant
from rollout_metrics.overview import Values, figure
from rollout_metrics.pipeline import reviewing
from rollout_metrics.pipeline.as_of import families_as_of
from rollout_metrics.pipeline.reviewing import review
from rollout_metrics.pipeline.signing import Cabinet, shown, sign
from rollout_metrics.review import page
from rollout_metrics.review.page import Shown
from rollout_metrics.review.said import Findings, Line

FEW = hypothesis_settings(LAWFUL, max_examples=4)
END = parse_instant("2026-04-01T00:00:00Z")
LATER = END + 3 * DAY
MOVED = END - T0 - 15 * HOUR
"""The events of a world happen in the first day after T0: so they lie on both sides of the quarter's end."""


@pytest.fixture(scope="session")
def quarterly(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """Workflows whose one window is as long as the quarter."""
    options = settings(privacy={"min_operators": 1, "key": "${KEY}"}, review={"hourly_rate": 40, "hourly_rates": {"v": 50}})
    for workflow in options["workflows"]:
        workflow["windows"] = ["90d"]
        workflow["baseline_seconds"] = 600
    return configured(options, tmp_path_factory.mktemp("config"))


def moved(events: Sequence[Event]) -> list[Event]:
    return [msgspec.structs.replace(event, occurred_at=event.occurred_at + MOVED) for event in events]


def read(made: Desk, events: Sequence[Event], *, up_to: int = LATER) -> None:
    made.now = LATER
    made.land(events)
    made.read_up_to(up_to)


def lines(found: Findings) -> Iterator[Line]:
    return (line for passage in found.passages for line in passage.lines)


@given(st.integers(0, 2**32))
@FEW
def test_every_number_is_that_of_the_snapshot_at_the_end_of_the_quarter(place: Place, quarterly: Configuration, seed: int) -> None:
    with desk(quarterly, place) as made:
        read(made, moved(world_of(Random(seed))))
        values = Values(families_as_of(made.pipeline, END))
        found = review(made.pipeline, "2026Q1")

    compared = 0
    for item in found.findings:
        fixed = {"workflow": item.workflow, "window": "90d", "mode": item.mode}
        for line in lines(item):
            metric = line.now.figure.metric
            published = figure(values, metric.key, {label: (fixed | line.now.labels)[label] for label in metric.all_labels})
            assert (line.now.value, line.now.lower, line.now.upper, line.now.n) == (published.value, published.lower, published.upper, published.n)
            compared += line.now.value is not None
    assert compared


@given(st.integers(0, 2**32))
@FEW
def test_what_happened_later_changes_nothing_and_any_order_gives_the_same_bytes(place: Place, quarterly: Configuration, seed: int) -> None:
    random = Random(seed)
    events = moved(world_of(random))
    with desk(quarterly, place) as whole, desk(quarterly, place) as cut:
        read(cut, [event for event in events if event.occurred_at <= END])
        random.shuffle(events)
        for batch in (events[:9], events[9:]):
            read(whole, batch)
            whole.families()

        assert page.as_json(Shown(review(whole.pipeline, "2026Q1"))) == page.as_json(Shown(review(cut.pipeline, "2026Q1")))


@given(st.integers(0, 2**32))
@FEW
def test_what_stands_since_then_need_not_be_derived_again(place: Place, quarterly: Configuration, seed: int) -> None:
    with desk(quarterly, place) as made, pytest.MonkeyPatch.context() as patch:
        read(made, moved(world_of(Random(seed), cases=12)))
        quick = page.as_json(Shown(review(made.pipeline, "2026Q1")))
        patch.setattr(reviewing, "settled_then", lambda *_, **__: None)

        assert quick == page.as_json(Shown(review(made.pipeline, "2026Q1")))


def test_only_cases_that_the_end_of_the_quarter_divides_are_derived(place: Place, quarterly: Configuration) -> None:
    with desk(quarterly, place) as made, pytest.MonkeyPatch.context() as patch:
        read(made, quarter_of_work(3) + [event for number in (50, 51) for event in decided(number, END - T0 - HOUR, "approved")])
        patch.setattr(reviewing, "derived_then", None)  # deriving everything would fail
        first = review(made.pipeline, "2026Q1").findings[0]

        divided = made.store.straddling(END, END)

    assert [case for _, case in divided] == ["c50", "c51"]
    assert first.passages[0].lines[1].now.n == 30


def decided(number: int, at: int, answer: str) -> list[Event]:
    case = f"c{number}"
    return [
        ev(at, "customer-1", "created", id=f"{case}-0", case=case, attributes={"team": "a"}),
        ev(at + HOUR, "bot", "approval_requested", "priority", "high", id=f"{case}-1", case=case),
        ev(at + HOUR * 2, f"op-{number % 3}", answer, id=f"{case}-2", case=case, action="set:priority", reason="tone"),
        ev(at + HOUR * 3, f"op-{number % 3}", "closed", id=f"{case}-3", case=case),
    ]


def quarter_of_work(overridden: int) -> list[Event]:
    return [event for number in range(30) for event in decided(number, number * 12 * HOUR, "rejected" if number < overridden else "approved")]


def test_a_signed_review_stays_and_what_was_corrected_later_stands_beside_it(place: Place, quarterly: Configuration) -> None:
    with desk(quarterly, place) as made:
        read(made, quarter_of_work(3))
        signed = sign(made.pipeline, "2026Q1", "the board")
        before = shown(made.pipeline, "2026Q1")
        made.land([msgspec.structs.replace(decided(9, 9 * 12 * HOUR, "rejected")[2], revision=1)])
        after = shown(made.pipeline, "2026Q1")
        made.store.retain(LATER + 4000 * DAY)
        kept = made.store.signed_review("2026Q1")

        assert before.differences == ()
        assert after.review == signed == (kept or (None,))[0]
        assert after.signature is not None
        assert after.signature.by == "the board"
        changed = {item.about: (item.signed, item.now) for item in after.differences}
        assert changed["Acceptance and override: override"][0].startswith("10.0 %")
        assert changed["Acceptance and override: override"][1].startswith("13.3 %")
        with pytest.raises(ConfigurationError, match=r"was signed by the board .* and stays"):
            sign(made.pipeline, "2026Q1", "somebody else")


def test_a_quarter_that_is_not_over_says_so_and_cannot_be_signed(place: Place, quarterly: Configuration) -> None:
    with desk(quarterly, place) as made:
        read(made, quarter_of_work(3), up_to=END - DAY)
        found = review(made.pipeline, "2026Q1")

        assert found.running
        assert "still running" in page.html(Shown(found))
        assert {item.as_of for item in found.findings} == {END - DAY}
        with pytest.raises(ConfigurationError, match="cannot be signed yet"):
            sign(made.pipeline, "2026Q1", "the board")
        with pytest.raises(ConfigurationError, match="has not begun"):
            review(made.pipeline, "2027Q1")
        with pytest.raises(ConfigurationError, match="is no quarter"):
            review(made.pipeline, "2026Q5")


def test_the_review_names_what_is_behind_it_and_nobody(place: Place, quarterly: Configuration) -> None:
    with desk(quarterly, place) as made:
        read(made, quarter_of_work(4))
        found = review(made.pipeline, "2026Q1")

    first = found.findings[0]
    receipts = [exhibit for exhibit in first.exhibits if exhibit.about == "override_ratio"]
    assert [exhibit.case[1] for exhibit in receipts] == ["c3", "c2", "c1", "c0"]
    assert ("desk", "c3-2") in [event.ref for event in receipts[0].events]
    assert "Repeating: tone (4 times)." in [note for passage in first.passages for note in passage.notes]
    text = page.as_json(Shown(found)).decode()
    assert "op-" not in text
    assert "actor:" not in text
    assert "nothing" not in first.economy[0]
    assert first.recommended is not None
    assert first.recommended.said.startswith("Hold at")


def test_money_is_hours_times_the_rate_of_the_workflow(place: Place, quarterly: Configuration) -> None:
    with desk(quarterly, place) as made:
        read(made, quarter_of_work(0))
        found = review(made.pipeline, "2026Q1").findings[0]

    (saving,) = found.savings
    assert saving.basis == "assumed"
    assert saving.money is not None
    assert saving.hours is not None
    assert saving.money == pytest.approx(saving.hours * 40)
    assert f"EUR {saving.money:,.0f}" in found.economy[0]


def test_a_workflow_that_was_not_read_has_not_enough_evidence(place: Place, quarterly: Configuration) -> None:
    with desk(quarterly, place) as made:
        made.now = LATER
        found = review(made.pipeline, "2026Q1")

    assert [item.as_of for item in found.findings] == [None, None]
    assert "not enough evidence" in page.html(Shown(found)).casefold()
    assert "not enough evidence" in page.markdown(Shown(found))


def test_each_workflow_is_reviewed_by_its_own_calendar(place: Place, tmp_path: Path) -> None:
    options = settings(privacy={"min_operators": 1, "key": "${KEY}"})
    options["workflows"][0]["calendar"] = {"time_zone": "Asia/Kolkata", "first_month": 4}
    with desk(configured(options, tmp_path), place) as made:
        read(made, quarter_of_work(3))
        first, second = review(made.pipeline, "2025Q4").findings

    assert (format_instant(first.start), format_instant(first.end)) == ("2025-12-31T18:30:00Z", "2026-03-31T18:30:00Z")
    assert (format_instant(second.start), format_instant(second.end)) == ("2025-10-01T00:00:00Z", "2026-01-01T00:00:00Z")
    assert not first.running
    assert any(span.total for course in first.courses for span in course.spans)


def test_a_review_on_the_pages_is_made_again_when_its_quarter_is_told_of_and_not_for_what_came_later(place: Place, quarterly: Configuration) -> None:
    with desk(quarterly, place) as made:
        read(made, quarter_of_work(3))
        cabinet = Cabinet(made.pipeline)

        def opened(*news: Event) -> Shown:
            made.land(news)
            made.pipeline.refresh()
            return cabinet.open("2026Q1")

        first = opened()
        later = opened(*decided(90, END - T0 + HOUR, "rejected"))
        late = opened(*decided(91, 5 * DAY, "rejected"))
        corrected = opened(msgspec.structs.replace(decided(9, 9 * 12 * HOUR, "rejected")[2], revision=1))
        moved_away = opened(msgspec.structs.replace(decided(91, 5 * DAY, "rejected")[2], occurred_at=END + HOUR, revision=1))
        sign(made.pipeline, "2026Q1", "the board")
        signed = opened()

        assert later is first
        assert [cases(item) for item in (first, late, corrected)] == [(3, 30), (4, 31), (5, 31)]
        assert cases(moved_away) == (4, 30)
        assert signed.signature is not None
        made.read_up_to(END - DAY)
        assert opened().review.findings[0] == signed.review.findings[0]
        assert opened() is not signed


def cases(found: Shown) -> tuple[int, int]:
    """Overridden decisions of the first workflow, and all."""
    line = next(line for line in lines(found.review.findings[0]) if line.now.figure.metric.key == "override_ratio")
    return round((line.now.value or 0) * (line.now.n or 0)), line.now.n or 0
