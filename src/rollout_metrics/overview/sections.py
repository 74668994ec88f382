"""Every figure of one workflow, in the order and the sections of the catalogue."""

from collections.abc import Iterator, Mapping

import msgspec

from rollout_metrics.catalog import METRICS, Metric, Section
from rollout_metrics.catalog.metric import Beside, Count, Exporter, Spread, Standing
from rollout_metrics.domain.facts import Mode
from rollout_metrics.overview import written
from rollout_metrics.overview.figure import Figure, figure
from rollout_metrics.overview.values import Values

_ELSEWHERE = frozenset(("autonomy_level", "as_of_timestamp_seconds", "sources_stale", "workflow_info", "coverage_known", "coverage_checked"))
"""Shown with the workflow's name."""


class SectionFigures(msgspec.Struct, frozen=True):
    """One section: rates and durations, and the counts they are made of."""

    section: Section
    figures: tuple[Figure, ...]
    counts: tuple[tuple[Figure, ...], ...]
    """The series of each count that have any."""

    @property
    def title(self) -> str:
        """Its name in words."""
        return written.name(self.section.value).capitalize()


def sections(values: Values, workflow: str, window: str, mode: Mode, without: frozenset[str] = frozenset()) -> list[SectionFigures]:
    """The sections that have anything to show, in one window and mode. `without`: keys of metrics that are shown in another way."""
    made: list[SectionFigures] = []
    for section in Section:
        metrics = [m for m in METRICS.values() if m.section is section and _shown(m) and m.key not in without]
        rates = tuple(item for m in metrics if not _counts(m) for item in _series(values, m, workflow, window, mode))
        series = (tuple(item for item in _series(values, m, workflow, window, mode) if item.value) for m in metrics if _counts(m))
        counts = tuple(found for found in series if found)
        if rates or counts:
            made.append(SectionFigures(section, rates, counts))
    return made


def _shown(metric: Metric) -> bool:
    return not isinstance(metric.obtained, Beside | Exporter | Spread) and metric.per_workflow and metric.key not in _ELSEWHERE


def _counts(metric: Metric) -> bool:
    return isinstance(metric.obtained, Count | Standing)


def _series(values: Values, metric: Metric, workflow: str, window: str, mode: Mode) -> Iterator[Figure]:
    """The metric's series; one without a value where it could have only one and has none."""
    fixed = {"workflow": workflow, "window": window, "mode": mode.value}
    given = {label: fixed[label] for label in metric.all_labels if label in fixed}
    open_labels = set(metric.all_labels) - given.keys()
    found = [figure(values, metric.key, _ordered(metric, given | others)) for others, _ in values.having(metric.family + metric.suffix, given)]
    return iter(found if found or open_labels else [figure(values, metric.key, given)])


def _ordered(metric: Metric, labels: Mapping[str, str]) -> dict[str, str]:
    return {label: labels[label] for label in metric.all_labels}
