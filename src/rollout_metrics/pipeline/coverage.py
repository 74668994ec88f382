"""How much of what sources should hold has been read and understood, as their progress keeps it."""

from collections.abc import Mapping
from typing import Any

from rollout_metrics.domain.policy import Workflow
from rollout_metrics.store import Feed

COVERAGE = "coverage"
"""The key of a source's progress under which the sum of what its sweeps, or what was sent, covered is kept."""

AUDITED = {"history": "audited"}
"""What sources say of coverage, by the word of the definitions."""

UNDERIVABLE = "underivable"
"""Why a case is set aside that this program breaks on."""

Shares = Mapping[str, tuple[int, int]]
"""Kind of coverage -> covered, of how much."""


def covered(progress: Mapping[str, Any] | None) -> dict[str, tuple[int, int]]:
    """What all sweeps of a source have covered, as its progress says."""
    return {kind: (part, whole) for kind, (part, whole) in (progress or {}).get(COVERAGE, {}).items()}


def added(one: Shares, other: Shares) -> dict[str, tuple[int, int]]:
    """Two coverages as one, kind by kind."""
    pairs = {kind: (one.get(kind, (0, 0)), other.get(kind, (0, 0))) for kind in (*one, *other)}
    return {kind: (a[0] + b[0], a[1] + b[1]) for kind, (a, b) in pairs.items()}


def coverage_of(workflow: Workflow, feeds: Mapping[str, Feed], aside: Mapping[tuple[str, str], int]) -> dict[str, tuple[int, int]]:
    """What the workflow's sources understood of what they read, and how much of the history the vendors still had."""
    read = sum(feeds[name].events for name in workflow.sources if name in feeds)
    broken = sum(count for (source, reason), count in aside.items() if source in workflow.sources and reason == UNDERIVABLE)
    not_understood = sum(count for (source, reason), count in aside.items() if source in workflow.sources and reason != UNDERIVABLE)
    shares = {"mapped": (max(read - broken, 0), read + not_understood)}  # of a case that cannot be derived at least one event was read
    for name in workflow.sources & feeds.keys():
        shares = added(shares, {AUDITED[kind]: share for kind, share in covered(feeds[name].progress).items() if kind in AUDITED})
    return shares
