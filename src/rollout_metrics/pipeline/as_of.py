"""Figures as of any instant: every case derived anew from its stored events cut at T, nothing of what is stored changed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from rollout_metrics import rollup
from rollout_metrics.catalog import Family
from rollout_metrics.derive.case import derive
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.events import CaseKey, Event
from rollout_metrics.domain.facts import Recommendation
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import Instant
from rollout_metrics.figures import Ledger, situation
from rollout_metrics.pipeline.deriving import glances_of
from rollout_metrics.pipeline.engine import Pipeline, Watch, silent
from rollout_metrics.pipeline.glances import Previous, everywhere, looked_at
from rollout_metrics.rollup import Contribution, Sample
from rollout_metrics.rollup.counting import glances


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
    glance = glances_of(workflows)
    decided: list[tuple[CaseKey, tuple[Recommendation, ...]]] = []

    def count(contributions: Iterator[Contribution]) -> None:
        for series, minute, amount in contributions:
            counts[series, minute] += amount

    for case, events in histories:
        facts = derive(events, company, as_of, around).facts
        count(rollup.contributions(facts, workflows))
        samples += rollup.samples(facts)
        decided.append((case, tuple(looked_at(facts, glance))))
    for _, fact in everywhere(decided, previous, glance):
        count(glances((fact,), (fact.opened,)))

    ledger = Ledger(company)
    ledger.load(as_of, [(series, minute, amount) for (series, minute), amount in counts.items()], samples)
    return ledger.families({name: situation(workflow, as_of[name], around) for name, workflow in workflows.items()})
