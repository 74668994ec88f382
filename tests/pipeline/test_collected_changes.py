"""Change records that systems hold: landed with their source's pages, merged with those of files, and derived by from the next figures on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from builders import T0, change, ev
from pipeline.worlds import DESK, Desk, Place, configured, desk, settings, values
from rollout_metrics.collect.change_options import GONE
from rollout_metrics.collect.source import Page, Source, Window
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.records import ChangeReading, Record
from rollout_metrics.domain.time import DAY, HOUR, MINUTE

NOW = T0 + 3 * DAY


class Held(Source):
    """Gives a script of readings and events, a page each."""

    kind: ClassVar[str] = "held"
    script: Any = None

    def endpoint(self) -> None:
        return None

    def pages(self, api: Any, window: Window) -> Iterator[Page]:
        for number, body in enumerate(self.script):
            yield Page(body, f"page {number}", read_up_to=window.end)

    def events(self, page: Page) -> Iterator[Event | ChangeReading]:  # type: ignore[override]
        yield from page.body


def record(number: str = "CHG-1", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "workflow": "w",
        "kind": "prompt",
        "version": "v7",
        "risk_class": "low",
        "proposed_at": "2026-03-02T10:00:00Z",
        "deployed_at": "2026-03-02T12:00:00Z",
        **more,
    }


def story() -> list[Event]:
    """A case on which the agent says which version it is."""
    return [
        ev("0s", "customer-1", "created", id="a", attributes={"team": "a"}),
        ev("5h", "bot", "changed", "priority", "high", id="b", version="v7"),
        ev("6h", "op-1", "changed", "priority", "low", id="c"),
    ]


@pytest.fixture
def made(place: Place, tmp_path: Path) -> Iterator[Desk]:
    options = settings(privacy={"min_operators": 1, "key": "${KEY}"})
    for workflow in options["workflows"]:
        workflow["windows"] = ["1d", "28d"]
    plain = configured(options, tmp_path)
    held = Held.model_construct(**{name: getattr(plain.sources[DESK], name) for name in Source.model_fields}, script=[])
    with desk(msgspec.structs.replace(plain, sources={**plain.sources, DESK: held}), place, NOW) as opened:
        opened.land(story())
        opened.read_up_to(NOW - MINUTE)
        yield opened


def sweep(made: Desk, *readings: ChangeReading | Event) -> dict[str, float]:
    made.pipeline.sources[DESK] = made.pipeline.sources[DESK].model_copy(update={"script": [list(readings)]})
    made.now += HOUR
    assert made.pipeline.sweep(DESK).error is None
    made.read_up_to(NOW - MINUTE)
    return values(made.families(), workflow="w")


def test_a_record_that_a_system_holds_is_a_deployment_and_explains_its_version(made: Desk) -> None:
    before = values(made.families(), workflow="w")
    after = sweep(made, ChangeReading("77", 5, record()))

    assert (before["deployments{window=28d}"], before["unrecorded_version_events{window=28d}"]) == (0, 1)
    assert (after["deployments{window=28d}"], after["unrecorded_version_events{window=28d}"]) == (1, 0)
    assert [item.change.id for item in made.pipeline.configuration.records] == ["CHG-1"]
    assert made.pipeline.configuration.records[0].change.lacks > 10


def test_a_later_reading_holds_whatever_comes_after_it_and_what_is_none_any_more_goes(made: Desk) -> None:
    moved = sweep(made, ChangeReading("77", 9, record(version="v8")), ChangeReading("77", 5, record()))
    gone = sweep(made, ChangeReading("77", GONE, None))

    assert (moved["deployments{window=28d}"], moved["unrecorded_version_events{window=28d}"]) == (1, 1)
    assert gone["deployments{window=28d}"] == 0


def test_what_deploys_nothing_else_derives_no_case_again(made: Desk) -> None:
    sweep(made, ChangeReading("77", 5, record()))
    known = made.store.meta("policies")

    found = sweep(made, ChangeReading("77", 6, record(interventions=[{"kind": "rollback", "at": "2026-03-02T13:00:00Z"}], title="other")))

    assert found["open_failures"] == 0
    assert made.pipeline.configuration.records[0].change.title == "other"
    assert made.store.meta("policies") == known


def test_records_are_there_after_a_restart(made: Desk) -> None:
    sweep(made, ChangeReading("77", 5, record()))
    held = made.pipeline.configuration.records

    made.restart()

    assert made.pipeline.configuration.records == held


def test_who_signed_is_stored_as_a_keyed_hash(made: Desk) -> None:
    sweep(made, ChangeReading("77", 5, record(sign_offs={"semantics": {"by": "Bea", "at": "2026-03-02T11:00:00Z"}})))

    (_, reading), *_ = made.store.change_readings()
    assert "Bea" not in str(reading)
    assert made.pipeline.configuration.records[0].change.approved_at == T0 + 2 * HOUR


def test_files_win_and_what_is_wrong_with_the_others_is_told(made: Desk) -> None:
    mine = Record(change=change(id="CHG-1", title="as the file says"))
    made.restart(msgspec.structs.replace(made.configuration, records=(mine,)))

    sweep(
        made,
        ChangeReading("77", 1, record(title="as the system says")),
        ChangeReading("78", 1, record("CHG-2", workflow="nobody")),
        ChangeReading("79", 1, record("CHG-3", kind="mood")),
        ChangeReading("80", 1, record("CHG-4", deployed_at="2026-03-01T12:00:00Z")),
        ChangeReading("81", 1, record("CHG-5", reworks="CHG-9")),
    )

    assert [(item.change.id, item.change.title) for item in made.pipeline.configuration.records] == [("CHG-1", "as the file says"), ("CHG-5", "")]
    told = "\n".join(made.pipeline.change_problems)
    for part in (
        "CHG-1 of source desk: a file has it too and holds",
        "CHG-2 of source desk: there is no workflow 'nobody'",
        "CHG-3 of source desk: kind: ",
        "CHG-4 of source desk: deployed_at lies before proposed_at",
        "CHG-5 of source desk: reworks: there is no change 'CHG-9'",
    ):
        assert part in told
    assert "mood" not in told
