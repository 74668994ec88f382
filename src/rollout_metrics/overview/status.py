"""The workflows at a glance: level, key rates with n and interval, what stands out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from rollout_metrics.catalog import METRICS
from rollout_metrics.domain.facts import Mode
from rollout_metrics.domain.policy import Level, Workflow
from rollout_metrics.domain.time import Span, format_span
from rollout_metrics.overview import written
from rollout_metrics.overview.figure import Figure, figure
from rollout_metrics.overview.picture import Trend, Trends
from rollout_metrics.overview.values import Values

USUAL_WINDOW = "28d"


class Tone(StrEnum):
    """How much something asks to be looked at."""

    GOOD = "good"
    PLAIN = "plain"
    WARN = "warn"
    BAD = "bad"


class Mark(msgspec.Struct, frozen=True):
    """One gate, warning sign, spike or other thing that stands out: what it is, how it stands, and how much that matters."""

    kind: str
    name: str
    state: str
    tone: Tone


class AtAGlance(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow. `as_of` in seconds, None while its sources have not been read; `figures` by the metric's key, the headline first."""

    workflow: Workflow
    level: Level
    mode: Mode
    window: str
    as_of: float | None
    stale: int
    figures: tuple[Figure, ...]
    marks: tuple[Mark, ...] = ()
    trends: Mapping[str, Trend] = {}

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self.workflow.name

    @property
    def level_name(self) -> str:
        """The level in words."""
        return written.name(self.level.name.lower())


HEADLINE: Mapping[bool, tuple[str, ...]] = {
    False: ("override_ratio", "acceptance_ratio"),
    True: ("correction_ratio", "acceptance_ratio"),
}
"""The rates that lead, by whether the agent acts on its own (SIGNALS section 3)."""

KEYS = ("bypass_ratio", "escalation_ratio", "complaint_ratio", "review_latency_median_seconds")


def windows(workflows: Iterable[Workflow]) -> list[str]:
    """Every window that some workflow has, shortest first."""
    spans: set[Span] = {span for workflow in workflows for span in workflow.windows}
    return [format_span(span) for span in sorted(spans)]


def usual_window(workflow: Workflow, wanted: str | None = None) -> str:
    """The window asked for where the workflow has it, else 28 days, else its longest."""
    known = [format_span(span) for span in workflow.windows]
    return wanted if wanted in known else USUAL_WINDOW if USUAL_WINDOW in known else known[-1]


def at_a_glance(values: Values, workflow: Workflow, window: str | None = None, trends: Trends | None = None) -> AtAGlance:
    """A workflow at a glance, in the mode of the level in force."""
    own = {"workflow": workflow.name}
    chosen = usual_window(workflow, window)
    level = Level(int(values.get(METRICS["autonomy_level"].name, own) or 0))
    mode = Mode.LIVE if level > Level.SHADOW else Mode.SHADOW
    keys = (*HEADLINE[level >= Level.LOW_RISK_AUTONOMOUS], *KEYS)
    figures = tuple(figure(values, key, series_of(key, workflow.name, chosen, mode)) for key in keys)
    kept = {
        item.metric.key: (trends or {}).get((workflow.name, item.metric.key, tuple(item.labels[label] for label in item.metric.labels)), ()) for item in figures
    }
    return AtAGlance(
        workflow=workflow,
        level=level,
        mode=mode,
        window=chosen,
        as_of=values.get(METRICS["as_of_timestamp_seconds"].name, own),
        stale=int(values.get(METRICS["sources_stale"].name, own) or 0),
        figures=figures,
        marks=tuple(marks(values, workflow.name)),
        trends=kept,
    )


def series_of(key: str, workflow: str, window: str, mode: Mode) -> dict[str, str]:
    """All labels of a metric's series for a workflow, a window and a mode, as far as the metric has them."""
    metric = METRICS[key]
    given = {"workflow": workflow, "window": window, "mode": mode.value}
    return {label: given[label] for label in metric.all_labels if label in given}


MARKED = frozenset(("gate", "warning_sign", "spike", "level_proposal"))
"""Metrics that are shown as marks."""

_VERDICTS: Mapping[str, Tone] = {"pass": Tone.GOOD, "fail": Tone.BAD, "inconclusive": Tone.PLAIN}
_FLAGS: Sequence[tuple[str, str, str, str, Tone]] = (
    ("spike", "signal", "spike", "spiking", Tone.BAD),
    ("warning_sign", "sign", "warning sign", "seen", Tone.WARN),
)
"""`(metric, label, kind, state, tone)` of what is 1 where it stands out."""


def marks(values: Values, workflow: str) -> Iterator[Mark]:
    """What stands out of a workflow: spikes, warning signs, gates by verdict; nothing where the exporter publishes none."""
    own = {"workflow": workflow}
    for key, label, kind, state, tone in _FLAGS:
        if key in METRICS:
            for labels, value in values.having(METRICS[key].name, own):
                if value:
                    yield Mark(kind, labels[label], state, tone)
    yield from gates(values, workflow)


def gates(values: Values, workflow: str) -> Iterator[Mark]:
    """The gates of the promotion to the next level."""
    if "gate" in METRICS:
        for labels, value in values.having(METRICS["gate"].name, {"workflow": workflow}):
            if value:
                yield Mark("gate", labels["gate"], labels["verdict"], _VERDICTS.get(labels["verdict"], Tone.PLAIN))
