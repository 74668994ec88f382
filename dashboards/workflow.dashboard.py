"""Rollout health of one workflow: do people still trust its agent, and can these figures be trusted?"""

from rollout_metrics.catalog import METRICS, PREFIX
from rollout_metrics.catalog.alerts import DASHBOARD, Thresholds
from rollout_metrics.domain.time import SECOND
from rollout_metrics.generate import panels as p

READ_ME = """\
**Is the team still trusting this workflow's agent?** Every figure is about the stretch of *event time* chosen as **Window**, up to *Figures as of*;
a point in a graph is a whole window. Read a share together with its interval and its **n**: a wide band says nothing yet.
*no data* means that nothing was decided or could be seen, never 0. Up to level *assisted* the headline is **override**, from *low risk autonomous*
up it is **correction**. In mode *shadow*, acceptance is the agreement with what people did on their own.
Nobody's name is in here, and none should be read into it.
"""

MODE = {"mode": "$mode"}

LEVELS = ("off", "shadow", "assisted", "low risk autonomous", "broad autonomous", "high risk")
LEVEL_COLORS = (p.GREY, p.PURPLE, p.SKY, p.BLUE, p.GREEN, p.ORANGE)

OUTCOMES = (
    ("accepted", p.BLUE),
    ("edited", p.SKY),
    ("overridden", p.VERMILLION),
    ("escalated", p.ORANGE),
    ("unreviewed", p.YELLOW),
    ("ignored", p.PURPLE),
    ("pending", p.GREY),
    ("superseded", "#BBBBBB"),
    ("void", "#666666"),
)

HANDLINGS = (
    ("assisted", p.BLUE),
    ("unassisted", p.VERMILLION),
    ("side_channel", p.ORANGE),
    ("marked", p.PURPLE),
    ("redone", p.YELLOW),
    ("preempted", p.GREY),
    ("agent_absent", "#BBBBBB"),
)


def freshness(thresholds: Thresholds) -> p.Row:
    """Whether the rest can be believed, first of all."""
    stale_after = thresholds.stale_after / SECOND
    aged = ((None, p.BLUE), (stale_after, p.VERMILLION))
    return p.Row(
        "",
        (
            p.stat(
                "Figures as of, age now",
                [p.Query(f"time() - {p.shown('as_of_timestamp_seconds')}", "age")],
                unit="s",
                steps=aged,
                description="How long ago the instant lies as of which all figures of the workflow hold. Beyond the limit they lag behind the world.",
            ),
            p.stat(
                "Sources stale, now",
                [p.Query(p.shown("sources_stale"), "sources")],
                unit="short",
                steps=((None, p.BLUE), (1, p.VERMILLION)),
                description="Sources of the workflow that are not being read. Above 0, behaviour alerts are held back.",
            ),
            p.stat(
                "Snapshot age, now",
                [p.Query(f"time() - {p.shown('snapshot_timestamp_seconds')}", "age")],
                unit="s",
                steps=aged,
                description="How long ago the exporter computed what it serves.",
            ),
            p.stat(
                "Autonomy level, now",
                [p.Query(p.shown("autonomy_level"), "level")],
                unit="short",
                mappings=[
                    {
                        "type": "value",
                        "options": {str(at): {"text": name, "color": LEVEL_COLORS[at], "index": at} for at, name in enumerate(LEVELS)},
                    }
                ],
                description="What the agent is allowed to do on its own. Off during a pause. Vertical lines in the graphs mark its changes.",
            ),
            p.stat(
                "Decided and pending, $window",
                [
                    p.Query(p.n_of("acceptance_ratio", **MODE), "decided"),
                    p.Query(p.shown("recommendations_pending", **MODE), "pending now"),
                ],
                unit="short",
                description="Decisions of people in the window, and recommendations that nothing has been decided about yet.",
            ),
        ),
        (5, 4, 5, 5, 5),
        height=4,
    )


def dashboard(thresholds: Thresholds) -> p.Dashboard:
    """The dashboard; lines of limits are those of the alerts."""
    level, level_before = p.shown("autonomy_level"), p.shown("autonomy_level", ago="5m")
    info, info_before = p.shown("workflow_info"), p.shown("workflow_info", ago="5m")
    trust = (
        *p.ratio("acceptance_ratio", "Acceptance", **MODE),
        *p.ratio("override_ratio", "Override", limit=thresholds.override_limit, color=p.ORANGE, **MODE),
        *p.ratio("correction_ratio", "Correction", color=p.ORANGE),
        *p.ratio("bypass_ratio", "Bypass", limit=thresholds.bypass_limit, color=p.PURPLE),
        *p.ratio("escalation_ratio", "Escalation", color=p.GREEN),
        *p.ratio("rubber_stamp_ratio", "Rubber stamp", color=p.SKY),
    )
    latency, wait = METRICS["review_latency_median_seconds"], METRICS["decision_wait_median_seconds"]
    return p.dashboard(
        "Rollout health of a workflow",
        uid=DASHBOARD,
        description="Acceptance, override, correction, bypass, escalation and review time of one workflow, with intervals, counts and freshness.",
        variables=(
            p.query_variable("workflow", "Workflow", f"label_values({PREFIX}workflow_info, workflow)", default=""),
            p.query_variable("window", "Window", f'label_values({PREFIX}decisions{{workflow="$workflow"}}, window)', default="28d", sort=3),
            p.query_variable("mode", "Mode", f'label_values({PREFIX}acceptance_ratio{{workflow="$workflow"}}, mode)', default="live"),
        ),
        marks=(
            p.change_mark("Level changes", f"{level} != {level_before}", p.PURPLE, "Autonomy level changed"),
            p.change_mark("Versions", f"({info} unless {info_before}) and on (workflow) {info_before}", p.GREEN, "{{version}} deployed"),
        ),
        rows=(
            freshness(thresholds),
            p.Row("", (p.text("How to read this", READ_ME, description="What the figures are about."),), (24,), height=4),
            p.Row("Trust", trust, (4, 8) * len(trust[::2]), height=8),
            p.Row(
                "Review",
                (
                    p.series(
                        "Median review latency and decision wait over $window",
                        (
                            p.Query(p.shown("review_latency_median_seconds"), "latency of the decided", p.BLUE),
                            p.Query(p.shown("decision_wait_median_seconds"), "wait, open ones counted", p.ORANGE),
                        ),
                        unit="s",
                        description=f"{latency.help} Wait: {wait.help}",
                    ),
                    p.stat(
                        "Cases behind the medians, $window",
                        (
                            p.Query(p.shown("review_latency_median_seconds_cases"), "latency n", p.BLUE),
                            p.Query(p.shown("decision_wait_median_seconds_cases"), "wait n", p.ORANGE),
                        ),
                        unit="short",
                        description="How many recommendations each median rests on.",
                    ),
                    p.series(
                        "Review effort over $window",
                        (
                            p.Query(p.shown("review_effort_seconds", basis="measured"), "measured", p.BLUE),
                            p.Query(p.shown("review_effort_seconds", basis="estimated"), "estimated, at least", p.SKY),
                        ),
                        unit="s",
                        bars=True,
                        description=METRICS["review_effort_seconds"].help,
                    ),
                    p.stat(
                        "Explicit decisions, $window",
                        [p.Query(p.shown("explicit_decisions"), "n")],
                        unit="short",
                        description=METRICS["explicit_decisions"].help,
                    ),
                ),
                (8, 4, 8, 4),
            ),
            p.Row(
                "Counts",
                (
                    p.series(
                        "Recommendations by outcome, $window",
                        [p.Query(p.shown("recommendations", **MODE, outcome=outcome), outcome, color) for outcome, color in OUTCOMES],
                        unit="short",
                        bars=True,
                        description=METRICS["recommendations"].help,
                    ),
                    p.series(
                        "Eligible cases by handling, $window",
                        [p.Query(p.shown("handled_cases", handling=handling), handling, color) for handling, color in HANDLINGS],
                        unit="short",
                        bars=True,
                        description=METRICS["handled_cases"].help,
                    ),
                    p.series(
                        "Escalations by reason, $window",
                        [p.Query(p.shown("escalations"), "{{reason}}")],
                        unit="short",
                        bars=True,
                        description=METRICS["escalations"].help,
                    ),
                    p.series(
                        "Errors by category, $window",
                        [p.Query(p.shown("errors"), "{{category}}")],
                        unit="short",
                        bars=True,
                        description=METRICS["errors"].help,
                    ),
                ),
                (12, 12, 12, 12),
            ),
        ),
    )
