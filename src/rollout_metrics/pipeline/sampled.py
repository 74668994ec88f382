"""Samples of durations as the store keeps them, and back: by the name under which they lead to their cases, and as whole numbers."""

from collections.abc import Iterable, Iterator, Mapping

from rollout_metrics import rollup
from rollout_metrics.domain.facts import Fact
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import DAY, MINUTE, Instant, Span
from rollout_metrics.figures import Strand, Stretch, assisted_since
from rollout_metrics.rollup import Sample
from rollout_metrics.store import Between, Store

SAMPLE = "sample:"
"""What names of samples begin with, so that none is a tally's."""
DONE, RUNNING = "done", "running"

BASELINE: Span = 90 * DAY
"""How far before the first assisted level the baseline of time saved reaches."""

Kept = tuple[tuple[str, ...], int, int, int, int, int]
"""`(series, at, duration, complete, target, breach_at or until)`: what is running has the former and no duration, the rest the latter."""


def kept(facts: Iterable[Fact]) -> list[Kept]:
    """The samples of a case for the store."""
    return [_numbers(sample) for sample in rollup.samples(facts)]


def _numbers(sample: Sample) -> Kept:
    workflow, kind, *labels = sample.series
    if sample.duration is None:
        return (workflow, SAMPLE + kind, RUNNING, *labels), sample.at, 0, 0, sample.target, sample.breach_at
    return (workflow, SAMPLE + kind, DONE, *labels), sample.at, sample.duration, int(sample.complete), sample.target, sample.until


def strands(
    store: Store, company: Company, as_of: Mapping[str, Instant], needed: Iterable[Stretch], *, undivided: tuple[Instant, Instant] | None = None
) -> Iterator[Strand]:
    """The samples of the minutes needed and of the baselines, as they are stored; `undivided`: but for the cases that an instant between these divides."""
    around = store.surroundings(as_of)
    for stretch in needed:
        workflow = company.by_name.get(stretch.workflow)
        if workflow is None:
            continue
        window = (stretch.after * MINUTE - DAY, stretch.up_to * MINUTE)
        yield from _strands(store, workflow.name, window, None, undivided)
        if workflow.baseline_seconds is None:
            # The baseline may lie long before the windows, or reach from before them into them: each case once. Before `assisted`, it is still to come.
            since = assisted_since(workflow, as_of[workflow.name], around) or as_of[workflow.name]
            yield from _strands(store, workflow.name, (since - BASELINE, since), window, undivided)


def _strands(store: Store, workflow: str, within: Between, known: Between | None, undivided: Between | None) -> Iterator[Strand]:
    for (name, kind, state, *labels), rows in store.samples_between(workflow, within, known=known, undivided=undivided):
        yield (name, kind.removeprefix(SAMPLE), *labels), state == RUNNING, rows
