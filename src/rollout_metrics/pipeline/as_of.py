"""Figures as of any instant: every case derived anew from its stored events cut at T, nothing of what is stored changed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from rollout_metrics import rollup
from rollout_metrics.catalog import Family
from rollout_metrics.derive.case import derive_each
from rollout_metrics.derive.gates import Promotion
from rollout_metrics.derive.history import read
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.events import ActorKind, CaseKey, Event
from rollout_metrics.domain.facts import Fact, Recommendation
from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.time import Instant
from rollout_metrics.figures import Ledger, Trail, situation, starts
from rollout_metrics.figures.situation import Readings, Situation
from rollout_metrics.pipeline.deriving import glances_of
from rollout_metrics.pipeline.engine import Pipeline, Watch, silent
from rollout_metrics.pipeline.glances import Previous, everywhere, looked_at
from rollout_metrics.pipeline.harm_readings import readings
from rollout_metrics.rollup import Contribution, Sample
from rollout_metrics.rollup.counting import glances
from rollout_metrics.store import Store


def families_as_of(pipeline: Pipeline, at: Instant, *, watch: Watch = silent) -> list[Family]:
    """Every figure as of `at`, a whole minute, for all workflows."""
    pipeline.take_in(watch=watch)
    as_of = {"": at} | dict.fromkeys(pipeline.company.by_name, at)
    then = derived_then(pipeline.store, pipeline.company, as_of, watch=watch, what="deriving")
    return then.ledger.families(then.situations)


def surroundings_of(store: Store, company: Company, as_of: Mapping[str, Instant]) -> Surroundings:
    """What other cases say as of T, when T lies in the past."""
    around: Surroundings = store.surroundings(as_of)
    if any(level.since is None for workflow in company.workflows for level in workflow.levels):
        return Cut(around, store.all_histories(), company, as_of, {w.name: store.forgotten_first_agent(w.name) for w in company.workflows})
    return around


class Cut:
    """Surroundings in which a workflow's first agent event is looked for among the events up to T only: a later one can tell when a case came in."""

    def __init__(
        self,
        around: Surroundings,
        histories: Iterable[tuple[CaseKey, list[Event]]],
        company: Company,
        as_of: Mapping[str, Instant],
        forgotten: Mapping[str, Instant | None],
    ) -> None:
        self._around = around
        self._first = {name: at for name, at in forgotten.items() if at is not None and at <= as_of[name]}
        for _, events in histories:
            history = read(events, company, as_of)
            at = next((step.at for step in history.steps[history.start :] if step.kind is ActorKind.AGENT), None)
            if history.workflow is not None and at is not None:
                self._first[history.workflow.name] = min(at, self._first.get(history.workflow.name, at))

    def first_agent_at(self, workflow: Workflow) -> Instant | None:
        """See `Surroundings`."""
        return self._first.get(workflow.name)

    def agent_seen(self, workflow: Workflow, start: Instant, end: Instant) -> bool:
        """See `Surroundings`."""
        return self._around.agent_seen(workflow, start, end)


class Then(msgspec.Struct, frozen=True):
    """Everything as of an instant: the ledger that holds it, and each workflow's situation.

    `fill` loads another trail with the counts behind it. `apart`: the cases that were noted; None for all.
    """

    ledger: Ledger
    situations: dict[str, Situation]
    around: Surroundings
    fill: Callable[[Trail, Mapping[str, Instant]], None]
    apart: frozenset[CaseKey] | None = None


Noted = Callable[[CaseKey, Sequence[Fact], Sequence[Contribution]], None]
"""Told each case's facts and what they count, but for glances."""


def _unnoted(_case: CaseKey, _facts: Sequence[Fact], _counts: Sequence[Contribution]) -> None:
    """Nobody is told."""


def derived_then(store: Store, company: Company, as_of: Mapping[str, Instant], *, watch: Watch, what: str, note: Noted = _unnoted) -> Then:
    """The state at these T of all that is stored, every case derived anew."""

    def watched() -> Iterator[tuple[CaseKey, list[Event]]]:
        for number, history in enumerate(store.all_histories(), 1):
            if number % 1000 == 0:
                watch(what, number, None, f"{number:,} cases")
            yield history

    read = {workflow.name: readings(store, workflow) for workflow in company.workflows}
    around = surroundings_of(store, company, as_of)
    return then_of(watched(), company, as_of, around, store.previous_touch, promotions=store.promotions(), read=read, note=note)


def then_of(
    histories: Iterable[tuple[CaseKey, list[Event]]],
    company: Company,
    as_of: Mapping[str, Instant],
    around: Surroundings,
    previous: Previous,
    *,
    promotions: Mapping[str, Sequence[Promotion]],
    read: Mapping[str, Readings],
    note: Noted = _unnoted,
) -> Then:
    """The state of the histories at these T, counted from nothing. `read`: by workflow, its harm metrics from elsewhere."""
    workflows = company.by_name
    counts: dict[rollup.Bucket, int] = defaultdict(int)
    samples: list[Sample] = []
    glance = glances_of(workflows)
    decided: list[tuple[CaseKey, tuple[Recommendation, ...]]] = []

    def count(contributions: Iterable[Contribution]) -> None:
        for series, minute, amount in contributions:
            counts[series, minute] += amount

    for case, derived in derive_each(histories, company, as_of, around):
        facts = derived.facts
        made = rollup.contributions(facts, workflows)
        count(made)
        note(case, facts, made)
        samples += rollup.samples(facts)
        decided.append((case, tuple(looked_at(facts, glance))))
    for _, fact in everywhere(decided, previous, glance):
        count(glances((fact,), (fact.opened,)))

    ledger = Ledger(company)
    begun = starts(company.workflows, as_of, around)
    rows = [(series, minute, amount) for (series, minute), amount in counts.items()]
    ledger.load(as_of, begun, rows, samples)
    situations = {
        name: situation(workflow, as_of[name], around, readings=read[name], promotions=promotions.get(name, ())) for name, workflow in workflows.items()
    }
    return Then(ledger, situations, around, lambda trail, at: trail.load(at, rows))
