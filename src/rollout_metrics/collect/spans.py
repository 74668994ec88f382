"""What became of a span that was sent to us."""

from enum import StrEnum

import msgspec

from rollout_metrics.collect.source import Rejected
from rollout_metrics.domain.choices import choices
from rollout_metrics.domain.events import Event


@choices
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

    def records(self) -> tuple[Event | Rejected, ...]:
        """The events, or the rejected span."""
        return self.events if self.rejected is None else (*self.events, self.rejected)
