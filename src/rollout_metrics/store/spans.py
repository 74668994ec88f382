"""The stretch of time a fact has to do with: where it can appear in a window; and until when what is known of a case was moving."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from rollout_metrics.domain.facts import (
    Act,
    CaseFacts,
    CaseSummary,
    Escalated,
    Evaluated,
    Fact,
    Handling,
    HandlingKind,
    IncidentSeen,
    Outcome,
    Recommendation,
    ReferenceValue,
)
from rollout_metrics.domain.time import Instant

OPEN = 2**62
"""The end of what has not ended: it belongs to every later window."""

Stretch = tuple[Instant, Instant]


def fact_span(fact: Fact) -> Stretch:
    """The first and the last instant that matter to a fact; `OPEN` as the last while it is not finished."""
    known = [at for at in _instants(fact) if at is not None]
    return min(known), max(known)


class Span(msgspec.Struct, frozen=True):
    """When a case went on: its first event or the first instant that matters to a fact of it, the last such instant (`OPEN`: not over yet), and `moved_at`.

    As of an instant from `moved_at` on, the case counts what it counts now; as of one before `starts_at`, nothing. `OPEN` where it counts something that
    stands at T and belongs to no minute.
    """

    starts_at: Instant
    ends_at: Instant
    moved_at: Instant


def span_of(derived: CaseFacts) -> Span | None:
    """The span of a case; None where nothing has happened on it.

    What moved a case last is an event of it, or something of a kind in `_MOVES`. A deadline that only says when a thing is counted moves nothing: as of an
    instant before, it is counted after that instant.
    """
    instants = [at for fact in derived.facts for at in _instants(fact) if at is not None]
    instants += derived.lived or ()
    if not instants:
        return None
    ends_at = max(instants)
    moved_at = ends_at if derived.lived is None else derived.lived[1]
    for fact in derived.facts:
        moves = _MOVES.get(type(fact))
        if moves is not None and (at := moves(fact)) is not None and at > moved_at:
            moved_at = at
    return Span(min(instants), max(moved_at, ends_at), moved_at)


def _timed_out(fact: Recommendation) -> Instant | None:
    if fact.outcome is Outcome.PENDING:
        return OPEN
    return fact.decided_at if fact.how == "timeout" else None


def _asked_around(fact: Handling) -> Instant | None:
    """An agent that had not been seen around by then may have been later; one that never was had not been at any time before."""
    return None if fact.presence is None or fact.handling is HandlingKind.AGENT_ABSENT else fact.presence[1]


_Instants = Iterable[Instant | None]


def _instants(fact: Fact) -> _Instants:
    """The instants that matter to a fact, in no order, among them its first and its last; None for what has not come."""
    of_kind = _INSTANTS.get(type(fact))
    return of_kind(fact) if of_kind is not None else (fact.at,)  # type: ignore[union-attr]


def _recommendation(fact: Recommendation) -> _Instants:
    if fact.outcome is Outcome.PENDING or fact.provisional:
        return fact.opened_at, OPEN
    return fact.opened_at, fact.acted_at, fact.decided_at, fact.first_decided_at, fact.ended_at, fact.settled_at


def _escalated(fact: Escalated) -> _Instants:
    if fact.resolved_at is None and fact.ended_at is None:
        return fact.raised_at, OPEN
    return fact.raised_at, fact.breach_at, fact.acknowledged_at, fact.resolved_at, fact.ended_at


def _summary(fact: CaseSummary) -> _Instants:
    worked = [at for _, at in fact.operators]
    if fact.closed_at is None and fact.ended_at is None:
        return fact.scoped_at, OPEN, *worked
    return fact.scoped_at, fact.handled_at, fact.judged_at, fact.closed_at, fact.ended_at, fact.reviewed_at, fact.drop_judged_at, *worked


_INSTANTS: dict[type[Any], Callable[[Any], _Instants]] = {
    Recommendation: _recommendation,
    Act: lambda fact: (fact.at, fact.judged_at, fact.reversed_at),
    ReferenceValue: lambda fact: (fact.at, fact.judged_at),
    Escalated: _escalated,
    Handling: lambda fact: (fact.scoped_at, fact.at, *(fact.presence or ())),
    CaseSummary: _summary,
    IncidentSeen: lambda fact: (fact.at, OPEN if fact.ended_at is None else fact.ended_at),
}

_MOVES: dict[type[Any], Callable[[Any], Instant | None]] = {  # `OPEN`: it counts something that stands at T
    Recommendation: _timed_out,
    Escalated: lambda fact: OPEN if fact.resolved_at is None and fact.ended_at is None else None,
    Handling: _asked_around,
    Evaluated: lambda fact: None if fact.passed else OPEN,
    IncidentSeen: lambda _: OPEN,
}
