"""The workflows at a glance: level, key rates with n and interval, what stands out."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec

from rollout_metrics.catalog import METRICS
from rollout_metrics.domain.facts import Mode
from rollout_metrics.domain.policy import Level, Workflow
from rollout_metrics.domain.time import Span, format_span
from rollout_metrics.overview import written
from rollout_metrics.overview.figure import Figure, figure
from rollout_metrics.overview.picture import Trend, Trends
from rollout_metrics.overview.trust import gates, signals, signs
from rollout_metrics.overview.values import Values

USUAL_WINDOW = "28d"


class Tone(StrEnum):
    """How much something asks to be looked at."""

    GOOD = "good"
    PLAIN = "plain"
    WARN = "warn"
    BAD = "bad"


class Mark(msgspec.Struct, frozen=True):
    """A spike, a warning sign, what the gates propose: what it is, how it stands, how much that matters, and the question that opens its evidence."""

    kind: str
    name: str
    state: str
    tone: Tone
    question: Mapping[str, str] = {}


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
"""The rates that lead, by whether the agent acts on its own (definitions, section 3)."""

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


_PROPOSALS: Mapping[str, tuple[str, Tone]] = {
    "promote": ("promote", Tone.GOOD),
    "hold": ("hold", Tone.PLAIN),
    "demote": ("go back", Tone.BAD),
}
"""What the gates propose, in words."""


def marks(values: Values, workflow: str) -> Iterator[Mark]:
    """What stands out of a workflow: spikes and warning signs, then what its gates propose and how many of them pass."""
    for signal in signals(values, workflow):
        if signal.spikes:
            yield Mark("spike", signal.name, "", Tone.BAD, {"metric": "spike", "workflow": workflow, "signal": signal.name})
    for sign in signs(values, workflow):
        if sign.seen:
            yield Mark("warning sign", sign.name, "", Tone.WARN, {"metric": "warning_sign", **sign.labels})
    judged = gates(values, workflow)
    if judged.gates:
        word, tone = _PROPOSALS.get(judged.proposal or "", (judged.proposal or "none", Tone.PLAIN))
        yield Mark("gates", f"{judged.passed} of {len(judged.gates)} pass", f"proposal {word}", tone)
