"""Receipts: the cases and events behind a number, each with what it counts there and where to look at it."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from rollout_metrics import rollup
from rollout_metrics.catalog import METRICS, PREFIX, TALLIES, Metric
from rollout_metrics.catalog.metric import Beside, Count, Middle, Oldest, Part, Ratio, Spread, Standing, Survival, Within
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.events import CaseKey, EventRef
from rollout_metrics.domain.facts import Fact, Recommendation
from rollout_metrics.domain.time import MINUTE, Span, format_instant
from rollout_metrics.pipeline.engine import Pipeline
from rollout_metrics.pipeline.freshness import NOTHING, as_of_all
from rollout_metrics.rollup import STATE

Row = dict[str, Any]


def explain(pipeline: Pipeline, name: str, workflow: str, window: Span, labels: Mapping[str, str], limit: int) -> list[Row]:
    """At most `limit` rows `{case, at, counts, fact, event, url}`, the newest cases last, for a metric by its name with or without the prefix.

    `labels` keep only the series that have these values. Raises `ConfigurationError` for a metric that is not there or has no cases behind it.
    """
    metric = metric_named(name)
    at = as_of_all(pipeline.company, pipeline.readings())[workflow]
    if at == NOTHING:
        return []
    wanted = _wanted(metric)
    workflows = {item.name: item for item in pipeline.company.workflows}
    rows: list[Row] = []
    for case, facts in pipeline.store.facts_between(workflow, at - window, at):
        urls: dict[EventRef, str | None] | None = None
        for fact in facts:
            for counted, minute in _counted(fact, wanted, labels, workflows):
                if minute != STATE and not at - window < minute * MINUTE <= at:
                    continue
                urls = _urls(pipeline, case) if urls is None else urls
                rows.append(_row(case, fact, counted, minute, urls))
                if len(rows) >= limit:
                    return rows
    return rows


def metric_named(name: str) -> Metric:
    """A metric of the catalogue; a bound or a number of cases stands for the metric it belongs to."""
    key = name.removeprefix(PREFIX)
    metric = METRICS.get(key)
    if metric is None:
        near = get_close_matches(key, METRICS, 1)
        raise ConfigurationError(f"there is no metric {name!r}" + (f": did you mean {near[0]!r}?" if near else ": docs/metrics.md lists them"))
    return METRICS[metric.obtained.key] if isinstance(metric.obtained, Beside) else metric


Wanted = list[tuple[str, str, Mapping[str, frozenset[str]]]]
"""What counts towards a metric: `(role, tally or sample, label values)`."""


def _wanted(metric: Metric) -> Wanted:
    obtained = metric.obtained
    if isinstance(obtained, Ratio):
        return [_part("numerator", obtained.numerator), _part("denominator", obtained.denominator)]
    if isinstance(obtained, Count | Standing):
        return [("counted", obtained.tally, {})]
    if isinstance(obtained, Spread):
        return [("counted", obtained.buckets, {})]
    if isinstance(obtained, Middle | Survival | Within | Oldest):
        return [("sample", obtained.sample, {})]
    raise ConfigurationError(f"{metric.name} is told by configuration or by the exporter itself: there are no cases behind it")


def _part(role: str, part: Part) -> tuple[str, str, Mapping[str, frozenset[str]]]:
    return role, part.tally, part.where


def _counted(fact: Fact, wanted: Wanted, labels: Mapping[str, str], workflows: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """What a fact counts towards the metric, and in which minute; a numerator's fact is not named again as denominator."""
    for role, tally, where in wanted:
        if role == "sample":
            found = [(sample.series[2:], -(-sample.at // MINUTE)) for sample in rollup.samples((fact,)) if sample.series[1] == tally]
        else:
            given = (fact.opened,) if tally == "glanced_decisions" and isinstance(fact, Recommendation) else ()
            found = [(series[2:], minute) for series, minute, _ in rollup.contributions((fact,), workflows, given) if series[1] == tally]
        names = TALLIES[tally].labels if tally in TALLIES else ()
        for values, minute in found:
            named = dict(zip(names, values, strict=False))
            if all(named.get(label) in allowed for label, allowed in where.items()) and all(named.get(k, v) == v for k, v in labels.items()):
                said = ", ".join(f"{label}={value}" for label, value in named.items())
                yield f"{role}: {tally}" + (f" {said}" if said else ""), minute
                return


def _urls(pipeline: Pipeline, case: CaseKey) -> dict[EventRef, str | None]:
    return {event.ref: event.detail.get("url") for event in pipeline.store.events(case)}


def _row(case: CaseKey, fact: Fact, counted: str, minute: int, urls: Mapping[EventRef, str | None]) -> Row:
    evidence = fact.evidence
    url = next((urls[ref] for ref in reversed(evidence) if urls.get(ref)), None) or next((url for url in urls.values() if url), None)
    return {
        "case": "/".join(case),
        "at": None if minute == STATE else format_instant(minute * MINUTE),
        "counts": counted,
        "fact": type(fact).__struct_config__.tag,
        "event": " ".join("/".join(ref) for ref in evidence),
        "url": url,
    }
