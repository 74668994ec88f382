"""Figures as they were at many instants, one after the other: the stored events played once more through a store of their own.

Each case is derived when something about it changes, not at every instant, and windows are moved, not counted anew: an instant costs what happened since
the one before. What comes out is what `families_as_of` gives for each instant; the tests hold the two against each other.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rollout_metrics.catalog import METRICS, Family
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import Instant, Span
from rollout_metrics.figures import situation
from rollout_metrics.pipeline.deriving import derive_due
from rollout_metrics.pipeline.engine import Pipeline, Watch, silent
from rollout_metrics.pipeline.state import Figures
from rollout_metrics.store import Store, open_store

_BATCH = 10_000
_CORRECTED = METRICS["corrections_to_settled_total"].family


def instants(since: Instant, until: Instant, step: Span) -> range:
    """The instants from `since` to `until`, both included where a step falls on them."""
    return range(since, until + 1, step)


def families_at(pipeline: Pipeline, at: Sequence[Instant], *, watch: Watch = silent) -> Iterator[tuple[Instant, list[Family]]]:
    """Every figure of every workflow as of each of these instants, whole minutes, ascending. What is stored is only read; a copy lies on disk meanwhile."""
    with (
        tempfile.TemporaryDirectory(prefix="rollout-metrics-") as folder,
        open_store(f"sqlite:///{Path(folder) / 'replay.db'}", clock=pipeline.clock) as scratch,
    ):
        _copy(pipeline.store, scratch, pipeline.company, watch)
        figures = Figures(pipeline.company)
        names = [workflow.name for workflow in pipeline.company.workflows]
        promotions = pipeline.store.promotions()
        for number, instant in enumerate(at, 1):
            as_of = dict.fromkeys(("", *names), instant)
            derive_due(scratch, pipeline.company, as_of, figures)
            figures.advance(scratch, as_of)
            around = scratch.surroundings(as_of)
            families = figures.families({w.name: situation(w, instant, around, promotions=promotions.get(w.name, ())) for w in pipeline.company.workflows})
            yield instant, list(map(_as_never_known_otherwise, families))
            watch("figures", number, len(at), f"{number:,} of {len(at):,} instants")


def _copy(store: Store, scratch: Store, company: Company, watch: Watch) -> None:
    scratch.configure(company)
    scratch.remember_first_agents({workflow.name: store.forgotten_first_agent(workflow.name) for workflow in company.workflows})
    landed = 0
    for batch in _batches(event for _, events in store.all_histories() for event in events):
        scratch.land(batch[0].source, batch)
        landed += len(batch)
        watch("copying", landed, None, f"{landed:,} events")


def _batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _as_never_known_otherwise(family: Family) -> Family:
    """Whoever looks back knew everything from the beginning: nothing settled was ever corrected."""
    if family.name != _CORRECTED:
        return family
    return Family(family.name, family.type, family.help, family.unit, [(suffix, labels, 0) for suffix, labels, _ in family.samples])
