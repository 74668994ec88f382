"""What the store must know of facts to find them again from elsewhere: who decided when, and which workflows they count for."""

from collections.abc import Callable, Iterable

from rollout_metrics.domain.facts import EXPLICIT_ROWS, Fact, Mode, Recommendation
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.dialects import Row
from rollout_metrics.store.names import Names
from rollout_metrics.store.touches import FORMER_PREFIX

UNKNOWN = ""
"""The operator of decisions by nobody knows whom."""


def explicit(facts: Iterable[Fact]) -> list[tuple[str, Instant, Recommendation]]:
    """`(operator, first_decided_at, recommendation)` of the live first decisions at which an operator looked; operators forgotten since are left out."""
    return [
        (fact.decider or UNKNOWN, fact.first_decided_at, fact)
        for fact in facts
        if type(fact) is Recommendation
        and fact.row in EXPLICIT_ROWS
        and fact.mode is Mode.LIVE
        and fact.first_decided_at is not None
        and not (fact.decider or "").startswith(FORMER_PREFIX)
    ]


def decided_in(facts: Iterable[Fact], number: Callable[[str], int | None]) -> set[Row]:
    """`(operator's number, first_decided_at, ...)`: what dwell depends on, for each explicit first decision by an operator who has a number."""
    decided = ((number(operator), at, fact) for operator, at, fact in explicit(facts))
    return {(decider, at, fact.workflow, fact.opened, fact.opened_at, fact.row) for decider, at, fact in decided if decider is not None}


def workflows_in(facts: Iterable[Fact], names: Names) -> set[int]:
    """The workflows that facts count for."""
    return {names.workflows[name] for name in {fact.workflow for fact in facts}}
