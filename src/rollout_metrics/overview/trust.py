"""What the exporter judges of a workflow: the gates to the next level and what they propose, warning signs, spikes."""

from collections.abc import Mapping

import msgspec

from rollout_metrics.catalog import METRICS, Section
from rollout_metrics.catalog.gates import OF_GATES
from rollout_metrics.domain.gates import AT_LEAST, CountGate, RateGate, StateGate
from rollout_metrics.overview import written
from rollout_metrics.overview.figure import Figure, figure
from rollout_metrics.overview.values import Values

SHOWN = OF_GATES | {"warning_sign", "level_proposal", "level_since_timestamp_seconds"} | {key for key, m in METRICS.items() if m.section is Section.TRUST}
"""Metrics that are shown here, and so nowhere else."""


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """One gate: its verdict, its rate beside its limit (no value where it is no rate), what it counted, how many decisions would settle it."""

    name: str
    verdict: str
    rate: Figure
    limit: float | None
    counted: float | None
    missing: float | None

    @property
    def bound(self) -> str:
        """The limit in words: `at least 80.0 %`; empty where there is none."""
        return "" if self.limit is None else f"{'at most' if self.name in _AT_MOST else 'at least'} {written.ratio(self.limit)}"

    @property
    def things(self) -> str:
        """What it counted, in words; empty where the gate's name says it."""
        return _THINGS.get(self.name, "")


_AT_MOST = frozenset(rate.value for rate in RateGate if rate not in AT_LEAST)

_ORDER = tuple(gate.value for kind in (RateGate, CountGate, StateGate) for gate in kind)

_THINGS = {
    CountGate.DAYS.value: "days of evidence",
    CountGate.COOLDOWN.value: "days at the level",
    StateGate.NO_VIOLATIONS.value: "violations",
    StateGate.NO_OPEN_FAILURES.value: "open failures",
    StateGate.EVALUATIONS_PASS.value: "runs",
    StateGate.NO_WARNING_SIGNS.value: "signs seen",
}


class Gates(msgspec.Struct, frozen=True):
    """All gates, what they propose (None: nothing is published), and since when the level is in force."""

    gates: tuple[Gate, ...]
    proposal: str | None
    level_since: float | None

    @property
    def passed(self) -> int:
        """How many pass."""
        return sum(gate.verdict == "pass" for gate in self.gates)


class Sign(msgspec.Struct, frozen=True):
    """A warning sign, and whether it is seen."""

    name: str
    seen: bool
    labels: Mapping[str, str]


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One signal: whether it spikes, its rate in the window that tells most, what was to be expected there, how sure a rise is (1: a spike)."""

    name: str
    spikes: bool
    observed: Figure
    baseline: float | None
    statistic: float | None
    since: float | None


def gates(values: Values, workflow: str) -> Gates:
    """The gates between a workflow and the next level."""
    own = {"workflow": workflow}
    found = []
    for others, holds in values.having(METRICS["gate"].name, own):
        if holds:
            labels = own | {"gate": others["gate"]}
            counted = _value(values, "gate_cases", labels)
            rate = msgspec.structs.replace(figure(values, "gate_ratio", labels), n=counted)
            limit, missing = _value(values, "gate_limit_ratio", labels), _value(values, "gate_missing_decisions", labels)
            found.append(Gate(name=others["gate"], verdict=others["verdict"], rate=rate, limit=limit, counted=counted, missing=missing))
    proposal = next((others["proposal"] for others, holds in values.having(METRICS["level_proposal"].name, own) if holds), None)
    found.sort(key=lambda gate: _ORDER.index(gate.name))
    return Gates(tuple(found), proposal, _value(values, "level_since_timestamp_seconds", own))


def signs(values: Values, workflow: str) -> list[Sign]:
    """The warning signs that can be told."""
    own = {"workflow": workflow}
    return [Sign(others["sign"], bool(seen), own | others) for others, seen in values.having(METRICS["warning_sign"].name, own)]


def signals(values: Values, workflow: str) -> list[Signal]:
    """The rates that are watched for spikes, as far as there is enough to compare."""
    own = {"workflow": workflow}
    found = []
    for others, spikes in values.having(METRICS["spike"].name, own):
        labels = own | others
        observed = msgspec.structs.replace(figure(values, "spike_observed_ratio", labels), n=_value(values, "spike_cases", labels))
        found.append(
            Signal(
                name=others["signal"],
                spikes=bool(spikes),
                observed=observed,
                baseline=_value(values, "spike_baseline_ratio", labels),
                statistic=_value(values, "spike_statistic", labels),
                since=_value(values, "spike_since_timestamp_seconds", labels),
            )
        )
    return found


def _value(values: Values, key: str, labels: Mapping[str, str]) -> float | None:
    return values.get(METRICS[key].name, labels)
