"""Gates: what must hold before an agent may do more, and what each error of it in shadow costs (definitions, section 9)."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from rollout_metrics.domain.choices import choices
from rollout_metrics.domain.time import Span


@choices
class RateGate(StrEnum):
    """A rate with a limit."""

    EXPLICIT_ACCEPTANCE = "explicit_acceptance"
    OVERRIDE = "override"
    CORRECTION = "correction"
    BYPASS = "bypass"
    ESCALATION_WITHIN_TARGET = "escalation_within_target"


AT_LEAST = frozenset((RateGate.EXPLICIT_ACCEPTANCE, RateGate.ESCALATION_WITHIN_TARGET))
"""Rates that should be high; the limit of all others is not to be exceeded."""


@choices
class CountGate(StrEnum):
    """A number that must be reached: of decisions (acts, from low_risk_autonomous up), of days of evidence, of days at the level."""

    DECISIONS = "decisions"
    DAYS = "days"
    COOLDOWN = "cooldown"


@choices
class StateGate(StrEnum):
    """A state of affairs that must hold."""

    NO_VIOLATIONS = "no_violations"
    NO_OPEN_FAILURES = "no_open_failures"
    EVALUATIONS_PASS = "evaluations_pass"  # noqa: S105  (no password)
    RECORD_COMPLETE = "record_complete"
    COVERAGE = "coverage"
    FRESHNESS = "freshness"
    NO_WARNING_SIGNS = "no_warning_signs"


class Step(msgspec.Struct, frozen=True):
    """The gates of one level: to get there, and, as far as override, correction and bypass go, to stay there. A rate without a limit is no gate.

    `coverage`: the least share of each kind of coverage.
    """

    limits: Mapping[RateGate, float]
    decisions: int
    days: int
    cooldown: Span
    coverage: float
    states: frozenset[StateGate]


Ladder = Mapping[int, Step]
"""The step to each level above `off`, by its number."""


class Cost(msgspec.Struct, frozen=True):
    """What it costs that the agent proposed one value where a person gave another; None stands for any."""

    action: str | None
    proposed: str | None
    given: str | None
    cost: float


class ErrorCosts(msgspec.Struct, frozen=True):
    """The cost table: the first row that fits, else `otherwise`. An error that costs `dangerous` or more is dangerous."""

    rows: tuple[Cost, ...] = ()
    otherwise: float = 1
    dangerous: float = 10

    def of(self, action: str, proposed: str | None, given: str | None) -> float:
        """The cost of one error."""
        for row in self.rows:
            if row.action in (None, action) and row.proposed in (None, proposed) and row.given in (None, given):
                return row.cost
        return self.otherwise
