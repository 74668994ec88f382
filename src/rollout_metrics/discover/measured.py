"""What drafted workflows would yield on the sample itself, by the rules of the definitions: outcomes so far, and what cases cost without the agent."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from statistics import median

import msgspec

from rollout_metrics.derive.case import derive_each
from rollout_metrics.derive.history import History, read
from rollout_metrics.domain.events import ActorKind, CaseKey, Event
from rollout_metrics.domain.facts import DECIDED, CaseSummary, Outcome, Recommendation
from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.time import SECOND, Instant
from rollout_metrics.stats.trimmed import trimmed


class Baseline(msgspec.Struct, frozen=True):
    """Seconds of operators' effort on closed cases without the agent: 10 % trimmed mean and median, by the basis with the most cases; `turnaround` of all."""

    cases: int
    basis: str
    mean: float
    median: float
    turnaround: float


class Measured(msgspec.Struct, frozen=True):
    """Action -> its recommendations by outcome; and the baseline, None where no case closed without the agent."""

    outcomes: dict[str, Counter[Outcome]]
    baseline: Baseline | None

    def acceptance(self, action: str) -> tuple[int, int, int]:
        """Accepted, decided, all."""
        found = self.outcomes.get(action, Counter())
        return found[Outcome.ACCEPTED], sum(found[outcome] for outcome in DECIDED), found.total()


class _Around:
    """Surroundings answered from the sample."""

    def __init__(self, histories: Iterable[History], company: Company) -> None:
        self._first: dict[str, Instant] = {}
        self._seen: dict[str, list[Instant]] = defaultdict(list)
        for history in histories:
            for step in history.steps:
                if step.kind is ActorKind.AGENT:
                    self._note(history, step.at, company.workflows_of_agent(step.event))

    def _note(self, history: History, at: Instant, workflows: Iterable[Workflow]) -> None:
        if history.workflow is not None and history.scoped_at is not None and at >= history.scoped_at:
            name = history.workflow.name
            self._first[name] = min(at, self._first.get(name, at))
        for workflow in workflows:
            self._seen[workflow.name].append(at)

    def first_agent_at(self, workflow: Workflow) -> Instant | None:
        """See `Surroundings`."""
        return self._first.get(workflow.name)

    def agent_seen(self, workflow: Workflow, start: Instant, end: Instant) -> bool:
        """See `Surroundings`."""
        return any(start <= at <= end for at in self._seen[workflow.name])


def measured(cases: Mapping[CaseKey, list[Event]], company: Company, as_of: Instant) -> dict[str, Measured]:
    """By workflow, as of an instant. The events are as they would be stored."""
    until = dict.fromkeys(["", *(workflow.name for workflow in company.workflows)], as_of)
    around = _Around((read(events, company, until) for events in cases.values()), company)
    outcomes: dict[str, dict[str, Counter[Outcome]]] = defaultdict(lambda: defaultdict(Counter))
    unaided: dict[str, list[CaseSummary]] = defaultdict(list)
    for _, derived in derive_each(cases.items(), company, until, around):
        for fact in derived.facts:
            if isinstance(fact, Recommendation):
                outcomes[fact.workflow][fact.action][fact.outcome] += 1
            elif isinstance(fact, CaseSummary) and not fact.agent_involved and fact.effort is not None:
                unaided[fact.workflow].append(fact)
    return {workflow.name: Measured(dict(outcomes[workflow.name]), _baseline(unaided[workflow.name])) for workflow in company.workflows}


def _baseline(summaries: list[CaseSummary]) -> Baseline | None:
    by_basis: dict[str, list[float]] = defaultdict(list)
    for summary in summaries:
        if summary.effort is not None:
            by_basis[summary.effort.basis].append(summary.effort.seconds)
    basis = max(sorted(by_basis), key=lambda name: len(by_basis[name]), default=None)
    middle = None if basis is None else trimmed(by_basis[basis])
    if basis is None or middle is None:
        return None
    turnaround = median((summary.closed_at or 0) - summary.scoped_at for summary in summaries) / SECOND
    return Baseline(middle.cases, basis, middle.mean, median(by_basis[basis]), turnaround)
