"""Bypass and override spikes: in which workflow, since when, against which baseline, by which kinds and reasons."""

from rollout_metrics.catalog.alerts import WINDOW, Thresholds
from rollout_metrics.catalog.alerts import Dashboard as Uid
from rollout_metrics.generate import measures
from rollout_metrics.generate import panels as p
from rollout_metrics.generate.queries import CHOSEN, Column, Key, Query, cell, shown

MONTH = "28d"
"""The window by which the last day is judged."""

READ_ME = f"""\
**Who stopped trusting which agent, and since when?** The last **{WINDOW}** is held against the month around it, **{MONTH}**. A spike is news only if the whole
95 % interval lies beyond the limit, on enough cases, in figures that are fresh: then the alert fires. Below, which way people took instead, and why.
Look for a change or a promotion just before it (vertical lines), then open the cases.
"""

LIVE = {"mode": "live"}


_THERE = ((None, "text"), (1, p.VERMILLION))


def _risen() -> p.Panel:
    by = ("workflow", "signal")
    return p.table(
        "Spikes, and how far from one",
        (measures.by_workflow(), Key(label="signal", title="Signal")),
        (
            Column(title="Spike from 1", expression=cell("spike_statistic", *by, **CHOSEN), decimals=2, steps=_THERE),
            Column(title="Now", expression=cell("spike_observed_ratio", *by, **CHOSEN), unit="percentunit", decimals=1),
            Column(title="Now, n", expression=cell("spike_cases", *by, **CHOSEN)),
            Column(title="Usual", expression=cell("spike_baseline_ratio", *by, **CHOSEN), unit="percentunit", decimals=1),
            Column(title="Usual, n", expression=cell("spike_baseline_cases", *by, **CHOSEN)),
        ),
        description=measures.described("spike_statistic"),
    )


def _signs() -> p.Panel:
    return p.table(
        "Warning signs",
        (measures.by_workflow(), Key(label="sign", title="Sign")),
        (Column(title="There", expression=cell("warning_sign", "workflow", "sign", **CHOSEN), steps=_THERE),),
        description=measures.described("warning_sign"),
    )


def dashboard(thresholds: Thresholds) -> p.Dashboard:
    """The dashboard; lines of limits are those of the alerts."""

    def beyond(key: str, title: str, limit: float, **labels: str) -> p.Panel:
        lower = shown(f"{key}_lower", **CHOSEN, window=WINDOW, **labels)
        return p.stat(
            f"{title} beyond {limit:.0%} for certain over {WINDOW}, now",
            [Query(f"sum({lower} > bool {limit:g})", "workflows")],
            unit="locale",
            steps=((None, p.BLUE), (1, p.VERMILLION)),
            description=f"Workflows whose whole 95 % interval of {title.lower()} lies beyond the limit of the alert.",
        )

    def compared(key: str, title: str, limit: float, **labels: str) -> tuple[Column, ...]:
        steps = ((None, "text"), (limit, p.VERMILLION))
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
            p.Row("Risen over their own past", (_risen(), _signs()), (16, 8), height=8),
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
