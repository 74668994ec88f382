"""Figures as of an instant out of what is stored: only the cases which that instant divides are derived anew, the others stand as they stood then.

Equal to deriving everything (`as_of.derived_then`) but for counters of all there ever was, which are not made. A law holds the two to each other.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

import msgspec

from rollout_metrics import rollup
from rollout_metrics.derive.case import derive_each
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.events import CaseKey, EventRef
from rollout_metrics.domain.facts import Fact, Recommendation
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import MINUTE, Instant
from rollout_metrics.figures import Ledger, Trail, situation, starts
from rollout_metrics.pipeline.as_of import Cut, Noted, Then
from rollout_metrics.pipeline.deriving import glances_of, stamped, total
from rollout_metrics.pipeline.engine import Watch
from rollout_metrics.pipeline.glances import Glance, looked_at
from rollout_metrics.pipeline.harm_readings import readings
from rollout_metrics.pipeline.sampled import strands
from rollout_metrics.pipeline.state import named
from rollout_metrics.rollup import Bucket, Sample
from rollout_metrics.store import Judgement, Store

CHUNK = 2000


def settled_then(store: Store, company: Company, as_of: Mapping[str, Instant], *, watch: Watch, what: str, note: Noted) -> Then | None:
    """The state at these T, all due cases having been derived. None where only deriving everything tells: an agent's beginning has moved,
    or a decision by somebody who is forgotten.
    """
    workflows = company.by_name
    divided, last = store.straddling(min(as_of.values()), max(as_of.values())), max(as_of.values()) // MINUTE
    apart = frozenset(divided)
    around = _around(store, company, as_of, divided, apart)
    if around is None:
        return None
    glance = glances_of(workflows)
    difference: dict[Bucket, int] = {}
    samples: list[Sample] = []
    together: set[tuple[str, Instant]] = set()
    otherwise: dict[CaseKey, tuple[Recommendation, ...]] = {}
    for start in range(0, len(divided), CHUNK):
        keys = divided[start : start + CHUNK]
        stood = store.facts(keys)
        moved = defaultdict(int, {bucket: -amount for bucket, amount in store.contributed(keys).items()})
        for case, derived in derive_each(store.histories(keys), company, as_of, around):
            before, facts = stood.get(case, ()), derived.facts
            if moved_groups := _decided(before, glance, as_of) ^ _decided(facts, glance, as_of):
                together |= {(decider, at) for _, at, decider, _ in moved_groups if decider is not None}
                otherwise[case] = tuple(looked_at(facts, glance))
            made = total(case, facts, workflows, glance)
            for series, minute, amount in made:
                moved[series, minute] += amount
            note(case, facts, made)
            samples += rollup.samples(facts)
        for bucket, amount in moved.items():
            if amount and bucket[1] <= last:
                difference[bucket] = difference.get(bucket, 0) + amount
        watch(what, start + len(keys), len(divided), f"{start + len(keys):,} cases that go on")
    for operator, at in together:
        stands = store.decided_together(operator, at)
        if stands is None:
            return None
        for bucket, amount in _judged_otherwise(stands, otherwise, glance).items():
            difference[bucket] = difference.get(bucket, 0) + amount
    return _loaded(store, company, as_of, around, difference, samples, apart)


def _loaded(  # noqa: PLR0917
    store: Store,
    company: Company,
    as_of: Mapping[str, Instant],
    around: Surroundings,
    difference: dict[Bucket, int],
    samples: list[Sample],
    apart: frozenset[CaseKey],
) -> Then:
    promotions = store.promotions()
    ledger, begun = Ledger(company), starts(company.workflows, as_of, around)
    settled = strands(store, company, as_of, ledger.sampled(as_of), undivided=(min(as_of.values()), max(as_of.values())))
    tracks = store.tracks(named(ledger.needed(as_of, begun)), ledger.cuts(as_of, begun))
    ledger.load(as_of, begun, (), samples, tracks, settled)
    ledger.apply(difference)

    def fill(trail: Trail, at: Mapping[str, Instant]) -> None:
        trail.load(at, ())
        for track in store.tracks(named(trail.needed(at)), trail.cuts()):
            trail.take_track(track)
        trail.apply(difference)

    situations = {
        workflow.name: situation(workflow, as_of[workflow.name], around, readings=readings(store, workflow), promotions=promotions.get(workflow.name, ()))
        for workflow in company.workflows
    }
    return Then(ledger, situations, around, fill, apart)


def _around(store: Store, company: Company, as_of: Mapping[str, Instant], divided: list[CaseKey], apart: frozenset[CaseKey]) -> Surroundings | None:
    """What other cases say as of T; None where an undated level would begin at another instant than the one that the stored facts were derived with."""
    stored = store.surroundings(as_of)
    undated = [workflow for workflow in company.workflows if any(level.since is None for level in workflow.levels)]
    if not undated:
        return stored
    known = {w.name: _least(store.first_agent_without(w.name, apart), store.forgotten_first_agent(w.name)) for w in undated}
    cut = Cut(stored, store.histories(divided), company, as_of, known)
    return cut if all(cut.first_agent_at(w) == stored.first_agent_at(w) for w in undated) else None


def _least(*instants: Instant | None) -> Instant | None:
    return min((at for at in instants if at is not None), default=None)


def _decided(facts: tuple[Fact, ...], glance: Glance, as_of: Mapping[str, Instant]) -> set[tuple[EventRef, Instant, str | None, int]]:
    """The first decisions up to T, by what dwell depends on: what was decided at a glance is judged across cases."""
    return {
        (fact.opened, fact.first_decided_at, fact.decider, fact.row)
        for fact in looked_at(facts, glance)
        if fact.first_decided_at is not None and fact.first_decided_at <= as_of[fact.workflow]
    }


def _judged_otherwise(stands: Judgement, otherwise: Mapping[CaseKey, tuple[Recommendation, ...]], glance: Glance) -> dict[Bucket, int]:
    """What an operator's decisions at one instant count less or more as glances, where some cases had other decisions at T than they have now."""
    then = [(case, fact) for case, fact in stands.decisions if case not in otherwise]
    then += [(case, fact) for case, facts in otherwise.items() for fact in facts if (fact.decider, fact.first_decided_at) == (stands.operator, stands.at)]
    difference: Counter[Bucket] = Counter()
    for sign, judgement in ((1, msgspec.structs.replace(stands, decisions=tuple(then))), (-1, stands)):
        for series, minute, amount in stamped(judgement, glance):
            difference[series, minute] += sign * amount
    return difference


def began(store: Store, workflow: str) -> Instant | None:
    """The end of the first minute in which anything is known of a workflow."""
    minute = store.first_count(workflow)
    return None if minute is None else minute * MINUTE
