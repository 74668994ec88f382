"""The stretch of time a fact has to do with: where it can appear in a window."""

from rollout_metrics.domain.facts import (
    Act,
    CaseFacts,
    CaseSummary,
    Escalated,
    Fact,
    Handling,
    Outcome,
    Recommendation,
    ReferenceValue,
)
from rollout_metrics.domain.time import Instant

OPEN = 2**62
"""The end of what has not ended: it belongs to every later window."""


def fact_span(fact: Fact) -> tuple[Instant, Instant]:
    """The first and the last instant that matter to a fact; `OPEN` as the last while it is not finished."""
    instants: tuple[Instant | None, ...]
    match fact:
        case Recommendation():
            instants = (fact.opened_at, fact.acted_at, fact.decided_at, fact.first_decided_at, fact.ended_at, fact.settled_at)
            return _span(instants, unfinished=fact.outcome is Outcome.PENDING or fact.provisional)
        case Act():
            return _span((fact.at, fact.judged_at, fact.reversed_at))
        case ReferenceValue():
            return fact.at, fact.judged_at
        case Escalated():
            instants = (fact.raised_at, fact.acknowledged_at, fact.resolved_at, fact.ended_at)
            return _span(instants, unfinished=fact.resolved_at is None and fact.ended_at is None)
        case Handling():
            return _span((fact.scoped_at, fact.at, *(fact.presence or ())))
        case CaseSummary():
            instants = (fact.scoped_at, fact.handled_at, fact.judged_at, fact.closed_at, fact.ended_at, fact.reviewed_at, fact.drop_judged_at)
            return _span((*instants, *(at for _, at in fact.operators)), unfinished=fact.closed_at is None and fact.ended_at is None)
        case _:
            return fact.at, fact.at


def span_of(derived: CaseFacts) -> tuple[Instant | None, Instant | None]:
    """The stretch all facts of a case have to do with; nothing for a case without facts."""
    spans = [fact_span(fact) for fact in derived.facts]
    if not spans:
        return None, None
    return min(start for start, _ in spans), max(end for _, end in spans)


def _span(instants: tuple[Instant | None, ...], *, unfinished: bool = False) -> tuple[Instant, Instant]:
    known = [at for at in instants if at is not None]
    return min(known), OPEN if unfinished else max(known)
