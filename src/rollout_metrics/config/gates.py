"""Options of the gates between autonomy levels, and of the costs by which shadow errors are weighed. `docs/gates.md` argues the defaults."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from rollout_metrics.collect.source import Duration
from rollout_metrics.config.values import Action, Options, Ratio
from rollout_metrics.domain.gates import Ladder, RateGate, StateGate, Step
from rollout_metrics.domain.policy import Level
from rollout_metrics.domain.time import DAY

_Count = Annotated[int, Field(ge=0)]
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]

ALWAYS = (StateGate.RECORD_COMPLETE, StateGate.COVERAGE, StateGate.FRESHNESS)
WATCHED = (*ALWAYS, StateGate.NO_VIOLATIONS, StateGate.NO_OPEN_FAILURES, StateGate.NO_WARNING_SIGNS)
PROVEN = (*WATCHED, StateGate.EVALUATIONS_PASS)

_USUAL = {"cooldown": 14 * DAY, "coverage": 0.9}

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "shadow": {"states": [StateGate.RECORD_COMPLETE]},
    "assisted": _USUAL
    | {
        "explicit_acceptance": 0.7,
        "override": 0.2,
        "bypass": 0.3,
        "escalation_within_target": 0.7,
        "minimum_decisions": 200,
        "minimum_days": 14,
        "states": WATCHED,
    },
    "low_risk_autonomous": _USUAL
    | {
        "explicit_acceptance": 0.8,
        "override": 0.1,
        "correction": 0.1,
        "bypass": 0.2,
        "escalation_within_target": 0.8,
        "minimum_decisions": 300,
        "minimum_days": 28,
        "states": PROVEN,
    },
    "broad_autonomous": _USUAL
    | {
        "correction": 0.05,
        "bypass": 0.1,
        "escalation_within_target": 0.9,
        "minimum_decisions": 500,
        "minimum_days": 28,
        "states": PROVEN,
    },
    "high_risk": _USUAL
    | {
        "correction": 0.02,
        "bypass": 0.05,
        "escalation_within_target": 0.95,
        "minimum_decisions": 1000,
        "minimum_days": 56,
        "states": PROVEN,
    },
}
"""What each level asks for unless told otherwise."""


class StepOptions(Options):
    """The gates of one level: to get there, and, as far as override, correction and bypass go, to stay there.

    What is not given has the level's own default; null is no gate.
    """

    explicit_acceptance: Ratio | None = None
    """At least this share of what people decided they accepted by a deliberate act. Judged below low_risk_autonomous; in shadow it is agreement."""
    override: Ratio | None = None
    """At most this share of what people decided they overrode. Judged below low_risk_autonomous."""
    correction: Ratio | None = None
    """At most this share of acts was corrected within cohort_age. Judged from low_risk_autonomous up."""
    bypass: Ratio | None = None
    """At most this share of eligible cases went around the agent. Judged from assisted up."""
    escalation_within_target: Ratio | None = None
    """At least this share of escalations was acknowledged within its target. Judged from assisted up."""
    minimum_decisions: _Count | None = None
    """At least so many decisions (acts, from low_risk_autonomous up) at the present level and version."""
    minimum_days: _Count | None = None
    """At least so many days of evidence."""
    cooldown: Duration | None = None
    """At least this long at the present level."""
    coverage: Ratio | None = None
    """The least share of each kind of coverage: below it nothing passes."""
    states: frozenset[StateGate] = frozenset()
    """What else must hold: `no_violations`, `no_open_failures`, `evaluations_pass`, `record_complete`, `coverage`, `freshness`, `no_warning_signs`."""


class GatesOptions(Options):
    """The gates of each level above `off`."""

    shadow: StepOptions = StepOptions.model_validate(DEFAULTS["shadow"])
    assisted: StepOptions = StepOptions.model_validate(DEFAULTS["assisted"])
    low_risk_autonomous: StepOptions = StepOptions.model_validate(DEFAULTS["low_risk_autonomous"])
    broad_autonomous: StepOptions = StepOptions.model_validate(DEFAULTS["broad_autonomous"])
    high_risk: StepOptions = StepOptions.model_validate(DEFAULTS["high_risk"])

    @model_validator(mode="before")
    @classmethod
    def _on_top_of_defaults(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {level: {**DEFAULTS[level], **step} if level in DEFAULTS and isinstance(step, Mapping) else step for level, step in value.items()}


class CostOptions(Options):
    """What one kind of error costs. What is not given stands for any."""

    action: Action | None = None
    """The decided action."""
    proposed: str | None = None
    """What the agent proposed."""
    given: str | None = None
    """What a person gave instead."""
    cost: _Amount
    """In any unit of your own."""

    @model_validator(mode="after")
    def _of_an_action(self) -> Self:
        if self.action is None and (self.proposed, self.given) != (None, None):
            raise ValueError("values belong to an action: name it in `action`")
        return self


class ShadowOptions(Options):
    """How errors are weighed that an agent in shadow would have made."""

    costs: tuple[CostOptions, ...] = ()
    """The cost table: the first row that fits an error."""
    other_cost: _Amount = 1
    """What an error costs that no row fits."""
    dangerous_from: _Amount = 10
    """An error that costs this or more is dangerous, any other cheap."""


def ladder(options: GatesOptions) -> Ladder:
    """The steps as the core reads them."""
    return {Level[name.upper()]: _step(getattr(options, name)) for name in DEFAULTS}


def _step(options: StepOptions) -> Step:
    limits = {gate: limit for gate in RateGate if (limit := getattr(options, gate.value)) is not None}
    return Step(limits, options.minimum_decisions or 0, options.minimum_days or 0, options.cooldown or 0, options.coverage or 0, options.states)
