"""Touched and due cases derived again in batches: facts replaced, counts moved, rubber stamps judged, all of it into the store and the figures in memory."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

import msgspec

from rollout_metrics import rollup
from rollout_metrics.collect.source import Rejected
from rollout_metrics.derive.case import TOGETHER, derive_each
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.events import CaseKey, Event
from rollout_metrics.domain.facts import CaseFacts, Fact
from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.time import Instant
from rollout_metrics.pipeline.coverage import UNDERIVABLE
from rollout_metrics.pipeline.glances import Glance, looked_at, of_strangers, quick
from rollout_metrics.pipeline.sampled import kept
from rollout_metrics.rollup import Bucket, Contribution, Sample
from rollout_metrics.rollup.counting import glances
from rollout_metrics.store import Judged, Judgement, Store, Update

log = logging.getLogger(__name__)

BATCH = 2000
"""Cases in a transaction."""

DEFECTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a defect of ours in a rule may raise."""


class Figures(Protocol):
    """What the pipeline tells the figures in memory: count differences, and samples that go and come."""

    @property
    def loaded(self) -> bool:
        """Whether there is anything in memory to be moved; else everything is loaded once all is derived."""
        ...

    def apply(self, counts: Mapping[Bucket, int], gone: list[Sample], come: list[Sample]) -> None:
        """Take in what a batch changed."""
        ...


def derive_due(  # noqa: PLR0917
    store: Store,
    company: Company,
    as_of: Mapping[str, Instant],
    figures: Figures | None,
    watch: Callable[[int], None] = lambda _: None,
    broken: Callable[[CaseKey], None] = lambda _: None,
    begin: Callable[[], None] = lambda: None,
) -> int:
    """Derive until nothing is due; how many cases that were.

    `watch` is told the number so far, `broken` of each case that had to be set aside; `begin` is called before anything is changed; `figures` None: only
    the store learns.
    """
    workflows = {workflow.name: workflow for workflow in company.workflows}
    glance = glances_of(workflows)
    figures = figures if figures is not None and figures.loaded else None
    done = 0
    while due := store.due(as_of, limit=BATCH):
        if not done:
            begin()
        around = store.surroundings(as_of)
        before = store.facts(due.keys)
        news = _News(known=not store.rebuilding(), moving=figures is not None)
        parts = _derived(store, due.keys, company, as_of, around, broken)
        applied = store.replace(due, _updates(parts, before, news, workflows, glance), news.corrected)
        if figures is not None:
            figures.apply(applied.counts, news.gone, news.come)
        done += len(due.keys)
        watch(done)
    _judge(store, glance, figures)
    return done


class _News(msgspec.Struct):
    """What derived cases bring besides their own facts: settled outcomes corrected (if `known`: a rebuild brings no news of the world), and for figures in
    memory (if `moving`) samples that go and come."""

    known: bool
    moving: bool
    corrected: list[Contribution] = []
    gone: list[Sample] = []
    come: list[Sample] = []

    def take(self, stood: tuple[Fact, ...], facts: tuple[Fact, ...]) -> None:
        """Take in one case whose facts were others before."""
        if self.known and stood:
            self.corrected += rollup.corrections(stood, facts)
        if self.moving:
            went, came = rollup.sample_difference(stood, facts)
            self.gone += went
            self.come += came


def _updates(
    parts: Iterable[list[tuple[CaseKey, CaseFacts]]], before: Mapping[CaseKey, tuple[Fact, ...]], news: _News, workflows: Mapping[str, Workflow], glance: Glance
) -> Iterator[Update]:
    """Derived cases with what they count, one at a time, and the news of them."""
    for part in parts:
        for key, facts in part:
            news.take(before.get(key, ()), facts.facts)
            yield Update(facts, total(key, facts.facts, workflows, glance), kept(facts.facts))


def _derived(  # noqa: PLR0917
    store: Store,
    keys: Sequence[CaseKey],
    company: Company,
    as_of: Mapping[str, Instant],
    around: Surroundings,
    broken: Callable[[CaseKey], None],
) -> Iterator[list[tuple[CaseKey, CaseFacts]]]:
    """The cases' facts, some cases at a time; none, set aside with the reason, where a defect of ours breaks on one: it must not stop the others."""
    histories = store.histories(keys)
    while part := list(islice(histories, TOGETHER)):
        try:
            derived = list(derive_each(part, company, as_of, around))
        except DEFECTS:
            derived = [_alone(store, history, company, as_of, around, broken) for history in part]
        yield derived


def _alone(  # noqa: PLR0917
    store: Store,
    history: tuple[CaseKey, list[Event]],
    company: Company,
    as_of: Mapping[str, Instant],
    around: Surroundings,
    broken: Callable[[CaseKey], None],
) -> tuple[CaseKey, CaseFacts]:
    """The facts of one of several cases of which some break."""
    case = history[0]
    try:
        return next(derive_each([history], company, as_of, around))
    except DEFECTS as error:
        log.exception("a case could not be derived", extra={"fields": {"case_source": case[0], "case": case[1]}})
        said = f"derivation broke ({type(error).__name__}); the case counts nowhere until it is derived again: report it, and rebuild after an upgrade"
        store.land(case[0], [], [Rejected(UNDERIVABLE, f"case {case[1]}", said, b"")])
        broken(case)
        return case, CaseFacts(case, None, None, (), None)


def total(case: CaseKey, facts: tuple[Fact, ...], workflows: Mapping[str, Workflow], glance: Glance) -> list[Contribution]:
    """Everything a case's facts count, but for glances of operators who are known: those depend on other cases."""
    return rollup.contributions(facts, workflows, of_strangers(case, facts, glance))


def _judge(store: Store, glance: Glance, figures: Figures | None) -> None:
    while judgements := store.judgements():
        difference = store.judge([Judged(judgement, stamped(judgement, glance)) for judgement in judgements])
        if figures is not None:
            figures.apply(difference, [], [])


def glances_of(workflows: Mapping[str, Workflow]) -> Glance:
    """Each workflow's glance."""
    return {name: workflow.glance for name, workflow in workflows.items()}


def stamped(judgement: Judgement, glance: Glance) -> list[Contribution]:
    """What one operator's decisions at one instant count as glances; those of unknown operators, one per case, are in their cases' own counts."""
    if not judgement.operator:
        return []
    made = [(case, item) for case, decided in judgement.decisions for item in looked_at((decided,), glance)]
    return [counted for _, item in quick(made, judgement.previous, glance) for counted in glances((item,), (item.opened,))]
