"""The gates of the ladder judged: from what is known of an agent as it is now to a verdict on each gate and a proposal (definitions, section 9)."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from rollout_metrics.domain.choices import choices
from rollout_metrics.domain.gates import AT_LEAST, CountGate, RateGate, StateGate, Step
from rollout_metrics.domain.policy import Level
from rollout_metrics.domain.time import DAY, Instant, format_span
from rollout_metrics.stats.anytime import Side, Verdict, verdict

JUDGED_AT: Mapping[RateGate, tuple[Level, Level]] = {
    RateGate.EXPLICIT_ACCEPTANCE: (Level.SHADOW, Level.ASSISTED),
    RateGate.OVERRIDE: (Level.SHADOW, Level.ASSISTED),
    RateGate.CORRECTION: (Level.LOW_RISK_AUTONOMOUS, Level.HIGH_RISK),
    RateGate.BYPASS: (Level.ASSISTED, Level.HIGH_RISK),
    RateGate.ESCALATION_WITHIN_TARGET: (Level.ASSISTED, Level.HIGH_RISK),
}
"""From which level to which a rate says something: in shadow nobody can route around the agent, and it escalates nothing."""

STAYING = frozenset((RateGate.OVERRIDE, RateGate.CORRECTION, RateGate.BYPASS))
"""Rates that can send an agent back. That few people approve of it by a deliberate act, or are slow to take over, is no harm it does."""

SELF_INDUCED = "early_authority_ask"
"""The warning sign that is itself about gates: as a gate it would hold itself active."""

_DOUBTED: frozenset[str] = frozenset(
    (*RateGate, CountGate.DECISIONS, StateGate.NO_VIOLATIONS, StateGate.EVALUATIONS_PASS, StateGate.NO_OPEN_FAILURES, StateGate.NO_WARNING_SIGNS)
)
"""Gates that rest on what sources tell."""


@choices
class Proposal(StrEnum):
    """What the gates propose; nothing is done by itself."""

    PROMOTE = "promote"
    HOLD = "hold"
    DEMOTE = "demote"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an agent at T, as far as gates ask.

    `since`: from when the evidence is, `level_since`: since when the level holds (None: from the beginning). `rates`: how many of how many since then.
    `violations`: forbidden, out of scope or unapproved acts of the last 28 days. `evaluations`: passed of run. `lacks`: of the records in force and proposed
    (None: there is none). `coverage` by kind: seen of how much. `signs`: whether each warning sign is active.
    """

    as_of: Instant
    level: Level
    level_since: Instant | None
    since: Instant | None
    rates: Mapping[RateGate, tuple[int, int]]
    violations: int = 0
    open_failures: int = 0
    evaluations: tuple[int, int] = (0, 0)
    lacks: int | None = None
    coverage: Mapping[str, tuple[int, int]] = {}
    sources_stale: int = 0
    signs: Mapping[str, bool] = {}


class Gate(msgspec.Struct, frozen=True):
    """One gate's verdict with the numbers it rests on.

    `ratio` with its anytime-valid bounds is None where nothing was counted or the gate is no rate; `cases` is what was counted, `wanted` how many are wanted
    of a count. `missing`: how many more decisions at the present rate would settle it; 0 where it is settled, None where nobody can tell. `why`: in words.
    """

    name: str
    verdict: Verdict
    why: str
    limit: float | None = None
    ratio: float | None = None
    lower: float | None = None
    upper: float | None = None
    cases: int | None = None
    wanted: int | None = None
    missing: int | None = None


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow's agent at T: the gates between it and the next level (`to`; None at the top), those that keep it where it is, and what they propose."""

    workflow: str
    as_of: Instant
    level: Level
    level_since: Instant | None
    since: Instant | None
    version: str | None
    to: Level | None
    gates: tuple[Gate, ...]
    staying: tuple[Gate, ...]
    proposal: Proposal
    why: str

    @property
    def passed(self) -> bool:
        """Whether the next level is open."""
        return self.to is not None and all(gate.verdict is Verdict.PASS for gate in self.gates)


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """A deployed change of level with the gates as they were known when it was frozen, for good.

    `forced`: it led up against the gates, or by more than one level. `why`: in words.
    """

    workflow: str
    change: str
    deployed_at: Instant
    before: Level
    to: Level
    forced: bool
    why: str
    gates: tuple[Gate, ...] = ()


def promotion(change: str, deployed_at: Instant, to: Level, found: Assessment) -> Promotion:
    """A change of level against what was known just before it."""
    closed = [gate.name for gate in found.gates if gate.verdict is not Verdict.PASS]
    if to <= found.level:
        forced, why = False, "to a lower level" if to < found.level else "to the same level"
    elif found.to is not None and to > found.to:
        forced, why = True, f"skipped {found.to.name.lower()}" + (f"; not passed: {', '.join(closed)}" if closed else "")
    else:
        forced, why = bool(closed), f"not passed: {', '.join(closed)}" if closed else "every gate was passed"
    return Promotion(workflow=found.workflow, change=change, deployed_at=deployed_at, before=found.level, to=to, forced=forced, why=why, gates=found.gates)


def assess(workflow: str, ladder: Mapping[int, Step], known: Known, version: str | None = None) -> Assessment:
    """Every gate judged, and what follows."""
    to = Level(known.level + 1) if known.level < Level.HIGH_RISK else None
    gates = () if to is None else tuple(_gates(ladder[to], known))
    staying = tuple(_staying(ladder[known.level], known)) if known.level >= Level.ASSISTED else ()
    proposal, why = _proposal(to, gates, staying)
    return Assessment(
        workflow=workflow,
        as_of=known.as_of,
        level=known.level,
        level_since=known.level_since,
        since=known.since,
        version=version,
        to=to,
        gates=gates,
        staying=staying,
        proposal=proposal,
        why=why,
    )


def _proposal(to: Level | None, gates: tuple[Gate, ...], staying: tuple[Gate, ...]) -> tuple[Proposal, str]:
    broken = [gate.name for gate in staying if gate.verdict is Verdict.FAIL]
    if broken:
        return Proposal.DEMOTE, f"outside what the present level asks for: {', '.join(broken)}"
    if to is None:
        return Proposal.HOLD, "there is no higher level"
    closed = [gate.name for gate in gates if gate.verdict is not Verdict.PASS]
    if closed:
        return Proposal.HOLD, f"not passed: {', '.join(closed)}"
    return Proposal.PROMOTE, f"every gate to {to.name.lower()} is passed"


def _gates(step: Step, known: Known) -> Iterator[Gate]:
    doubt = _doubt(step, known)
    for gate in (*_rates(step, known), *_counts(step, known), *_states(step, known)):
        if doubt and gate.verdict is Verdict.PASS and gate.name in _DOUBTED:
            yield msgspec.structs.replace(gate, verdict=Verdict.INCONCLUSIVE, why=f"{gate.why}; but {doubt}", missing=None)
        else:
            yield gate


def _staying(step: Step, known: Known) -> Iterator[Gate]:
    """What would send the agent back: people undoing or avoiding what it does, what it must never do, and harm that is not over."""
    yield from (gate for gate in _rates(step, known) if gate.name in STAYING)
    for gate in (StateGate.NO_VIOLATIONS, StateGate.NO_OPEN_FAILURES):
        if gate in step.states:
            yield _STATES[gate](step, known)


def _doubt(step: Step, known: Known) -> str:
    """Why nothing that sources tell can pass; "" where it can."""
    if StateGate.FRESHNESS in step.states and known.sources_stale:
        return "a source is stale"
    if StateGate.COVERAGE in step.states and (low := _uncovered(step, known)):
        return f"coverage is low ({', '.join(low)})"
    return ""


def _rates(step: Step, known: Known) -> Iterator[Gate]:
    for rate, limit in step.limits.items():
        first, last = JUDGED_AT[rate]
        if first <= known.level <= last:
            count, total = known.rates.get(rate, (0, 0))
            side = Side.AT_LEAST if rate in AT_LEAST else Side.AT_MOST
            judged = verdict(count, total, limit, side)
            said = f"{_percent(count / total)} of {total:,}, {side.value.replace('_', ' ')} {_percent(limit)}" if total else "nothing to judge yet"
            yield Gate(
                rate.value,
                judged.verdict,
                said,
                limit=limit,
                ratio=count / total if total else None,
                lower=judged.lower if total else None,
                upper=judged.upper if total else None,
                cases=total,
                missing=judged.more,
            )


def decisions(known: Known) -> int:
    """How much evidence there is: decisions, or acts where those are what is judged."""
    return known.rates.get(RateGate.CORRECTION if known.level >= Level.LOW_RISK_AUTONOMOUS else RateGate.OVERRIDE, (0, 0))[1]


def _counts(step: Step, known: Known) -> Iterator[Gate]:
    days = _age(known, known.since) // DAY
    reached = (
        (CountGate.DECISIONS, decisions(known), step.decisions, "decisions" if known.level < Level.LOW_RISK_AUTONOMOUS else "acts"),
        (CountGate.DAYS, days, step.days, "days of evidence"),
    )
    for gate, have, want, of in reached:
        if want:
            missing = max(0, want - have) if gate is CountGate.DECISIONS else None if have < want else 0
            yield Gate(gate.value, _reached(have >= want), f"{have:,} {of}, at least {want:,}", cases=have, wanted=want, missing=missing)
    if step.cooldown:
        since = _age(known, known.level_since)
        over = since >= step.cooldown
        said = f"{since // DAY} days at the present level, at least {format_span(step.cooldown)}"
        yield Gate(CountGate.COOLDOWN.value, _reached(over), said, cases=since // DAY, wanted=-(-step.cooldown // DAY), missing=0 if over else None)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _age(known: Known, since: Instant | None) -> int:
    """How long ago that was; what has been so from the beginning of time is old enough for anything."""
    return known.as_of if since is None else max(0, known.as_of - since)


def _reached(reached: bool) -> Verdict:
    return Verdict.PASS if reached else Verdict.INCONCLUSIVE


def _states(step: Step, known: Known) -> Iterator[Gate]:
    return (_STATES[gate](step, known) for gate in StateGate if gate in step.states)


def _none(gate: StateGate, count: int, said: str) -> Gate:
    return Gate(gate.value, Verdict.FAIL if count else Verdict.PASS, f"{said}: {count:,}", cases=count, missing=0)


def _evaluations(_step: Step, known: Known) -> Gate:
    passed, runs = known.evaluations
    judged = Verdict.INCONCLUSIVE if not runs else Verdict.PASS if passed == runs else Verdict.FAIL
    return Gate(StateGate.EVALUATIONS_PASS.value, judged, f"{passed:,} of {runs:,} runs passed", cases=runs, missing=0 if runs else None)


def _record(_step: Step, known: Known) -> Gate:
    if known.lacks is None:
        return Gate(StateGate.RECORD_COMPLETE.value, Verdict.INCONCLUSIVE, "no change record says what the agent is")
    said = f"the record lacks {known.lacks} of what its risk class asks for" if known.lacks else "the record is complete"
    return Gate(StateGate.RECORD_COMPLETE.value, Verdict.FAIL if known.lacks else Verdict.PASS, said, missing=0)


def _uncovered(step: Step, known: Known) -> list[str]:
    return sorted(kind for kind, (seen, of) in known.coverage.items() if of and seen < step.coverage * of)


def _covered(step: Step, known: Known) -> Gate:
    low = _uncovered(step, known)
    shares = ", ".join(f"{kind} {_percent(seen / of)}" for kind, (seen, of) in sorted(known.coverage.items()) if of)
    said = f"{shares or 'nothing to cover yet'}, at least {_percent(step.coverage)}"
    return Gate(StateGate.COVERAGE.value, Verdict.INCONCLUSIVE if low else Verdict.PASS, said, limit=step.coverage, missing=None if low else 0)


def _fresh(_step: Step, known: Known) -> Gate:
    stale = known.sources_stale
    return Gate(StateGate.FRESHNESS.value, Verdict.INCONCLUSIVE if stale else Verdict.PASS, f"stale sources: {stale}", missing=None if stale else 0)


def _signs(_step: Step, known: Known) -> Gate:
    active = sorted(sign for sign, on in known.signs.items() if on and sign != SELF_INDUCED)
    said = f"active: {', '.join(active)}" if active else "none is active"
    return Gate(StateGate.NO_WARNING_SIGNS.value, Verdict.FAIL if active else Verdict.PASS, said, cases=len(active), missing=0)


_STATES = {
    StateGate.NO_VIOLATIONS: lambda _step, known: _none(StateGate.NO_VIOLATIONS, known.violations, "forbidden, out of scope or unapproved acts in 28 days"),
    StateGate.NO_OPEN_FAILURES: lambda _step, known: _none(StateGate.NO_OPEN_FAILURES, known.open_failures, "failures that are not over"),
    StateGate.EVALUATIONS_PASS: _evaluations,
    StateGate.RECORD_COMPLETE: _record,
    StateGate.COVERAGE: _covered,
    StateGate.FRESHNESS: _fresh,
    StateGate.NO_WARNING_SIGNS: _signs,
}
