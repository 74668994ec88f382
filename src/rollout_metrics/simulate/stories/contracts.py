"""`contract_review`, in shadow: the agent only says what it would do; lawyers work as they always did."""

from rollout_metrics.domain.time import DAY, HOUR, SECOND, Instant
from rollout_metrics.simulate import words
from rollout_metrics.simulate.cast import CONTRACT_BOT, CONTRACTS, FORM_CONTRACT, GROUP_LEGAL, LEGAL_DESK, RISK, RUNTIME, RUNTIME_AGENTS, STAGE, Plot, later
from rollout_metrics.simulate.deployments import Versions
from rollout_metrics.simulate.draft import Draft
from rollout_metrics.simulate.stories.desk import opens, solves, takes

_RISKS = ("low", "medium", "high")
STAGES = ("intake", "review", "redline", "signature")
_AGENT = RUNTIME_AGENTS[CONTRACTS]
SET_RISK, SET_STAGE = "set:risk_class", "set:stage"
"""Actions; the configuration says which attributes they are."""


def contract(draft: Draft, at: Instant, plot: Plot, versions: Versions) -> None:
    """One contract, from arrival to signature."""
    draft.workflow = CONTRACTS
    at = opens(draft, at, FORM_CONTRACT, GROUP_LEGAL, {"priority": "normal", STAGE: "intake"})
    lawyer = draft.random.choice(LEGAL_DESK)
    risk = draft.random.choice(_RISKS)
    present = at >= plot.contracts_shadow()
    early = present and draft.chance(0.06)
    if early:
        draft.then(at + draft.seconds(30, 80), lambda then: takes(draft, then, lawyer, {RISK: risk}))
    if present:
        draft.then(at + draft.seconds(120, 600), lambda then: _says(draft, then, risk, versions, early=early))
    classified_at = later(at, draft.random, 500, least=15)
    if not early and draft.chance(0.9):
        draft.then(classified_at, lambda then: _classifies(draft, then, lawyer, risk))
    staged_at = later(classified_at, draft.random, 200, least=2)
    draft.then(staged_at, lambda then: _moves_on(draft, then, lawyer))
    draft.then(later(staged_at + draft.seconds(HOUR // SECOND, 9 * DAY // SECOND), draft.random, 60), lambda then: _ends(draft, then, lawyer))


def _says(draft: Draft, at: Instant, risk: str, versions: Versions, *, early: bool) -> None:
    """The agent's opinion, sent by its runtime; right three times in four. A handful of times it sets the field itself, which shadow forbids."""
    version = versions.at(CONTRACTS, at)
    value = risk if draft.chance(0.76) else draft.random.choice([r for r in _RISKS if r != risk])
    if not early and draft.chance(0.008):
        at = draft.save(at, CONTRACT_BOT, {RISK: value}, via="api")
        draft.recommends(SET_RISK, at, value=value, acted=True, mode="shadow", version=version)
        draft.breaches(at, "level", SET_RISK)
    else:
        at = draft.report(at, RUNTIME, "recommended", _AGENT, "agent", action=SET_RISK, value=value, version=version)
        draft.recommends(SET_RISK, at, value=value, acted=False, mode="shadow", version=version)
    at = draft.report(at + draft.seconds(2, 9), RUNTIME, "recommended", _AGENT, "agent", action=SET_STAGE, value="review", version=version)
    draft.recommends(SET_STAGE, at, value="review", acted=False, mode="shadow", version=version)


def _classifies(draft: Draft, at: Instant, lawyer: int, risk: str) -> None:
    before = draft.values.get(RISK)
    at = takes(draft, at, lawyer, {RISK: risk})
    for decision in draft.plans.decisions:
        if decision.action == SET_RISK and before != risk:
            decision.becomes(at, *(("accepted", "applied") if decision.value == risk else ("overridden", "changed")))


def _moves_on(draft: Draft, at: Instant, lawyer: int) -> None:
    """The stage moves to review, further at once, to a dead end, or nobody bothers."""
    lot = draft.random.random()
    if lot > 0.92:
        return
    stage, fate = (
        ("review", ("accepted", "applied")) if lot < 0.6 else ("redline", ("accepted", "progressed")) if lot < 0.86 else ("parked", ("overridden", "changed"))
    )
    at = takes(draft, at, lawyer, {STAGE: stage})
    for decision in draft.plans.decisions:
        if decision.action == SET_STAGE:
            decision.becomes(at, *fate)


def _ends(draft: Draft, at: Instant, lawyer: int) -> None:
    """Signed or dropped: what the agent said and nobody acted on is compared with what stands."""
    undecided = [decision for decision in draft.plans.decisions if decision.undecided]
    at = solves(draft, at, lawyer, comment=words.own(draft.random))
    for decision in undecided:
        if decision.action == SET_RISK and not decision.acted and draft.values.get(RISK) is not None:
            decision.states.clear()
            decision.becomes(at, *(("accepted", "matched") if draft.values[RISK] == decision.value else ("overridden", "mismatch")))
