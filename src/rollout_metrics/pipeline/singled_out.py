"""Figures that are told by some series of a tally only: which ones these were, by the counts up to an instant."""

from collections.abc import Mapping

from rollout_metrics.catalog.tallies import bounded
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.facts import UNCATEGORISED
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import MINUTE, Instant, Span
from rollout_metrics.figures import drifted as drifting
from rollout_metrics.figures.errors import repeating
from rollout_metrics.figures.known import LATELY
from rollout_metrics.figures.windows import Sums
from rollout_metrics.store import Store


def repeated_categories(store: Store, workflow: Workflow, at: Instant, window: Span, labels: Mapping[str, str]) -> frozenset[str]:
    """The error categories that repeat in a window, of one label where one is asked for."""
    found = repeating(_sums(store, workflow, "error_categories", at - window, at))
    wanted = labels.get("category")
    return frozenset(category for category in found if wanted in (None, bounded(category, workflow.categories, UNCATEGORISED)))


def drifted_names(store: Store, workflow: Workflow, at: Instant, labels: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    """The labels of `appearances` that hold a name which has stopped appearing, with those names. Raises `ConfigurationError` for a kind that is none."""
    kind = labels.get("kind")
    if kind is not None and kind not in drifting.KINDS:
        raise ConfigurationError(f"there is no kind {kind!r}: there are {', '.join(drifting.KINDS)}")
    longest = _sums(store, workflow, "appearances", at - max(workflow.windows), at)
    found = drifting.drifted(workflow, _sums(store, workflow, "appearances", at - LATELY, at), longest) or frozenset()
    wanted = frozenset(name for name in found if kind in (None, drifting.kind_of(workflow, name)))
    return drifting.holding((label for (label,) in longest), wanted)


def _sums(store: Store, workflow: Workflow, tally: str, after: Instant, up_to: Instant) -> Sums:
    sums: dict[tuple[str, ...], int] = {}
    for _, series, amount in store.counts(workflow.name, after // MINUTE, up_to // MINUTE):
        if series[1] == tally:
            sums[series[2:]] = sums.get(series[2:], 0) + amount
    return {labels: total for labels, total in sums.items() if total}
