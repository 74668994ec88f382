"""What is counted: each tally's labels and, for a workflow, every combination of values they can take.

A tally belongs to an instant and is summed over windows, or it stands at T. Bounded labels take configured values, a word for
none, and `other` for the rest, so that what people type never becomes a new series.
"""

from collections.abc import Callable, Mapping
from itertools import product

import msgspec

from rollout_metrics.domain.facts import DECIDED, UNCATEGORISED, UNSPECIFIED, HandlingKind, Mode, Outcome, ViolationKind
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import Span
from rollout_metrics.domain.trust import Signal

OTHER = "other"

MEASURED, ESTIMATED, ASSUMED = "measured", "estimated", "assumed"

HOWS: Mapping[Outcome, tuple[str, ...]] = {
    Outcome.ACCEPTED: ("approved", "applied", "progressed", "kept", "matched"),
    Outcome.EDITED: ("edited",),
    Outcome.OVERRIDDEN: ("rejected", "undone", "changed", "mismatch", "reversed"),
}
"""How each decided outcome can have come about."""

EXPLICIT_HOWS = frozenset(("approved", "applied", "progressed"))
"""Acceptance by a deliberate act: rows 2, 4 and 5."""

AGREED, CHEAP, DANGEROUS = SHADOW_VERDICTS = ("agreed", "cheap", "dangerous")
"""What became of a decision in shadow: the agent's, or an error of little or of great cost."""

LATENCY_BUCKETS = (1, 5, 15, 30, 60, 300, 900, 3600, 14400, 86400, 604800)
"""Upper bounds of the review latency histogram, in seconds; the last bucket is `+Inf`."""

REVIEWER = "reviewer"
"""The label that says who decided: never shown."""

Values = tuple[tuple[str, ...], ...]


class Tally(msgspec.Struct, frozen=True):
    """Counts of one thing.

    `values`: the combinations that a configured workflow always has; None where they cannot be listed (never published as labels). `age`: how long after it
    happened a thing is judged and counted; None: at once.
    """

    name: str
    labels: tuple[str, ...] = ()
    values: Callable[[Workflow], Values] | None = lambda _: ((),)
    standing: bool = False
    age: Callable[[Workflow], Span] | None = None

    def age_in(self, workflow: Workflow) -> Span:
        """`age`, 0 where things are counted at once."""
        return 0 if self.age is None else self.age(workflow)


def _each(*choices: tuple[str, ...]) -> Callable[[Workflow], Values]:
    combinations = tuple(product(*(map(str, values) for values in choices)))
    return lambda _: combinations


def reasons(workflow: Workflow) -> frozenset[str]:
    """The escalation reasons that configuration names."""
    return frozenset(workflow.escalation.paths)


def _bounded(configured: Callable[[Workflow], frozenset[str]], unsaid: str) -> Callable[[Workflow], Values]:
    return lambda workflow: tuple((value,) for value in sorted(configured(workflow) | {unsaid, OTHER}))


def bounded(value: str | None, configured: frozenset[str], unsaid: str) -> str:
    """The value as a label: configured values as they are, nothing as `unsaid`, the rest as `other`."""
    if not value or value == unsaid:
        return unsaid
    return value if value in configured else OTHER


def _cohort_age(workflow: Workflow) -> Span:
    return workflow.cohort_age


def _drop_after(workflow: Workflow) -> Span:
    return workflow.drop_after


_MODES = tuple(mode.value for mode in Mode)
_DECIDED = tuple(outcome.value for outcome in Outcome if outcome in DECIDED)
_ESCALATION_REASONS = _bounded(reasons, UNSPECIFIED)
_BLOCK_REASONS = _bounded(lambda workflow: workflow.block_reasons, UNSPECIFIED)
_CATEGORIES = _bounded(lambda workflow: workflow.categories, UNCATEGORISED)
_DECISIONS = tuple((mode, outcome.value, how) for mode in _MODES for outcome, hows in HOWS.items() for how in hows)
_BASES = _each((MEASURED, ESTIMATED))

TALLIES: Mapping[str, Tally] = {
    tally.name: tally
    for tally in (
        Tally("decisions", ("mode", "outcome", "how"), lambda _: _DECISIONS),
        Tally("recommendations", ("mode", "outcome"), _each(_MODES, tuple(Outcome))),
        Tally("recommendations_pending", ("mode",), _each(_MODES), standing=True),
        Tally("versioned", ("known",), _each(("true", "false"))),
        Tally("errors", ("category",), _CATEGORIES),
        Tally("recurred_errors", ("category",), _CATEGORIES),
        Tally("error_categories", ("category",), None),
        Tally("explicit_decisions"),
        Tally("glanced_decisions"),
        Tally("review_latency", ("le",), _each((*map(str, LATENCY_BUCKETS), "+Inf")), standing=True),
        Tally("review_latency_total", standing=True),
        Tally("decisions_settled", ("outcome",), _each(_DECIDED), standing=True),
        Tally("corrections_to_settled", ("outcome",), _each(_DECIDED), standing=True),
        Tally("review_effort", ("basis",), _BASES),
        Tally("acts", age=_cohort_age),
        Tally("corrected_acts", age=_cohort_age),
        Tally("edited_acts", age=_cohort_age),
        Tally("reference_values", age=_cohort_age),
        Tally("reference_corrections", age=_cohort_age),
        Tally("handled_cohort_cases", age=_cohort_age),
        Tally("escalated_cohort_cases", age=_cohort_age),
        Tally("complaint_cohort_cases", age=_cohort_age),
        Tally("drop_cohort_cases", age=_drop_after),
        Tally("dropped_cases", age=_drop_after),
        Tally("appearances", ("names",), None, age=_drop_after),
        Tally("handled_cases", ("handling",), _each(tuple(HandlingKind))),
        Tally("escalations", ("reason",), _ESCALATION_REASONS),
        Tally("escalations_open", standing=True),
        Tally("escalations_unowned", standing=True),
        Tally("escalation_targets", ("met",), _each(("true", "false"))),
        Tally("shadow_comparisons", ("verdict",), _each(SHADOW_VERDICTS)),
        Tally("judged_escalated_cases"),
        Tally("should_escalate_cases"),
        Tally("correctly_escalated_cases"),
        Tally("violations", ("kind",), _each(tuple(ViolationKind))),
        Tally("blocked_actions", ("reason",), _BLOCK_REASONS),
        Tally("used", ("action",), None),
        Tally("evaluations", ("passed",), _each(("true", "false"))),
        Tally("operators", ("operator",), None),
        Tally("linked", ("known",), _each(("true", "false"))),
        Tally("unrecorded_version_events", ("version",), None),
        Tally("failed_runs", ("at", "version", "source", "event"), None, standing=True),
        Tally("incident_cases", ("started_at", "ended_at", "change", "case_source", "case", "source", "event"), None, standing=True),
        Tally("spike_cohort", ("signal", "counted"), _each(tuple(Signal), ("true", "false"))),
        Tally("escalation_clarity", ("clear", "path", "catch_all"), None),
        Tally("reviewed_cases", ("basis",), None),
        Tally("throughput", (), None),
        Tally("reviewers", ("explicit", REVIEWER), None),
        Tally("case_comments", ("verdict", "comments"), None),
        Tally("assisted_cases", ("cleaned",), None),
    )
}
"""Every tally by name. Those without `values` are looked into, never published: an operator, a version or an incident is no label."""

BETWEEN_NAMES = "\n"
"""What stands between the names of an `appearances` label."""
