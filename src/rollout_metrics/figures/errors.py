"""Errors that repeat: categories of which there were two or more (definitions, section 7)."""

from rollout_metrics.figures.windows import Sums

TIMES = 2
"""How many of a category make it a repeating one."""


def repeating(sums: Sums) -> dict[str, int]:
    """The categories that repeat, each with how many there were, by the sums of `error_categories`."""
    return {category: total for (category,), total in sums.items() if total >= TIMES}
