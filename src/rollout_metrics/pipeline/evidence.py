"""Receipts: the cases and events behind a number, each with what it counts there and where to look at it."""

from collections.abc import Callable, Iterator, Mapping
from heapq import nlargest

import msgspec

from rollout_metrics import rollup
from rollout_metrics.catalog import METRICS, TALLIES, Metric
from rollout_metrics.catalog.gates import OF_GATES
from rollout_metrics.catalog.metric import Count, Merged, Middle, Observed, Oldest, Part, Ratio, Saved, Spiked, Spread, Standing, Survival, Told, Warned, Within
from rollout_metrics.catalog.tallies import ASSUMED, LATENCY_BUCKETS, REVIEWER
from rollout_metrics.catalog.trust import EVIDENCE, PERSONAL_SIGNS, SPIKE_COHORT
from rollout_metrics.derive.standing import level_standing
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.events import CaseKey, Event, EventRef, text_value
from rollout_metrics.domain.facts import Fact, Recommendation
from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.time import HOUR, MINUTE, SECOND, Instant, minute_of
from rollout_metrics.domain.trust import Sign, Signal
from rollout_metrics.figures.signs import WINDOW
from rollout_metrics.figures.spikes import look, spike_limit
from rollout_metrics.figures.trail import Trail
from rollout_metrics.overview.evidence import Asked, Explained, Place, Receipt, Seen, Wanted
from rollout_metrics.pipeline.deployed import receipts_of, told_by_deployments
from rollout_metrics.pipeline.deriving import glances_of
from rollout_metrics.pipeline.engine import Pipeline
from rollout_metrics.pipeline.freshness import NOTHING, as_of_all
from rollout_metrics.pipeline.gate_evidence import asked_early, behind, gate_named, told
from rollout_metrics.pipeline.glances import everywhere
from rollout_metrics.rollup import STATE
from rollout_metrics.stats.spike import Spike

_GLANCED, _CORRECTIONS = "glanced_decisions", "corrections_to_settled"
_BEGINNING: Instant = 0


class _Found(msgspec.Struct, frozen=True):
    """One fact that counts: as what, in which minute, how much (an amount, or microseconds of a duration; None while it runs)."""

    case: CaseKey
    fact: Fact
    role: str
    counted: str
    minute: int
    value: float | None


class _Part(msgspec.Struct, frozen=True):
    """Counts or samples that a metric is made of: as what, of which kind, with which labels, and which of them."""

    role: str
    kind: str
    labels: tuple[str, ...]
    where: Mapping[str, frozenset[str]] = {}
    sampled: bool = False
    unfinished: bool = False
    complete: bool = False
    scale: float | None = None


def explain(pipeline: Pipeline, asked: Asked, wanted: Wanted) -> Explained:
    """Facts behind a number, the newest first; of a ratio those in the numerator are not named again as denominator.

    Raises `ConfigurationError` where there are no cases behind the metric, or operators' figures are withheld.
    """
    if asked.metric.key in OF_GATES:
        return _of_gate(pipeline, asked, wanted)
    if told_by_deployments(asked.metric):
        return _of_deployments(pipeline, asked, wanted)
    if isinstance(asked.metric.obtained, Warned) and _sign(asked.labels) is Sign.EARLY_AUTHORITY_ASK:
        return _asked_early(pipeline, asked, wanted)
    asked = _over_versions(pipeline, asked)
    parts = _parts(asked.metric, asked.labels)
    at = as_of_all(pipeline.company, pipeline.readings()).get(asked.workflow if asked.workflow in _names(pipeline) else "", NOTHING)
    if asked.end is not None:
        at = min(at, asked.end)
    if at == NOTHING:
        return Explained()
    if isinstance(asked.metric.obtained, Warned):
        asked = msgspec.structs.replace(asked, window=WINDOW)
    _permitted(pipeline, asked, at)
    if isinstance(asked.metric.obtained, Spiked | Observed):
        seen = _spike(pipeline, asked, at)
        if seen.since is None or seen.until is None:
            return Explained()
        asked, at = msgspec.structs.replace(asked, window=(seen.until - seen.since) * HOUR), seen.until * HOUR
    start = at - asked.window if _windowed(asked.metric) else _BEGINNING
    return _explained(pipeline, asked, parts, (start, at), wanted)


def _asked_early(pipeline: Pipeline, asked: Asked, wanted: Wanted) -> Explained:
    assessment = pipeline.assessed().get(asked.workflow)
    workflow = next((item for item in pipeline.company.workflows if item.name == asked.workflow), None)
    return Explained() if assessment is None or workflow is None else Explained(asked_early(workflow, assessment)[: wanted.limit])


def _of_gate(pipeline: Pipeline, asked: Asked, wanted: Wanted) -> Explained:
    assessment = pipeline.assessed().get(asked.workflow)
    if assessment is None:
        return Explained()
    workflow = next(item for item in pipeline.company.workflows if item.name == asked.workflow)
    gate = gate_named(assessment, asked.labels)
    found = behind(workflow, assessment, gate)
    if found is None:
        return Explained(told(assessment, gate, pipeline.deployments(asked.workflow))[: wanted.limit])
    parts = [_of_ratio(role, part, {}) for role, part in found.parts]
    counted = msgspec.structs.replace(asked, metric=METRICS["decisions"])
    return _explained(pipeline, counted, parts, (found.after, assessment.as_of), wanted)


def _explained(pipeline: Pipeline, asked: Asked, parts: list[_Part], between: tuple[Instant, Instant], wanted: Wanted) -> Explained:
    """The facts that the parts count in a stretch of time."""
    start, at = between
    totals: dict[str, int] = {part.role: 0 for part in parts}

    def counted() -> Iterator[_Found]:
        for found in _found(pipeline, asked, parts, start, at):
            totals[found.role] += 1
            yield found

    everything = counted()
    if isinstance(asked.metric.obtained, Oldest):
        everything = _oldest(everything)
    rows = (f for f in everything if _asked_for(f, wanted))
    newest = nlargest(wanted.limit + 1, rows, key=_place)
    shown, more = newest[: wanted.limit], len(newest) > wanted.limit
    events: dict[CaseKey, dict[EventRef, Event]] = {}
    for found in shown:
        if found.case not in events:
            events[found.case] = {event.ref: event for event in pipeline.store.events(found.case)}
    if "denominator" in totals:
        totals["denominator"] += totals["numerator"]
    return Explained(tuple(_receipt(found, events[found.case], pipeline.company) for found in shown), totals, _place(shown[-1]) if more else None)


def _place(found: _Found | Receipt) -> Place:
    return found.minute, *found.case


def _asked_for(found: _Found | Receipt, wanted: Wanted) -> bool:
    return (
        (wanted.role is None or found.role == wanted.role)
        and (wanted.case is None or wanted.case in (found.case[1], "/".join(found.case)))
        and (wanted.before is None or _place(found) < wanted.before)
    )


def _of_deployments(pipeline: Pipeline, asked: Asked, wanted: Wanted) -> Explained:
    pipeline.families()
    known = pipeline.deployments(asked.workflow)
    if known is None:
        return Explained()

    def seen(case: CaseKey, ref: EventRef) -> Seen | None:
        return next((_seen(event, pipeline.company) for event in pipeline.store.events(case) if event.ref == ref), None)

    receipts, totals = receipts_of(asked, known, seen)
    chosen = [item for item in receipts if _asked_for(item, wanted)]
    newest = nlargest(wanted.limit + 1, chosen, key=_place)
    return Explained(tuple(newest[: wanted.limit]), totals, _place(newest[wanted.limit - 1]) if len(newest) > wanted.limit else None)


def _over_versions(pipeline: Pipeline, asked: Asked) -> Asked:
    """The versions that run without a record are told by their events of the longest window."""
    if asked.metric.obtained != Told("unrecorded_versions"):
        return asked
    longest = max((max(workflow.windows) for workflow in pipeline.company.workflows if workflow.name == asked.workflow), default=asked.window)
    return msgspec.structs.replace(asked, metric=METRICS["unrecorded_version_events"], window=longest)


def _names(pipeline: Pipeline) -> set[str]:
    return {workflow.name for workflow in pipeline.company.workflows}


def _permitted(pipeline: Pipeline, asked: Asked, at: Instant) -> None:
    """Figures on operators' behaviour are not explained where they are not published."""
    if not _personal(asked):
        return
    company = pipeline.company
    if not company.operator_figures:
        raise ConfigurationError(f"{asked.metric.name} rests on operators' own behaviour, which privacy.operator_figures switches off")
    workflow = next((workflow for workflow in company.workflows if workflow.name == asked.workflow), None)
    span = asked.window if _windowed(asked.metric) or workflow is None else max(workflow.windows)
    counts: dict[tuple[str, ...], int] = {}
    for _, series, amount in pipeline.store.counts(asked.workflow, (at - span) // MINUTE, at // MINUTE):
        if series[1] == "operators":
            counts[series] = counts.get(series, 0) + amount
    if sum(1 for amount in counts.values() if amount) < company.min_operators:
        raise ConfigurationError(f"{asked.metric.name} rests on operators' own behaviour: it is withheld for fewer than {company.min_operators} of them")


def _windowed(metric: Metric) -> bool:
    """Whether only what falls into the window counts."""
    return metric.windowed or isinstance(metric.obtained, Warned | Spiked | Observed)


def _personal(asked: Asked) -> bool:
    """Whether the number rests on operators' own behaviour."""
    return asked.metric.personal or (isinstance(asked.metric.obtained, Warned) and _sign(asked.labels) in PERSONAL_SIGNS)


def _parts(metric: Metric, labels: Mapping[str, str]) -> list[_Part]:
    """What the metric is made of, cut down to the series with these labels."""
    asked = {label: frozenset((value,)) for label, value in labels.items()}
    obtained = metric.obtained
    if isinstance(obtained, Spread):
        known: tuple[str, ...] = ("le",)
        asked = {label: _up_to(value) for label, value in labels.items()}
        parts = [_Part("counted", obtained.buckets, known, asked)]
    elif isinstance(obtained, Ratio):
        known = TALLIES[obtained.denominator.tally].labels
        parts = [_of_ratio("numerator", obtained.numerator, asked), _of_ratio("denominator", obtained.denominator, asked)]
    elif isinstance(obtained, Count | Merged) or (isinstance(obtained, Standing) and obtained.tally != _CORRECTIONS):
        known = TALLIES[obtained.tally].labels
        parts = [_Part("counted", obtained.tally, known, asked, scale=obtained.scale if isinstance(obtained, Count) else None)]
    elif isinstance(obtained, Middle | Survival | Within | Oldest):
        known = metric.labels
        complete, unfinished = isinstance(obtained, Middle), isinstance(obtained, Oldest)
        parts = [_Part("sample", obtained.sample, known, asked, sampled=True, complete=complete, unfinished=unfinished)]
    elif isinstance(obtained, Saved):
        known = ("basis",)
        asked = {label: values for label, values in asked.items() if values != {ASSUMED}}
        parts = [_Part("sample", "effort", known, asked, sampled=True, complete=True)]
    elif isinstance(obtained, Warned):
        known = metric.labels
        parts = _of_sign(_sign(labels))
    elif isinstance(obtained, Spiked | Observed):
        known = metric.labels
        signal = frozenset((_signal(labels).value,))
        where = {"signal": signal, "counted": frozenset(("true",))}
        parts = [_Part(role, SPIKE_COHORT, TALLIES[SPIKE_COHORT].labels, part) for role, part in (("numerator", where), ("denominator", {"signal": signal}))]
    else:
        raise ConfigurationError(f"{metric.name} is not counted from cases: it comes from the configuration, change records or the exporter itself")
    unknown = sorted(labels.keys() - set(known))
    if unknown:
        raise ConfigurationError(f"{metric.name} is not told apart by {', '.join(unknown)}" + (f": its labels are {', '.join(known)}" if known else ""))
    return parts


def _sign(labels: Mapping[str, str]) -> Sign:
    """The one warning sign that is asked about."""
    named = labels.get("sign")
    if named not in {sign.value for sign in Sign}:
        raise ConfigurationError(f"name one warning sign: --label sign={'|'.join(sign.value for sign in Sign)}")
    return Sign(named)


def _signal(labels: Mapping[str, str]) -> Signal:
    """The one signal that is asked about."""
    named = labels.get("signal")
    if named not in {signal.value for signal in Signal}:
        raise ConfigurationError(f"name one signal: --label signal={'|'.join(signal.value for signal in Signal)}")
    return Signal(named)


def _spike(pipeline: Pipeline, asked: Asked, at: Instant) -> Spike:
    """The look behind the figures: it says which hours they are about."""
    workflow = next(workflow for workflow in pipeline.company.workflows if workflow.name == asked.workflow)
    trail = Trail((workflow,))
    needed = trail.needed({workflow.name: at})
    counts = (row for stretch in needed for row in pipeline.store.counts(workflow.name, stretch.after, stretch.up_to))
    trail.load({workflow.name: at}, ((series, minute, amount) for minute, series, amount in counts))
    level, signal = level_standing(workflow, at, pipeline.store.surroundings({workflow.name: at}))[0], _signal(asked.labels)
    return look(workflow, signal, at, trail, spike_limit(workflow, level, signal))


def _of_sign(sign: Sign) -> list[_Part]:
    parts = []
    for role, part in EVIDENCE[sign]:
        labels = tuple(label for label in TALLIES[part.tally].labels if label != REVIEWER)
        parts.append(_Part(role, part.tally, labels, dict(part.where), scale=1 / SECOND if part.tally == "review_effort" else None))
    return parts


def _of_ratio(role: str, part: Part, asked: Mapping[str, frozenset[str]]) -> _Part:
    where = dict(part.where)
    return _Part(role, part.tally, TALLIES[part.tally].labels, where | {label: values & where.get(label, values) for label, values in asked.items()})


def _up_to(bound: str) -> frozenset[str]:
    """The buckets that one of the histogram contains."""
    bounds = [*map(str, LATENCY_BUCKETS), "+Inf"]
    bound = bound.removesuffix(".0")
    if bound not in bounds:
        raise ConfigurationError(f"there is no bucket {bound!r}: there are {', '.join(bounds)}")
    return frozenset(bounds[: bounds.index(bound) + 1])


def _found(pipeline: Pipeline, asked: Asked, parts: list[_Part], start: Instant, at: Instant) -> Iterator[_Found]:
    """Every fact that counts, once."""
    workflows = {workflow.name: workflow for workflow in pipeline.company.workflows}
    glanced = _glanced(pipeline, workflows, start, at) if any(part.kind == _GLANCED for part in parts) else frozenset()
    counts = _counts(workflows, glanced)
    for case, facts in pipeline.store.facts_between(asked.workflow, start, at):
        for fact in facts:
            for part in parts:
                read = _samples if part.sampled else counts
                found = next((item for item in read(case, fact, part) if _wanted(item, asked, start, at)), None)
                if found is not None:
                    values, minute, value = found
                    named = dict(zip(part.labels, values, strict=False))
                    said = ", ".join(f"{label}={text}" for label, text in named.items())
                    scaled = value if part.scale is None or value is None else value * part.scale
                    yield _Found(case, fact, part.role, part.kind + (f" {said}" if said else ""), minute, scaled)
                    break


_Item = tuple[tuple[str, ...], int, float | None]
"""Label values, minute, value."""


def _wanted(item: _Item, asked: Asked, start: Instant, at: Instant) -> bool:
    minute = item[1]
    return minute == STATE or not _windowed(asked.metric) or start < minute * MINUTE <= at


def _counts(workflows: Mapping[str, Workflow], glanced: frozenset[tuple[CaseKey, EventRef]]) -> Callable[[CaseKey, Fact, _Part], Iterator[_Item]]:
    def counts(case: CaseKey, fact: Fact, part: _Part) -> Iterator[_Item]:
        opened = (fact.opened,) if type(fact) is Recommendation and (case, fact.opened) in glanced else ()
        for series, minute, amount in rollup.contributions((fact,), workflows, opened):
            if series[1] == part.kind and _matches(part, series[2:]):
                yield series[2:], minute, amount

    return counts


def _samples(_case: CaseKey, fact: Fact, part: _Part) -> Iterator[_Item]:
    for sample in rollup.samples((fact,)):
        if sample.series[1] == part.kind and _matches(part, sample.series[2:]):
            if (part.complete and not (sample.complete and sample.duration is not None)) or (part.unfinished and sample.duration is not None):
                continue
            yield sample.series[2:], minute_of(sample.at), None if sample.duration is None else sample.duration / SECOND


def _matches(part: _Part, values: tuple[str, ...]) -> bool:
    return all(value in part.where[label] for label, value in zip(part.labels, values, strict=False) if label in part.where)


def _oldest(found: Iterator[_Found]) -> Iterator[_Found]:
    """Those that began in the first minute of all."""
    everything = list(found)
    first = min((item.minute for item in everything), default=0)
    return (item for item in everything if item.minute == first)


def _glanced(pipeline: Pipeline, workflows: Mapping[str, Workflow], start: Instant, at: Instant) -> frozenset[tuple[CaseKey, EventRef]]:
    """Decisions at a glance. Whatever an operator decided at the same instant in other workflows has its part in them."""
    decided = (found for name in workflows for found in pipeline.store.facts_between(name, start, at, {Recommendation}))
    return frozenset((case, fact.opened) for case, fact in everywhere(decided, pipeline.store.previous_touch, glances_of(workflows)))


def _receipt(found: _Found, events: Mapping[EventRef, Event], company: Company) -> Receipt:
    evidence = found.fact.evidence
    seen = tuple(_seen(events[ref], company) for ref in evidence if ref in events)
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


def _seen(event: Event, company: Company) -> Seen:
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
