"""Passes over sources: what fails, what waits, what comes back, what is kept."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import msgspec
import pytest

from builders import T0, ev, everywhere
from pipeline.test_laws import END, difference
from pipeline.worlds import DESK, RUNTIME, Desk, Place, configured, desk, events_of_cases, settings, shown, values
from rollout_metrics.collect.source import Coverage, Page, Refused, Source, Told, Window
from rollout_metrics.config.load import Configuration
from rollout_metrics.derive import case
from rollout_metrics.derive.history import History
from rollout_metrics.derive.reports import reports
from rollout_metrics.domain.errors import CredentialsError, RetryLater, TruncatedError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import DECIDED, Recommendation
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, SECOND, parse_span
from rollout_metrics.pipeline.as_of import families_as_of
from rollout_metrics.pipeline.coverage import covered

NOW = T0 + 30 * HOUR


class Scripted(Source):
    """Gives events by the window they lie in, until it is told to fail."""

    kind: ClassVar[str] = "scripted"
    script: Any
    failing: Any = None
    refusing: Any = None
    lookback: int = 2 * HOUR
    hold_back: ClassVar[int] = MINUTE
    windows: Any = None

    def endpoint(self) -> None:
        return None

    def pages(self, api: Any, window: Window) -> Iterator[Page]:
        self.windows.append(window)
        due = sorted((event for event in self.script if window.start <= event.occurred_at < window.end), key=lambda event: event.occurred_at)
        for place in range(0, len(due), 5):
            if self.failing and place:
                raise self.failing.pop()
            body = due[place : place + 5]
            yield Page(body, f"page {place}", read_up_to=body[-1].occurred_at)
        if self.refusing:
            yield Page([Refused(*one) for one in self.refusing], "beside")
        if self.failing:
            raise self.failing.pop()

    def events(self, page: Page) -> Iterator[Told]:
        yield from page.body
        if page.where != "beside":
            yield Coverage("history", len(page.body) - 1, len(page.body))


def scripted(configuration: Configuration, events: list[Event]) -> Configuration:
    """The configuration with sources that give these events."""
    mine = {name: [event for event in events if (event.activity == "recommended") == (name == RUNTIME)] for name in (DESK, RUNTIME)}
    sources: dict[str, Source] = {
        name: Scripted.model_construct(
            name=name,
            script=mine[name],
            failing=[],
            refusing=[],
            windows=[],
            every=5 * MINUTE,
            lookback=2 * HOUR,
            depth=90 * DAY,
            agents=frozenset(),
            agent_markers=frozenset(),
            systems=frozenset(),
            system_markers=frozenset(),
            cron=None,
            jitter=0,
        )
        for name in (DESK, RUNTIME)
    }
    return msgspec.structs.replace(configuration, sources=sources)


@pytest.fixture
def events() -> list[Event]:
    return events_of_cases(Random(3).choice, 12)


@pytest.fixture
def made(place: Place, configuration: Configuration, events: list[Event]) -> Iterator[Desk]:
    with desk(scripted(configuration, events), place, NOW) as opened:
        yield opened


FAILURES = [
    (RetryLater("desk is down: wait"), "unavailable"),
    (CredentialsError("401 from desk: check the token"), "credentials"),
    (TruncatedError("page 3 ended after 2 of 5 records"), "truncated"),
    (KeyError("a defect"), "other"),
]


@pytest.mark.parametrize(("error", "kind"), FAILURES, ids=[kind for _, kind in FAILURES])
def test_a_failing_source_is_down_says_why_and_leaves_the_others_and_the_old_figures(made: Desk, error: Exception, kind: str) -> None:
    for name in (DESK, RUNTIME):
        assert made.pipeline.collect(name).error is None
    before = shown(made.families(), "agent_rollout_coverage_ratio")
    made.now = NOW + 2 * HOUR
    made.pipeline.sources[DESK].failing.append(error)  # type: ignore[attr-defined]

    failed, fine = made.pipeline.collect(DESK), made.pipeline.collect(RUNTIME)

    assert failed.error
    assert fine.error is None
    up = {labels["source"]: value for labels, value in _self(made, "agent_rollout_source_up")}
    assert up == {DESK: 0, RUNTIME: 1}
    assert [labels for labels, value in _self(made, "agent_rollout_source_failure") if value] == [{"source": DESK, "kind": kind}]
    assert made.board.reasons == ()
    after = made.families()
    assert values(after)["sources_stale{workflow=w}"] == 1
    assert _without(difference(before, shown(after)), "rollout_gate", "level_proposal") == []  # nothing passes on what is stale


def _without(lines: list[str], *more: str) -> list[str]:
    return [line for line in lines if not any(word in line for word in ("coverage", "sources_stale", *more))]


def _self(made: Desk, name: str) -> list[tuple[dict[str, str], float]]:
    return [(dict(labels), value) for family in made.metrics.families() if family.name == name for _, labels, value in family.samples]


def test_a_part_that_is_refused_is_told_in_every_place_until_what_was_missed_is_read(made: Desk, caplog: pytest.LogCaptureFixture) -> None:
    source, said = made.pipeline.sources[DESK], "talks cannot be read (403): grant the scope talks"

    def told() -> tuple[list[tuple[dict[str, str], float]], str, list[str]]:
        caplog.clear()
        assert made.pipeline.collect(DESK).error is None
        assert made.board.picture is not None
        state = next(one for one in made.board.picture.sources if one.name == DESK)
        logged = [record.message for record in caplog.records if record.message == "part refused"]
        return _self(made, "agent_rollout_source_part_refused"), state.state, [*logged, *state.trouble]

    assert told() == ([], "current", [])
    source.refusing.append(("talks", said))  # type: ignore[attr-defined]
    made.now += 5 * MINUTE
    for _ in range(2):
        assert told() == ([({"source": DESK, "part": "talks"}, 1)], "refused in part", ["part refused", said])
        made.now += 9 * HOUR
    source.refusing.clear()  # type: ignore[attr-defined]
    assert told() == ([({"source": DESK, "part": "talks"}, 0)], "current", [])
    assert source.windows[-1].start < NOW < source.windows[-2].end  # type: ignore[attr-defined]


def test_a_sweep_that_fails_in_the_middle_ends_with_the_figures_of_one_that_did_not(place: Place, configuration: Configuration, events: list[Event]) -> None:
    with desk(scripted(configuration, events), place, NOW) as smooth, desk(scripted(configuration, events), place, NOW) as rough:
        for name in (DESK, RUNTIME):
            smooth.pipeline.collect(name)
            rough.pipeline.sources[name].failing.append(RetryLater("wait"))  # type: ignore[attr-defined]
            while rough.pipeline.collect(name).error:
                rough.restart()

        assert _without(difference(shown(smooth.families()), shown(rough.families()))) == []


def test_what_sources_covered_survives_a_restart(made: Desk) -> None:
    for name in (DESK, RUNTIME):
        made.pipeline.collect(name)
    before = values(made.families(), workflow="v")

    made.restart()

    after = values(made.families(), workflow="v")
    assert 0 < before["coverage_ratio{kind=audited}"] < 1
    assert {k: v for k, v in after.items() if "coverage" in k} == {k: v for k, v in before.items() if "coverage" in k}


def test_what_was_sent_adds_up_to_what_is_covered(tmp_path: Path, place: Place) -> None:
    options = settings()
    options["sources"]["push"] = {"kind": "push", "tokens": [{"name": "bot", "secret": "${KEY}", "workflows": ["w"]}]}
    options["workflows"][1]["sources"] = ["push"]
    with desk(configured(options, tmp_path), place) as made:
        for part in (Coverage("history", 3, 5), Coverage("history", 1, 1)):
            made.pipeline.accept("push", [], [], [part])
        made.pipeline.accept("push", [])
        found = values(made.families(), workflow="v")
        assert (found["coverage_known{kind=audited}"], found["coverage_checked{kind=audited}"]) == (4, 6)


def test_two_exporters_on_one_database_add_up_what_each_was_sent(tmp_path: Path, postgres_place: Place) -> None:
    options = settings()
    options["sources"]["push"] = {"kind": "push", "tokens": [{"name": "bot", "secret": "${KEY}", "workflows": ["w"]}]}
    configuration = configured(options, tmp_path)
    with desk(configuration, postgres_place) as one:
        other = Desk(configuration, one.url)
        pushes = [made.pipeline.accept for made in (one, other) for _ in range(25)]
        with ThreadPoolExecutor(4) as senders:
            list(senders.map(lambda accept: accept("push", [], [], [Coverage("history", 1, 2)]), pushes))
        other.store.close()

        assert covered(one.store.progress("push")) == {"history": (50, 100)}


def test_future_events_are_kept_and_counted_when_their_time_comes(place: Place, configuration: Configuration, events: list[Event]) -> None:
    with desk(configuration, place) as early, desk(configuration, place) as late:
        early.land(events)
        early.figures_at(T0 - HOUR)
        ahead = values(early.families(), workflow="w", window="7d")
        late.land(events)

        assert ahead["recommendations{mode=live,outcome=accepted}"] == 0
        assert difference(late.figures_at(END), early.figures_at(END)) == []


def test_a_failing_source_of_one_workflow_does_not_keep_new_cases_from_another(place: Place, configuration: Configuration) -> None:
    with desk(configuration, place) as made:
        made.read_up_to(T0 - DAY, RUNTIME)
        made.read_up_to(T0, DESK)
        made.families()
        made.land([ev("10s", "customer-1", "created", attributes={"team": "b"}), ev("20s", "other-bot", "recommended", "priority", "high", id="r1")])
        made.families()

        made.read_up_to(T0 + 2 * MINUTE, DESK)

        assert values(made.families(), workflow="v")["recommendations_pending{mode=shadow}"] == 1


def test_a_rebuild_changes_nothing_and_publishes_nothing_half_done(
    place: Place, configuration: Configuration, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollout_metrics.pipeline.deriving.BATCH", 2)
    with desk(configuration, place) as made:
        made.land(events)
        made.read_up_to(END)
        made.pipeline.refresh()
        before = made.figures_at(END)
        hung: list[bytes] = []
        monkeypatch.setattr(made.board, "hang", lambda snapshot, reasons=(): hung.append(snapshot.text))
        made.store.rebuild()
        due = made.store.due({"": END, "w": END, "v": END}, limit=2)

        assert due
        assert made.store.rebuilding()
        made.restart()
        assert made.pipeline.families() is not None
        assert not made.store.rebuilding()
        made.pipeline.rebuild()

        assert difference(before, made.figures_at(END)) == []
        assert len(hung) == 1


def test_another_policy_derives_everything_again_and_only_then_publishes(
    place: Place, configuration: Configuration, events: list[Event], tmp_path: Path
) -> None:
    other = settings(privacy={"min_operators": 1, "key": "${KEY}"})
    other["workflows"][0]["edit_similarity"] = 0.99
    other["workflows"][0]["settle_after"] = "1h"
    changed = configured(other, tmp_path)
    with desk(configuration, place) as made, desk(changed, place) as fresh:
        for each in (made, fresh):
            each.land(events)
            each.figures_at(END)

        made.restart(changed)

        assert made.store.rebuilding()
        assert difference(fresh.figures_at(END), made.figures_at(END)) == []
        assert values(made.families(), workflow="w")["corrections_to_settled_total{outcome=accepted}"] == 0


def test_a_correction_to_a_settled_decision_is_counted_once_and_for_good(place: Place, configuration: Configuration) -> None:
    opening = [
        ev(0, "customer-1", "created", id="c", attributes={"team": "a"}),
        ev("1h", "bot", "recommended", "priority", "high", id="r"),
        ev("2h", "op-1", "changed", "priority", "high", id="o"),
    ]
    correction = ev("2h", "op-1", "changed", "priority", "low", id="o", revision=1)
    with desk(configuration, place) as made:
        made.land(opening)
        made.figures_at(T0 + 10 * HOUR)
        assert values(made.families(), workflow="w")["decisions_settled_total{outcome=accepted}"] == 1

        made.land([correction])
        made.figures_at(T0 + 10 * HOUR)
        made.land([correction])
        made.pipeline.rebuild()
        made.restart()

        found = values(made.families(), workflow="w")
        assert found["corrections_to_settled_total{outcome=accepted}"] == 1
        assert found["decisions_settled_total{outcome=overridden}"] == 1
        assert made.store.check() == []


def test_a_plain_recount_of_the_facts_gives_the_published_shares(place: Place, configuration: Configuration) -> None:
    with desk(configuration, place) as made:
        made.land(events_of_cases(Random(5).choice, 80, 14))
        made.figures_at(END)
        found = values(made.families(), workflow="w", window="7d")
        facts = [fact for _, facts in made.store.facts_between("w", 0, END) for fact in facts if isinstance(fact, Recommendation)]

        outcomes = Counter(fact.outcome for fact in facts if fact.mode == "live" and fact.decided_at and END - 7 * DAY < fact.decided_at <= END)
        decided = sum(outcomes[outcome] for outcome in DECIDED)
        assert decided > 5
        for outcome, name in (("accepted", "acceptance_ratio"), ("edited", "edit_ratio"), ("overridden", "override_ratio")):
            assert found[f"{name}{{mode=live}}"] == outcomes[outcome] / decided
        pending = values(made.families(), workflow="w")
        assert pending["recommendations_pending{mode=live}"] == sum(fact.outcome == "pending" and fact.mode == "live" for fact in facts)


def test_retention_changes_no_figure_inside_the_kept_horizon(place: Place, configuration: Configuration, events: list[Event]) -> None:
    with desk(configuration, place, T0 + 20 * DAY) as made:
        made.land(events)
        later = [_later(event) for event in events]
        made.land(later)
        at = T0 + 15 * DAY + 20 * HOUR
        before = made.figures_at(at)
        made.store.retain(T0 + 20 * DAY, events=10 * DAY, persons=9 * DAY)

        assert difference(before, made.figures_at(at)) == []
        made.restart()
        assert difference(before, made.figures_at(at)) == []
        assert made.store.check() == []


def _later(event: Event) -> Event:
    return msgspec.structs.replace(event, case_id="later-" + event.case_id, event_id="later-" + event.event_id, occurred_at=event.occurred_at + 15 * DAY)


def test_a_lost_database_is_a_reason_not_to_be_ready_and_nothing_is_overwritten(sqlite_place: Place, configuration: Configuration, events: list[Event]) -> None:
    with desk(scripted(configuration, events), sqlite_place, NOW) as made:
        for name in (DESK, RUNTIME):
            made.pipeline.collect(name)
        served = made.board.snapshot
        path = Path(made.url.removeprefix("sqlite:///"))
        away = path.with_suffix(".away")
        path.rename(away)

        assert made.pipeline.collect(DESK).error
        made.pipeline.refresh()

        assert made.board.reasons
        assert str(path) in made.board.reasons[0]
        assert made.board.snapshot is served
        assert not path.exists()

        away.rename(path)
        made.pipeline.collect(DESK)
        assert made.board.reasons == ()


def test_t_is_the_least_watermark_at_a_whole_minute_and_a_push_source_is_read_while_it_is_heard(place: Place, tmp_path: Path) -> None:
    options = settings()
    token = {"name": "bot", "secret": "${KEY}", "workflows": ["w"]}
    options["sources"]["push"] = {"kind": "push", "tokens": [token]}
    options["workflows"][1]["sources"] = [DESK, "push"]
    with desk(configured(options, tmp_path), place, T0 + 90 * SECOND) as made:
        made.read_up_to(T0 + 90 * SECOND, DESK)
        made.read_up_to(T0 + 70 * SECOND, RUNTIME)

        def at(workflow: str) -> float | None:
            found = values(made.families(), workflow=workflow).get("as_of_timestamp_seconds")
            return None if found is None else found - T0 / SECOND

        assert (at("w"), at("v")) == (60, None)
        made.pipeline.accept("push", [])
        assert at("v") == 60
        made.now = T0 + 10 * MINUTE
        made.read_up_to(made.now, DESK)
        assert at("v") == 600
        made.now = T0 + parse_span("20m")
        made.read_up_to(made.now, DESK)
        assert at("v") == 60
        assert values(made.families(), workflow="v")["sources_stale"] == 0
        made.now = T0 + parse_span("70m")
        assert values(made.families(), workflow="v")["sources_stale"] == 1


def test_a_source_that_lags_by_nature_is_stale_by_a_limit_of_its_own(tmp_path: Path, place: Place) -> None:
    options = settings()
    options["sources"][DESK]["stale_after"] = "3d"
    with desk(configured(options, tmp_path), place, T0 + 2 * DAY) as made:
        made.read_up_to(T0, DESK)
        assert values(made.families(), workflow="v")["sources_stale"] == 0
        made.now = T0 + 3 * DAY + MINUTE
        assert values(made.families(), workflow="v")["sources_stale"] == 1


def test_what_was_derived_while_a_push_source_was_heard_is_undone_when_it_falls_silent(place: Place, configuration: Configuration, events: list[Event]) -> None:
    with desk(configuration, place) as made, desk(configuration, place) as straight:
        for each in (made, straight):
            each.land(events)
        made.figures_at(T0 + 9 * HOUR)

        assert difference(straight.figures_at(T0 + 4 * HOUR), made.figures_at(T0 + 4 * HOUR)) == []


def test_as_of_and_live_share_every_family(place: Place, configuration: Configuration, events: list[Event]) -> None:
    with desk(configuration, place) as made:
        made.land(events)
        live = {family.name for family in pipeline_families(made)}

        assert {family.name for family in families_as_of(made.pipeline, END)} == live
        assert everywhere(made.pipeline.company, END).keys() == {"", "w", "v"}


def pipeline_families(made: Desk) -> Any:
    made.read_up_to(END)
    return made.families()


def test_a_case_on_which_derivation_breaks_is_set_aside_and_stops_no_other(made: Desk, events: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    broken = events[0].case

    def fragile(history: History, *rest: Any) -> Any:
        if history.case == broken:
            raise ZeroDivisionError
        return reports(history, *rest)

    monkeypatch.setattr(case, "reports", fragile)
    for name in (DESK, RUNTIME):
        assert made.pipeline.collect(name).error is None

    assert made.board.reasons == ()
    assert {(record.source, record.reason, record.where) for record in made.pipeline.store.quarantined()} == {(broken[0], "underivable", f"case {broken[1]}")}
    facts = made.pipeline.store.facts([event.case for event in events])
    assert broken not in facts
    assert len(facts) > 5


def test_what_has_landed_and_not_been_derived_counts_in_figures_as_of_an_instant(place: Place, configuration: Configuration, events: list[Event]) -> None:
    with desk(configuration, place) as made, desk(configuration, place) as derived:
        for each in (made, derived):
            each.land(events)
        derived.figures_at(END)

        assert difference(shown(families_as_of(derived.pipeline, END)), shown(families_as_of(made.pipeline, END))) == []
