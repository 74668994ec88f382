"""The five delivery metrics from change records: what deployed, what failed, when it recovered, and nothing of what comes after T."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DAY, HOUR, after, workflow
from rollout_metrics.derive.delivery import Delivery, Link, delivery, deployments
from rollout_metrics.derive.failures import FailedRun, FailureCause, Observed
from rollout_metrics.derive.failures import Incident as Seen
from rollout_metrics.derive.harm import Crossing
from rollout_metrics.domain.changes import Change, ChangeKind, Harm, HarmMetric, Incident, Intervention, InterventionKind
from rollout_metrics.domain.policy import Workflow

WEEK, MONTH = 7 * DAY, 28 * DAY
NOTHING = Observed()


def change(name: str = "c", deployed: int | None = 0, **options: Any) -> Change:
    """A prompt change, proposed two days and approved one day before it was deployed; all times in hours after T0."""
    at = None if deployed is None else after(0) + deployed * HOUR
    return Change(
        **{
            "id": name,
            "workflow": "w",
            "kind": ChangeKind.PROMPT,
            "title": name,
            "version": name,
            "environment": "production",
            "risk_class": "low",
            "proposed_at": (after(0) if at is None else at) - 2 * DAY,
            "reviewed_at": None,
            "approved_at": None if at is None else at - DAY,
            "deployed_at": at,
            "recovered_at": None,
            "level": None,
            "reworks": None,
            "fixes": (),
            "incidents": (),
            "interventions": (),
            **options,
        }
    )


def hour(number: int) -> int:
    return after(0) + number * HOUR


def incident(started: int, ended: int | None = None, name: str = "i") -> Incident:
    return Incident(name, hour(started), None if ended is None else hour(ended))


def intervention(at: int, in_force: int | None = None, kind: str = "rollback") -> Intervention:
    return Intervention(InterventionKind(kind), hour(at), None if in_force is None else hour(in_force))


def told(*changes: Change, **options: Any) -> Workflow:
    return workflow(changes=changes, **options)


def metrics(*changes: Change, as_of: int = 20 * 24, window: int = MONTH, observed: Observed = NOTHING, **options: Any) -> Delivery:
    return delivery(deployments(told(*changes, **options), hour(as_of), observed), window)


Brief = tuple[FailureCause, int, int | None]


def failure(*changes: Change, as_of: int = 20 * 24, observed: Observed = NOTHING, **options: Any) -> Brief | None:
    """Cause, start and recovery of the first deployment's failure."""
    found = deployments(told(*changes, **options), hour(as_of), observed).deployments[0].failure
    return None if found is None else (found.cause, found.started_at, found.recovered_at)


def by(**counts: int) -> dict[FailureCause, int]:
    return {cause: counts.get(cause.value, 0) for cause in FailureCause}


def run(at: int, version: str | None = None) -> FailedRun:
    return FailedRun(hour(at), version, ("runtime", f"run-{at}"))


def seen(started: int, ended: int | None = None, name: str = "i", change: str | None = None) -> Seen:
    return Seen(("pager", name), hour(started), None if ended is None else hour(ended), change, ("pager", f"{name}-0"))


class TestDeployments:
    def test_without_deployments_there_is_no_rate_to_give(self) -> None:
        assert metrics() == Delivery(0, 0, 0, dict.fromkeys(FailureCause, 0), 0, 0, None, None, None, dict.fromkeys(Link, 0))

    def test_a_change_that_was_not_deployed_is_no_deployment(self) -> None:
        assert metrics(change(deployed=None)).deployments == 0

    def test_other_environments_are_kept_apart(self) -> None:
        assert metrics(change(environment="staging")).deployments == 0

    @pytest.mark.parametrize("kind", list(ChangeKind))
    def test_every_kind_of_change_deploys(self, kind: ChangeKind) -> None:
        assert metrics(change(kind=kind, level=2 if kind is ChangeKind.LEVEL else None)).deployments == 1

    def test_windows_are_open_at_the_start_and_closed_at_the_end(self) -> None:
        at = 7 * 24

        assert metrics(change(deployed=0), as_of=at, window=WEEK).deployments == 0
        assert metrics(change(deployed=1), as_of=at, window=WEEK).deployments == 1
        assert metrics(change(deployed=at), as_of=at, window=WEEK).deployments == 1
        assert metrics(change(deployed=at + 1), as_of=at, window=WEEK).deployments == 0


class TestLeadTime:
    def test_it_runs_from_proposal_to_deployment_and_to_approval(self) -> None:
        found = metrics(change())

        assert found.lead_time is not None
        assert (found.lead_time.median, found.lead_time.p90, found.lead_time.cases) == (2 * DAY, 2 * DAY, 1)
        assert found.approval_lead_time is not None
        assert found.approval_lead_time.median == DAY

    def test_median_and_p90_are_the_least_that_enough_do_not_exceed(self) -> None:
        found = metrics(*(change(f"{days:02d}", days, proposed_at=hour(days) - days * DAY) for days in range(1, 11)))

        assert found.lead_time is not None
        assert (found.lead_time.median, found.lead_time.p90) == (5 * DAY, 9 * DAY)

    def test_what_nobody_approved_yet_has_no_time_to_approval(self) -> None:
        assert metrics(change(approved_at=None)).approval_lead_time is None
        assert metrics(change(approved_at=hour(48)), as_of=47).approval_lead_time is None


class TestFailRate:
    def test_a_deployment_is_judged_once_its_observation_window_is_over(self) -> None:
        assert metrics(change(), as_of=7 * 24 - 1).judged == 0
        assert metrics(change(), as_of=7 * 24).judged == 1

    def test_the_next_deployment_ends_the_observation(self) -> None:
        assert metrics(change("a", 0), change("b", 24), as_of=24).judged == 1

    def test_a_deployment_elsewhere_does_not(self) -> None:
        assert metrics(change("a", 0), change("b", 24, environment="staging"), as_of=24).judged == 0

    def test_a_linked_incident_fails_it(self) -> None:
        found = metrics(change(incidents=(incident(5, 6),)))

        assert (found.failed, found.judged, found.safe) == (by(incident=1), 1, 0)

    @pytest.mark.parametrize("kind", list(InterventionKind))
    def test_an_intervention_fails_it(self, kind: str) -> None:
        assert metrics(change(interventions=(intervention(5, 6, kind),))).failed[FailureCause.INTERVENTION] == 1

    def test_a_deployment_that_failed_by_both_counts_once_by_what_came_first(self) -> None:
        both = change(incidents=(incident(5, 6),), interventions=(intervention(4, 6),))

        assert metrics(both).failed == by(intervention=1)

    def test_one_that_is_not_judged_yet_is_in_neither_count(self) -> None:
        found = metrics(change(incidents=(incident(5, 6),)), as_of=10)

        assert (found.judged, sum(found.failed.values()), found.deployments) == (0, 0, 1)

    def test_safe_deployments_are_judged_and_did_not_fail(self) -> None:
        found = metrics(change("a", 0), change("b", 24, incidents=(incident(30),)), change("c", 480))

        assert (found.deployments, found.judged, found.safe) == (3, 2, 1)


class TestEvaluations:
    def test_a_failed_run_in_the_observation_window_fails_it(self) -> None:
        assert failure(change(), observed=Observed(failed_runs=(run(5),))) == (FailureCause.EVALUATION, hour(5), None)

    def test_the_window_is_open_at_the_deployment_and_closed_at_its_end(self) -> None:
        for at, failed in ((0, False), (1, True), (7 * 24, True), (7 * 24 + 1, False)):
            assert (failure(change(), observed=Observed(failed_runs=(run(at),))) is not None) == failed

    def test_a_run_belongs_to_the_deployment_it_followed(self) -> None:
        both = (change("a", 0), change("b", 24))

        assert failure(*both, observed=Observed(failed_runs=(run(25),))) is None
        assert metrics(*both, observed=Observed(failed_runs=(run(25),))).failed == by(evaluation=1)

    def test_a_run_of_a_version_that_is_not_in_production_says_nothing_of_it(self) -> None:
        assert failure(change("a"), observed=Observed(failed_runs=(run(5, "a"),))) is not None
        assert failure(change("a"), observed=Observed(failed_runs=(run(5, "candidate"),))) is None

    def test_the_deployed_rollback_recovers_it(self) -> None:
        found = failure(change("c"), change("d", 9, reworks="c"), observed=Observed(failed_runs=(run(5),)))

        assert found == (FailureCause.EVALUATION, hour(5), hour(9))


class TestIncidentsOfSources:
    def test_one_that_names_the_change_fails_it_from_its_start_to_its_end(self) -> None:
        assert failure(change("c"), observed=Observed(incidents=(seen(5, 8, change="c"),))) == (FailureCause.INCIDENT, hour(5), hour(8))

    def test_one_that_the_record_names_ends_as_its_source_says(self) -> None:
        found = metrics(change(incidents=(incident(5),)), observed=Observed(incidents=(seen(5, 8),)))

        assert found.failed == by(incident=1)
        assert found.incidents == {Link.EXPLICIT: 1, Link.INFERRED: 0, Link.UNATTRIBUTED: 0}
        assert found.recovery is not None
        assert found.recovery.median == 3 * HOUR

    def test_one_that_only_falls_into_the_window_is_inferred_and_beside_the_rate(self) -> None:
        found = metrics(change(), observed=Observed(incidents=(seen(5, 8),)))

        assert (found.failed, found.safe, found.inferred_failed) == (by(), 1, 1)
        assert found.incidents == {Link.EXPLICIT: 0, Link.INFERRED: 1, Link.UNATTRIBUTED: 0}

    def test_one_outside_every_window_is_unattributed_and_counted(self) -> None:
        found = metrics(change(), observed=Observed(incidents=(seen(8 * 24), seen(-5, name="j"))))

        assert found.inferred_failed == 0
        assert found.incidents == {Link.EXPLICIT: 0, Link.INFERRED: 0, Link.UNATTRIBUTED: 2}

    def test_an_incident_in_the_window_of_a_failed_deployment_is_no_second_failure(self) -> None:
        found = metrics(change(incidents=(incident(2, 3, "own"),)), observed=Observed(incidents=(seen(5, 8),)))

        assert (found.failed, found.inferred_failed) == (by(incident=1), 0)


class TestPools:
    def test_a_deployment_with_few_recommendations_is_watched_together_with_the_next(self) -> None:
        both = (change("a", 0), change("b", 24))

        assert metrics(*both, as_of=24, observed=Observed(opened=lambda _after, _up_to: 19)).judged == 0
        assert metrics(*both, as_of=24, observed=Observed(opened=lambda _after, _up_to: 20)).judged == 1
        assert metrics(*both, as_of=8 * 24, observed=Observed(opened=lambda _after, _up_to: 19)).judged == 2

    def test_a_pool_is_closed_by_the_recommendations_of_all_its_deployments(self) -> None:
        three = (change("a", 0), change("b", 24), change("c", 48))

        found = deployments(told(*three), hour(49), Observed(opened=lambda after, up_to: 12 * ((up_to - after) // DAY)))

        assert [item.watched_until for item in found.deployments] == [hour(48), hour(48), hour(48 + 7 * 24)]

    def test_one_whose_own_time_was_up_is_in_no_pool(self) -> None:
        found = deployments(told(change("a", 0), change("b", 7 * 24 + 1)), hour(200), Observed(opened=lambda _after, _up_to: 0))

        assert [item.watched_until for item in found.deployments] == [hour(7 * 24), hour(14 * 24 + 1)]

    def test_what_a_pool_had_crossed_before_a_deployment_counts_for_that_from_its_own_start(self) -> None:
        metric = HarmMetric(metric="override_ratio", at_most=0.1)
        both = (change("a", 0), change("b", 24, harm=Harm(metrics=(metric,))))
        crossings = tuple(Crossing("override_ratio", hour(start), hour(end), "beyond") for start, end in ((1, 24), (20, 30)))
        known = Observed(opened=lambda _after, _up_to: 0, crossed=lambda _change, _metric, _begun, _end: crossings)

        found = deployments(told(*both), hour(100), known).deployments[1].failure

        assert found is not None
        assert [(item.started_at, item.ended_at) for item in found.evidence] == [(hour(24), hour(30))]

    def test_the_record_says_how_long_it_is_watched(self) -> None:
        found = deployments(told(change(harm=Harm(window=2 * DAY))), hour(50), NOTHING)

        assert found.deployments[0].watched_until == hour(48)


class TestRecovery:
    def test_a_failure_starts_with_its_first_cause(self) -> None:
        found = failure(change(incidents=(incident(9, 10, "late"), incident(5, 6))))

        assert found is not None
        assert found[1] == hour(5)

    def test_the_end_of_the_incident_recovers_it(self) -> None:
        assert failure(change(incidents=(incident(5, 8),))) == (FailureCause.INCIDENT, hour(5), hour(8))

    def test_a_rollback_in_force_recovers_it_before_the_incident_ends(self) -> None:
        assert failure(change(incidents=(incident(5, 9),), interventions=(intervention(6, 7),))) == (FailureCause.INCIDENT, hour(5), hour(7))

    def test_a_deployed_change_that_reworks_it_recovers_it(self) -> None:
        assert failure(change(incidents=(incident(5),)), change("fix", 8, reworks="c")) == (FailureCause.INCIDENT, hour(5), hour(8))

    def test_a_deployed_change_that_reworks_it_is_an_intervention_in_force_at_once(self) -> None:
        both = (change("c"), change("fix", 8, reworks="c"))

        assert failure(*both) == (FailureCause.INTERVENTION, hour(8), hour(8))
        assert metrics(*both).failed == by(intervention=1)
        assert failure(*both, as_of=7) is None
        assert failure(change("c"), change("fix", 8, reworks="c", environment="staging")) is None

    def test_a_pause_recovers_it(self) -> None:
        paused = [{"start": "2026-03-02T16:00:00Z"}]

        assert failure(change(incidents=(incident(5),)), pauses=paused) == (FailureCause.INCIDENT, hour(5), hour(7))

    def test_the_records_own_recovery_recovers_it(self) -> None:
        assert failure(change(incidents=(incident(5),), recovered_at=hour(11))) == (FailureCause.INCIDENT, hour(5), hour(11))

    def test_over_several_causes_the_last_counts(self) -> None:
        assert failure(change(incidents=(incident(5, 6), incident(7, 12, "b")))) == (FailureCause.INCIDENT, hour(5), hour(12))
        assert failure(change(incidents=(incident(5, 6), incident(7, None, "b")))) == (FailureCause.INCIDENT, hour(5), None)

    def test_a_remedy_from_before_a_cause_does_not_help_against_it(self) -> None:
        assert failure(change(incidents=(incident(9),), interventions=(intervention(5, 6),))) == (FailureCause.INTERVENTION, hour(5), None)

    def test_what_did_not_recover_is_censored_at_t(self) -> None:
        changes = [change(name, at, incidents=(incident(at + 1, end),)) for name, at, end in (("a", 0, 3), ("b", 10, 15), ("c", 20, None))]

        found = metrics(*changes, as_of=30).recovery

        assert found is not None
        assert (found.cases, found.median, found.p90) == (3, 4 * HOUR, None)

    def test_recovery_belongs_to_the_start_of_the_failure(self) -> None:
        old = change(deployed=0, incidents=(incident(9 * 24, 9 * 24 + 1),))

        found = metrics(old, as_of=10 * 24, window=WEEK)

        assert found.deployments == 0
        assert found.recovery is not None
        assert found.recovery.median == HOUR


class TestRework:
    def test_rollbacks_and_hotfixes_are_deployments_that_rework_another(self) -> None:
        found = metrics(change("a", 0), change("b", 5, reworks="a"))

        assert (found.reworks, found.deployments) == (1, 2)

    def test_a_recorded_rollback_with_its_own_change_counts_once(self) -> None:
        assert metrics(change("a", 0, interventions=(intervention(4, 5),)), change("b", 5, reworks="a")).reworks == 1

    def test_a_recorded_rollback_without_one_counts_at_the_deployment_it_was_done_against(self) -> None:
        assert metrics(change(interventions=(intervention(4, 5),))).reworks == 1

    @pytest.mark.parametrize("kind", ["permission_removal", "level_return"])
    def test_other_interventions_are_no_rework(self, kind: str) -> None:
        assert metrics(change(interventions=(intervention(4, 5, kind),))).reworks == 0


HOURS = st.integers(0, 300)
CHANGES = st.lists(st.tuples(HOURS, st.none() | st.tuples(HOURS, st.none() | HOURS), st.none() | HOURS, st.booleans()), max_size=6)


def some(items: Sequence[tuple[int, Any, Any, bool]]) -> list[Change]:
    return [
        change(
            f"c{number}",
            at,
            incidents=() if trouble is None else (incident(at + trouble[0], None if trouble[1] is None else at + trouble[0] + trouble[1]),),
            interventions=() if undone is None else (intervention(at + undone, at + undone + 1),),
            reworks=f"c{number - 1}" if rework and number else None,
        )
        for number, (at, trouble, undone, rework) in enumerate(items)
    ]


def cut(record: Change, until: int) -> Change:
    """The record as it could have been written at `until`."""

    def known(at: int | None) -> int | None:
        return at if at is not None and at <= until else None

    return change(
        record.id,
        proposed_at=record.proposed_at,
        approved_at=known(record.approved_at),
        deployed_at=known(record.deployed_at),
        reworks=record.reworks,
        incidents=tuple(Incident(i.id, i.started_at, known(i.ended_at)) for i in record.incidents if i.started_at <= until),
        interventions=tuple(Intervention(i.kind, i.at, known(i.in_force_at)) for i in record.interventions if i.at <= until),
    )


@settings(max_examples=80, deadline=None)
@given(CHANGES, HOURS)
def test_what_comes_after_t_does_not_exist(items: list[tuple[int, Any, Any, bool]], at: int) -> None:
    changes = some(items)

    assert metrics(*changes, as_of=at) == metrics(*(cut(item, hour(at)) for item in changes), as_of=at)


@settings(max_examples=80, deadline=None)
@given(CHANGES, HOURS, st.randoms())
def test_counts_nest_and_no_order_matters(items: list[tuple[int, Any, Any, bool]], at: int, random: Any) -> None:
    changes = some(items)
    found = metrics(*changes, as_of=at)

    assert metrics(*random.sample(changes, len(changes)), as_of=at) == found
    assert 0 <= sum(found.failed.values()) <= found.judged <= found.deployments
    assert found.safe == found.judged - sum(found.failed.values())
    assert 0 <= found.reworks <= found.deployments
