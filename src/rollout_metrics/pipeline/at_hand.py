"""The evidence at hand, out of a store that is only read: safe to ask for from a branch whose records are not merged yet."""

from collections.abc import Iterator

from rollout_metrics.config.load import Configuration
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.domain.time import Instant
from rollout_metrics.figures.at_hand import Evidence, Sought, evidence, sought
from rollout_metrics.pipeline.freshness import NOTHING, as_of_all, reading
from rollout_metrics.rollup import Contribution
from rollout_metrics.store import Store


def evidence_at_hand(configuration: Configuration, store: Store, now: Instant) -> dict[str, Evidence]:
    """By workflow, at each one's live T; those whose sources have not been read are left out. Counts are taken as they were last derived."""
    company = configuration.company(Pseudonyms(b"", frozenset(), frozenset()))  # no person and no text is looked at
    settings = configuration.settings
    readings = {
        name: reading(source, store.progress(name), now, heartbeat=settings.schedule.heartbeat, stale_after=settings.alerts.stale_after)
        for name, source in configuration.sources.items()
    }
    as_of = as_of_all(company, readings)
    around = store.surroundings(as_of)

    def rows(workflow: Workflow, stretch: Sought) -> Iterator[Contribution]:
        return store.contributions([(workflow.name, stretch.after, stretch.up_to)])

    return {
        workflow.name: evidence(workflow, at, around, rows(workflow, sought(workflow, at, around)))
        for workflow in company.workflows
        if (at := as_of[workflow.name]) != NOTHING
    }
