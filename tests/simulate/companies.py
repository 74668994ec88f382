"""When the tests' company began, and what was read of one."""

import msgspec

from rollout_metrics.collect.source import Rejected
from rollout_metrics.config.load import Configuration
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, Instant, parse_instant
from rollout_metrics.simulate.world import World

START = parse_instant("2026-08-24T00:00:00Z")
"""A Monday."""
NOW = START + 90 * DAY + 13 * HOUR + 17 * MINUTE


class Known(msgspec.Struct, frozen=True):
    """What was read of a world as of an instant."""

    world: World
    now: Instant
    events: list[Event]
    rejected: list[Rejected]
    policies: Company
    configuration: Configuration
