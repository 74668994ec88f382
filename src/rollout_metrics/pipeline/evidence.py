"""Receipts: the cases and events behind a number, each with what it counts there and where to look at it."""

from collections.abc import Mapping
from heapq import nlargest
from itertools import islice

import msgspec

from rollout_metrics.catalog import METRICS, TALLIES, Metric
from rollout_metrics.catalog.gates import OF_GATES
from rollout_metrics.catalog.metric import (
    Count,
    Merged,
    Middle,
    Observed,
    Oldest,
    Part,
    Ratio,
    Repeating,
    Saved,
    Spiked,
    Spread,
    Standing,
    Survival,
    Told,
    Warned,
    Within,
)
from rollout_metrics.catalog.tallies import ASSUMED, LATENCY_BUCKETS, REVIEWER
from rollout_metrics.catalog.trust import EVIDENCE, PERSONAL_SIGNS, SPIKE_COHORT
from rollout_metrics.derive.standing import level_standing
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.events import CaseKey, EventRef
from rollout_metrics.domain.time import HOUR, MINUTE, SECOND, Instant
from rollout_metrics.domain.trust import Sign, Signal
from rollout_metrics.figures.signs import WINDOW
from rollout_metrics.figures.spikes import look, spike_limit
from rollout_metrics.figures.trail import Trail
from rollout_metrics.overview.evidence import Asked, Explained, Seen, Wanted
from rollout_metrics.pipeline.behind import Counted, Sought, asked_for, explained, place_of, seen_as
from rollout_metrics.pipeline.deployed import receipts_of, told_by_deployments
from rollout_metrics.pipeline.engine import Pipeline
from rollout_metrics.pipeline.freshness import NOTHING, as_of_all
from rollout_metrics.pipeline.gate_evidence import asked_early, behind, gate_named, told
from rollout_metrics.pipeline.singled_out import drifted_names, repeated_categories
from rollout_metrics.stats.spike import Spike

_GLANCED, _CORRECTIONS, _OPERATORS = "glanced_decisions", "corrections_to_settled", "operators"
_BEGINNING: Instant = 0


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
    if asked.metric.obtained == Told("drifted_names"):
        return _of_drift(pipeline, asked, wanted)
    asked = _over_versions(pipeline, asked)
    parts = _parts(asked.metric, asked.labels)
    at = _until(pipeline, asked)
    if at == NOTHING:
        return Explained()
    if isinstance(asked.metric.obtained, Repeating):
        workflow = pipeline.company.by_name[asked.workflow]
        categories = repeated_categories(pipeline.store, workflow, at, asked.window, asked.labels)
        parts = [msgspec.structs.replace(part, where={"category": categories}) for part in parts]
    if isinstance(asked.metric.obtained, Warned):
        asked = msgspec.structs.replace(asked, window=WINDOW)
    _permitted(pipeline, asked, at)
    if isinstance(asked.metric.obtained, Spiked | Observed):
        seen = _spike(pipeline, asked, at)
        if seen.since is None or seen.until is None:
            return Explained()
        asked, at = msgspec.structs.replace(asked, window=(seen.until - seen.since) * HOUR), seen.until * HOUR
    start = at - asked.window if _windowed(asked.metric) else _BEGINNING
    return explained(pipeline, Sought(asked.workflow, _windowed(asked.metric)), parts, (start, at), wanted)


def _until(pipeline: Pipeline, asked: Asked) -> Instant:
    """The workflow's T, or an earlier end that was asked for."""
    at = as_of_all(pipeline.company, pipeline.readings()).get(asked.workflow if asked.workflow in pipeline.company.by_name else "", NOTHING)
    return at if asked.end is None else min(at, asked.end)


def _of_drift(pipeline: Pipeline, asked: Asked, wanted: Wanted) -> Explained:
    """The cases on which what stopped appearing still did."""
    at = _until(pipeline, asked)
    workflow = pipeline.company.by_name.get(asked.workflow)
    if at == NOTHING or workflow is None:
        return Explained()
    held = drifted_names(pipeline.store, workflow, at, asked.labels)
    parts = [Counted("counted", "appearances", ("names",), {"names": frozenset(held)})]
    found = explained(pipeline, Sought(asked.workflow, windowed=True), parts, (at - max(workflow.windows), at), wanted)
    names = {f"appearances names={label}": "still had " + ", ".join(sorted(stopped)) for label, stopped in held.items()}
    return msgspec.structs.replace(found, receipts=tuple(msgspec.structs.replace(item, counted=names[item.counted]) for item in found.receipts))


def _asked_early(pipeline: Pipeline, asked: Asked, wanted: Wanted) -> Explained:
    assessment = pipeline.assessed().get(asked.workflow)
    workflow = pipeline.company.by_name.get(asked.workflow)
    return Explained() if assessment is None or workflow is None else Explained(asked_early(workflow, assessment)[: wanted.limit])


def _of_gate(pipeline: Pipeline, asked: Asked, wanted: Wanted) -> Explained:
    assessment = pipeline.assessed().get(asked.workflow)
    if assessment is None:
        return Explained()
    workflow = pipeline.company.by_name[asked.workflow]
    gate = gate_named(assessment, asked.labels)
    found = behind(workflow, assessment, gate)
    if found is None:
        return Explained(told(assessment, gate, pipeline.deployments(asked.workflow))[: wanted.limit])
    parts = [_of_ratio(role, part, {}) for role, part in found.parts]
    return explained(pipeline, Sought(asked.workflow, windowed=True), parts, (found.after, assessment.as_of), wanted)


def _of_deployments(pipeline: Pipeline, asked: Asked, wanted: Wanted) -> Explained:
    pipeline.families()
    known = pipeline.deployments(asked.workflow)
    if known is None:
        return Explained()

    def seen(case: CaseKey, ref: EventRef) -> Seen | None:
        return next((seen_as(event, pipeline.company) for event in pipeline.store.events(case) if event.ref == ref), None)

    receipts, totals = receipts_of(asked, known, seen)
    chosen = [item for item in receipts if asked_for(item, wanted)]
    newest = nlargest(wanted.limit + 1, chosen, key=place_of)
    return Explained(tuple(newest[: wanted.limit]), totals, place_of(newest[wanted.limit - 1]) if len(newest) > wanted.limit else None)


def _over_versions(pipeline: Pipeline, asked: Asked) -> Asked:
    """The versions that run without a record are told by their events of the longest window."""
    if asked.metric.obtained != Told("unrecorded_versions"):
        return asked
    workflow = pipeline.company.by_name.get(asked.workflow)
    longest = asked.window if workflow is None else max(workflow.windows)
    return msgspec.structs.replace(asked, metric=METRICS["unrecorded_version_events"], window=longest)


def _permitted(pipeline: Pipeline, asked: Asked, at: Instant) -> None:
    """Figures on operators' behaviour are not explained where they are not published."""
    if not _personal(asked):
        return
    company = pipeline.company
    if not company.operator_figures:
        raise ConfigurationError(f"{asked.metric.name} rests on operators' own behaviour, which privacy.operator_figures switches off")
    workflow = company.by_name.get(asked.workflow)
    span = asked.window if _windowed(asked.metric) or workflow is None else max(workflow.windows)
    series = pipeline.store.series_named(asked.workflow, {_OPERATORS})
    active = islice(pipeline.store.some_posted(series, (at - span) // MINUTE, at // MINUTE), company.min_operators)
    if len(list(active)) < company.min_operators:
        raise ConfigurationError(f"{asked.metric.name} rests on operators' own behaviour: it is withheld for fewer than {company.min_operators} of them")


def _windowed(metric: Metric) -> bool:
    """Whether only what falls into the window counts."""
    return metric.windowed or isinstance(metric.obtained, Warned | Spiked | Observed)


def _personal(asked: Asked) -> bool:
    """Whether the number rests on operators' own behaviour."""
    return asked.metric.personal or (isinstance(asked.metric.obtained, Warned) and _sign(asked.labels) in PERSONAL_SIGNS)


def _parts(metric: Metric, labels: Mapping[str, str]) -> list[Counted]:
    """What the metric is made of, cut down to the series with these labels."""
    asked = {label: frozenset((value,)) for label, value in labels.items()}
    obtained = metric.obtained
    if isinstance(obtained, Spread):
        known: tuple[str, ...] = ("le",)
        asked = {label: _up_to(value) for label, value in labels.items()}
        parts = [Counted("counted", obtained.buckets, known, asked)]
    elif isinstance(obtained, Ratio):
        known = TALLIES[obtained.denominator.tally].labels
        parts = [_of_ratio("numerator", obtained.numerator, asked), _of_ratio("denominator", obtained.denominator, asked)]
    elif isinstance(obtained, Count | Merged | Repeating) or (isinstance(obtained, Standing) and obtained.tally != _CORRECTIONS):
        known = TALLIES[obtained.tally].labels
        parts = [Counted("counted", obtained.tally, known, asked, scale=obtained.scale if isinstance(obtained, Count) else None)]
    elif isinstance(obtained, Middle | Survival | Within | Oldest):
        known = metric.labels
        complete, unfinished = isinstance(obtained, Middle), isinstance(obtained, Oldest)
        parts = [Counted("sample", obtained.sample, known, asked, sampled=True, complete=complete, unfinished=unfinished)]
    elif isinstance(obtained, Saved):
        known = ("basis",)
        asked = {label: values for label, values in asked.items() if values != {ASSUMED}}
        parts = [Counted("sample", "effort", known, asked, sampled=True, complete=True)]
    elif isinstance(obtained, Warned):
        known = metric.labels
        parts = _of_sign(_sign(labels))
    elif isinstance(obtained, Spiked | Observed):
        known = metric.labels
        signal = frozenset((_signal(labels).value,))
        where = {"signal": signal, "counted": frozenset(("true",))}
        parts = [Counted(role, SPIKE_COHORT, TALLIES[SPIKE_COHORT].labels, part) for role, part in (("numerator", where), ("denominator", {"signal": signal}))]
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
    workflow = pipeline.company.by_name[asked.workflow]
    trail = Trail((workflow,))
    needed = trail.needed({workflow.name: at})
    counts = (row for stretch in needed for row in pipeline.store.counts(workflow.name, stretch.after, stretch.up_to))
    trail.load({workflow.name: at}, ((series, minute, amount) for minute, series, amount in counts))
    level, signal = level_standing(workflow, at, pipeline.store.surroundings({workflow.name: at}))[0], _signal(asked.labels)
    return look(workflow, signal, at, trail, spike_limit(workflow, level, signal))


def _of_sign(sign: Sign) -> list[Counted]:
    parts = []
    for role, part in EVIDENCE[sign]:
        labels = tuple(label for label in TALLIES[part.tally].labels if label != REVIEWER)
        parts.append(Counted(role, part.tally, labels, dict(part.where), scale=1 / SECOND if part.tally == "review_effort" else None))
    return parts


def _of_ratio(role: str, part: Part, asked: Mapping[str, frozenset[str]]) -> Counted:
    where = dict(part.where)
    return Counted(role, part.tally, TALLIES[part.tally].labels, where | {label: values & where.get(label, values) for label, values in asked.items()})


def _up_to(bound: str) -> frozenset[str]:
    """The buckets that one of the histogram contains."""
    bounds = [*map(str, LATENCY_BUCKETS), "+Inf"]
    bound = bound.removesuffix(".0")
    if bound not in bounds:
        raise ConfigurationError(f"there is no bucket {bound!r}: there are {', '.join(bounds)}")
    return frozenset(bounds[: bounds.index(bound) + 1])
