"""The catalogue: every name people rely on, said well, and clean to promtool."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rollout_metrics.catalog import METRICS, PREFIX, TALLIES, Metric, MetricType
from rollout_metrics.catalog.metric import Beside, Count, Exporter, Ratio, Standing, Survival, Within
from rollout_metrics.publish.exposition import Renderer

_SECTION_10 = """
decisions recommendations recommendations_pending recommendation_oldest_pending_timestamp_seconds acceptance_ratio explicit_acceptance_ratio
edit_ratio override_ratio correction_ratio acts corrected_acts reference_correction_ratio reference_values reference_corrections
escalation_ratio complaint_ratio handled_cohort_cases escalated_cohort_cases complaint_cohort_cases bypass_ratio handled_cases
rubber_stamp_ratio explicit_decisions glanced_decisions escalations escalations_open escalations_unowned
escalation_oldest_open_timestamp_seconds escalation_within_target_ratio escalation_acknowledge_median_seconds
escalation_resolve_median_seconds violations blocked_actions errors review_latency_seconds review_latency_median_seconds
decision_wait_median_seconds review_effort_seconds time_saved_seconds time_saved_seconds_lower time_saved_seconds_upper
time_to_reverse_median_seconds turnaround_median_seconds workflow_info autonomy_level as_of_timestamp_seconds sources_stale coverage_ratio
decisions_settled_total corrections_to_settled_total applied_ratio dropped_ratio evaluations unused_grants escalation_precision_ratio
escalation_recall_ratio source_up source_last_success_timestamp_seconds source_watermark_timestamp_seconds
source_newest_event_timestamp_seconds source_requests_total source_throttled_seconds_total source_events_total source_quarantined_total
pass_duration_seconds snapshot_timestamp_seconds build_info deployments failed_deployments judged_deployments change_fail_ratio
deployment_rework_ratio change_lead_time_median_seconds change_lead_time_p90_seconds failed_deployment_recovery_median_seconds
failed_deployment_recovery_p90_seconds
"""
NAMES = _SECTION_10.split()
"""Section 10 of the definitions, but for gate, warning_sign and spike."""

EXTRA_LABELS = {
    "decisions": ("mode", "outcome", "how"),
    "recommendations": ("mode", "outcome"),
    "recommendations_pending": ("mode",),
    "recommendation_oldest_pending_timestamp_seconds": ("mode",),
    "acceptance_ratio": ("mode",),
    "explicit_acceptance_ratio": ("mode",),
    "edit_ratio": ("mode",),
    "override_ratio": ("mode",),
    "applied_ratio": ("mode",),
    "handled_cases": ("handling",),
    "escalations": ("reason",),
    "violations": ("kind",),
    "blocked_actions": ("reason",),
    "errors": ("category",),
    "review_effort_seconds": ("basis",),
    "time_saved_seconds": ("basis",),
    "turnaround_median_seconds": ("handling",),
    "workflow_info": ("workflow_type", "risk_tier", "owner_team", "version"),
    "coverage_ratio": ("kind",),
    "decisions_settled_total": ("outcome",),
    "corrections_to_settled_total": ("outcome",),
    "evaluations": ("passed",),
    "failed_deployments": ("cause",),
    "source_up": ("source",),
    "source_quarantined_total": ("source", "reason"),
}

AVOIDED = {"region", "zone", "cluster", "env", "type", "service", "customer", "owner", "stage", "operator", "case", "actor", "le", "quantile"}

every = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())
windowed = pytest.mark.parametrize("metric", [metric for metric in METRICS.values() if metric.windowed], ids=lambda metric: metric.key)


def test_every_name_that_others_rely_on_is_there() -> None:
    assert set(NAMES) <= METRICS.keys()


@pytest.mark.parametrize(("key", "labels"), EXTRA_LABELS.items())
def test_labels_are_those_that_others_rely_on(key: str, labels: tuple[str, ...]) -> None:
    assert METRICS[key].labels == labels


def test_names_that_others_rely_on_have_no_other_labels() -> None:
    unlabelled = [key for key in NAMES if key not in EXTRA_LABELS and METRICS[key].labels not in ((), ("source",), ("version", "definitions"))]

    assert unlabelled == [key for key in ("time_saved_seconds_lower", "time_saved_seconds_upper") if METRICS[key].labels == ("basis",)]


@every
def test_a_name_is_prefixed_snake_case_and_its_suffix_tells_its_type(metric: Metric) -> None:
    assert re.fullmatch(f"{PREFIX}[a-z][a-z0-9_]*", metric.name)
    assert metric.name.endswith("_total") == (metric.type is MetricType.COUNTER)
    assert metric.name.endswith("_info") == (metric.type is MetricType.INFO)


@every
def test_help_is_sentences(metric: Metric) -> None:
    assert not metric.help[0].islower() or metric.help.startswith(("time_saved", "T:"))
    assert metric.help.endswith(".")
    assert "  " not in metric.help


@every
def test_no_label_is_a_person_or_collides_with_what_prometheus_or_others_use(metric: Metric) -> None:
    assert AVOIDED.isdisjoint(metric.all_labels)
    assert len(set(metric.all_labels)) == len(metric.all_labels)


@windowed
def test_help_of_a_windowed_family_says_that_windows_must_not_be_summed(metric: Metric) -> None:
    assert "must not be summed" in metric.help
    assert metric.all_labels[:2] == ("workflow", "window")


@every
def test_a_ratio_brings_its_bounds_and_both_counts_and_says_what_is_divided(metric: Metric) -> None:
    if not isinstance(metric.obtained, Ratio):
        return

    assert {f"{metric.key}_lower", f"{metric.key}_upper"} <= METRICS.keys()
    assert {metric.obtained.numerator.tally, metric.obtained.denominator.tally} <= METRICS.keys()
    assert "Numerator: " in metric.help
    assert "denominator: " in metric.help


@every
def test_a_survival_figure_brings_its_bounds_and_number_of_cases(metric: Metric) -> None:
    if isinstance(metric.obtained, Survival | Within):
        assert {f"{metric.key}_lower", f"{metric.key}_upper", f"{metric.key}_cases"} <= METRICS.keys()


@every
def test_what_stands_beside_a_figure_has_its_labels_and_is_withheld_with_it(metric: Metric) -> None:
    if isinstance(metric.obtained, Beside):
        main = METRICS[metric.obtained.key]

        assert metric.all_labels == main.all_labels
        assert metric.personal is main.personal


def test_what_rests_on_operators_own_behaviour_is_personal() -> None:
    personal = {metric.key for metric in METRICS.values() if metric.personal and not isinstance(metric.obtained, Beside)}

    assert personal == {
        "review_latency_seconds",
        "review_latency_median_seconds",
        "review_effort_seconds",
        "rubber_stamp_ratio",
        "explicit_decisions",
        "glanced_decisions",
        "time_saved_seconds",
        "time_saved_per_operator_seconds",
    }


def test_what_is_looked_into_only_is_published_by_no_metric() -> None:
    unlisted = {name for name, tally in TALLIES.items() if tally.values is None}

    assert unlisted == {
        "used",
        "operators",
        "failed_runs",
        "incident_cases",
        "unrecorded_version_events",
        "appearances",
        "error_categories",
        "escalation_clarity",
        "reviewed_cases",
        "throughput",
        "reviewers",
        "case_comments",
        "assisted_cases",
    }
    assert not [key for key, metric in METRICS.items() if isinstance(metric.obtained, Count | Standing) and metric.obtained.tally in unlisted]


def test_settled_counters_say_that_a_correction_can_lower_them() -> None:
    assert "can lower" in METRICS["decisions_settled_total"].help


def test_promtool_finds_nothing_to_say_about_any_metric() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    families = [metric.collect([metric.sample(1, *("x",) * len(metric.all_labels))]) for metric in METRICS.values() if metric.type is not MetricType.HISTOGRAM]
    histogram = METRICS["review_latency_seconds"]
    labels = (("workflow", "w"),)
    families.append(histogram.collect([("_bucket", (*labels, ("le", "+Inf")), 1), ("_sum", labels, 1), ("_count", labels, 1)]))
    text, _ = Renderer().render(families)

    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_only_the_catalogue_writes_the_prefix() -> None:
    package = Path(__file__).parents[2] / "src" / "rollout_metrics"
    core = [path for folder in ("figures", "rollup", "derive", "catalog") for path in (package / folder).rglob("*.py")]

    assert [path.name for path in core if PREFIX in path.read_text()] == ["metric.py"]


def test_self_metrics_are_of_sources_and_the_exporter() -> None:
    assert {metric.section.value for metric in METRICS.values() if isinstance(metric.obtained, Exporter)} == {"collection", "exporter"}
