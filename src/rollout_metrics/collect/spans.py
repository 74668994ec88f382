"""What became of a span that was sent to us."""

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


class Told(msgspec.Struct, frozen=True):
    """What a span says: the events of a mapped one, or why it was rejected."""

    outcome: Outcome
    events: tuple[Event, ...] = ()
    rejected: Rejected | None = None
