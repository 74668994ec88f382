"""The metrics of a rollout: outcomes, review, escalation, bypass and authority (definitions, sections 3 to 7)."""

from rollout_metrics.catalog.exposition import MetricType
from rollout_metrics.catalog.make import beside, count, gauge, median, part, ratio, settled, standing, survival, within
from rollout_metrics.catalog.metric import Metric, Oldest, Repeating, Saved, Section, Spread, Told
from rollout_metrics.catalog.tallies import EXPLICIT_HOWS

_MODE = ("mode",)
_BASIS = ("basis",)
_DECISIONS = part("decisions")
_OPENED = part("recommendations")

OUTCOMES: tuple[Metric, ...] = (
    count("decisions", "Recommendations that operators accepted, edited or overridden, by the instant of the decision.", Section.OUTCOMES),
    count("recommendations", "Recommendations by the instant they were opened, with their outcome as it stands.", Section.OUTCOMES),
    standing("recommendations_pending", "Recommendations that nothing has been decided about.", Section.OUTCOMES),
    gauge(
        "recommendation_oldest_pending_timestamp_seconds",
        "When the oldest pending recommendation was opened; its age is the difference to as_of_timestamp_seconds. No sample where none is pending.",
        Oldest("pending"),
        Section.OUTCOMES,
        labels=_MODE,
    ),
    *ratio(
        "acceptance_ratio",
        "Share accepted of what people decided; in mode shadow it is agreement with what they did on their own.",
        part("decisions", outcome=("accepted",)),
        _DECISIONS,
        Section.OUTCOMES,
        labels=_MODE,
    ),
    *ratio(
        "explicit_acceptance_ratio",
        "Share of what people decided that they accepted by a deliberate act.",
        part("decisions", outcome=("accepted",), how=EXPLICIT_HOWS),
        _DECISIONS,
        Section.OUTCOMES,
        labels=_MODE,
    ),
    *ratio(
        "edit_ratio",
        "Share of what people decided that they kept with a similar value of their own.",
        part("decisions", outcome=("edited",)),
        _DECISIONS,
        Section.OUTCOMES,
        labels=_MODE,
    ),
    *ratio(
        "override_ratio",
        "Share of what people decided that they replaced, undid or rejected: the headline up to level assisted.",
        part("decisions", outcome=("overridden",)),
        _DECISIONS,
        Section.OUTCOMES,
        labels=_MODE,
    ),
    *ratio(
        "applied_ratio",
        "Share accepted or edited of all that was opened in the window, decided or not: only to compare with vendors' own figures.",
        part("recommendations", outcome=("accepted", "edited")),
        _OPENED,
        Section.OUTCOMES,
        labels=_MODE,
    ),
    *ratio(
        "correction_ratio",
        "Share of the agent's acts that an operator replaced, undid or rejected, or a customer undid, within cohort_age of the act; acts of equal age:"
        " the cohort ends cohort_age before the window does. The headline from level low_risk_autonomous up.",
        part("corrected_acts"),
        part("acts"),
        Section.OUTCOMES,
    ),
    count("acts", "The agent's live acts in the cohort: those whose cohort_age ended in the window.", Section.OUTCOMES),
    count("corrected_acts", "Acts of the cohort that were corrected within cohort_age.", Section.OUTCOMES),
    count(
        "edited_acts",
        "Acts of the cohort that an operator replaced with something similar within cohort_age: no corrections, shown beside them.",
        Section.OUTCOMES,
    ),
    *ratio(
        "reference_correction_ratio",
        "The same share for first values that operators and systems gave on cases without the agent: how much correcting is normal handover.",
        part("reference_corrections"),
        part("reference_values"),
        Section.OUTCOMES,
    ),
    count("reference_values", "First values of decided attributes on cases without the agent, in the cohort.", Section.OUTCOMES),
    count("reference_corrections", "Reference values of the cohort that an operator replaced within cohort_age.", Section.OUTCOMES),
    count("errors", "Edited and overridden live decisions by error category; two or more of a category in a window repeat.", Section.OUTCOMES),
    gauge(
        "repeating_errors",
        "Errors of categories of which there were two or more in the window; other: of several that configuration does not name, each counted by itself.",
        Repeating("error_categories"),
        Section.OUTCOMES,
        labels=("category",),
        windowed=True,
    ),
    count(
        "recurred_errors",
        "Errors about recommendations opened after a change was deployed whose record says that it fixes their category: above 0 the fix did not hold.",
        Section.OUTCOMES,
    ),
    *ratio(
        "complaint_ratio",
        "Share of agent-handled cases whose customer complained within cohort_age of first handling; the cohort ends cohort_age before the window does.",
        part("complaint_cohort_cases"),
        part("handled_cohort_cases"),
        Section.OUTCOMES,
    ),
    count("handled_cohort_cases", "Cases first handled by the agent, in the cohort: those whose cohort_age ended in the window.", Section.OUTCOMES),
    count("complaint_cohort_cases", "Cases of the cohort with a complaint within cohort_age.", Section.OUTCOMES),
    count("evaluations", "Runs of the evaluation suite, by whether they passed.", Section.OUTCOMES),
    settled(
        "decisions_settled",
        "Live decisions that can no longer change. They settle up to reversal_window late, and a correction or a late-read event can lower the count.",
    ),
    settled(
        "corrections_to_settled",
        "Settled live decisions whose outcome a correction, a late-read event or a newly known initial value changed, by the outcome they had.",
    ),
)

_SAVED = gauge(
    "time_saved_seconds",
    "Operators' effort saved on assisted cases that closed in the window: their number times (baseline mean - mean effort), 10 % trimmed means,"
    " net of review. Negative where the agent costs time. basis: where the baseline comes from.",
    Saved(),
    Section.REVIEW,
    labels=_BASIS,
    windowed=True,
    personal=True,
)

REVIEW: tuple[Metric, ...] = (
    Metric(
        key="review_latency_seconds",
        type=MetricType.HISTOGRAM,
        meaning="Time from opening a recommendation to its first explicit decision, whatever became of it later. All there ever were, live only;"
        " a correction can lower it. Absent where the longest window has too few distinct operators, and where operator figures are switched off.",
        section=Section.REVIEW,
        obtained=Spread("review_latency", "review_latency_total"),
        personal=True,
    ),
    *median(
        "review_latency_median_seconds",
        "Median time from opening a recommendation to its first explicit decision, by the instant of that decision.",
        "review_latency",
        Section.REVIEW,
        personal=True,
    ),
    *survival(
        "decision_wait_median_seconds",
        "Median wait of recommendations that asked for a decision, by the instant they were opened.",
        "decision_wait",
        Section.REVIEW,
    ),
    count(
        "review_effort",
        "Operators' effort between opening and first explicit decision of recommendations, by the last of those decisions; basis estimated is a lower bound.",
        Section.REVIEW,
        key="review_effort_seconds",
        scale=1e-6,
        personal=True,
    ),
    *ratio(
        "rubber_stamp_ratio",
        "Share of explicit first decisions that were made faster than anyone reads.",
        part("glanced_decisions"),
        part("explicit_decisions"),
        Section.REVIEW,
        personal=True,
    ),
    count("explicit_decisions", "Live first decisions by a deliberate act of an operator, whatever became of them later.", Section.REVIEW, personal=True),
    count("glanced_decisions", "Approvals and repetitions among them whose dwell was under glance_seconds.", Section.REVIEW, personal=True),
    _SAVED,
    *beside(_SAVED, "95 % interval by Yuen's method", bounds=True, cases=True),
    gauge(
        "time_saved_per_operator_seconds",
        "time_saved_seconds over the operators with events on the workflow's cases in the window.",
        Saved(per_operator=True),
        Section.REVIEW,
        labels=_BASIS,
        windowed=True,
        personal=True,
    ),
    *median(
        "time_to_reverse_median_seconds",
        "Median time from an agent's act to its reversal or undoing, by the instant of that.",
        "time_to_reverse",
        Section.REVIEW,
    ),
    *survival(
        "turnaround_median_seconds",
        "Median time from a case's coming into the workflow to its close, by the instant it came in; handling assisted, or any other.",
        "turnaround",
        Section.REVIEW,
        labels=("handling",),
    ),
    *ratio(
        "dropped_ratio",
        "Share of cases that nobody, agent or operator, touched within drop_after of coming in; the cohort ends drop_after before the window does.",
        part("dropped_cases"),
        part("drop_cohort_cases"),
        Section.REVIEW,
    ),
    count("drop_cohort_cases", "Cases that came into the workflow, in the cohort: those whose drop_after ended in the window.", Section.REVIEW),
    count("dropped_cases", "Cases of that cohort that nobody touched within drop_after.", Section.REVIEW),
)

ESCALATION: tuple[Metric, ...] = (
    *ratio(
        "escalation_ratio",
        "Share of agent-handled cases that escalated within cohort_age of first handling; the cohort ends cohort_age before the window does.",
        part("escalated_cohort_cases"),
        part("handled_cohort_cases"),
        Section.ESCALATION,
    ),
    count("escalated_cohort_cases", "Agent-handled cases of the cohort that escalated within cohort_age.", Section.ESCALATION),
    count("escalations", "Escalations by the instant they were raised.", Section.ESCALATION),
    standing("escalations_open", "Escalations neither resolved nor ended.", Section.ESCALATION),
    standing("escalations_unowned", "Open escalations that nobody owns.", Section.ESCALATION),
    gauge(
        "escalation_oldest_open_timestamp_seconds",
        "When the oldest open escalation was raised. No sample where none is open.",
        Oldest("resolve"),
        Section.ESCALATION,
    ),
    *within(
        "escalation_within_target_ratio",
        "Share of escalations acknowledged within their target of working time, by the instant they were raised.",
        "acknowledge_target",
        Section.ESCALATION,
    ),
    *survival(
        "escalation_acknowledge_median_seconds",
        "Median time to an operator's first event after an escalation, by the instant it was raised.",
        "acknowledge",
        Section.ESCALATION,
    ),
    *survival("escalation_resolve_median_seconds", "Median time to the end of an escalation, by the instant it was raised.", "resolve", Section.ESCALATION),
    *ratio(
        "escalation_precision_ratio",
        "Share of escalated cases that operators say should have been, of those they gave an answer for; agent-handled cases by first handling.",
        part("correctly_escalated_cases"),
        part("judged_escalated_cases"),
        Section.ESCALATION,
    ),
    *ratio(
        "escalation_recall_ratio",
        "Share of the cases that operators say should have been escalated that were; agent-handled cases by first handling.",
        part("correctly_escalated_cases"),
        part("should_escalate_cases"),
        Section.ESCALATION,
    ),
    count("judged_escalated_cases", "Escalated cases for which operators said whether they should have been.", Section.ESCALATION),
    count("should_escalate_cases", "Agent-handled cases that operators say should have been escalated.", Section.ESCALATION),
    count("correctly_escalated_cases", "Escalated cases that operators say should have been.", Section.ESCALATION),
)

BYPASS: tuple[Metric, ...] = (
    *ratio(
        "bypass_ratio",
        "Share of eligible cases on which people routed around the agent. Cases with the agent absent or preempted are outside.",
        part("handled_cases", handling=("marked", "redone", "side_channel", "unassisted")),
        part("handled_cases", handling=("marked", "redone", "side_channel", "unassisted", "assisted")),
        Section.BYPASS,
    ),
    count("handled_cases", "Eligible cases by who handled them first and how, by that instant.", Section.BYPASS),
)

AUTHORITY: tuple[Metric, ...] = (
    count("violations", "Acts of the agent outside its authority.", Section.AUTHORITY),
    count("blocked_actions", "Acts that a guardrail or a missing permission refused: there it worked.", Section.AUTHORITY),
    gauge(
        "unused_grants",
        "Actions that the agent may take without asking and has not taken in the 28 days before as_of_timestamp_seconds.",
        Told("unused_grants"),
        Section.AUTHORITY,
    ),
)
