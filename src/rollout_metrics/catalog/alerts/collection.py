"""Alerts on what the figures rest on: sources, coverage, freshness, the exporter itself."""

from rollout_metrics.catalog.alerts.alert import NAMES, Alert, Dashboard, Severity, Thresholds, Topic
from rollout_metrics.catalog.alerts.wording import AGE, COUNT, OF_WORKFLOW, PERCENT, beside, either, number, percent, series
from rollout_metrics.catalog.promql import once
from rollout_metrics.catalog.recording import of_workflows
from rollout_metrics.domain.errors import FailureKind
from rollout_metrics.domain.time import SECOND

_ERRORS = "The exporter's log says it in one line, with the remedy."


def collection(thresholds: Thresholds) -> tuple[Alert, ...]:
    """Sources, coverage, freshness, exporter."""
    return (*_sources(thresholds), *_coverage(thresholds), *_exporter(thresholds))


def _sources(thresholds: Thresholds) -> tuple[Alert, ...]:
    watermark, up, limit = (once(series(key)) for key in ("source_watermark_timestamp_seconds", "source_up", "source_stale_after_seconds"))
    told_apart = once(series("source_failure", kind=f"{FailureKind.CREDENTIALS}|{FailureKind.TRUNCATED}"))
    read = either("source_watermark_timestamp_seconds", f"was read up to {{{{ $value | {AGE} }}}} ago", "has never been read", source="$")
    return (
        Alert(
            name=f"{NAMES}SourceDown",
            topic=Topic.COLLECTION,
            severity=Severity.TICKET,
            expression=f"{up} == 0\nunless on (source, job)\n{told_apart} == 1",
            holds="30m",
            summary="A source cannot be read.",
            description=f"Every sweep of source {{{{ $labels.source }}}} has failed for half an hour. {_ERRORS}",
            dashboard=Dashboard.COLLECTION,
        ),
        Alert(
            name=f"{NAMES}SourceUnauthorised",
            topic=Topic.COLLECTION,
            severity=Severity.TICKET,
            expression=f"{once(series('source_failure', kind=FailureKind.CREDENTIALS))} == 1",
            holds="10m",
            summary="A source refuses our credentials.",
            description=f"Source {{{{ $labels.source }}}} refuses its token, or what it is asked for. No retry will help. {_ERRORS}",
            dashboard=Dashboard.COLLECTION,
        ),
        Alert(
            name=f"{NAMES}SourceTruncated",
            topic=Topic.COLLECTION,
            severity=Severity.TICKET,
            expression=f"{once(series('source_failure', kind=FailureKind.TRUNCATED))} == 1",
            holds="10m",
            summary="A source gives less than it has.",
            description="Source {{ $labels.source }} ends its lists early, repeats pages or cuts answers short. Nothing after the cut is taken for read, so its"
            f" watermark stands still. {_ERRORS}",
            dashboard=Dashboard.COLLECTION,
        ),
        Alert(
            name=f"{NAMES}SourcePartRefused",
            topic=Topic.COLLECTION,
            severity=Severity.TICKET,
            expression=f"{once(series('source_part_refused'))} == 1",
            holds="10m",
            summary="A source refuses a part of what it is asked for.",
            description="Source {{ $labels.source }} refuses {{ $labels.part }} and gives the rest: what that would tell counts nowhere, and no retry will"
            f" help. {_ERRORS}",
            dashboard=Dashboard.COLLECTION,
        ),
        Alert(
            name=f"{NAMES}SourceStale",
            topic=Topic.COLLECTION,
            severity=Severity.TICKET,
            expression=f"time() - {watermark} > {limit}\nor\n({up} == 0 unless {watermark})",
            holds="10m",
            summary="A source is not being read, so the figures that rest on it stand still.",
            description=f"Source {{{{ $labels.source }}}} {read};"
            f" more than {number('source_stale_after_seconds', AGE, source='$')} counts as stale. Its workflows' figures are as of then, and"
            " their behaviour alerts are held back.",
            dashboard=Dashboard.COLLECTION,
        ),
        Alert(
            name=f"{NAMES}QuarantineGrowing",
            topic=Topic.COLLECTION,
            severity=Severity.TICKET,
            expression=once(f"{series('source_quarantine_records')} - min_over_time({series('source_quarantine_records')}[1d])")
            + f" > {thresholds.quarantine_limit}",
            holds="15m",
            summary="Records of a source are set aside because they are not understood.",
            description=f"Source {{{{ $labels.source }}}}: {{{{ $value | {COUNT} }}}} more records in quarantine than at its least in the last day,"
            f" {number('source_quarantine_records', COUNT, source='$')} in all. What is set aside counts nowhere.",
            dashboard=Dashboard.COLLECTION,
        ),
    )


def _coverage(thresholds: Thresholds) -> tuple[Alert, ...]:
    return (
        Alert(
            name=f"{NAMES}CoverageLost",
            topic=Topic.COLLECTION,
            severity=Severity.TICKET,
            expression=once(
                beside(f"{series('coverage_ratio_upper')} < {thresholds.coverage_limit:g}", f"{series('coverage_checked')} >= {thresholds.minimum_cases}")
            ),
            holds="30m",
            summary="A workflow's figures rest on too small a part of what happened.",
            description=f"Workflow {{{{ $labels.workflow }}}}: only {number('coverage_ratio', PERCENT, kind='$')} of"
            f" {number('coverage_checked', COUNT, kind='$')} are {{{{ $labels.kind }}}}; the limit is {percent(thresholds.coverage_limit)}.",
            dashboard=Dashboard.COLLECTION,
            variables=OF_WORKFLOW,
        ),
        Alert(
            name=f"{NAMES}FiguresStale",
            topic=Topic.FRESHNESS,
            severity=Severity.NONE,
            expression=f"{once(of_workflows())} == 0",
            summary="A workflow's figures lag behind the world.",
            description="Workflow {{ $labels.workflow }} rests on a source that is not being read. This reaches nobody: it only silences the workflow's"
            f" behaviour alerts, and {NAMES}SourceStale tells about the source.",
            dashboard=Dashboard.WORKFLOW,
            variables=OF_WORKFLOW,
        ),
    )


def _exporter(thresholds: Thresholds) -> tuple[Alert, ...]:
    return (
        Alert(
            name=f"{NAMES}ExporterAbsent",
            topic=Topic.EXPORTER,
            severity=Severity.PAGE,
            expression=f"absent({series('build_info')})",
            holds="5m",
            summary="No exporter is being scraped: nothing is known about any rollout.",
            description="Prometheus has had no sample of rollout-metrics from any replica for 5 minutes. Dashboards are empty and no other alert can fire.",
            dashboard=Dashboard.COLLECTION,
        ),
        Alert(
            name=f"{NAMES}SnapshotOld",
            topic=Topic.EXPORTER,
            severity=Severity.TICKET,
            expression=f"time() - {once(series('snapshot_timestamp_seconds'))} > {thresholds.stale_after / SECOND:g}",
            holds="10m",
            summary="The exporter serves an old picture: its passes hang.",
            description="The snapshot being served is {{ $value | humanizeDuration }} old; no replica has a newer one. Scrapes succeed and show the past.",
            dashboard=Dashboard.COLLECTION,
        ),
    )
