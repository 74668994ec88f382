"""The simulated company in full: the spike that a prompt change plants is seen, and no other."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable

import pytest

from builders import by_case
from rollout_metrics.catalog import METRICS
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import HOUR, Instant
from rollout_metrics.pipeline.as_of import then_of
from rollout_metrics.simulate.world import World
from simulate.companies import NOW, Known
from simulate.test_truth import Seen


class Quick(Seen):
    """Looks agents up in the order of time."""

    def __init__(self, known: Known, as_of: Instant) -> None:
        super().__init__(known, as_of)
        for instants in self._instants.values():
            instants.sort()

    def agent_seen(self, workflow: Workflow, start: Instant, end: Instant) -> bool:
        instants = self._instants[workflow.name]
        place = bisect_left(instants, start)
        return place < len(instants) and instants[place] <= end


def spikes(known: Known, at: Instant) -> set[tuple[str, str]]:
    """Which signals of which workflows have one at T."""
    names = {workflow.name for workflow in known.policies.workflows}
    around = Quick(known, at)
    then = then_of(
        iter(by_case(known.events).items()), known.policies, {"": at} | dict.fromkeys(names, at), around, lambda *_: None, promotions={}, read=defaultdict(dict)
    )
    samples = next(family.samples for family in then.ledger.families(then.situations) if family.name == METRICS["spike"].name)
    return {(dict(labels)["workflow"], dict(labels)["signal"]) for _, labels, value in samples if value}


@pytest.mark.e2e
def test_the_rise_after_the_prompt_change_is_a_spike_and_nothing_else_is(full: World, read: Callable[[World, Instant], Known]) -> None:
    known = read(full, NOW)
    changed_at = full.plot.triage_prompt()

    assert spikes(known, changed_at - HOUR) == set()
    assert spikes(known, changed_at + 30 * HOUR) == {("triage", "override")}
