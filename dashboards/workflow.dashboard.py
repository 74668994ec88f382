"""Rollout health of one workflow: do people still trust its agent, and can these figures be trusted?"""

from rollout_metrics.catalog import PREFIX
from rollout_metrics.catalog.alerts import Dashboard as Uid
from rollout_metrics.catalog.alerts import Thresholds
from rollout_metrics.generate import links, measures
from rollout_metrics.generate import panels as p
from rollout_metrics.generate.measures import described
from rollout_metrics.generate.queries import Query, n_of, shown

READ_ME = """\
**Is the team still trusting this workflow's agent?** Every figure is about the stretch of *event time* chosen as **Window**, up to *Figures as of*;
a point in a graph is a whole window. Read a share together with its interval and its **n**: a wide band says nothing yet.
*no data* means that nothing was decided or could be seen, never 0. Up to level *assisted* the headline is **override**, from *low risk autonomous*
up it is **correction**. In mode *shadow*, acceptance is the agreement with what people did on their own. Click at a figure for the cases behind it.
Nobody's name is in here, and none should be read into it.
"""

MODE = {"mode": "$mode"}

OUTCOMES = (
    ("accepted", p.BLUE),
    ("edited", p.SKY),
    ("overridden", p.VERMILLION),
    ("escalated", p.ORANGE),
    ("unreviewed", p.YELLOW),
    ("ignored", p.PURPLE),
    ("pending", p.GREY),
    ("superseded", p.LIGHT),
    ("void", p.DARK),
)

HANDLINGS = (
    ("assisted", p.BLUE),
    ("unassisted", p.VERMILLION),
    ("side_channel", p.ORANGE),
    ("marked", p.PURPLE),
    ("redone", p.YELLOW),
    ("preempted", p.GREY),
    ("agent_absent", p.LIGHT),
)

OVERRIDES = (("rejected", p.VERMILLION), ("changed", p.ORANGE), ("undone", p.PURPLE), ("reversed", p.YELLOW), ("mismatch", p.GREY))


def dashboard(thresholds: Thresholds) -> p.Dashboard:
    """The dashboard; lines of limits are those of the alerts."""
    decided = p.stat(
        "Decided and pending, $window",
        (
            Query(n_of("acceptance_ratio", **MODE), "decided"),
            Query(shown("recommendations_pending", **MODE), "pending now"),
            Query(f"time() - {shown('recommendation_oldest_pending_timestamp_seconds', **MODE)}", "oldest pending", None, "s"),
        ),
        unit="locale",
        description="Decisions of people in the window, and recommendations that nothing has been decided about yet.",
        links=links.evidence("decisions", **MODE),
    )
    trust = (
        *measures.interval("acceptance_ratio", "Acceptance", **MODE),
        *measures.interval("edit_ratio", "Edit", color=p.SKY, **MODE),
        *measures.interval("override_ratio", "Override", limit=thresholds.override_limit, color=p.ORANGE, **MODE),
        *measures.interval("correction_ratio", "Correction", color=p.ORANGE),
        *measures.interval("bypass_ratio", "Bypass", limit=thresholds.bypass_limit, color=p.PURPLE),
        *measures.interval("escalation_ratio", "Escalation", color=p.GREEN),
        *measures.interval("complaint_ratio", "Complaint", color=p.VERMILLION),
        *measures.interval("rubber_stamp_ratio", "Rubber stamp", limit=thresholds.rubber_stamp_limit, color=p.SKY),
    )
    review = (
        *measures.interval("review_latency_median_seconds", "Median review latency"),
        *measures.interval("decision_wait_median_seconds", "Median decision wait", color=p.ORANGE),
    )
    effort = p.series(
        "Review effort over $window",
        (
            Query(shown("review_effort_seconds", basis="measured"), "measured", p.BLUE),
            Query(shown("review_effort_seconds", basis="estimated"), "estimated, at least", p.SKY),
        ),
        unit="s",
        bars=True,
        description=described("review_effort_seconds"),
        links=links.evidence("review_effort_seconds"),
    )
    saved = p.series(
        "Time saved over $window",
        (
            Query(shown("time_saved_seconds"), "saved, {{basis}} baseline", p.GREEN),
            Query(shown("time_saved_seconds_lower"), "at least"),
            Query(shown("time_saved_seconds_upper"), "at most"),
        ),
        unit="s",
        signed=True,
        overrides=p.band(p.GREEN),
        description=described("time_saved_seconds", "The band is the 95 % interval; below 0 the agent costs time."),
        links=links.evidence("time_saved_seconds"),
    )
    turnaround = p.series(
        "Median turnaround over $window",
        (
            Query(shown("turnaround_median_seconds", handling="assisted"), "assisted", p.BLUE),
            Query(shown("turnaround_median_seconds", handling="other"), "any other", p.GREY),
        ),
        unit="s",
        description=described("turnaround_median_seconds"),
        links=links.evidence("turnaround_median_seconds"),
    )
    behind = p.stat(
        "Cases behind saved time and turnaround, $window",
        (
            Query(shown("time_saved_seconds_cases"), "saved, n ({{basis}})"),
            Query(shown("turnaround_median_seconds_cases", handling="assisted"), "turnaround, assisted n"),
            Query(shown("turnaround_median_seconds_cases", handling="other"), "turnaround, other n"),
        ),
        unit="locale",
        description="How many cases each of the two figures beside it rests on.",
    )
    signs = p.timeline(
        "Warning signs over time",
        [Query(shown("warning_sign"), "{{sign}}")],
        mappings=measures.SIGNS,
        description=described("warning_sign"),
        links=links.evidence("warning_sign", sign="${__field.labels.sign:percentencode}"),
    )
    spikes = p.series(
        "Score of spikes over time",
        [Query(shown("spike_statistic"), "{{signal}}")],
        unit="none",
        limit=1,
        signed=True,
        description=described("spike_statistic", "Dashed line: where a spike begins."),
    )
    return p.dashboard(
        "Rollout health of a workflow",
        uid=Uid.WORKFLOW,
        description="Acceptance, override, correction, bypass, escalation, review time and time saved of one workflow, with intervals, counts and freshness.",
        pages_url=thresholds.pages_url,
        variables=(
            *measures.variables(several=False),
            p.query_variable("mode", "Mode", f'label_values({PREFIX}acceptance_ratio{{workflow="$workflow"}}, mode)', default="live"),
        ),
        marks=measures.marks(),
        rows=(
            p.Row("", (*measures.freshness(thresholds), measures.level_now(), decided), (5, 4, 5, 5, 5), height=4),
            p.Row("", (p.text("How to read this", READ_ME, description="What the figures are about."),), (24,), height=4),
            p.Row("Trust", trust, (4, 8) * len(trust[::2])),
            p.Row("Warning signs", (signs, spikes), (12, 12)),
            p.Row(
                "What people did instead",
                (
                    measures.kinds("decisions", "Overrides by how", "how", OVERRIDES, outcome="overridden", **MODE),
                    measures.kinds("errors", "Errors by category", "category"),
                    measures.kinds("repeating_errors", "Errors that repeat", "category"),
                    measures.kinds("handled_cases", "Eligible cases by handling", "handling", HANDLINGS),
                    measures.kinds("escalations", "Escalations by reason", "reason"),
                ),
                (8, 8, 8, 12, 12),
            ),
            p.Row("Review", (*review, effort, measures.count("explicit_decisions", "Explicit decisions")), (4, 8, 4, 8, 16, 8)),
            p.Row("Worth", (saved, turnaround, behind, *measures.interval("time_to_reverse_median_seconds", "Median time to reverse")), (8, 8, 8, 8, 16)),
            p.Row(
                "Counts",
                (
                    measures.kinds("recommendations", "Recommendations by outcome", "outcome", OUTCOMES, **MODE),
                    measures.kinds("violations", "Acts outside authority", "kind"),
                ),
                (12, 12),
            ),
        ),
    )
