"""What stands behind a gate: which counts of which stretch, or the one thing that it says."""

from collections.abc import Mapping

import msgspec

from rollout_metrics.catalog import TALLIES
from rollout_metrics.catalog.gates import EVIDENCE
from rollout_metrics.catalog.metric import Part
from rollout_metrics.derive.delivery import Known
from rollout_metrics.derive.gates import Assessment, Gate
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.gates import CountGate, RateGate, StateGate
from rollout_metrics.domain.policy import Level, Workflow
from rollout_metrics.domain.time import MINUTE, Instant, minute_of
from rollout_metrics.figures.known import GRAVE, LATELY, mode_at
from rollout_metrics.figures.signs import early_asks
from rollout_metrics.overview.evidence import CHANGE, Receipt
from rollout_metrics.stats.anytime import Verdict


class Behind(msgspec.Struct, frozen=True):
    """Counts in (after, T]: each part with its role and the label values that single it out."""

    after: Instant
    parts: tuple[tuple[str, Part], ...]


def gate_named(found: Assessment, labels: Mapping[str, str]) -> Gate:
    """The gate that the label names, among those of the next level, else of the present one."""
    gates = {gate.name: gate for gate in (*found.staying, *found.gates)}
    name = labels.get("gate", "")
    if name not in gates:
        raise ConfigurationError(f"name one of the gates of {found.workflow} as --label gate=NAME: {', '.join(gates) or 'it has none'}")
    return gates[name]


def behind(workflow: Workflow, found: Assessment, gate: Gate) -> Behind | None:
    """The counts behind a gate; None where it is not made of counts."""
    if gate.name in set(RateGate):
        how = EVIDENCE[RateGate(gate.name)]
        return _since(workflow, found, ("numerator", how.numerator), ("denominator", how.denominator))
    if gate.name == CountGate.DECISIONS:
        rate = RateGate.CORRECTION if found.level >= Level.LOW_RISK_AUTONOMOUS else RateGate.OVERRIDE
        return _since(workflow, found, ("counted", EVIDENCE[rate].denominator))
    if gate.name == StateGate.NO_VIOLATIONS:
        return Behind(found.as_of - LATELY, (("counted", Part("violations", (("kind", GRAVE),))),))
    if gate.name == StateGate.EVALUATIONS_PASS:
        start = found.as_of - LATELY if found.since is None else max(minute_of(found.since) * MINUTE, found.as_of - LATELY)
        return Behind(start, (("counted", Part("evaluations")),))
    return None


def _since(workflow: Workflow, found: Assessment, *parts: tuple[str, Part]) -> Behind:
    tally = TALLIES[parts[0][1].tally]
    after = 0 if found.since is None else minute_of(found.since + tally.age_in(workflow)) * MINUTE
    if "mode" in tally.labels:
        mode = ("mode", frozenset((mode_at(found.level).value,)))
        parts = tuple((role, Part(part.tally, (*part.where, mode))) for role, part in parts)
    return Behind(after, parts)


def told(found: Assessment, gate: Gate, deployed: Known | None) -> tuple[Receipt, ...]:
    """The receipts of a gate that no cases stand behind: the changes it is about, else what it says."""
    about = _failures(deployed) if gate.name == StateGate.NO_OPEN_FAILURES and deployed is not None else ()
    return about or (_receipt(("gate", gate.name), found.as_of, gate.verdict.value, gate.why),)


def asked_early(workflow: Workflow, found: Assessment) -> tuple[Receipt, ...]:
    """The receipts of asking for authority too early: the changes that ask, and the gates that are not passed."""
    asks = early_asks(workflow, found)
    closed = [gate for gate in found.gates if gate.verdict is not Verdict.PASS] if asks else []
    return (
        *(_receipt((CHANGE, change.id), change.proposed_at, "proposed", change.title or "a higher level") for change in asks),
        *(_receipt(("gate", gate.name), found.as_of, gate.verdict.value, gate.why) for gate in closed),
    )


def _failures(deployed: Known) -> tuple[Receipt, ...]:
    return tuple(
        _receipt((CHANGE, item.change), item.failure.started_at, "failure not over", item.failure.cause.value)
        for item in deployed.deployments
        if item.failure is not None and item.failure.recovered_at is None
    )


def _receipt(about: tuple[str, str], at: Instant, role: str, counted: str) -> Receipt:
    return Receipt(case=about, minute=minute_of(at), at=at, role=role, counted=counted, value=None, fact="gate", events=(), refs=(), url=None)
