"""From facts to the counts and samples behind the figures.

`contributions` and `samples` are what one set of facts gives. The store adds to its buckets what a case contributes now less what it contributed before, and
figures in memory take in `sample_difference`: folding either gives what counting the last facts gives. Facts are counted under the configuration they are
given with: after a change of configuration everything is counted again.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from rollout_metrics.domain.events import EventRef
from rollout_metrics.domain.facts import Fact, Recommendation
from rollout_metrics.rollup.counting import ROWS, STATE, Contribution, Series, Workflows, counted, glances, is_settled
from rollout_metrics.rollup.sampling import SAMPLED, WHOLE, Sample, share

Bucket = tuple[Series, int]
"""A count's place: its series and minute."""

Difference = dict[Bucket, int]
"""What is to be added to each bucket; nothing in it is 0."""

_NONE: frozenset[EventRef] = frozenset()


def contributions(facts: Iterable[Fact], workflows: Workflows, glanced: Collection[EventRef] = _NONE) -> list[Contribution]:
    """Everything the facts count. `glanced`: opening events of the recommendations among them that were approved or repeated at a glance."""
    facts = tuple(facts)
    found: list[Contribution] = []
    for fact in facts:
        found += counted(fact, workflows.get(fact.workflow))
    found += glances(facts, glanced)
    return found


def corrections(before: Iterable[Fact], after: Iterable[Fact]) -> list[Contribution]:
    """Settled live decisions that have another outcome now, or are no more: what the world corrected.

    Apart from `contributions`, since it tells of the order in which things became known and not of the facts: leave it out where only configuration changed.
    """
    now = {fact.opened: fact.outcome for fact in after if type(fact) is Recommendation}
    return [
        ((fact.workflow, "corrections_to_settled", fact.outcome.value), STATE, 1)
        for fact in before
        if type(fact) is Recommendation and is_settled(fact) and now.get(fact.opened) is not fact.outcome
    ]


def samples(facts: Iterable[Fact]) -> Iterator[Sample]:
    """Every sample the facts give."""
    for fact in facts:
        sampled = SAMPLED.get(type(fact))
        if sampled is not None:
            yield from sampled(fact)


def sample_difference(before: Iterable[Fact], after: Iterable[Fact]) -> tuple[list[Sample], list[Sample]]:
    """The samples that go and those that come when the facts `before` are replaced with those `after`."""
    before, after = tuple(before), tuple(after)
    if not before:
        return [], list(samples(after))
    net: Counter[Sample] = Counter()
    for fact, times in _changed(before, after):
        for sample in samples((fact,)):
            net[sample] += times
    gone = [sample for sample, times in net.items() for _ in range(-times)]
    come = [sample for sample, times in net.items() for _ in range(times)]
    return gone, come


def _changed(before: tuple[Fact, ...], after: tuple[Fact, ...]) -> Iterator[tuple[Fact, int]]:
    """The facts that are not in both, each with how many more of it there are now."""
    if not before:
        return ((fact, 1) for fact in after)
    net = Counter(after)
    net.subtract(before)
    return ((fact, times) for fact, times in net.items() if times)


__all__ = [
    "ROWS",
    "SAMPLED",
    "STATE",
    "WHOLE",
    "Bucket",
    "Contribution",
    "Difference",
    "Sample",
    "Series",
    "Workflows",
    "contributions",
    "corrections",
    "sample_difference",
    "samples",
    "share",
]
