"""Figures as of any instant: every case derived anew from its stored events cut at T, nothing of what is stored changed."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from rollout_metrics import rollup
from rollout_metrics.catalog import Family
from rollout_metrics.derive.case import derive
from rollout_metrics.derive.dwell import glanced
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.events import CaseKey, Event
from rollout_metrics.domain.facts import EXPLICIT_ROWS, Fact, Mode, Recommendation
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import Instant
from rollout_metrics.figures import Ledger, situation
from rollout_metrics.pipeline.engine import Pipeline, Watch, silent
from rollout_metrics.rollup import Contribution, Sample
from rollout_metrics.rollup.counting import glances

Previous = Callable[[str, Instant], Instant | None]
"""An operator's last event before an instant, on any case."""


def families_as_of(pipeline: Pipeline, at: Instant, *, watch: Watch = silent) -> list[Family]:
    """Every figure as of `at`, a whole minute, for all workflows."""
    store, company = pipeline.store, pipeline.company
    as_of = {"": at} | {workflow.name: at for workflow in company.workflows}

    def watched() -> Iterator[tuple[CaseKey, list[Event]]]:
        for number, history in enumerate(store.all_histories(), 1):
            if number % 1000 == 0:
                watch("deriving", number, None, f"{number:,} cases")
            yield history

    return figures_of(watched(), company, as_of, store.surroundings(as_of), store.previous_touch)


def figures_of(
    histories: Iterator[tuple[CaseKey, list[Event]]], company: Company, as_of: Mapping[str, Instant], around: Surroundings, previous: Previous
) -> list[Family]:
    """Every figure of the histories at these T, counted from nothing."""
    workflows = {workflow.name: workflow for workflow in company.workflows}
    counts: dict[rollup.Bucket, int] = defaultdict(int)
    samples: list[Sample] = []
    decisions: dict[tuple[str, Instant], list[tuple[CaseKey, Recommendation]]] = defaultdict(list)

    def count(contributions: Iterator[Contribution]) -> None:
        for series, minute, amount in contributions:
            counts[series, minute] += amount

    for case, events in histories:
        facts = derive(events, company, as_of, around).facts
        count(rollup.contributions(facts, workflows))
        samples += rollup.samples(facts)
        for operator, decided_at, fact in explicit(facts):
            decisions[operator, decided_at].append((case, fact))
    glance = {name: workflow.glance for name, workflow in workflows.items()}
    for (operator, decided_at), made in decisions.items():
        for (_, fact), quick in zip(made, glanced(made, previous(operator, decided_at) if operator else None, glance), strict=True):
            if quick:
                count(glances((fact,), (fact.opened,)))

    ledger = Ledger(company)
    ledger.load(as_of, [(series, minute, amount) for (series, minute), amount in counts.items()], samples)
    return ledger.families({name: situation(workflow, as_of[name], around) for name, workflow in workflows.items()})


def explicit(facts: tuple[Fact, ...]) -> Iterator[tuple[str, Instant, Recommendation]]:
    """First decisions in which an operator looked: who, when, what. An unknown operator is `""`."""
    for fact in facts:
        if type(fact) is Recommendation and fact.mode is Mode.LIVE and fact.row in EXPLICIT_ROWS and fact.first_decided_at is not None:
            yield fact.decider or "", fact.first_decided_at, fact
