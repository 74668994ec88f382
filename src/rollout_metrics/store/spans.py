"""The stretch of time a fact has to do with: where it can appear in a window."""

from collections.abc import Callable
from typing import Any

from rollout_metrics.domain.facts import Act, CaseFacts, CaseSummary, Escalated, Fact, Handling, IncidentSeen, Outcome, Recommendation, ReferenceValue
from rollout_metrics.domain.time import Instant

OPEN = 2**62
"""The end of what has not ended: it belongs to every later window."""

Stretch = tuple[Instant, Instant]


def fact_span(fact: Fact) -> Stretch:
    """The first and the last instant that matter to a fact; `OPEN` as the last while it is not finished."""
    spanned = _SPANS.get(type(fact))
    return spanned(fact) if spanned is not None else (fact.at, fact.at)  # type: ignore[union-attr]


def span_of(derived: CaseFacts) -> tuple[Instant | None, Instant | None]:
    """The stretch all facts of a case have to do with; nothing for a case without facts."""
    spans = [fact_span(fact) for fact in derived.facts]
    if not spans:
        return None, None
    return min([start for start, _ in spans]), max([end for _, end in spans])


def _recommendation(fact: Recommendation) -> Stretch:
    if fact.outcome is Outcome.PENDING or fact.provisional:
        return fact.opened_at, OPEN
    return _within(fact.opened_at, fact.acted_at, fact.decided_at, fact.first_decided_at, fact.ended_at, fact.settled_at)


def _escalated(fact: Escalated) -> Stretch:
    if fact.resolved_at is None and fact.ended_at is None:
        return fact.raised_at, OPEN
    return _within(fact.raised_at, fact.breach_at, fact.acknowledged_at, fact.resolved_at, fact.ended_at)


def _summary(fact: CaseSummary) -> Stretch:
    first = min([fact.scoped_at, *(at for _, at in fact.operators)])
    if fact.closed_at is None and fact.ended_at is None:
        return first, OPEN
    instants = (fact.handled_at, fact.judged_at, fact.closed_at, fact.ended_at, fact.reviewed_at, fact.drop_judged_at, *(at for _, at in fact.operators))
    return first, _within(first, *instants)[1]


def _within(first: Instant, *others: Instant | None) -> Stretch:
    known = [at for at in (first, *others) if at is not None]
    return min(known), max(known)


_SPANS: dict[type[Any], Callable[[Any], Stretch]] = {
    Recommendation: _recommendation,
    Act: lambda fact: (fact.at, fact.judged_at) if fact.reversed_at is None else _within(fact.at, fact.judged_at, fact.reversed_at),
    ReferenceValue: lambda fact: (fact.at, fact.judged_at),
    Escalated: _escalated,
    Handling: lambda fact: _within(fact.scoped_at, fact.at, *(fact.presence or ())),
    CaseSummary: _summary,
    IncidentSeen: lambda fact: (fact.at, OPEN if fact.ended_at is None else max(fact.at, fact.ended_at)),
}
