"""What became of a span that was sent to us."""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from rollout_metrics.collect.source import Rejected
from rollout_metrics.domain.events import Event


class Outcome(StrEnum):
    """What became of a span."""

    MAPPED = "mapped"
    WITHOUT_CASE = "without_case"
    """It would say something, if it said of which case."""
    PASSED_OVER = "passed_over"
    """It says nothing for us, as most do."""
    REJECTED = "rejected"


class Said(msgspec.Struct, frozen=True):
    """What a span says: the events of a mapped one, or why it was rejected."""

    outcome: Outcome
    events: tuple[Event, ...] = ()
    rejected: Rejected | None = None

    def records(self) -> Iterator[Event | Rejected]:
        """The events, or the rejected span."""
        yield from self.events
        if self.rejected is not None:
            yield self.rejected
