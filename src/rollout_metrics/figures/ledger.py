"""The state behind the figures: window sums and samples of every workflow, and the families they make."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice

import msgspec

from rollout_metrics.catalog import METRICS, NO_WORKFLOW, TALLIES, Family, Sample
from rollout_metrics.catalog.metric import Count, Exporter
from rollout_metrics.derive.delivery import Known, delivery, deployments
from rollout_metrics.derive.gates import Assessment, assess
from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.time import Instant
from rollout_metrics.figures.known import LATELY, known, version_deployed
from rollout_metrics.figures.observed import observed
from rollout_metrics.figures.produce import PRODUCERS
from rollout_metrics.figures.samples import Samples, Strand
from rollout_metrics.figures.sight import Sight
from rollout_metrics.figures.signs import LOOKED_AT, warning_signs
from rollout_metrics.figures.since import Since, Starts
from rollout_metrics.figures.situation import Situation
from rollout_metrics.figures.spikes import Looks
from rollout_metrics.figures.told import UNUSED_AFTER
from rollout_metrics.figures.trail import Trail
from rollout_metrics.figures.trends import Point, trends
from rollout_metrics.figures.view import Made, View, window_label
from rollout_metrics.figures.windows import Stretch, Track, Windows, merged
from rollout_metrics.rollup import Contribution, Difference
from rollout_metrics.rollup import Sample as Duration

AsOf = Mapping[str, Instant]
"""Workflow -> its T, a whole minute; `""` is the T of what belongs to no workflow. A workflow without one has no figures yet."""

_PART = 50_000
"""Rows at a time."""


class Ledger:
    """Everything figures are computed from, at each workflow's own T. How to hold and move it: see the package."""

    def __init__(self, company: Company) -> None:
        """An empty ledger: `load` it."""
        self._company = company
        spans = {workflow.name: frozenset(workflow.windows) for workflow in company.workflows}
        self._outside = sorted(frozenset().union(*spans.values()))
        self._windows = Windows({NO_WORKFLOW: self._outside} | {name: windows | {UNUSED_AFTER, LATELY} | LOOKED_AT for name, windows in spans.items()})
        self.since = Since(company.workflows)
        """Sums since each agent is what it is."""
        self.assessments: dict[str, Assessment] = {}
        """Each workflow's gates, as of the figures last made."""
        self._trail = Trail(company.workflows)
        self._looks = Looks()
        self._samples = Samples(spans)
        self._as_of: dict[str, Instant] = {}
        self._known: dict[str, Known] = {}

    @property
    def as_of(self) -> AsOf:
        """Each workflow's T."""
        return dict(self._as_of)

    @property
    def trail(self) -> Trail:
        """The counts by the hour."""
        return self._trail

    def needed(self, as_of: AsOf, starts: Starts) -> list[Stretch]:
        """The counts `load` wants besides the standing ones (minute `STATE`): these minutes of these workflows."""
        named = _named(as_of)
        return merged((*self._windows.needed(named), *self.since.needed(named, starts), *self._trail.needed(named)))

    def cuts(self, as_of: AsOf, starts: Starts) -> dict[str, set[int]]:
        """By workflow, the minutes at which sums of these counts may begin or end within an hour."""
        named = _named(as_of)
        found: dict[str, set[int]] = defaultdict(set)
        for cuts in (self._windows.cuts(named), self.since.cuts(named, starts), self._trail.cuts()):
            for name, minutes in cuts.items():
                found[name] |= minutes
        return found

    def sampled(self, as_of: AsOf) -> list[Stretch]:
        """The minutes whose samples `load` wants."""
        return self._windows.needed(_named(as_of))

    def load(  # noqa: PLR0917
        self,
        as_of: AsOf,
        starts: Starts,
        rows: Iterable[Contribution],
        samples: Iterable[Duration] = (),
        tracks: Iterable[Track] = (),
        strands: Iterable[Strand] = (),
    ) -> None:
        """Begin anew. `rows` and, much cheaper, `tracks`: counts, each bucket once; `samples` and `strands`: of the facts that stand, each once.

        More than is needed does no harm.
        """
        self._as_of = _named(as_of)
        self._windows.load(self._as_of, ())
        self.since.load(self._as_of, starts, ())
        self._trail.load(self._as_of, ())
        self._looks.forget()
        left = iter(rows)
        while part := tuple(islice(left, _PART)):
            self._windows.take(part)
            self.since.take(part)
            self._trail.take(part)
        for track in tracks:
            self._windows.take_track(track)
            self.since.take_track(track)
            self._trail.take_track(track)
        self._samples.load(self._as_of, samples, strands)

    def apply(self, difference: Difference, gone: Iterable[Duration] = (), come: Iterable[Duration] = ()) -> None:
        """Take in what the store has taken in. Raises `LookupError` where a sample to go is not there: then `load` again."""
        self._windows.apply(difference)
        self.since.apply(difference)
        self._trail.apply(difference)
        self._looks.changed(difference)
        self._samples.apply(gone, come)

    def stretches(self, as_of: AsOf, starts: Starts) -> list[Stretch]:
        """The counts `advance` wants to get to these T."""
        named = _named(as_of)
        return merged((*self._windows.stretches(named), *self.since.stretches(named, starts), *self._trail.stretches(named)))

    def advance(self, as_of: AsOf, starts: Starts, rows: Iterable[Contribution]) -> None:
        """Move on. `rows`: the counts of at least the `stretches` to there, as the store has them after every difference applied here.

        Raises `ValueError` where a T goes back, which happens when a source is added, or a workflow has its first: then `load` again.
        """
        named = _named(as_of)
        unknown = named.keys() - self._as_of.keys()
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))}: no figures yet for these workflows: load the figures again")
        rows = tuple(rows)
        self._samples.advance(named)
        self._windows.advance(named, rows)
        self.since.advance(named, starts, rows)
        self._trail.advance(named, rows)
        self._as_of.update(named)

    def families(self, situations: Mapping[str, Situation]) -> list[Family]:
        """Every family of the catalogue that is no self-metric, in its order, for the workflows that have a T and a situation."""
        made: dict[str, list[Sample]] = defaultdict(list)
        for workflow in self._company.workflows:
            if workflow.name in self._as_of and workflow.name in situations:
                view = self._view(workflow, situations[workflow.name])
                for metric in METRICS.values():
                    produce = PRODUCERS.get(type(metric.obtained))
                    if produce is not None:
                        _collect(made, produce(metric, metric.obtained, view))
        _collect(made, self._of_no_workflow())
        return [metric.collect(made[key]) for key, metric in METRICS.items() if not isinstance(metric.obtained, Exporter)]

    def drop_samples(self) -> None:
        """Let go of the samples, most of what is held, once families are made and only counts will be asked for."""
        self._samples = Samples({})

    def deployments(self, name: str) -> Known | None:
        """What became of a workflow's deployments, as of the figures last made; None where it was not among them."""
        return self._known.get(name)

    def assessment(self, workflow: Workflow, situation: Situation) -> Assessment:
        """A workflow's gates, verdicts and proposal at its T."""
        return self._assessed(workflow, situation, self._deployed(workflow, situation))

    def _assessed(self, workflow: Workflow, situation: Situation, deployed: Known) -> Assessment:
        as_of = self._as_of[workflow.name]
        situation = self._signed(workflow, situation)
        found = known(workflow, as_of, self.since, self._windows, situation, deployed.open_failures)
        return assess(workflow.name, workflow.ladder, found, version_deployed(workflow, as_of))

    def _deployed(self, workflow: Workflow, situation: Situation) -> Known:
        as_of = self._as_of[workflow.name]
        return deployments(workflow, as_of, observed(workflow, as_of, self._windows, self._trail, situation.readings))

    def trends(self) -> dict[tuple[str, str, tuple[str, ...]], tuple[Point, ...]]:
        """How the rates of every workflow went, by workflow, metric and label values."""
        known = [workflow for workflow in self._company.workflows if workflow.name in self._as_of]
        return {key: points for workflow in known for key, points in trends(workflow, self._trail, self._as_of[workflow.name])}

    def _view(self, workflow: Workflow, situation: Situation) -> View:
        as_of, situation = self._as_of[workflow.name], self._signed(workflow, situation)
        deployed = self._known[workflow.name] = self._deployed(workflow, situation)
        deliveries = {span: delivery(deployed, span) for span in workflow.windows}
        assessment = self.assessments[workflow.name] = self._assessed(workflow, situation, deployed)
        return View(
            workflow=workflow,
            company=self._company,
            windows=self._windows,
            as_of=as_of,
            situation=situation,
            since=self.since,
            trail=self._trail,
            looks=self._looks,
            samples=self._samples,
            known=deployed,
            deliveries=deliveries,
            assessment=assessment,
        )

    def _signed(self, workflow: Workflow, situation: Situation) -> Situation:
        """The situation with the warning signs in it."""
        return situation if situation.signs else msgspec.structs.replace(situation, signs=warning_signs(Sight(workflow, self._company, self._windows)))

    def _of_no_workflow(self) -> Made:
        """What agents did outside every workflow, where they did anything: `workflow="none"` has no series otherwise."""
        for metric in METRICS.values():
            if isinstance(metric.obtained, Count) and not metric.personal and TALLIES[metric.obtained.tally].values is not None:
                for span in self._outside:
                    for labels, total in sorted(self._windows.sums(NO_WORKFLOW, span, metric.obtained.tally).items()):
                        yield metric.key, metric.sample(total, NO_WORKFLOW, window_label(span), *labels)


def _named(as_of: AsOf) -> dict[str, Instant]:
    return {workflow or NO_WORKFLOW: at for workflow, at in as_of.items()}


def _collect(made: dict[str, list[Sample]], samples: Made) -> None:
    for key, sample in samples:
        made[key].append(sample)
