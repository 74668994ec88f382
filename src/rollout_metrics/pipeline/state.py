"""The figures in memory, kept in step with the store: loaded once, then moved by what each batch changed and by what enters and leaves the windows."""

import logging
from collections.abc import Iterable, Iterator, Mapping

from rollout_metrics import rollup
from rollout_metrics.catalog import NO_WORKFLOW, Family
from rollout_metrics.derive.delivery import Known
from rollout_metrics.derive.gates import Assessment
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import Instant
from rollout_metrics.figures import Ledger, Situation, Stretch, assisted_since, situation, starts
from rollout_metrics.figures.situation import Shares
from rollout_metrics.overview import Trends
from rollout_metrics.pipeline.freshness import NOTHING
from rollout_metrics.pipeline.harm_readings import readings
from rollout_metrics.pipeline.sampled import strands
from rollout_metrics.rollup import Bucket, Contribution, Sample
from rollout_metrics.store import Store

log = logging.getLogger(__name__)


class Figures:
    """A ledger and where it gets its rows from."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._ledger = Ledger(company)
        self._loaded = False
        self._baselines: dict[str, Instant | None] = {}
        self._began: Mapping[str, Instant] = {}

    @property
    def loaded(self) -> bool:
        """Whether there is anything in memory to be moved."""
        return self._loaded

    def apply(self, counts: Mapping[Bucket, int], gone: list[Sample], come: list[Sample]) -> None:
        """Take in what a batch changed; where memory does not agree with it, everything is loaded again at the next advance."""
        if not self._loaded:
            return
        try:
            self._ledger.apply(dict(counts), gone, come)
        except LookupError as error:
            log.warning("figures loaded again", extra={"fields": {"reason": str(error)}})
            self._loaded = False

    def forget(self) -> None:
        """Load everything again at the next advance."""
        self._loaded = False

    def advance(self, store: Store, as_of: Mapping[str, Instant]) -> None:
        """Move to these T."""
        known = _known(as_of)
        baselines = self._frozen(store, as_of)
        begun = starts(self._company.workflows, known, store.surroundings(as_of))
        if self._loaded and all(self._foreseen(name, since) for name, since in baselines.items()):
            try:
                self._ledger.advance(known, begun, store.contributions(named(self._ledger.stretches(known, begun))))
            except (ValueError, LookupError) as error:
                log.info("figures loaded again", extra={"fields": {"reason": str(error)}})
            else:
                self._baselines = self._baselines | baselines
                return
        self._ledger, self._baselines, self._began = Ledger(self._company), baselines, known
        tracks = store.tracks(named(self._ledger.needed(known, begun)), self._ledger.cuts(known, begun))
        samples = strands(store, self._company, known, self._ledger.sampled(known))
        self._ledger.load(known, begun, _standing(store, known), tracks=tracks, strands=samples)
        self._loaded = True

    def situations(self, store: Store, as_of: Mapping[str, Instant], stale: Mapping[str, int], coverage: Mapping[str, Shares]) -> dict[str, Situation]:
        """The situation of every workflow that has been read."""
        known = _known(as_of)
        around, promotions = store.surroundings(as_of), store.promotions()
        return {
            name: situation(
                workflow,
                known[name],
                around,
                sources_stale=stale[name],
                coverage=coverage[name],
                readings=readings(store, workflow),
                promotions=promotions.get(name, ()),
            )
            for workflow in self._company.workflows
            if (name := workflow.name) in known
        }

    def families(self, situations: Mapping[str, Situation]) -> list[Family]:
        """Every figure of the workflows in these situations."""
        return self._ledger.families(situations)

    def deployments(self, workflow: str) -> Known | None:
        """What became of a workflow's deployments at its T; None where it has none."""
        return self._ledger.deployments(workflow)

    @property
    def assessments(self) -> dict[str, Assessment]:
        """Each workflow's gates, as of the figures last made."""
        return self._ledger.assessments

    def trends(self) -> Trends:
        """How rates went, up to the T of the last advance."""
        return self._ledger.trends()

    def _frozen(self, store: Store, as_of: Mapping[str, Instant]) -> dict[str, Instant | None]:
        """Since when each workflow without an assumed baseline is assisted: there its baseline is frozen."""
        around = store.surroundings(as_of)
        known = _known(as_of)
        return {w.name: assisted_since(w, known[w.name], around) for w in self._company.workflows if w.name in known and w.baseline_seconds is None}

    def _foreseen(self, name: str, since: Instant | None) -> bool:
        """Whether memory holds the baseline: the same as before, or frozen now that T has got there. What was read late can put it elsewhere."""
        before = self._baselines.get(name)
        return since == before or (before is None and since is not None and since >= self._began.get(name, since + 1))


def _known(as_of: Mapping[str, Instant]) -> dict[str, Instant]:
    """The workflows whose sources have been read."""
    return {name: at for name, at in as_of.items() if at != NOTHING}


def named(stretches: Iterable[Stretch]) -> Iterator[tuple[str, int, int]]:
    """Stretches as the store takes them."""
    return ((stretch.workflow, stretch.after, stretch.up_to) for stretch in stretches)


def _standing(store: Store, as_of: Mapping[str, Instant]) -> Iterator[Contribution]:
    for name in as_of:
        for series, amount in store.state_counts(name or NO_WORKFLOW).items():
            yield series, rollup.STATE, amount
