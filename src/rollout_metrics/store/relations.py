"""What the store must know of facts to find them again from elsewhere: who decided when, and which workflows they count for."""

from collections.abc import Iterable

from rollout_metrics.domain.facts import EXPLICIT_ROWS, Fact, Recommendation
from rollout_metrics.store.dialects import Row
from rollout_metrics.store.names import Names
from rollout_metrics.store.touches import FORMER_PREFIX


def decided_in(facts: Iterable[Fact], names: Names) -> set[Row]:
    """`(operator, first_decided_at, ...)`: what dwell depends on, for each explicit first decision by a known operator."""
    return {
        (names.operators[fact.decider], fact.first_decided_at, fact.workflow, fact.opened, fact.opened_at, fact.row)
        for fact in facts
        if isinstance(fact, Recommendation)
        and fact.row in EXPLICIT_ROWS
        and fact.first_decided_at is not None
        and fact.decider is not None
        and not fact.decider.startswith(FORMER_PREFIX)
    }


def workflows_in(facts: Iterable[Fact], names: Names) -> set[int]:
    """The workflows that facts count for."""
    return {names.workflows[name] for name in {fact.workflow for fact in facts}}
