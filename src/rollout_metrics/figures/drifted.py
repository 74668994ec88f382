"""Configured attributes and values that stopped appearing: on many cases before, on none lately (definitions, section 9)."""

from collections.abc import Iterable, Mapping
from math import exp, lgamma

from rollout_metrics.catalog.tallies import BETWEEN_NAMES
from rollout_metrics.derive.appearances import names, watched
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.figures.windows import Sums

CASES = 20
"""Fewer cases than this, before or lately, tell nothing."""

CHANCE = 0.001
"""A name has stopped where none lately is less likely than this, had its share stayed what it was."""

ATTRIBUTE, VALUE = KINDS = ("attribute", "value")
"""What a name is of."""


def drifted(workflow: Workflow, lately: Sums, longest: Sums) -> frozenset[str] | None:
    """The names that stopped, by the sums of `appearances` over the last 28 days and over the longest window; None where there is too little to tell."""
    recent, total = sum(lately.values()), sum(longest.values())
    if recent < CASES or total - recent < CASES:
        return None
    now, all_along = _by_name(lately), _by_name(longest)
    return frozenset(
        name for name in names(workflow) if not now.get(name) and all_along.get(name) and none_of(recent, all_along[name], total - recent) < CHANCE
    )


def none_of(later: int, count: int, total: int) -> float:
    """How likely none of `later` cases has what `count` of `total` earlier ones had, the share being unknown: Beta-binomial with Jeffreys' prior."""
    having, lacking = count + 0.5, total - count + 0.5
    return exp(lgamma(lacking + later) - lgamma(lacking) - lgamma(having + lacking + later) + lgamma(having + lacking))


def kind_of(workflow: Workflow, name: str) -> str:
    """Whether a name is an attribute's own."""
    return ATTRIBUTE if name in watched(workflow) else VALUE


def holding(labels: Iterable[str], wanted: frozenset[str]) -> dict[str, frozenset[str]]:
    """Of the labels of `appearances` those with any wanted name, each with the wanted ones in it."""
    found = {label: wanted.intersection(label.split(BETWEEN_NAMES)) for label in labels}
    return {label: inside for label, inside in found.items() if inside}


def _by_name(sums: Sums) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for (label,), total in sums.items():
        for name in label.split(BETWEEN_NAMES):
            found[name] = found.get(name, 0) + total
    return found
