"""What a metric is: its name, how it is read, and from which counts or samples it comes."""

from enum import StrEnum
from functools import cached_property, lru_cache

import msgspec

from rollout_metrics.catalog.exposition import Family, Labels, MetricType, Sample

PREFIX = "agent_rollout_"

_SUFFIXES = {MetricType.COUNTER: "_total", MetricType.INFO: "_info"}
_UNITS = ("seconds", "ratio")


class Part(msgspec.Struct, frozen=True):
    """The counts of a tally whose labels have one of the values named; what is not named counts whatever it is."""

    tally: str
    where: tuple[tuple[str, frozenset[str]], ...] = ()


class Count(msgspec.Struct, frozen=True):
    """The sum of a tally over each window, series by series; `scale` turns what is counted into the metric's unit."""

    tally: str
    scale: float | None = None


class Merged(msgspec.Struct, frozen=True):
    """The sum of a tally over each window, all its series as one: what tells them apart is no label."""

    tally: str


class Repeating(msgspec.Struct, frozen=True):
    """The sum of a tally over each window, of those of its series only that were counted twice at least; what tells them apart is bounded for the label."""

    tally: str


class Standing(msgspec.Struct, frozen=True):
    """A tally of no window: what stands at T, or all there ever was."""

    tally: str


class Ratio(msgspec.Struct, frozen=True):
    """One part of the counts over another, with Wilson's bounds beside it."""

    numerator: Part
    denominator: Part


class Middle(msgspec.Struct, frozen=True):
    """The median of complete samples, with its bounds and their number beside it."""

    sample: str


class Survival(msgspec.Struct, frozen=True):
    """The Kaplan-Meier median of samples, some of them unfinished, with its bounds and number beside it."""

    sample: str


class Within(msgspec.Struct, frozen=True):
    """The share of samples that ended at or below 1 in units of their own target, by Kaplan-Meier, with bounds and number beside it."""

    sample: str


class Oldest(msgspec.Struct, frozen=True):
    """When the oldest of the unfinished samples began."""

    sample: str


class Spread(msgspec.Struct, frozen=True):
    """A histogram of no window over one tally of buckets and one of sums."""

    buckets: str
    total: str


class Saved(msgspec.Struct, frozen=True):
    """Effort of assisted cases against a baseline, with Yuen's bounds; `per_operator`: over the operators of the window."""

    per_operator: bool = False


class Delivery(msgspec.Struct, frozen=True):
    """A figure of the change records, by the name it has there."""

    figure: str


class Warned(msgspec.Struct, frozen=True):
    """The warning signs at T."""


class Spiked(msgspec.Struct, frozen=True):
    """What the look for spikes at T found, by the name of the figure."""

    figure: str


class Observed(msgspec.Struct, frozen=True):
    """The rate that the look for spikes at T is about, with Wilson's bounds."""


class Told(msgspec.Struct, frozen=True):
    """What the workflow's configuration or the pipeline says of it at T, by name."""

    what: str


class Beside(msgspec.Struct, frozen=True):
    """Published together with another metric: its bound, or its number of cases."""

    key: str


class Exporter(msgspec.Struct, frozen=True):
    """Told by the exporter about itself and its sources; figures know nothing of it."""


Obtained = (
    Count
    | Merged
    | Repeating
    | Standing
    | Ratio
    | Middle
    | Survival
    | Within
    | Oldest
    | Spread
    | Saved
    | Delivery
    | Warned
    | Spiked
    | Observed
    | Told
    | Beside
    | Exporter
)


class Section(StrEnum):
    """Where the documents and dashboards put a metric."""

    OUTCOMES = "outcomes"
    REVIEW = "review"
    ESCALATION = "escalation"
    BYPASS = "bypass"
    AUTHORITY = "authority"
    GATES = "gates"
    DELIVERY = "delivery"
    TRUST = "trust"
    WORKFLOW = "workflow"
    COLLECTION = "collection"
    EXPORTER = "exporter"


class Metric(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One metric, declared once: exporter, rules, documents and panels all read it here.

    `key` is the name without the prefix, as definitions write it. `labels` are those it has besides `workflow` and, if `windowed`, `window`.
    `meaning` is for everybody, `reading` for those who query its series.
    `personal`: rests on operators' own behaviour, so it is withheld for windows of too few operators, and altogether where configuration says so.
    """

    key: str
    type: MetricType = MetricType.GAUGE
    meaning: str
    reading: str = ""
    section: Section
    obtained: Obtained
    labels: tuple[str, ...] = ()
    windowed: bool = False
    personal: bool = False

    @property
    def name(self) -> str:
        """The name that people query."""
        return PREFIX + self.key

    @cached_property
    def help(self) -> str:
        """HELP: what it means, and how to read its series."""
        return f"{self.meaning} {self.reading}".rstrip()

    @property
    def family(self) -> str:
        """The name without the suffix that the type gives its samples."""
        return self.name.removesuffix(self.suffix)

    @cached_property
    def suffix(self) -> str:
        """The suffix of the type's plain samples."""
        return _SUFFIXES.get(self.type, "")

    @property
    def unit(self) -> str:
        """The base unit that the family's name ends in, if it does."""
        return next((unit for unit in _UNITS if self.family.endswith(f"_{unit}")), "")

    @property
    def per_workflow(self) -> bool:
        """Whether its series have the label `workflow`."""
        return not isinstance(self.obtained, Exporter) or "workflow" in self.labels

    @cached_property
    def all_labels(self) -> tuple[str, ...]:
        """Every label of its series, in the order in which they are written."""
        return (("workflow",) if not isinstance(self.obtained, Exporter) else ()) + (("window",) if self.windowed else ()) + self.labels

    def collect(self, samples: list[Sample]) -> Family:
        """The family of these samples."""
        return Family(self.family, self.type, self.help, self.unit, samples)

    def sample(self, value: float, *values: str) -> Sample:
        """One plain sample; `values` are those of `all_labels`, in order."""
        return (self.suffix, _paired(self.all_labels, values), value)


@lru_cache(maxsize=500_000)
def _paired(labels: tuple[str, ...], values: tuple[str, ...]) -> Labels:
    """The same series pass after pass: paired once."""
    return tuple(zip(labels, values, strict=True))
