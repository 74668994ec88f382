"""The comparison in shadow: what the agent proposed against what people did on their own, and what its errors would have cost."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from rollout_metrics.domain.events import CaseKey
from rollout_metrics.domain.facts import DECIDED, CaseSummary, Fact, Mode, Outcome, Recommendation
from rollout_metrics.domain.policy import AttributeType, Workflow
from rollout_metrics.domain.time import Instant
from rollout_metrics.stats.wilson import wilson

Said = tuple[str, str | None, str | None]
"""Action, what the agent proposed, what a person gave."""

NOT_SAID = "(not said)"
"""What a person gave instead who rejected or undid it without a value of their own."""


class Error(msgspec.Struct, frozen=True):
    """One kind of error: how often, what each costs, and on which cases it was made first."""

    action: str
    proposed: str | None
    given: str | None
    count: int
    cost: float
    dangerous: bool
    cases: tuple[CaseKey, ...]


class Agreement(msgspec.Struct, frozen=True):
    """How far people agreed about one action: of `decided` they did the same in `agreed`, with the 95 % Wilson interval.

    `confusion`: `(proposed, given) -> how often`, of actions whose values are compared as wholes.
    """

    action: str
    agreed: int
    decided: int
    lower: float | None
    upper: float | None
    confusion: tuple[tuple[str | None, str | None, int], ...]


class Escalations(msgspec.Struct, frozen=True):
    """Cases that the agent would have handed over, against what operators say should have been: `unsaid` where they do not say."""

    right: int
    wrong: int
    missed: int
    unsaid: int


class Comparison(msgspec.Struct, frozen=True):
    """A workflow's decisions about recommendations in shadow, in (after, up_to]."""

    workflow: str
    after: Instant
    up_to: Instant
    decided: int
    agreed: int
    cheap: int
    dangerous: int
    cost: float
    actions: tuple[Agreement, ...]
    errors: tuple[Error, ...]
    escalations: Escalations


def compare(workflow: Workflow, found: Iterable[tuple[CaseKey, Iterable[Fact]]], after: Instant, up_to: Instant, *, most_cases: int = 5) -> Comparison:
    """The comparison, whatever the order of the facts."""
    agreements: Counter[Said] = Counter()
    errors: Counter[Said] = Counter()
    cases: dict[Said, set[CaseKey]] = {}
    handed: Counter[str] = Counter()
    for case, facts in ((case, tuple(facts)) for case, facts in found):
        shadow = [fact for fact in facts if type(fact) is Recommendation and fact.mode is Mode.SHADOW and fact.workflow == workflow.name]
        for fact in shadow:
            if fact.outcome in DECIDED and fact.decided_at is not None and after < fact.decided_at <= up_to:
                if fact.outcome is Outcome.OVERRIDDEN:
                    said = (fact.action, fact.value, fact.given)
                    errors[said] += 1
                    cases.setdefault(said, set()).add(case)
                else:
                    agreements[fact.action, fact.value, fact.standing] += 1
        if any(after < fact.opened_at <= up_to for fact in shadow):
            summary = next((fact for fact in facts if type(fact) is CaseSummary and fact.workflow == workflow.name), None)
            handed[_handed(any(fact.outcome is Outcome.ESCALATED for fact in shadow), None if summary is None else summary.should_escalate)] += 1
    made = sorted(
        (_error(workflow, said, count, cases[said], most_cases) for said, count in errors.items()),
        key=lambda error: (-error.cost * error.count, error.action, error.proposed or "", error.given or ""),
    )
    agreed, dangerous = agreements.total(), sum(error.count for error in made if error.dangerous)
    return Comparison(
        workflow=workflow.name,
        after=after,
        up_to=up_to,
        decided=agreed + errors.total(),
        agreed=agreed,
        cheap=errors.total() - dangerous,
        dangerous=dangerous,
        cost=sum(error.cost * error.count for error in made),
        actions=tuple(_agreement(workflow, action, agreements, errors) for action in sorted({said[0] for said in (*agreements, *errors)})),
        errors=tuple(made),
        escalations=Escalations(handed["right"], handed["wrong"], handed["missed"], handed["unsaid"]),
    )


def _handed(escalated: bool, should: bool | None) -> str:
    if escalated:
        return "unsaid" if should is None else "right" if should else "wrong"
    return "missed" if should else "kept"


def _error(workflow: Workflow, said: Said, count: int, cases: set[CaseKey], most: int) -> Error:
    cost = workflow.error_costs.of(*said)
    return Error(*said, count, cost, cost >= workflow.error_costs.dangerous, tuple(sorted(cases)[:most]))


def _agreement(workflow: Workflow, action: str, agreements: Counter[Said], errors: Counter[Said]) -> Agreement:
    agreed = sum(count for said, count in agreements.items() if said[0] == action)
    decided = agreed + sum(count for said, count in errors.items() if said[0] == action)
    lower, upper = wilson(agreed, decided) or (None, None)
    confusion: Counter[tuple[str | None, str | None]] = Counter()
    if action in workflow.decides and workflow.decides[action].type is AttributeType.SINGLE:
        for counts, unsaid in ((agreements, None), (errors, NOT_SAID)):
            for (of, proposed, given), count in counts.items():
                if of == action:
                    confusion[proposed, unsaid if given is None else given] += count
    rows = sorted(((*pair, count) for pair, count in confusion.items()), key=lambda row: (row[0] or "", row[1] or ""))
    return Agreement(action, agreed, decided, lower, upper, tuple(rows))
