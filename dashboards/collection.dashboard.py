"""Health of collection: whether every source is read, how far, how completely, and what it costs."""

from rollout_metrics.catalog.alerts import Dashboard as Uid
from rollout_metrics.catalog.alerts import Thresholds
from rollout_metrics.domain.time import SECOND
from rollout_metrics.generate import measures
from rollout_metrics.generate import panels as p
from rollout_metrics.generate.measures import described
from rollout_metrics.generate.queries import CHOSEN, Column, Key, Query, cell, grown, rated, shown

READ_ME = """\
**Can the figures be trusted today?** A source that stops being read holds the figures of its workflows where they are; it never turns them into zeros.
*Lag* is how far behind the clock a source has been read. **Coverage** is how much of what there is the figures see. Counters are growth per second,
and growth over the time range in the table.
"""


def dashboard(thresholds: Thresholds) -> p.Dashboard:
    """The dashboard."""
    stale_after = thresholds.stale_after / SECOND
    aged: p.Steps = ((None, p.TEXT), (stale_after, p.VERMILLION))
    some: p.Steps = ((None, p.TEXT), (1, p.VERMILLION))

    def of_source(key: str, title: str, **more: object) -> Column:
        return Column(title=title, expression=cell(key, "source"), **more)  # type: ignore[arg-type]

    def since(key: str, title: str, steps: p.Steps = ()) -> Column:
        return Column(title=title, expression=f"time() - {cell(key, 'source')}", unit="s", steps=steps)

    def growth(key: str, title: str, unit: str = "cps", *by: str) -> p.Panel:
        labels = by or ("source",)
        return p.series(title, [Query(rated(key, *labels), " ".join(f"{{{{{label}}}}}" for label in labels))], unit=unit, description=described(key))

    sources = p.table(
        "Sources, now",
        (Key(label="source", title="Source"),),
        (
            of_source("source_up", "Works", mappings=p.states((0, "fails", p.VERMILLION), (1, "works", p.TEXT))),
            of_source("source_lag_seconds", "Lag", unit="s", steps=aged),
            since("source_last_success_timestamp_seconds", "Last success, ago", aged),
            since("source_watermark_timestamp_seconds", "Read up to, ago", aged),
            since("source_newest_event_timestamp_seconds", "Newest event, ago"),
            of_source("source_partial", "History", mappings=p.states((0, "complete", p.TEXT), (1, "still loading", p.ORANGE))),
            Column(title="Events", expression=grown("source_events_total", "source"), decimals=0),
            Column(title="Requests", expression=grown("source_requests_total", "source"), decimals=0),
            Column(title="Retries", expression=grown("source_retries_total", "source"), decimals=0),
            Column(title="Throttled", expression=grown("source_throttled_seconds_total", "source"), unit="s"),
            Column(title="Set aside now", expression=cell("source_quarantine_records", "source"), decimals=0, steps=some),
            Column(title="Set aside", expression=grown("source_quarantined_total", "source"), decimals=0, steps=some),
        ),
        description="How far each source has been read and whether that works; events, requests, waits and records set aside over the time range.",
    )
    coverage = p.table(
        "Coverage, now",
        (measures.by_workflow(), Key(label="kind", title="Kind")),
        (*measures.share_columns("coverage_ratio", "Seen", "workflow", "kind", steps=measures.at_least(thresholds.coverage_limit), interval=True),),
        description=described("coverage_ratio"),
    )
    covered = p.for_each(
        p.series(
            "$workflow: coverage over time",
            [Query(shown("coverage_ratio", **CHOSEN), "{{kind}}")],
            unit="percentunit",
            limit=thresholds.coverage_limit,
            top=measures.top("coverage_ratio"),
            description=described("coverage_ratio"),
        )
    )
    failures = p.table(
        "Why sources fail, now",
        (Key(label="source", title="Source"), Key(label="kind", title="Kind")),
        (Column(title="fails", expression=f"{cell('source_failure', 'source', 'kind')} == 1", hidden=True),),
        description=described("source_failure"),
        missing="none fails, or no data",
    )
    refusals = p.table(
        "Refused parts, now",
        (Key(label="source", title="Source"), Key(label="part", title="Part")),
        (Column(title="refused", expression=f"{cell('source_part_refused', 'source', 'part')} == 1", hidden=True),),
        description=described("source_part_refused"),
        missing="none is refused, or no data",
    )
    replicas = p.table(
        "Exporters, now",
        (Key(label="version", title="Version"), Key(label="definitions", title="Definitions")),
        (Column(title="build", expression=cell("build_info", "version", "definitions"), hidden=True),),
        description=described("build_info"),
    )
    return p.dashboard(
        "Collection health",
        uid=Uid.COLLECTION,
        description="Freshness, coverage, throttling and quarantine of every source, and the exporter itself.",
        pages_url=thresholds.pages_url,
        variables=measures.variables(several=True),
        marks=measures.marks(several=True),
        time_range="now-24h",
        rows=(
            p.Row(
                "",
                (
                    *measures.freshness(thresholds, several=True),
                    p.stat(
                        "Sources that fail, now",
                        [Query(f"sum(1 - {shown('source_up')})", "sources")],
                        unit="locale",
                        steps=((None, p.TEXT), (1, p.VERMILLION)),
                        description=described("source_up"),
                    ),
                    p.stat("Last pass took, now", [Query(shown("pass_duration_seconds"), "seconds")], unit="s", description=described("pass_duration_seconds")),
                ),
                (5, 4, 5, 5, 5),
                height=4,
            ),
            p.Row("", (p.text("How to read this", READ_ME, description="What the figures are about."),), (24,), height=3),
            p.Row("Sources", (sources,), (24,), height=8),
            p.Row(
                "",
                (
                    p.series(
                        "Lag over time",
                        [Query(shown("source_lag_seconds"), "{{source}}")],
                        unit="s",
                        limit=stale_after,
                        description=described("source_lag_seconds", "Dashed line: from here on the source counts as stale."),
                    ),
                    growth("source_events_total", "Events read"),
                    growth("source_requests_total", "Requests sent", "reqps"),
                    growth("source_throttled_seconds_total", "Share of time spent waiting for limits", "none"),
                    growth("source_retries_total", "Requests sent again", "reqps"),
                    growth("source_quarantined_total", "Records set aside", "cps", "source", "reason"),
                ),
                (8, 8, 8, 8, 8, 8),
            ),
            p.Row("Coverage", (coverage, failures, refusals, replicas), (10, 5, 5, 4)),
            p.Row("", (covered,), (24,)),
            p.Row(
                "Exporter",
                (
                    p.series(
                        "Duration of passes over time",
                        [Query(shown("pass_duration_seconds"), "pass")],
                        unit="s",
                        description=described("pass_duration_seconds"),
                    ),
                    measures.lines("sources_stale", "Stale sources"),
                    growth("harm_readings_total", "Readings of harm metrics from elsewhere", "cps", "outcome"),
                ),
                (8, 8, 8),
            ),
        ),
    )
