"""Every published family: from facts to the series people see."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import T0, after, company
from facts import acted, case, crowd, escalated, fact_sets, handled, recommended
from rollout_metrics.catalog import METRICS, PREFIX, Family, Section
from rollout_metrics.catalog.metric import Exporter
from rollout_metrics.domain.changes import Change, ChangeKind, Incident
from rollout_metrics.domain.facts import Blocked, Effort, Evaluated, Fact, Mode, ReferenceValue, Reported, Used, Violation, ViolationKind
from rollout_metrics.domain.policy import Company, Level, Workflow
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, SECOND
from rollout_metrics.figures import Ledger, Situation
from rollout_metrics.rollup import STATE, Bucket, contributions, sample_difference, samples
from rollout_metrics.stats.wilson import wilson

ASSISTED = Situation(level=Level.ASSISTED, assisted_since=None, level_standing=Level.ASSISTED, level_since=T0)
ESCALATION = {"paths": {"refund": {"owner": "billing"}}}
AUTHORITY = [{"automatic": ["set:priority", "close"]}]
COMPANY = company({"error_categories": ["tone"], "escalation": ESCALATION, "authority": AUTHORITY, "workflow_type": "support", "owner": "care"})

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def flat(families: Iterable[Family]) -> Series:
    """`(name without the prefix, sorted labels) -> value`."""
    found: Series = {}
    for family in families:
        for suffix, labels, value in family.samples:
            key = ((family.name + suffix).removeprefix(PREFIX), tuple(sorted(labels)))
            assert key not in found
            found[key] = value
    return found


def loaded(facts: Iterable[Fact], *, as_of: str | int = "10d", of: Company = COMPANY, glanced: Iterable[tuple[str, str]] = ()) -> Ledger:
    facts, ledger = tuple(facts), Ledger(of)
    workflows = {workflow.name: workflow for workflow in of.workflows}
    ledger.load({"w": after(as_of), "": after(as_of)}, {}, contributions(facts, workflows, frozenset(glanced)), samples(facts))
    return ledger


def published(*facts: Fact, situation: Situation = ASSISTED, **options: Any) -> Series:
    return flat(loaded(facts, **options).families({"w": situation}))


def series(found: Series, name: str, window: str | None = None, **labels: str) -> float | None:
    """The one series of workflow `w` with these labels, None where there is none."""
    wanted = {"workflow": "w", **({"window": window} if window else {}), **labels}
    return found.get((name, tuple(sorted(wanted.items()))))


def with_bounds(found: Series, name: str, window: str, **labels: str) -> tuple[float | None, ...]:
    return tuple(series(found, name + suffix, window, **labels) for suffix in ("", "_lower", "_upper"))


DECIDED = (
    recommended("9d", "accepted", "approved", "9d1h"),
    recommended("9d1m", "accepted", "kept", "9d2h"),
    recommended("9d2m", "edited", "edited", "9d3h", category="tone"),
    recommended("9d3m", "overridden", "changed", "9d4h"),
    recommended("9d4m", "pending"),
    recommended("2d", "overridden", "rejected", "3d", mode=Mode.SHADOW),
)


def test_decisions_and_recommendations_are_counted_per_window() -> None:
    found = published(*DECIDED)

    assert series(found, "decisions", "1d", mode="live", outcome="accepted", how="approved") == 1
    assert series(found, "decisions", "1d", mode="shadow", outcome="overridden", how="rejected") == 0
    assert series(found, "decisions", "28d", mode="shadow", outcome="overridden", how="rejected") == 1
    assert series(found, "recommendations", "7d", mode="live", outcome="accepted") == 2
    assert series(found, "recommendations", "28d", mode="shadow", outcome="overridden") == 1
    assert series(found, "recommendations_pending", mode="live") == 1
    assert series(found, "recommendation_oldest_pending_timestamp_seconds", mode="live") == after("9d4m") / SECOND
    assert series(found, "recommendation_oldest_pending_timestamp_seconds", mode="shadow") is None


def test_rates_over_decisions_come_with_wilsons_bounds() -> None:
    found = published(*DECIDED)

    assert with_bounds(found, "acceptance_ratio", "7d", mode="live") == (0.5, *(wilson(2, 4) or ()))
    assert with_bounds(found, "explicit_acceptance_ratio", "7d", mode="live") == (0.25, *(wilson(1, 4) or ()))
    assert with_bounds(found, "edit_ratio", "7d", mode="live") == (0.25, *(wilson(1, 4) or ()))
    assert with_bounds(found, "override_ratio", "7d", mode="live") == (0.25, *(wilson(1, 4) or ()))
    assert with_bounds(found, "override_ratio", "28d", mode="shadow") == (1.0, *(wilson(1, 1) or ()))
    assert with_bounds(found, "applied_ratio", "7d", mode="live") == (0.6, *(wilson(3, 5) or ()))


def test_a_denominator_of_0_gives_no_sample_while_counts_are_0() -> None:
    found = published(*DECIDED)

    assert with_bounds(found, "acceptance_ratio", "7d", mode="shadow") == (None, None, None)
    assert series(found, "decisions", "7d", mode="shadow", outcome="accepted", how="kept") == 0


def test_errors_are_told_by_configured_category() -> None:
    found = published(*DECIDED)

    assert [series(found, "errors", "7d", category=category) for category in ("tone", "uncategorised", "other")] == [1, 1, 0]


def test_the_correction_cohort_is_of_equal_age() -> None:
    acts = (acted("6d12h", judged="9d12h", corrected=True), acted("6d13h", judged="9d13h", edited=True), acted("9d", judged="12d", corrected=True))
    found = published(*acts)

    assert [series(found, name, "1d") for name in ("acts", "corrected_acts", "edited_acts")] == [2, 1, 1]
    assert with_bounds(found, "correction_ratio", "1d") == (0.5, *(wilson(1, 2) or ()))


def test_reference_values_say_how_much_correcting_is_normal() -> None:
    values = [ReferenceValue("w", "set:priority", after("6d"), after("9d12h"), corrected=corrected, evidence=()) for corrected in (True, False, False, False)]
    found = published(*values)

    assert [series(found, name, "1d") for name in ("reference_values", "reference_corrections")] == [4, 1]
    assert series(found, "reference_correction_ratio", "1d") == 0.25


def test_cohort_rates_of_cases() -> None:
    cases = (case("6d", handled="6d1h", escalated_in_cohort=True), case("6d", handled="6d2h", complained_in_cohort=True), case("9d", handled="9d"))
    found = published(*cases)

    assert [series(found, name, "7d") for name in ("handled_cohort_cases", "escalated_cohort_cases", "complaint_cohort_cases")] == [2, 1, 1]
    assert with_bounds(found, "escalation_ratio", "7d") == (0.5, *(wilson(1, 2) or ()))
    assert with_bounds(found, "complaint_ratio", "7d") == (0.5, *(wilson(1, 2) or ()))


def test_bypass_is_of_the_cases_in_the_rate_only() -> None:
    kinds = ("marked", "redone", "side_channel", "unassisted", "assisted", "assisted", "assisted", "assisted", "agent_absent", "preempted")
    found = published(*(handled(f"9d{number}m", kind) for number, kind in enumerate(kinds, 1)))

    assert with_bounds(found, "bypass_ratio", "1d") == (0.5, *(wilson(4, 8) or ()))
    assert [series(found, "handled_cases", "1d", handling=kind) for kind in ("assisted", "preempted", "agent_absent")] == [4, 1, 1]


def test_dropped_cases_are_of_those_old_enough() -> None:
    found = published(case("6d", touched=False), case("6d1h"), case("9d", touched=False))

    assert [series(found, name, "7d") for name in ("drop_cohort_cases", "dropped_cases")] == [2, 1]
    assert series(found, "dropped_ratio", "7d") == 0.5


def test_escalations_by_reason_and_as_they_stand() -> None:
    facts = (
        escalated("9d30s", reason="refund", owned=False),
        escalated("9d1m", reason="typed by hand", acknowledged="9d1h"),
        escalated("9d2m", resolved="9d1h"),
    )
    found = published(*facts)

    assert [series(found, "escalations", "1d", reason=reason) for reason in ("refund", "other", "unspecified")] == [1, 1, 1]
    assert (series(found, "escalations_open"), series(found, "escalations_unowned")) == (2, 1)
    assert series(found, "escalation_oldest_open_timestamp_seconds") == after("9d30s") / SECOND


def test_escalations_within_target_count_those_still_in_time_as_censored() -> None:
    facts = (
        escalated("9d", acknowledged="9d4h"),
        escalated("9d1m", acknowledged="9d5h"),
        escalated("9d23h"),
        escalated("9d2m"),
    )
    found = published(*facts)

    # three were watched past a quarter of the target; one of them was acknowledged exactly at it, one too late, one not at all
    assert series(found, "escalation_within_target_ratio", "7d") == pytest.approx(1 / 3)
    assert series(found, "escalation_within_target_ratio_cases", "7d") == 4
    assert series(found, "escalation_within_target_ratio_lower", "7d") is not None


def test_working_time_decides_what_is_within_target() -> None:
    weekend = {"time_zone": "UTC", "hours": {"weekdays": ["00:00-24:00"]}}
    monday = company({"calendar": weekend})
    # raised on Friday at 23:00 (T0 is a Monday, 9:00): one working hour is over by Monday 0:00
    waiting = escalated("4d14h", breach_at=after("6d18h"))
    ledger = loaded([waiting, escalated("4d12h", acknowledged="4d14h")], as_of="6d15h30m", of=monday)
    found = flat(ledger.families({"w": ASSISTED}))

    # 1.5 h of 4 h are used on the waiting one, less than the 2 h after which the other was noticed: by the wall clock it would be late
    assert series(found, "escalation_within_target_ratio", "7d") == 1


def test_times_to_acknowledge_and_resolve_are_kaplan_meier_medians() -> None:
    facts = (escalated("9d3m", acknowledged="9d1h3m", resolved="9d3h3m"), escalated("9d1m", acknowledged="9d2h1m"), escalated("9d2m", ended="9d4m"))
    found = published(*facts)

    assert series(found, "escalation_acknowledge_median_seconds", "1d") == 3600
    assert series(found, "escalation_acknowledge_median_seconds_cases", "1d") == 3
    assert series(found, "escalation_resolve_median_seconds", "1d") == 3 * 3600
    assert series(found, "escalation_resolve_median_seconds_cases", "7d") == 3


def test_the_median_wait_counts_the_pending_as_waiting_until_t() -> None:
    facts = (
        recommended("9d30s", "accepted", "approved", "9d1h30s"),
        recommended("9d1m", "pending"),
        recommended("9d2m", "overridden", "rejected", "9d2h2m"),
        recommended("9d3m", "superseded", "newer", "9d4m", ended_at=after("9d4m")),
    )
    found = published(*facts)

    assert series(found, "decision_wait_median_seconds", "1d") == 2 * 3600
    assert series(found, "decision_wait_median_seconds_lower", "1d") == 3600
    assert series(found, "decision_wait_median_seconds_upper", "1d") is None
    assert series(found, "decision_wait_median_seconds_cases", "1d") == 4


def test_no_median_where_more_than_half_still_last() -> None:
    found = published(recommended("9d30s", "accepted", "approved", "9d1h"), recommended("9d1m"), recommended("9d2m"))

    assert series(found, "decision_wait_median_seconds", "1d") is None
    assert series(found, "decision_wait_median_seconds_cases", "1d") == 3


def test_correct_escalation_is_precision_and_recall() -> None:
    cases = (
        case("9d", handled="9d1m", escalated=True, should_escalate=True),
        case("9d", handled="9d2m", escalated=True, should_escalate=False),
        case("9d", handled="9d3m", should_escalate=True),
        case("9d", handled="9d4m", escalated=True, should_escalate=True),
    )
    found = published(*cases)

    assert with_bounds(found, "escalation_precision_ratio", "1d") == (2 / 3, *(wilson(2, 3) or ()))
    assert with_bounds(found, "escalation_recall_ratio", "1d") == (2 / 3, *(wilson(2, 3) or ()))
    assert [series(found, f"{name}_cases", "1d") for name in ("judged_escalated", "should_escalate", "correctly_escalated")] == [3, 3, 2]


def test_authority_and_evaluations() -> None:
    facts = (
        Violation("w", ViolationKind.UNAPPROVED, "close", after("9d1m"), ()),
        Blocked("w", "pii", None, after("9d1m"), ()),
        Evaluated("w", passed=True, at=after("9d1m"), version=None, evidence=()),
    )
    found = published(*facts)

    assert [series(found, "violations", "1d", kind=kind) for kind in ("unapproved", "forbidden")] == [1, 0]
    assert [series(found, "blocked_actions", "1d", reason=reason) for reason in ("other", "unspecified")] == [1, 0]
    assert [series(found, "evaluations", "1d", passed=passed) for passed in ("true", "false")] == [1, 0]


def test_an_act_outside_every_workflow_is_published_for_none_and_only_then() -> None:
    outside = Violation("none", ViolationKind.OUT_OF_SCOPE, "close", after("9d1m"), ())
    found, quiet = published(outside), published()

    assert found["violations", (("kind", "out_of_scope"), ("window", "1d"), ("workflow", "none"))] == 1
    assert not [labels for _, labels in quiet if ("workflow", "none") in labels]


def test_a_grant_is_unused_after_28_days_without_an_act() -> None:
    long_ago, lately = Used("w", "close", after("1m"), ()), Used("w", "set:priority", after("9d"), ())

    assert series(published(long_ago, lately), "unused_grants") == 0
    assert series(published(long_ago, lately, as_of="28d1m"), "unused_grants") == 1
    assert series(published(as_of="28d1m"), "unused_grants") == 2


def test_settled_decisions_and_corrections_are_counters() -> None:
    ledger = loaded([recommended("9d", "overridden", "changed", "9d1h")])
    ledger.apply({(("w", "corrections_to_settled", "accepted"), STATE): 1})
    found = flat(ledger.families({"w": ASSISTED}))

    assert [series(found, "decisions_settled_total", outcome=outcome) for outcome in ("accepted", "edited", "overridden")] == [0, 0, 1]
    assert [series(found, "corrections_to_settled_total", outcome=outcome) for outcome in ("accepted", "edited", "overridden")] == [1, 0, 0]


def test_time_to_reverse_is_a_median_by_the_reversal() -> None:
    acts = (acted("9d", reversed_at=after("9d1h")), acted("8d", reversed_at=after("9d")), acted("9d1m"))

    assert series(published(*acts), "time_to_reverse_median_seconds", "1d") == 3600
    assert series(published(*acts), "time_to_reverse_median_seconds_cases", "1d") == 1
    assert series(published(*acts), "time_to_reverse_median_seconds_cases", "7d") == 2


def test_turnaround_is_told_for_assisted_cases_and_others() -> None:
    cases = (case("9d", closed="9d1h", seconds=1.0, assisted=True), case("9d", closed="9d2h", seconds=1.0), case("9d", ended_at=after("9d3h")))
    found = published(*cases)

    assert series(found, "turnaround_median_seconds", "7d", handling="assisted") == 3600
    assert series(found, "turnaround_median_seconds", "7d", handling="other") == 7200
    assert series(found, "turnaround_median_seconds_cases", "7d", handling="other") == 2


# --- what rests on operators' own behaviour

REVIEWED = (
    recommended("9d", "accepted", "approved", "9d3s"),
    recommended("9d1m", "edited", "edited", "9d61m"),
    case("9d", review_effort=Effort(90.5, "measured"), reviewed_at=after("9d2h")),
)


def test_review_figures_are_published_with_enough_operators() -> None:
    found = published(*REVIEWED, crowd("9d1h"), glanced={REVIEWED[0].opened})  # type: ignore[union-attr]

    assert series(found, "rubber_stamp_ratio", "1d") == 0.5
    assert [series(found, name, "1d") for name in ("explicit_decisions", "glanced_decisions")] == [2, 1]
    assert series(found, "review_latency_median_seconds", "1d") == 3
    assert series(found, "review_latency_median_seconds_cases", "1d") == 2
    assert [series(found, "review_effort_seconds", "1d", basis=basis) for basis in ("measured", "estimated")] == [90.5, 0]


def test_review_latency_is_a_cumulative_histogram() -> None:
    found = published(*REVIEWED, crowd("9d1h"))
    buckets = {bound: series(found, "review_latency_seconds_bucket", le=bound) for bound in ("1.0", "5.0", "900.0", "3600.0", "604800.0", "+Inf")}

    assert buckets == {"1.0": 0, "5.0": 1, "900.0": 1, "3600.0": 2, "604800.0": 2, "+Inf": 2}
    assert (series(found, "review_latency_seconds_count"), series(found, "review_latency_seconds_sum")) == (2, 3603)


PERSONAL = [metric.key for metric in METRICS.values() if metric.personal]


def shown(found: Series) -> set[tuple[str, str | None]]:
    return {(name, dict(labels).get("window")) for name, labels in found if any(name.startswith(key) for key in PERSONAL)}


def test_no_personal_figure_is_published_for_a_window_of_too_few_operators() -> None:
    assert shown(published(*REVIEWED, crowd("9d1h", 4))) == set()
    assert {window for _, window in shown(published(*REVIEWED, crowd("5d")))} == {"7d", "28d", "90d", None}


def test_no_personal_figure_is_published_where_operator_figures_are_off() -> None:
    private = msgspec.structs.replace(COMPANY, operator_figures=False)

    assert shown(published(*REVIEWED, crowd("9d1h"), of=private)) == set()


def test_an_operator_is_counted_once_however_many_cases() -> None:
    twice = [case(f"9d{number}m", operators=(("op-1", after("9d1h")), ("op-2", after("9d2h")))) for number in range(1, 9)]

    assert shown(published(*REVIEWED, *twice)) == set()


def test_no_operator_is_ever_a_label() -> None:
    found = published(*REVIEWED, crowd("9d1h"))

    assert not [labels for _, labels in found for _, value in labels if value.startswith("op-")]


def test_time_saved_is_against_the_cases_before_the_agent() -> None:
    before = [case(f"{number}m", closed=f"{number + 1}m", seconds=600.0) for number in range(30)]
    assisted = [case(f"9d{number}m", handled=f"9d{number}m", closed=f"9d{number + 1}m", seconds=200.0, assisted=True) for number in range(4)]
    situation = Situation(level=Level.ASSISTED, assisted_since=after("5d"))

    found = published(*before, *assisted, crowd("9d1h", 8), situation=situation)
    too_few = published(*before[1:], *assisted, crowd("9d1h", 8), situation=situation)
    never = published(*before, *assisted, crowd("9d1h", 8))

    assert with_bounds(found, "time_saved_seconds", "1d", basis="estimated") == (1600, 1600, 1600)
    assert series(found, "time_saved_seconds_cases", "1d", basis="estimated") == 4
    assert series(found, "time_saved_per_operator_seconds", "1d", basis="estimated") == 200
    assert series(too_few, "time_saved_seconds", "1d", basis="estimated") is None
    assert series(never, "time_saved_seconds", "1d", basis="estimated") is None


def test_an_assumed_baseline_needs_no_history() -> None:
    assumed = company({"baseline_seconds": 100})
    assisted = [case(f"9d{number}m", handled=f"9d{number}m", closed=f"9d{number + 1}m", seconds=20.0 + number, assisted=True) for number in range(4)]

    found = published(*assisted, crowd("9d1h"), of=assumed)

    value, lower, upper = with_bounds(found, "time_saved_seconds", "1d", basis="assumed")
    assert value == pytest.approx(4 * 78.5)
    assert lower is not None
    assert upper is not None
    assert lower < value < upper


# --- the workflow itself


def change(name: str, deployed: str, **fields: Any) -> Change:
    given: dict[str, Any] = {
        "id": name,
        "workflow": "w",
        "kind": ChangeKind.PROMPT,
        "title": name,
        "version": name,
        "environment": "production",
        "risk_class": "low",
        "proposed_at": after(deployed) - 3 * HOUR,
        "reviewed_at": None,
        "approved_at": after(deployed) - HOUR,
        "deployed_at": after(deployed),
        "recovered_at": None,
        "level": None,
        "reworks": None,
        "fixes": (),
        "incidents": (),
        "interventions": (),
    }
    return Change(**given | fields)


def test_a_workflow_says_what_it_is_and_how_far_it_is_read() -> None:
    deployed = company({"workflow_type": "support", "owner": "care"}, changes=[change("7", "1d"), change("8", "11d")])
    coverage = {"mapped": (90, 100), "audited": (0, 0)}
    situation = Situation(level=Level.BROAD_AUTONOMOUS, assisted_since=None, sources_stale=1, coverage=coverage)

    found = published(recommended("1d", version="7"), recommended("2d"), situation=situation, of=deployed)

    risk = deployed.workflows[0].risk_tier
    assert series(found, "workflow_info", workflow_type="support", risk_tier=risk, owner_team="care", version="7") == 1
    assert series(found, "autonomy_level") == 4
    assert series(found, "as_of_timestamp_seconds") == after("10d") / SECOND
    assert series(found, "sources_stale") == 1
    assert series(found, "coverage_ratio", kind="mapped") == 0.9
    assert (series(found, "coverage_known", kind="mapped"), series(found, "coverage_checked", kind="mapped")) == (90, 100)
    assert series(found, "coverage_ratio", kind="audited") is None
    assert series(found, "coverage_ratio", kind="versioned") == 0.5


@pytest.mark.parametrize(("stray", "verdict"), [(1, "pass"), (2, "inconclusive")])
def test_a_gate_rests_on_the_coverage_that_events_tell_too(stray: int, verdict: str) -> None:
    reports = [Reported("w", linked, events, after("2d"), ()) for linked, events in ((True, 9), (False, stray))]
    asks = company({"levels": [{"level": "assisted"}], "gates": {"low_risk_autonomous": {"coverage": 0.9, "states": ["coverage"]}}})

    found = published(recommended("1d", version="7"), *reports, of=asks)

    assert series(found, "coverage_ratio", kind="linked") == 9 / (9 + stray)
    assert series(found, "gate", gate="coverage", verdict=verdict) == 1


def test_deployments_are_told_by_the_change_records() -> None:
    failed = change("1", "1d", incidents=(Incident("i", after("1d2h"), after("1d5h")),))
    records = company({}, changes=[failed, change("2", "2d", reworks="1"), change("3", "9d12h")])

    found = published(of=records)

    assert [series(found, name, "28d") for name in ("deployments", "judged_deployments", "safe_deployments", "rework_deployments")] == [3, 2, 1, 1]
    assert [series(found, "failed_deployments", "28d", cause=cause) for cause in ("incident", "intervention")] == [1, 0]
    assert with_bounds(found, "change_fail_ratio", "28d") == (0.5, *(wilson(1, 2) or ()))
    assert with_bounds(found, "deployment_rework_ratio", "28d") == (1 / 3, *(wilson(1, 3) or ()))
    assert [series(found, f"change_lead_time_{rank}_seconds", "28d") for rank in ("median", "p90")] == [7200, 7200]
    assert [series(found, f"deployment_lead_time_{rank}_seconds", "28d") for rank in ("median", "p90")] == [10800, 10800]
    assert [series(found, f"failed_deployment_recovery_{rank}_seconds", "28d") for rank in ("median", "p90")] == [22 * 3600, 22 * 3600]
    assert series(found, "failed_deployment_recovery_median_seconds_cases", "28d") == 1
    assert series(found, "change_fail_ratio", "1d") is None


def test_a_workflow_without_a_t_has_no_series() -> None:
    ledger = Ledger(COMPANY)
    ledger.load({}, {}, (), ())

    assert flat(ledger.families({"w": ASSISTED})) == {}


def test_a_workflow_that_gets_its_first_t_says_to_load_again() -> None:
    ledger = Ledger(COMPANY)
    ledger.load({}, {}, (), ())

    with pytest.raises(ValueError, match="load the figures again"):
        ledger.advance({"w": T0}, {}, ())


def test_every_metric_is_produced_or_is_a_self_metric() -> None:
    many = [change(str(n), f"{8 + n}h", incidents=(Incident("i", after("8h") + n * HOUR, after("9h") + n * HOUR + n * MINUTE),)) for n in range(60)]
    assumed = company({"baseline_seconds": 100}, changes=many)
    waits = [recommended(f"9d{number}m", "accepted", "approved", f"9d{number + 10 * number}m") for number in range(9)]
    notices = [escalated(f"9d{number}m", acknowledged=f"9d{9 * number + 1}m", resolved=f"9d{11 * number + 2}m") for number in range(9)]
    turns = [
        case(f"9d{number}m", handled="9d", closed=f"9d{number * 9 + 1}m", seconds=number, assisted=True, escalated=True, should_escalate=True)
        for number in range(9)
    ]
    undone = [acted("5d", judged="8d", reversed_at=after(f"9d{number}m")) for number in range(9)]
    cohort = [case("5d", handled="5d1h", escalated_in_cohort=True), *undone, crowd("9d1h")]
    references = [ReferenceValue("w", "set:priority", after("6d"), after("9d12h"), corrected=True, evidence=())]

    passing = [case(n * HOUR - way_back) for n in range(20) for way_back in (0, 40 * DAY)]

    families = loaded([*passing, *waits, *notices, *turns, *cohort, *references, *DECIDED, handled("9d"), escalated("9d")], of=assumed).families(
        {"w": ASSISTED}
    )

    keys = {key: metric for key, metric in METRICS.items() if not isinstance(metric.obtained, Exporter)}
    assert [family.name for family in families] == [metric.family for metric in keys.values()]
    told_elsewhere = {metric.family for metric in keys.values() if metric.section is Section.TRUST}  # spikes and signs have their own worlds
    assert {family.name for family in families if not family.samples} <= told_elsewhere


# --- laws


@st.composite
def _lives(draw: st.DrawFn) -> list[Any]:
    """Cases whose facts change, and T's that move on, in turns."""
    change_of_case = st.tuples(st.integers(0, 2), fact_sets(4))
    return draw(st.lists(change_of_case | st.integers(0, 5000), max_size=8))


@settings(max_examples=60, deadline=None)
@given(_lives())
def test_a_ledger_moved_step_by_step_publishes_what_one_loaded_at_once_does(steps: list[Any]) -> None:
    of = company({"name": "w", "baseline_seconds": 50, "error_categories": ["tone"], "escalation": ESCALATION}, {"name": "v"}, privacy={"min_operators": 1})
    workflows = {workflow.name: workflow for workflow in of.workflows}
    situations = {name: Situation(level=Level.ASSISTED, assisted_since=T0 - 10 * DAY) for name in workflows}
    now = dict.fromkeys(("w", "v", ""), T0)
    cases: dict[int, tuple[Fact, ...]] = {}
    buckets: Counter[Any] = Counter()
    ledger = Ledger(of)
    ledger.load(now, {}, (), ())
    for step in steps:
        if isinstance(step, int):
            now = {"w": now["w"] + step * MINUTE, "v": now["v"] + step // 3 * MINUTE, "": now["w"]}
            rows = [(*bucket, amount) for bucket, amount in buckets.items() if any(_inside(bucket, stretch) for stretch in ledger.stretches(now, {}))]
            ledger.advance(now, {}, rows)
        else:
            which, facts = step
            before = cases.get(which, ())
            added = counted(facts, workflows)
            added.subtract(counted(before, workflows))
            changes = {bucket: amount for bucket, amount in added.items() if amount}
            buckets.update(changes)
            ledger.apply(changes, *sample_difference(before, facts))
            cases[which] = facts

    at_once = Ledger(of)
    everything = [fact for facts in cases.values() for fact in facts]
    at_once.load(now, {}, contributions(everything, workflows), samples(everything))
    assert flat(ledger.families(situations)) == flat(at_once.families(situations))


def counted(facts: Iterable[Fact], workflows: Mapping[str, Workflow]) -> Counter[Bucket]:
    """What the facts add to each bucket."""
    found: Counter[Bucket] = Counter()
    for series, minute, amount in contributions(facts, workflows):
        found[series, minute] += amount
    return found


def _inside(bucket: tuple[Any, int], stretch: Any) -> bool:
    name = bucket[0][0]
    return bool(name == stretch.workflow and stretch.after < bucket[1] <= stretch.up_to)
