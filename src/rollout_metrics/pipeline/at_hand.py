"""The evidence at hand, out of a store that is only read: safe to ask for from a branch whose records are not merged yet."""

from collections.abc import Iterator

from rollout_metrics.config.load import Configuration
from rollout_metrics.derive.standing import standing_since
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.domain.time import Instant
from rollout_metrics.figures import Stretch, situation
from rollout_metrics.figures.at_hand import AtHand, Evidence
from rollout_metrics.pipeline import harm_readings
from rollout_metrics.pipeline.coverage import coverage_of
from rollout_metrics.pipeline.freshness import NOTHING, as_of_all, readings_of, stale_sources
from rollout_metrics.pipeline.state import named
from rollout_metrics.rollup import Contribution
from rollout_metrics.store import Store


def evidence_at_hand(configuration: Configuration, store: Store, now: Instant) -> dict[str, Evidence]:
    """By workflow, at each one's live T; those whose sources have not been read are left out. Counts are taken as they were last derived."""
    configuration, _ = configuration.with_changes_of(store.change_readings())
    company = configuration.company(Pseudonyms(b"", frozenset(), frozenset()))  # no person and no text is looked at
    readings = readings_of(configuration.sources, configuration.settings, store, now)
    as_of = as_of_all(company, readings)
    around, promotions = store.surroundings(as_of), store.promotions()
    feeds, aside = store.feeds(), store.quarantine_counts()
    found: dict[str, Evidence] = {}

    def rows(stretches: list[Stretch]) -> Iterator[Contribution]:
        return store.contributions(named(stretches))

    for workflow in company.workflows:
        at = as_of[workflow.name]
        if at != NOTHING:
            stale = len(list(stale_sources(workflow, readings)))
            coverage = coverage_of(workflow, feeds, aside)
            stands = situation(
                workflow,
                at,
                around,
                sources_stale=stale,
                coverage=coverage,
                readings=harm_readings.readings(store, workflow),
                promotions=promotions.get(workflow.name, ()),
            )
            at_hand = AtHand(company, workflow, at, standing_since(workflow, at, around))
            found[workflow.name] = at_hand.evidence(stands, rows(at_hand.needed()))
    return found
