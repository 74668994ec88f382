"""Which first decisions were made at a glance: what one operator decided at one instant is judged together, whatever cases it is on."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from rollout_metrics.derive.dwell import glanced
from rollout_metrics.domain.events import CaseKey, EventRef
from rollout_metrics.domain.facts import EXPLICIT_ROWS, Fact, Mode, Recommendation
from rollout_metrics.domain.time import Instant, Span
from rollout_metrics.store import FORMER_PREFIX

Previous = Callable[[str, Instant], Instant | None]
"""An operator's last event before an instant, on any case."""

Glance = Mapping[str, Span]
"""Workflow -> under how much dwell a decision was made at a glance."""

Decided = tuple[CaseKey, Recommendation]


def looked_at(facts: Iterable[Fact], glance: Glance) -> Iterator[Recommendation]:
    """The recommendations that an operator first decided by a deliberate act while the agent was live."""
    for fact in facts:
        if (
            type(fact) is Recommendation
            and fact.row in EXPLICIT_ROWS
            and fact.mode is Mode.LIVE
            and fact.first_decided_at is not None
            and fact.workflow in glance
        ):
            yield fact


def of_strangers(case: CaseKey, facts: Iterable[Fact], glance: Glance) -> frozenset[EventRef]:
    """Opening events of what an operator whom the source does not name decided at a glance: each case by itself, with nothing known of what came before."""
    decided: dict[Instant, list[Decided]] = defaultdict(list)
    for fact in looked_at(facts, glance):
        if fact.decider is None and fact.first_decided_at is not None:
            decided[fact.first_decided_at].append((case, fact))
    return frozenset(fact.opened for made in decided.values() for _, fact in quick(made, None, glance))


def everywhere(cases: Iterable[tuple[CaseKey, Iterable[Fact]]], previous: Previous, glance: Glance) -> Iterator[Decided]:
    """All decisions made at a glance among the facts of these cases. Who is known no more counts as a stranger."""
    decided: dict[tuple[str | CaseKey, Instant], list[Decided]] = defaultdict(list)
    for case, facts in cases:
        for fact in looked_at(facts, glance):
            if fact.first_decided_at is not None:
                stranger = fact.decider is None or fact.decider.startswith(FORMER_PREFIX)
                decided[case if stranger or fact.decider is None else fact.decider, fact.first_decided_at].append((case, fact))
    for (operator, at), made in decided.items():
        yield from quick(made, previous(operator, at) if isinstance(operator, str) else None, glance)


def quick(made: list[Decided], previous_at: Instant | None, glance: Glance) -> Iterator[Decided]:
    """Those of one operator's decisions at one instant that were made at a glance."""
    for decision, at_a_glance in zip(made, glanced(made, previous_at, glance), strict=True):
        if at_a_glance:
            yield decision
