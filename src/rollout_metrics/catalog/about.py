"""The metrics about the metrics: what each workflow is and how fresh its figures are, the sources, the exporter (definitions, section 10)."""

from collections.abc import Mapping

from rollout_metrics.catalog.exposition import MetricType
from rollout_metrics.catalog.make import beside, exporter, gauge
from rollout_metrics.catalog.metric import Metric, Section, Told

_KIND = ("kind",)

_coverage = gauge(
    "coverage_ratio",
    "How much of what there is the figures see. mapped: events understood of those read; linked: runtime events whose case exists; audited: cases whose"
    " history is complete as far as the vendor can say; versioned: recommendations of the longest window with a known version."
    " Numerator: coverage_known; denominator: coverage_checked. No sample where the denominator is 0.",
    Told("coverage"),
    Section.WORKFLOW,
    labels=_KIND,
)

WORKFLOW: tuple[Metric, ...] = (
    Metric(
        key="workflow_info",
        type=MetricType.INFO,
        meaning="What the workflow is. version: that of the change deployed last, empty where no record names one. Always 1: join it by workflow.",
        section=Section.WORKFLOW,
        obtained=Told("info"),
        labels=("workflow_type", "risk_tier", "owner_team", "version"),
    ),
    gauge(
        "autonomy_level",
        "Level in force: 0 off, 1 shadow, 2 assisted, 3 low_risk_autonomous, 4 broad_autonomous, 5 high_risk. 0 during a pause.",
        Told("level"),
        Section.WORKFLOW,
    ),
    gauge(
        "as_of_timestamp_seconds",
        "T: the whole minute as of which every figure of the workflow holds, the least watermark of its sources. It stands still while a source is silent.",
        Told("as_of"),
        Section.WORKFLOW,
    ),
    gauge(
        "sources_stale", "Number of the workflow's sources that are stale: above 0 its figures lag behind the world.", Told("sources_stale"), Section.WORKFLOW
    ),
    _coverage,
    *beside(_coverage, "95 % Wilson score interval", bounds=True, cases=False),
    gauge("coverage_known", "Numerator of coverage_ratio.", Told("coverage_known"), Section.WORKFLOW, labels=_KIND),
    gauge("coverage_checked", "Denominator of coverage_ratio.", Told("coverage_checked"), Section.WORKFLOW, labels=_KIND),
)

_SOURCE: Mapping[str, str] = {
    "source_up": "Whether the source's last sweep succeeded, 1 or 0.",
    "source_last_success_timestamp_seconds": "When the source's last sweep succeeded.",
    "source_watermark_timestamp_seconds": "How far the source has been read: every event up to here is in.",
    "source_stale_after_seconds": "How old the source's watermark may be before it counts as stale.",
    "source_newest_event_timestamp_seconds": "When the newest event that the source gave occurred.",
    "source_lag_seconds": "How far the source's watermark lay behind the clock when the snapshot was taken.",
    "source_partial": "Whether the source's history is still being read to the wanted depth, 1 or 0: until then long windows are incomplete.",
    "source_requests_total": "Requests sent to the source, retries included.",
    "source_retries_total": "Requests that had to be sent again.",
    "source_throttled_seconds_total": "Time spent waiting because the source's limit or our own request budget said so.",
    "source_events_total": "Events read from the source, repeated readings included.",
}

COLLECTION: tuple[Metric, ...] = (
    *(exporter(key, text, Section.COLLECTION, "source") for key, text in _SOURCE.items()),
    exporter(
        "source_failure",
        "Why the source's last sweep failed: 1 for that kind, 0 for the others; all 0 where it succeeded. credentials: it refuses us; unavailable: it is down"
        " or throttling; truncated: its lists end early or never; payload: its answers are not what it documents; other: storage, configuration or a defect.",
        Section.COLLECTION,
        "source",
        "kind",
    ),
    exporter(
        "source_part_refused",
        "Whether the source refuses a part that is asked for (a table, a kind of record) while it gives the rest, 1 or 0: what the part would tell counts"
        " nowhere. What was missed is read of itself once the part is given.",
        Section.COLLECTION,
        "source",
        "part",
    ),
    exporter("source_quarantine_records", "Records of the source that are set aside now because they could not be understood.", Section.COLLECTION, "source"),
    exporter("harm_readings_total", "Readings of harm metrics from elsewhere, by outcome read or failed.", Section.COLLECTION, "outcome"),
    exporter(
        "harm_metrics_unread",
        "Harm metrics from elsewhere of deployments that are watched now, which have not been read for twice as long as harm.every: what they would show is not"
        " known, and a failure by harm would not be seen.",
        Section.COLLECTION,
        "workflow",
    ),
    exporter(
        "source_spans_total",
        "Spans sent to the source, by what became of them. mapped: they became events; without_case: they would have, but do not say of which case;"
        " passed_over: they say nothing for us, as most do; rejected: they say it wrongly, or their token may not say it.",
        Section.COLLECTION,
        "source",
        "outcome",
    ),
    exporter("source_quarantined_total", "Records set aside because they could not be understood, by reason.", Section.COLLECTION, "source", "reason"),
)

EXPORTER: tuple[Metric, ...] = (
    exporter("pass_duration_seconds", "How long the last pass took, from its first request to its snapshot.", Section.EXPORTER),
    exporter("snapshot_timestamp_seconds", "When the snapshot that is being served was taken.", Section.EXPORTER),
    exporter(
        "build_info",
        "Version of the exporter and of the definitions behind every figure: no trend is drawn across a change of definitions.",
        Section.EXPORTER,
        "version",
        "definitions",
    ),
)
