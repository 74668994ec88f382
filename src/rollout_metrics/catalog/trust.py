"""Spikes and warning signs (definitions, section 9), and which counts are the evidence of each."""

from collections.abc import Mapping

from rollout_metrics.catalog.make import beside, gauge, part
from rollout_metrics.catalog.metric import Metric, Observed, Obtained, Part, Section, Spiked, Warned
from rollout_metrics.domain.trust import Sign

_SIGNAL = ("signal",)
_COHORT = "Cohorts of the age spike_age. signal: correction (override up to level assisted), bypass, escalation, complaint."
_GAP = "No sample where too little is known to compare."


def _spike(key: str, text: str, obtained: Obtained) -> Metric:
    return gauge(key, f"{text} {_COHORT} {_GAP}", obtained, Section.TRUST, labels=_SIGNAL)


_OBSERVED = _spike(
    "spike_observed_ratio", "The rate in the window that spike_statistic is about. Numerator: spike_events; denominator: spike_cases.", Observed()
)

TRUST: tuple[Metric, ...] = (
    _spike(
        "spike", "Whether the rate has risen over the workflow's own of the 28 days before, or over its limit where there is none yet, 1 or 0.", Spiked("spike")
    ),
    _spike(
        "spike_statistic",
        "How sure the rise is: the greatest score of the windows of 1, 3, 7 and 28 days in units of its threshold, so that the spike begins at 1.",
        Spiked("statistic"),
    ),
    _OBSERVED,
    *beside(_OBSERVED, "95 % Wilson score interval", bounds=True, cases=False),
    _spike("spike_events", "Numerator of spike_observed_ratio.", Spiked("events")),
    _spike("spike_cases", "Denominator of spike_observed_ratio: acts, decisions or cases of the window.", Spiked("cases")),
    _spike("spike_baseline_ratio", "The rate that was to be expected in that window: the baseline's for its weekdays, else the limit.", Spiked("baseline")),
    _spike("spike_baseline_cases", "Acts, decisions or cases that the baseline rests on; 0 where a limit takes its place.", Spiked("baseline_cases")),
    _spike("spike_since_timestamp_seconds", "When the window of the spike began. No sample without a spike.", Spiked("since")),
    gauge(
        "warning_sign",
        "Warning signs, 1 or 0, over the 28 days before as_of_timestamp_seconds. No sample where there is too little to tell, nor for signs that rest on"
        " operators' own behaviour where figures on it are withheld.",
        Warned(),
        Section.TRUST,
        labels=("sign",),
    ),
)

SPIKE_COHORT = "spike_cohort"
"""The tally that spikes are looked for in."""

_ESCALATIONS, _REVIEWERS, _ASSISTED = part("escalation_clarity"), part("reviewers"), part("assisted_cases")

EVIDENCE: Mapping[Sign, tuple[tuple[str, Part], ...]] = {
    Sign.UNCLEAR_ESCALATION: (
        ("unclear", part("escalation_clarity", clear=("false",))),
        ("without path", part("escalation_clarity", path=("false",))),
        ("clear", _ESCALATIONS),
    ),
    Sign.EDGE_CASE_EVERYTHING: (("catch-all", part("escalation_clarity", catch_all=("true",))), ("other", _ESCALATIONS)),
    Sign.REVIEW_OUTGROWS_THROUGHPUT: (("review", part("review_effort")), ("throughput", part("throughput"))),
    Sign.WATCHED_TRUST: (("accepted", part("reviewers", explicit=("true",))), ("decided otherwise", _REVIEWERS)),
    Sign.FAILURE_TALK: (("failed", part("case_comments", verdict=("failed",))), ("accepted", part("case_comments", verdict=("accepted",)))),
    Sign.PRIVATE_CLEANUP: (("cleaned", part("assisted_cases", cleaned=("true",))), ("left as it was", _ASSISTED)),
}
"""By sign, what its evidence is and what it is compared with: of several parts that hold a thing the first has it. One sign is told by change records."""

PERSONAL_SIGNS = frozenset((Sign.REVIEW_OUTGROWS_THROUGHPUT, Sign.WATCHED_TRUST))
"""Those that rest on operators' own behaviour."""
