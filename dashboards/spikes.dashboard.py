"""Bypass and override spikes: in which workflow, since when, against which baseline, by which kinds and reasons."""

from rollout_metrics.catalog.alerts import WINDOW, Thresholds
from rollout_metrics.catalog.alerts import Dashboard as Uid
from rollout_metrics.generate import links, measures
from rollout_metrics.generate import panels as p
from rollout_metrics.generate.queries import CHOSEN, Column, Key, Query, cell, shown

MONTH = "28d"
"""The window by which the last day is judged."""

READ_ME = f"""\
**Who stopped trusting which agent, and since when?** A **spike** is a rate that has risen over the workflow's own past by more than chance (docs/spikes.md
says how). Below, the last **{WINDOW}** against its month, **{MONTH}**, and the limits of the alerts; then which way people took instead, and why.
Look for a change or a promotion just before it (vertical lines), then open the cases.
"""

LIVE = {"mode": "live"}


def _risen() -> p.Panel:
    by = ("workflow", "signal")

    def share(key: str, title: str) -> Column:
        return Column(title=title, expression=cell(key, *by, **CHOSEN), unit="percentunit", decimals=1)

    leads = links.evidence("spike_observed_ratio", workflow=links.ROW, signal="${__data.fields.Signal:percentencode}")
    return p.table(
        "Spikes against each workflow's own past, now",
        (measures.by_workflow(), Key(label="signal", title="Signal", links=leads)),
        (
            Column(title="State", expression=cell("spike", *by, **CHOSEN), mappings=measures.SPIKES),
            measures.age_column("spike_since_timestamp_seconds", "Since, ago", *by),
            Column(
                title="Score, spike from 1",
                expression=cell("spike_statistic", *by, **CHOSEN),
                unit="none",
                decimals=2,
                steps=((None, p.TEXT), (1, p.VERMILLION)),
            ),
            share("spike_observed_ratio", "Observed"),
            share("spike_observed_ratio_lower", "Observed, at least"),
            share("spike_observed_ratio_upper", "Observed, at most"),
            Column(title="Observed, n", expression=cell("spike_cases", *by, **CHOSEN), decimals=0),
            share("spike_baseline_ratio", "Usual"),
            Column(title="Usual, n", expression=cell("spike_baseline_cases", *by, **CHOSEN), decimals=0),
        ),
        description=measures.described("spike_statistic", "Usual, n of 0: a limit stands in for a baseline."),
    )


def _over_time() -> p.Panel:
    return p.timeline(
        "Spikes over time",
        [Query(shown("spike", **CHOSEN), "{{workflow}} {{signal}}")],
        mappings=measures.SPIKES,
        description=measures.described("spike"),
    )


def dashboard(thresholds: Thresholds) -> p.Dashboard:
    """The dashboard; lines of limits are those of the alerts."""

    def beyond(key: str, title: str, limit: float, **labels: str) -> p.Panel:
        lower = shown(f"{key}_lower", **CHOSEN, window=WINDOW, **labels)
        return p.stat(
            f"{title} beyond {limit:.0%} for certain over {WINDOW}, now",
            [Query(f"sum({lower} > bool {limit:g})", "workflows")],
            unit="locale",
            steps=((None, p.TEXT), (1, p.VERMILLION)),
            description=f"Workflows whose whole 95 % interval of {title.lower()} lies beyond the limit of the alert.",
        )

    def compared(key: str, title: str, limit: float, **labels: str) -> tuple[Column, ...]:
        steps = ((None, p.TEXT), (limit, p.VERMILLION))
        today = measures.share_columns(key, f"{title} {WINDOW}", certain=steps, interval=True, window=WINDOW, **labels)
        return (*today, *measures.share_columns(key, f"{title} {MONTH}", window=MONTH, **labels))

    return p.dashboard(
        "Bypass and override spikes",
        uid=Uid.SPIKES,
        description="The last day of every workflow against its month: override, correction, bypass, escalation, and which kinds and reasons they are of.",
        pages_url=thresholds.pages_url,
        variables=measures.variables(several=True),
        marks=measures.marks(several=True),
        time_range="now-14d",
        rows=(
            p.Row(
                "",
                (
                    *measures.freshness(thresholds, several=True),
                    beyond("override_ratio", "Override", thresholds.override_limit, **LIVE),
                    beyond("bypass_ratio", "Bypass", thresholds.bypass_limit),
                ),
                (5, 4, 5, 5, 5),
                height=4,
            ),
            p.Row("", (p.text("How to read this", READ_ME, description="What a spike is."),), (24,), height=3),
            p.Row("Spikes", (_risen(),), (24,), height=11),
            p.Row("", (_over_time(),), (24,), height=10),
            p.Row(
                "Where",
                (
                    p.table(
                        f"Override and bypass over {WINDOW} against {MONTH}",
                        (measures.by_workflow(),),
                        (
                            *compared("override_ratio", "Override", thresholds.override_limit, **LIVE),
                            *compared("bypass_ratio", "Bypass", thresholds.bypass_limit),
                        ),
                        description="The last day with interval and n, and the month it is part of. Coloured where the whole interval is beyond the limit.",
                    ),
                ),
                (24,),
                height=7,
            ),
            p.Row(
                "Since when",
                (
                    measures.banded(
                        "override_ratio",
                        "override",
                        color=p.ORANGE,
                        limit=thresholds.override_limit,
                        against=MONTH,
                        window=WINDOW,
                        **LIVE,
                    ),
                ),
                (24,),
            ),
            p.Row(
                "",
                (measures.banded("bypass_ratio", "bypass", color=p.PURPLE, limit=thresholds.bypass_limit, against=MONTH, window=WINDOW),),
                (24,),
            ),
            p.Row(
                "Which kinds and reasons",
                (
                    measures.together("decisions", "Overrides by how", "how", outcome="overridden", window=WINDOW, **LIVE),
                    measures.together("errors", "Errors by category", "category", window=WINDOW),
                    measures.together("handled_cases", "Eligible cases by handling", "handling", window=WINDOW),
                    measures.together("escalations", "Escalations by reason", "reason", window=WINDOW),
                ),
                (12, 12, 12, 12),
            ),
        ),
    )
