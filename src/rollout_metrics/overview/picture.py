"""All that is known at one moment: the published families, how far each source is read, and how rates went."""

from collections.abc import Mapping

import msgspec

from rollout_metrics.catalog import Family
from rollout_metrics.domain.time import Instant

Trend = tuple[tuple[Instant, int, int], ...]
"""`(end of the window, numerator, denominator)`, in order of time."""

Trends = Mapping[tuple[str, str, tuple[str, ...]], Trend]
"""By workflow, metric and the values of its own labels."""


class RefusedPart(msgspec.Struct, frozen=True):
    """A part of a source that it refuses while it gives the rest: since when it is missed, and why, with the remedy."""

    part: str
    since: Instant
    message: str


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a source is read. `error`: the last one, and `error_at` when; both may lie before the last success."""

    name: str
    kind: str
    watermark: Instant | None
    newest: Instant | None
    events: int
    quarantined: int
    partial: bool
    stale: bool
    failing: bool = False
    error: str | None = None
    error_at: Instant | None = None
    pushed: bool = False
    refused: tuple[RefusedPart, ...] = ()

    @property
    def state(self) -> str:
        """In a word or two."""
        if self.watermark is None and not self.failing:
            return "not read yet"
        words = (
            "failing" if self.failing else "",
            "refused in part" if self.refused else "",
            "partial" if self.partial else "",
            "stale" if self.stale else "",
        )
        return ", ".join(filter(None, words)) or "current"

    @property
    def trouble(self) -> tuple[str, ...]:
        """What stands in the way now, a sentence each."""
        return (*((self.error,) if self.failing and self.error else ()), *(one.message for one in self.refused))


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass came to."""

    taken_at: Instant
    families: tuple[Family, ...] = ()
    sources: tuple[SourceState, ...] = ()
    trends: Trends = {}
