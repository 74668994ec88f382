"""Gates in passes: frozen when a change of level is deployed, as known then, for good."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import T0, ev
from pipeline.worlds import DESK, Desk, Place, configured, desk, values
from rollout_metrics.config.load import Configuration
from rollout_metrics.derive.gates import Proposal
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.policy import Level
from rollout_metrics.domain.time import DAY, HOUR, format_instant
from rollout_metrics.overview.evidence import Asked, Wanted, metric_named
from rollout_metrics.pipeline.as_of import families_as_of
from rollout_metrics.pipeline.evidence import explain
from rollout_metrics.pipeline.ladder import assessments, histories

DEPLOYED = T0 + 10 * DAY
STEP = {"override": 0.3, "minimum_decisions": 20, "minimum_days": 1, "cooldown": "1d", "states": ["no_violations"]}
NO_RATES = {"explicit_acceptance": None, "correction": None, "bypass": None, "escalation_within_target": None}
LEVELS = [{"level": "shadow", "since": "2026-01-01"}, {"level": "assisted", "since": format_instant(T0 - DAY)}]
WORKFLOW = {
    "name": "w",
    "sources": [DESK],
    "agents": ["bot"],
    "decides": ["set:priority"],
    "levels": LEVELS,
    "cohort_age": "1h",
    "gates": {"assisted": STEP | NO_RATES, "low_risk_autonomous": STEP | NO_RATES},
}
CHANGE = {
    "id": "c1",
    "workflow": "w",
    "kind": "level",
    "level": "low_risk_autonomous",
    "proposed_at": format_instant(T0),
    "deployed_at": format_instant(DEPLOYED),
}


def configuration(folder: Path, *changes: Mapping[str, Any], **options: Any) -> Configuration:
    (folder / "changes.yaml").write_text(yaml.safe_dump(list(changes)))
    whole = {"sources": {DESK: {"kind": "events", "paths": "in.jsonl"}}, "workflows": [WORKFLOW | options], "changes": {"paths": "changes.yaml"}}
    return configured(whole, folder)


def decisions(first: int, count: int, overridden: int = 0) -> Iterator[Event]:
    """Recommendations an hour apart, each decided half an hour later on a case of its own."""
    for number in range(first, first + count):
        case, value = f"k{number}", "urgent" if number - first < overridden else "low"
        at = number * HOUR
        yield ev(at, "customer-1", "created", id=f"{case}-0", case=case, attributes={"priority": "none"})
        yield ev(at + HOUR // 4, "bot", "recommended", "priority", "low", id=f"{case}-1", case=case)
        yield ev(at + HOUR // 2, "op-1", "changed", "priority", value, id=f"{case}-2", case=case)


@pytest.fixture
def sqlite(sqlite_place: Place) -> Place:
    return sqlite_place


def at(made: Desk, instant: int) -> dict[str, float]:
    made.read_up_to(instant, DESK)
    made.now = instant
    return values(made.families(), workflow="w")


def test_a_promotion_through_open_gates_is_not_forced(sqlite: Place, tmp_path: Path) -> None:
    with desk(configuration(tmp_path, CHANGE), sqlite, DEPLOYED) as made:
        made.land([*decisions(0, 100)])
        before = at(made, DEPLOYED - HOUR)
        proposal = made.pipeline.assessments["w"].proposal
        after = at(made, DEPLOYED + HOUR)

        (frozen,) = made.store.promotions()["w"]
        assert (proposal, before["gate{gate=override,verdict=pass}"], before["level_proposal{proposal=promote}"]) == (Proposal.PROMOTE, 1, 1)
        assert (frozen.forced, frozen.before, frozen.to, frozen.change) == (False, Level.ASSISTED, Level.LOW_RISK_AUTONOMOUS, "c1")
        assert (after["forced_promotions"], after["level_since_timestamp_seconds"]) == (0, DEPLOYED / 1e6)
        assert made.pipeline.assessments["w"].to is Level.BROAD_AUTONOMOUS


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_a_promotion_against_the_gates_stays_forced_whatever_comes_later(place: Place, tmp_path: Path) -> None:
    with desk(configuration(tmp_path, CHANGE), place, DEPLOYED) as made:
        made.land([*decisions(0, 100, overridden=60)])
        assert at(made, DEPLOYED + HOUR)["forced_promotions"] == 1
        (frozen,) = made.store.promotions()["w"]
        override = next(gate for gate in frozen.gates if gate.name == "override")
        assert (override.ratio, override.cases, frozen.why) == (0.6, 100, "not passed: override")

        made.land([event for event in decisions(100, 1000) if event.occurred_at < DEPLOYED])  # read late: it would have passed
        made.restart(configuration(tmp_path))  # and the record is gone

        assert at(made, DEPLOYED + 2 * HOUR)["forced_promotions"] == 1
        assert made.store.promotions()["w"] == (frozen,)
        (history,) = histories(made.pipeline)
        assert history.promotions == (frozen,)


def test_verdicts_are_frozen_as_of_the_deployment_not_of_the_pass_that_finds_it(sqlite: Place, tmp_path: Path) -> None:
    with desk(configuration(tmp_path, CHANGE), sqlite, DEPLOYED) as made:
        made.land([*decisions(0, 100), *decisions(250, 200, overridden=200)])

        assert at(made, DEPLOYED + 20 * DAY)["forced_promotions"] == 0


def test_nothing_is_frozen_while_history_is_still_being_read(sqlite: Place, tmp_path: Path) -> None:
    with desk(configuration(tmp_path, CHANGE), sqlite, DEPLOYED + DAY) as made:
        made.land([*decisions(200, 4)])
        made.store.land(DESK, [], (), {"watermark": DEPLOYED + DAY, "partial": True})
        made.families()

        assert made.store.promotions() == {}


def test_a_promotion_from_before_anything_was_read_is_not_called_forced(sqlite: Place, tmp_path: Path) -> None:
    with desk(configuration(tmp_path, CHANGE), sqlite, DEPLOYED + DAY) as made:
        made.land([*decisions(250, 4)])

        assert at(made, DEPLOYED + 12 * DAY)["forced_promotions"] == 0
        assert made.store.promotions()["w"][0].why == "nothing had been read from before it"


def test_live_gates_are_those_as_of_their_own_instant_and_of_any_earlier(sqlite: Place, tmp_path: Path) -> None:
    with desk(configuration(tmp_path, CHANGE), sqlite, DEPLOYED) as made:
        made.land([*decisions(0, 300, overridden=30)])
        seen = {}
        for instant in (T0 + 3 * DAY, DEPLOYED - HOUR, DEPLOYED + HOUR, DEPLOYED + 2 * DAY):
            live = at(made, instant)
            seen[instant] = made.pipeline.assessments["w"]
            assert values(families_as_of(made.pipeline, instant), workflow="w").items() >= {k: v for k, v in live.items() if "coverage" not in k}.items()

        for instant, expected in seen.items():
            (found,) = assessments(made.pipeline, instant)
            assert found.proposal == expected.proposal
            assert [(gate.name, gate.verdict, gate.ratio, gate.cases) for gate in found.gates] == [
                (gate.name, gate.verdict, gate.ratio, gate.cases) for gate in expected.gates
            ]


def test_a_gate_is_explained_by_what_it_counted(sqlite: Place, tmp_path: Path) -> None:
    with desk(configuration(tmp_path), sqlite, DEPLOYED) as made:
        made.land([*decisions(0, 30, overridden=3)])
        at(made, T0 + 3 * DAY)

        def explained(gate: str) -> Any:
            return explain(made.pipeline, Asked(metric_named("gate"), "w", DAY, {"gate": gate}), Wanted(50))

        assert explained("override").totals == {"numerator": 3, "denominator": 30}
        assert explained("decisions").totals == {"counted": 30}
        assert explained("no_violations").rows == []
        assert [row["counts"] for row in explained("cooldown").rows] == ["pass: 4 days at the present level, at least 1d"]
