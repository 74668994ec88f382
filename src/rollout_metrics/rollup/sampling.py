"""Which fact gives which sample of a duration: for medians, survival, trimmed means and whatever is oldest."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from rollout_metrics.domain.facts import EXPLICIT_ROWS, Act, CaseSummary, Escalated, EscalationState, Fact, Mode, Outcome, Recommendation
from rollout_metrics.domain.time import Instant, Span
from rollout_metrics.rollup.counting import Series, microseconds

WHOLE: Span = 1 << 32
"""What a share of a target is counted in: `share(target, target) == WHOLE`."""

_FAR = 2 * WHOLE
_DECIDING_ROWS = EXPLICIT_ROWS | {3, 9, 10, 11}
"""Rows in which an operator's or customer's event decides: the wait for a decision is over with them."""


class Sample(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One duration of a series `(workflow, kind, *labels)`, in the window that holds `at`.

    `duration`: microseconds, or a share of a target in units of `WHOLE`; None while unfinished: then it runs from `at` to T.
    `complete`: False where it is known only to last at least that long. `target` and `breach_at`, for shares that are
    unfinished: working time allowed and the instant at which it is used up. `until`: the instant from which it no longer counts (0: it still does).
    """

    series: Series
    at: Instant
    duration: Span | None
    complete: bool
    target: Span = 0
    breach_at: Instant = 0
    until: Instant = 0


def share(worked: Span, target: Span) -> int:
    """Working time in units of its target, rounded up, so that at most `WHOLE` means within it exactly; beyond twice the target all is alike."""
    return min(-(-worked * WHOLE // max(target, 1)), _FAR)


def _recommendation(fact: Recommendation) -> Iterator[Sample]:
    workflow = fact.workflow
    if fact.outcome is Outcome.PENDING:
        yield Sample((workflow, "pending", fact.mode.value), fact.opened_at, None, complete=False)
    if fact.mode is not Mode.LIVE:
        return
    first = fact.first_decided_at
    if fact.row in EXPLICIT_ROWS and first is not None:
        yield Sample((workflow, "review_latency"), first, first - fact.opened_at, complete=True)
    if fact.asked:
        if fact.row in _DECIDING_ROWS and first is not None:
            yield Sample((workflow, "decision_wait"), fact.opened_at, first - fact.opened_at, complete=True)
        else:
            ended = _wait_ended_at(fact)
            yield Sample((workflow, "decision_wait"), fact.opened_at, None if ended is None else ended - fact.opened_at, complete=False)


def _wait_ended_at(fact: Recommendation) -> Instant | None:
    """When the wait ended without a decision. A provisional timeout ends nothing: the recommendation is still open, so it waits until T."""
    if fact.provisional:
        return None
    return fact.decided_at if fact.ended_at is None else fact.ended_at


def _act(fact: Act) -> Iterator[Sample]:
    if fact.reversed_at is not None:
        yield Sample((fact.workflow, "time_to_reverse"), fact.reversed_at, fact.reversed_at - fact.at, complete=True)


def _escalated(fact: Escalated) -> Iterator[Sample]:
    workflow, raised_at = fact.workflow, fact.raised_at
    over_at = fact.ended_at if fact.resolved_at is None else fact.resolved_at
    acknowledged = fact.acknowledged_at is not None
    noticed_at = fact.acknowledged_at if acknowledged else over_at
    yield Sample((workflow, "acknowledge"), raised_at, None if noticed_at is None else noticed_at - raised_at, complete=acknowledged)
    yield Sample((workflow, "resolve"), raised_at, None if over_at is None else over_at - raised_at, complete=fact.state is EscalationState.RESOLVED)
    if fact.worked is None:
        yield Sample((workflow, "acknowledge_target"), raised_at, None, complete=False, target=fact.target, breach_at=fact.breach_at)
    else:
        yield Sample((workflow, "acknowledge_target"), raised_at, share(fact.worked, fact.target), complete=acknowledged)


def _case(fact: CaseSummary) -> Iterator[Sample]:
    workflow, closed_at = fact.workflow, fact.closed_at
    over_at = fact.ended_at if closed_at is None else closed_at
    turnaround = (workflow, "turnaround", "assisted" if fact.assisted else "other")
    yield Sample(turnaround, fact.scoped_at, None if over_at is None else over_at - fact.scoped_at, complete=closed_at is not None)
    if closed_at is not None and fact.effort is not None:
        if fact.assisted:
            yield Sample((workflow, "effort", fact.effort.basis), closed_at, microseconds(fact.effort), complete=True)
        elif not fact.agent_involved:
            yield Sample((workflow, "baseline", fact.effort.basis), closed_at, microseconds(fact.effort), complete=True)
    for closing in fact.unaided:
        yield Sample((workflow, "baseline", closing.effort.basis), closing.at, microseconds(closing.effort), complete=True, until=closing.until)


SAMPLED: Mapping[type[Fact], Callable[[Any], Iterator[Sample]]] = {
    Recommendation: _recommendation,
    Act: _act,
    Escalated: _escalated,
    CaseSummary: _case,
}
"""The kinds of fact that give samples."""
