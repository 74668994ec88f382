"""The gates as they were known just before a change of level was deployed, frozen when T gets there."""

from collections.abc import Iterator, Mapping

from rollout_metrics import rollup
from rollout_metrics.derive.case import derive_each
from rollout_metrics.derive.gates import Assessment, Promotion, promotion
from rollout_metrics.domain.changes import PRODUCTION, Change, ChangeKind
from rollout_metrics.domain.events import CaseKey
from rollout_metrics.domain.facts import Fact
from rollout_metrics.domain.policy import Company, Level, Workflow
from rollout_metrics.domain.time import MINUTE, Instant
from rollout_metrics.figures import Ledger, situation, starts
from rollout_metrics.figures.known import LATELY
from rollout_metrics.pipeline.harm_readings import readings
from rollout_metrics.store import Store

UNREAD = "nothing had been read from before it"
"""Why nobody can say whether a change of level went against its gates."""


def freeze(store: Store, company: Company, as_of: Mapping[str, Instant]) -> None:
    """Freeze the changes of level that were deployed by T and are not frozen yet. Leave out workflows whose history is still being read."""
    known = store.promotions()
    found = [
        _frozen(store, company, workflow, change)
        for workflow in company.workflows
        for change in workflow.changes
        if change.kind is ChangeKind.LEVEL
        and change.environment == PRODUCTION
        and change.deployed_at is not None
        and change.deployed_at <= as_of.get(workflow.name, 0)
        and change.id not in {item.change for item in known.get(workflow.name, ())}
    ]
    if found:
        store.freeze(found)


def _frozen(store: Store, company: Company, workflow: Workflow, change: Change) -> Promotion:
    assert change.deployed_at is not None
    assert change.level is not None
    # the last whole minute before it: what was deployed then is still what was there before
    before = (change.deployed_at - 1) // MINUTE * MINUTE
    assessment, read = assessment_as_of(store, company, workflow, before)
    to = Level(change.level)
    if read or to <= assessment.level:
        return promotion(change.id, change.deployed_at, to, assessment)
    return Promotion(workflow=workflow.name, change=change.id, deployed_at=change.deployed_at, before=assessment.level, to=to, forced=False, why=UNREAD)


def assessment_as_of(store: Store, company: Company, workflow: Workflow, at: Instant) -> tuple[Assessment, bool]:
    """A workflow's gates as of T, a whole minute, its cases derived anew from their events up to there; and whether anything was known of it at all.

    Only cases that have to do with the evidence are read. What sources covered then, and whether they were stale, nobody knows now.
    """
    as_of = {"": at} | {item.name: at for item in company.workflows}
    around = store.surroundings(as_of)
    workflows = company.by_name
    begun = starts((workflow,), as_of, around)
    start = begun[workflow.name]
    ledger = Ledger(company)
    counted: list[rollup.Contribution] = []
    for _, facts in _facts(store, company, workflow, as_of, 0 if start is None else min(start, at - LATELY)):
        counted += rollup.contributions((fact for fact in facts if fact.workflow == workflow.name), workflows)
    ledger.load({workflow.name: at}, begun, counted, ())
    read = bool(counted) or next(store.facts_between(workflow.name, 0, at), None) is not None
    return ledger.assessment(workflow, situation(workflow, at, around, readings=readings(store, workflow))), read


def _facts(store: Store, company: Company, workflow: Workflow, as_of: Mapping[str, Instant], start: Instant) -> Iterator[tuple[CaseKey, tuple[Fact, ...]]]:
    around = store.surroundings(as_of)
    keys = list(dict.fromkeys(case for case, _ in store.facts_between(workflow.name, start, as_of[workflow.name])))
    for case, derived in derive_each(store.histories(keys), company, as_of, around):
        yield case, derived.facts
