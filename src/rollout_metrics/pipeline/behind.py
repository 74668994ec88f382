"""From a question's parts to the facts behind them: by the index of receipts, a page at a time, each fact with its case and events."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import nlargest
from itertools import islice

import msgspec

from rollout_metrics import rollup
from rollout_metrics.domain.events import CaseKey, Event, EventRef, text_value
from rollout_metrics.domain.facts import Fact, Recommendation
from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.time import MINUTE, SECOND, Instant, minute_of
from rollout_metrics.overview.evidence import Explained, Place, Receipt, Seen, Wanted
from rollout_metrics.pipeline.deriving import glances_of
from rollout_metrics.pipeline.engine import Pipeline
from rollout_metrics.pipeline.glances import everywhere
from rollout_metrics.pipeline.sampled import DONE, RUNNING, SAMPLE
from rollout_metrics.rollup import STATE, Contribution
from rollout_metrics.store import Posted, Store

_GLANCED = "glanced_decisions"
_KNOWN = 5_000
"""Facts whose contributions are remembered."""
_TALLIES = {kind: frozenset((*(row.tally for row in rows), *((_GLANCED,) if kind is Recommendation else ()))) for kind, rows in rollup.ROWS.items()}
"""What a kind of fact can count in."""


class _Found(msgspec.Struct, frozen=True):
    """One fact that counts: as what, in which minute, how much (an amount, or microseconds of a duration; None while it runs)."""

    case: CaseKey
    fact: Fact
    role: str
    counted: str
    minute: int
    value: float | None


class Sought(msgspec.Struct, frozen=True):
    """Of which workflow, and whether only what falls into a stretch of time counts."""

    workflow: str
    windowed: bool


class Counted(msgspec.Struct, frozen=True):
    """Counts or samples that a metric is made of: as what, of which kind, with which labels, and which of them."""

    role: str
    kind: str
    labels: tuple[str, ...]
    where: Mapping[str, frozenset[str]] = {}
    sampled: bool = False
    unfinished: bool = False
    complete: bool = False
    scale: float | None = None


_Item = tuple[tuple[str, ...], int, float | None]
"""Label values, minute, value."""

_Read = Callable[[CaseKey, Fact, Counted], Iterator[_Item]]
"""What a fact contributes to a part."""


def explained(pipeline: Pipeline, asked: Sought, parts: list[Counted], between: tuple[Instant, Instant], wanted: Wanted) -> Explained:
    """The facts that the parts count in a stretch of time."""
    if any(part.kind == _GLANCED for part in parts):
        return _scanned(pipeline, asked, wanted, parts, between)
    index = [_Indexed(part, _series(pipeline.store, asked.workflow, part), *_minutes(pipeline.store, asked, part, between)) for part in parts]
    totals = _totals(pipeline.store, index)
    found, after = _of_case(pipeline, asked, wanted, index) if wanted.case is not None else _indexed(pipeline, asked, wanted, index)
    return Explained(_receipts(pipeline, found), totals, after)


class _Indexed(msgspec.Struct, frozen=True):
    """A part and where its cases are found: its series and the minutes (after, up_to]."""

    part: Counted
    series: list[tuple[str, ...]]
    after: int
    up_to: int


def _series(store: Store, workflow: str, part: Counted) -> list[tuple[str, ...]]:
    if not part.sampled:
        return [name for name in store.series_named(workflow, {part.kind}) if _matches(part, name[2:])]
    states = {RUNNING} if part.unfinished else {DONE} if part.complete else {DONE, RUNNING}
    return [name for name in store.series_named(workflow, {SAMPLE + part.kind}) if name[2] in states and _matches(part, name[3:])]


def _minutes(store: Store, asked: Sought, part: Counted, between: tuple[Instant, Instant]) -> tuple[int, int]:
    if asked.windowed:
        return between[0] // MINUTE, between[1] // MINUTE
    if not part.sampled:
        return STATE - 1, STATE
    first = store.first_minute(_series(store, asked.workflow, part))  # those that began in the first minute of all
    return (STATE, STATE) if first is None else (first - 1, first)


def _totals(store: Store, index: list[_Indexed]) -> dict[str, int]:
    """How many facts there are by role: each under the first part that holds it; a denominator holds its numerator too.

    Amounts that are no numbers of facts stand for one each.
    """
    totals: dict[str, int] = {}
    taken: set[tuple[str, ...]] = set()
    for item in index:
        part = item.part
        series = item.series if part.role == "denominator" else [name for name in item.series if name not in taken]
        taken.update(item.series)
        rows, amount = store.posted_sum(series, item.after, item.up_to)
        totals[part.role] = totals.get(part.role, 0) + (rows if part.scale is not None else amount)
    return totals


def _indexed(pipeline: Pipeline, asked: Sought, wanted: Wanted, index: list[_Indexed]) -> tuple[list[_Found], Place | None]:
    """One page, from the index: as many whole cases of a minute as it takes."""
    store = pipeline.store
    searched = [item for item in index if wanted.role in (None, item.part.role)]
    series = [name for item in searched for name in item.series]
    before = None if wanted.before is None else Posted(wanted.before[0], (wanted.before[1], wanted.before[2]))
    places = store.posted(series, min(item.after for item in index), max(item.up_to for item in index), before) if searched else iter(())
    found: list[_Found] = []
    read = _counts(pipeline.company.by_name, frozenset())
    while batch := tuple(islice(places, wanted.limit - len(found) + 1)):
        facts = store.facts(list(dict.fromkeys(place.case for place in batch)))
        for place in batch:
            if len(found) >= wanted.limit:
                return found, place_of(found[-1])
            found += [item for item in _facts_of(read, asked, index, place.case, facts.get(place.case, ()), place.minute) if wanted.role in (None, item.role)]
    return found, None


def _of_case(pipeline: Pipeline, asked: Sought, wanted: Wanted, index: list[_Indexed]) -> tuple[list[_Found], Place | None]:
    """What one case has to do with the number, whichever source's case it is."""
    named = [(source, case) for source in pipeline.sources for case in (wanted.case or "", (wanted.case or "").removeprefix(f"{source}/"))]
    facts = pipeline.store.facts(list(dict.fromkeys(named)))
    read = _counts(pipeline.company.by_name, frozenset())
    found = [item for case, its in facts.items() for item in _facts_of(read, asked, index, case, its, None) if asked_for(item, wanted)]
    return sorted(found, key=place_of, reverse=True), None


def _facts_of(  # noqa: PLR0917
    counts: _Read, asked: Sought, index: list[_Indexed], case: CaseKey, facts: Iterable[Fact], minute: int | None
) -> Iterator[_Found]:
    """What each of a case's facts counts as first, in one minute or (None) in all that are asked for."""
    for fact in facts:
        if fact.workflow != asked.workflow:
            continue
        for item in index:
            part = item.part
            read = _samples if part.sampled else counts
            fitting = (one for one in read(case, fact, part) if (one[1] == minute if minute is not None else item.after < one[1] <= item.up_to))
            first = next(fitting, None)
            if first is not None:
                yield _found_as(case, fact, part, first)
                break


def _found_as(case: CaseKey, fact: Fact, part: Counted, item: _Item) -> _Found:
    values, minute, value = item
    said = ", ".join(f"{label}={text}" for label, text in zip(part.labels, values, strict=False))
    scaled = value if part.scale is None or value is None else value * part.scale
    return _Found(case, fact, part.role, part.kind + (f" {said}" if said else ""), minute, scaled)


def _scanned(pipeline: Pipeline, asked: Sought, wanted: Wanted, parts: list[Counted], between: tuple[Instant, Instant]) -> Explained:
    """Glances are judged across cases, so no index leads to them: every fact of the window is looked at."""
    totals: dict[str, int] = {part.role: 0 for part in parts}
    everything: list[_Found] = []
    for found in _found(pipeline, asked, parts, *between):
        totals[found.role] += 1
        everything.append(found)
    newest = nlargest(wanted.limit + 1, (item for item in everything if asked_for(item, wanted)), key=place_of)
    shown = newest[: wanted.limit]
    if "denominator" in totals:
        totals["denominator"] += totals["numerator"]
    return Explained(_receipts(pipeline, shown), totals, place_of(shown[-1]) if len(newest) > wanted.limit else None)


def _receipts(pipeline: Pipeline, found: list[_Found]) -> tuple[Receipt, ...]:
    keys = list(dict.fromkeys(item.case for item in found))
    events = {case: {event.ref: event for event in history} for case, history in pipeline.store.histories(keys)}
    return tuple(_receipt(item, events[item.case], pipeline.company) for item in found)


def place_of(found: _Found | Receipt) -> Place:
    """Where it stands in a list."""
    return found.minute, *found.case


def asked_for(found: _Found | Receipt, wanted: Wanted) -> bool:
    """Whether it is of the role and case that are wanted, and older than the place."""
    return (
        (wanted.role is None or found.role == wanted.role)
        and (wanted.case is None or wanted.case in (found.case[1], "/".join(found.case)))
        and (wanted.before is None or place_of(found) < wanted.before)
    )


def _found(pipeline: Pipeline, asked: Sought, parts: list[Counted], start: Instant, at: Instant) -> Iterator[_Found]:
    """Every fact that counts, once."""
    workflows = pipeline.company.by_name
    counts = _counts(workflows, _glanced(pipeline, workflows, start, at))
    for case, facts in pipeline.store.facts_between(asked.workflow, start, at):
        for fact in facts:
            for part in parts:
                found = next((item for item in counts(case, fact, part) if start < item[1] * MINUTE <= at), None)
                if found is not None:
                    yield _found_as(case, fact, part, found)
                    break


def _counts(workflows: Mapping[str, Workflow], glanced: frozenset[tuple[CaseKey, EventRef]]) -> _Read:
    """Contributions of facts, each counted once however often it is asked for."""
    known: dict[int, tuple[Fact, list[Contribution]]] = {}  # by identity; the fact is kept, so that its identity stays its own

    def contributed(case: CaseKey, fact: Fact) -> list[Contribution]:
        if len(known) > _KNOWN:
            known.clear()
        opened = (fact.opened,) if type(fact) is Recommendation and (case, fact.opened) in glanced else ()
        return known.setdefault(id(fact), (fact, rollup.contributions((fact,), workflows, opened)))[1]

    def counts(case: CaseKey, fact: Fact, part: Counted) -> Iterator[_Item]:
        if part.kind not in _TALLIES[type(fact)]:
            return
        found = known.get(id(fact))
        for series, minute, amount in contributed(case, fact) if found is None else found[1]:
            if series[1] == part.kind and _matches(part, series[2:]):
                yield series[2:], minute, amount

    return counts


def _samples(_case: CaseKey, fact: Fact, part: Counted) -> Iterator[_Item]:
    for sample in rollup.samples((fact,)):
        if sample.series[1] == part.kind and _matches(part, sample.series[2:]):
            if (part.complete and not (sample.complete and sample.duration is not None)) or (part.unfinished and sample.duration is not None):
                continue
            yield sample.series[2:], minute_of(sample.at), None if sample.duration is None else sample.duration / SECOND


def _matches(part: Counted, values: tuple[str, ...]) -> bool:
    return all(value in part.where[label] for label, value in zip(part.labels, values, strict=False) if label in part.where)


def _glanced(pipeline: Pipeline, workflows: Mapping[str, Workflow], start: Instant, at: Instant) -> frozenset[tuple[CaseKey, EventRef]]:
    """Decisions at a glance. Whatever an operator decided at the same instant in other workflows has its part in them."""
    decided = (found for name in workflows for found in pipeline.store.facts_between(name, start, at, {Recommendation}))
    return frozenset((case, fact.opened) for case, fact in everywhere(decided, pipeline.store.previous_touch, glances_of(workflows)))


def _receipt(found: _Found, events: Mapping[EventRef, Event], company: Company) -> Receipt:
    evidence = found.fact.evidence
    seen = tuple(seen_as(events[ref], company) for ref in evidence if ref in events)
    url = next((event.url for event in reversed(seen) if event.url), None) or next((url for event in events.values() if (url := event.detail.get("url"))), None)
    return Receipt(
        case=found.case,
        minute=found.minute,
        at=None if found.minute == STATE else found.minute * MINUTE,
        role=found.role,
        counted=found.counted,
        value=found.value,
        fact=str(type(found.fact).__struct_config__.tag),
        events=seen,
        refs=evidence,
        url=url,
    )


def seen_as(event: Event, company: Company) -> Seen:
    """An event as receipts show it."""
    detail = event.detail
    return Seen(
        ref=event.ref,
        at=event.occurred_at,
        activity=event.activity.value,
        actor_kind=company.kind_of(event).value,
        actor=event.actor_id,
        attribute=event.attribute,
        before=event.before,
        after=event.after if event.after is not None else text_value(detail.get("value")),
        action=detail.get("action"),
        reason=detail.get("reason"),
        url=detail.get("url"),
    )
