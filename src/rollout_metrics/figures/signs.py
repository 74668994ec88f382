"""The seven warning signs of a workflow at its T (definitions, section 9)."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from rollout_metrics.catalog.tallies import ESTIMATED, MEASURED
from rollout_metrics.catalog.trust import PERSONAL_SIGNS
from rollout_metrics.derive.gates import Assessment
from rollout_metrics.domain.changes import PRODUCTION, Change, ChangeKind
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import DAY
from rollout_metrics.domain.trust import Sign
from rollout_metrics.figures.sight import Sight
from rollout_metrics.figures.windows import Sums
from rollout_metrics.stats.wilson import wilson

WINDOW = 28 * DAY
BOTH = 2 * WINDOW
"""The window and the one before it, together."""
LOOKED_AT = frozenset((WINDOW, BOTH))
"""The windows whose sums the signs want, whatever windows a workflow publishes."""

LEAST = 20
UNCLEAR, CATCH_ALL, CLEANED = Fraction(1, 10), Fraction(1, 2), Fraction(1, 10)
OUTGROWN = Fraction(12, 10)
"""Review effort has outgrown what comes of it where it grew by more than so many times as much."""
OFTEN = 50
"""So many times the usual comments are talk about a failure."""

Told = bool | None
"""Whether a sign is there; None where nobody can tell."""


def early_asks(workflow: Workflow, found: Assessment) -> tuple[Change, ...]:
    """The changes that propose a level above the present one for production while a gate on the way is not passed, or skip one."""
    return tuple(
        change
        for change in workflow.changes
        if change.kind is ChangeKind.LEVEL
        and change.environment == PRODUCTION
        and change.level is not None
        and change.level > found.level
        and change.proposed_at <= found.as_of
        and (change.deployed_at is None or change.deployed_at > found.as_of)
        and (change.level != found.to or not found.passed)
    )


def warning_signs(sight: Sight) -> dict[str, bool]:
    """Every sign that counts can tell of, by name."""
    found = {sign.value: told(sight) for sign, told in _SIGNS.items() if sign not in PERSONAL_SIGNS or sight.enough(WINDOW)}
    return {sign: there for sign, there in found.items() if there is not None}


def _sums(sight: Sight, tally: str) -> Sums:
    return sight.windows.sums(sight.name, WINDOW, tally)


def _before(sight: Sight, tally: str) -> Sums:
    """The sums of the 28 days before the window."""
    now = _sums(sight, tally)
    both = sight.windows.sums(sight.name, BOTH, tally)
    return {labels: left for labels, total in both.items() if (left := total - now.get(labels, 0))}


def _unclear_escalation(sight: Sight) -> Told:
    """A reason that leads nowhere is one too many; of missing reasons and owners some are."""
    sums = _sums(sight, "escalation_clarity")
    total = sum(sums.values())
    if any(led == "false" for _, led, _ in sums):
        return True
    return sum(number for (clear, _, _), number in sums.items() if clear == "false") > UNCLEAR * total if total >= LEAST else None


def _edge_case_everything(sight: Sight) -> Told:
    sums = _sums(sight, "escalation_clarity")
    total = sum(sums.values())
    return sum(number for (_, _, catch_all), number in sums.items() if catch_all == "true") > CATCH_ALL * total if total >= LEAST else None


def _review_outgrows_throughput(sight: Sight) -> Told:
    """Effort is compared with effort of its own basis: logging time from some day on is no growth of review."""
    throughput = tuple(sum(sums.values()) for sums in (_before(sight, "throughput"), _sums(sight, "throughput")))
    if min(throughput) < LEAST or not _enough_before(sight):
        return None
    grown = []
    for basis in (MEASURED, ESTIMATED):
        reviewed = tuple(sums.get((basis,), 0) for sums in (_before(sight, "reviewed_cases"), _sums(sight, "reviewed_cases")))
        effort = tuple(sums.get((basis,), 0) for sums in (_before(sight, "review_effort"), _sums(sight, "review_effort")))
        if min(reviewed) >= LEAST and min(effort) > 0:
            grown.append(Fraction(effort[1], effort[0]) > OUTGROWN * Fraction(throughput[1], throughput[0]))
    return any(grown) if grown else None


def _enough_before(sight: Sight) -> bool:
    return len(_before(sight, "operators")) >= sight.company.min_operators


def _watched_trust(sight: Sight) -> Told:
    """Who the busiest is stays inside: only whether there is such a one comes out."""
    decided: dict[str, int] = {}
    accepted: dict[str, int] = {}
    for (explicit, reviewer), number in _sums(sight, "reviewers").items():
        decided[reviewer] = decided.get(reviewer, 0) + number
        accepted[reviewer] = accepted.get(reviewer, 0) + (number if explicit == "true" else 0)
    total = sum(decided.values())
    most = max(decided.values(), default=0)
    if 2 * most <= total:
        return False if total else None
    busiest = next(reviewer for reviewer, number in decided.items() if number == most)
    theirs = wilson(accepted[busiest], most)
    others = wilson(sum(accepted.values()) - accepted[busiest], total - most)
    return None if theirs is None or others is None else theirs[0] > others[1]


def _failure_talk(sight: Sight) -> Told:
    """Where most accepted cases go without a comment, one counts as usual."""
    sums = _sums(sight, "case_comments")
    usual = _middle(sorted((int(comments), number) for (verdict, comments), number in sums.items() if verdict == "accepted"))
    if usual is None:
        return None
    return any(int(comments) > OFTEN * max(usual, 1) for verdict, comments in sums if verdict == "failed")


def _middle(counted: Sequence[tuple[int, int]]) -> int | None:
    """The least value that at least half do not exceed, of ascending values each with how often it comes; None of nothing."""
    total, reached = sum(number for _, number in counted), 0
    for value, number in counted:
        reached += number
        if 2 * reached >= total:
            return value
    return None


def _private_cleanup(sight: Sight) -> Told:
    sums = _sums(sight, "assisted_cases")
    total = sum(sums.values())
    return sums.get(("true",), 0) > CLEANED * total if total >= LEAST else None


_SIGNS: Mapping[Sign, Callable[[Sight], Told]] = {
    Sign.UNCLEAR_ESCALATION: _unclear_escalation,
    Sign.EDGE_CASE_EVERYTHING: _edge_case_everything,
    Sign.REVIEW_OUTGROWS_THROUGHPUT: _review_outgrows_throughput,
    Sign.WATCHED_TRUST: _watched_trust,
    Sign.FAILURE_TALK: _failure_talk,
    Sign.PRIVATE_CLEANUP: _private_cleanup,
}
