"""The question behind a number, and the answer: which facts, of which cases, with which events."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from rollout_metrics.catalog import METRICS, PREFIX, Metric
from rollout_metrics.catalog.gates import OF_GATES
from rollout_metrics.catalog.metric import (
    Beside,
    Count,
    Delivery,
    Merged,
    Middle,
    Observed,
    Oldest,
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
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.events import CaseKey, EventRef
from rollout_metrics.domain.time import Instant, Span, format_instant
from rollout_metrics.overview.figure import Figure

Row = dict[str, Any]

_CORRECTIONS = "corrections_to_settled"
_TOLD_BY_CASES = ("drifted_names", "harm_active", "open_failures", "unrecorded_versions")
_FROM_CASES = (Count, Delivery, Merged, Middle, Observed, Oldest, Ratio, Repeating, Saved, Spiked, Spread, Standing, Survival, Warned, Within)


CHANGE = "change"
"""What stands for a case's source where a receipt is about a change record."""


class Asked(msgspec.Struct, frozen=True):
    """A question: the metric, for which workflow, in which window (end - window, end], and the label values that single out its series.

    `end` None: the workflow's T.
    """

    metric: Metric
    workflow: str
    window: Span
    labels: Mapping[str, str] = {}
    end: Instant | None = None


Place = tuple[int, str, str]
"""`(minute, case source, case id)`: where a page of receipts ends."""


class Wanted(msgspec.Struct, frozen=True):
    """Which receipts: at most `limit`, older than `before`, of one role, of one case."""

    limit: int = 50
    before: Place | None = None
    role: str | None = None
    case: str | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An event behind a number, as far as it is stored: persons as keyed hashes, texts as nothing that could be read."""

    ref: EventRef
    at: Instant
    activity: str
    actor_kind: str
    actor: str | None
    attribute: str | None
    before: str | None
    after: str | None
    action: str | None
    reason: str | None
    url: str | None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One fact that counts: of which case, as what, when (None: it stands at T), how much (seconds of a duration; None while it runs)."""

    case: CaseKey
    minute: int
    at: Instant | None
    role: str
    counted: str
    value: float | None
    fact: str
    events: tuple[Seen, ...]
    refs: tuple[EventRef, ...]
    url: str | None

    @property
    def row(self) -> Row:
        """As a flat row of texts and numbers."""
        return {
            "case": "/".join(self.case),
            "at": None if self.at is None else format_instant(self.at),
            "counts": f"{self.role}: {self.counted}",
            "value": self.value,
            "fact": self.fact,
            "event": " ".join("/".join(ref) for ref in self.refs),
            "url": self.url,
        }


class Explained(msgspec.Struct, frozen=True):
    """Receipts, newest first; how many there are in all by what they count as; where to go on, None at the end."""

    receipts: tuple[Receipt, ...] = ()
    totals: Mapping[str, int] = {}
    next: Place | None = None

    @property
    def rows(self) -> list[Row]:
        """The receipts as flat rows, in order of time."""
        return [receipt.row for receipt in reversed(self.receipts)]


def has_cases(metric: Metric) -> bool:
    """Whether cases, or deployments and incidents, stand behind a metric."""
    obtained = metric.obtained
    if metric.key in OF_GATES:
        return True
    if isinstance(obtained, Told):
        return obtained.what in _TOLD_BY_CASES
    return isinstance(obtained, _FROM_CASES) and not (isinstance(obtained, Standing) and obtained.tally == _CORRECTIONS)


def question(figure: Figure) -> dict[str, str]:
    """The parameters of the evidence page and command for a figure; empty where no cases stand behind it."""
    if not has_cases(figure.metric):
        return {}
    return {"metric": figure.metric.key, **figure.labels}


def metric_named(name: str) -> Metric:
    """A metric of the catalogue; a bound or a number of cases stands for the metric it belongs to."""
    key = name.removeprefix(PREFIX)
    for suffix in ("_bucket", "_sum", "_count"):
        if key not in METRICS and key.removesuffix(suffix) in METRICS:
            key = key.removesuffix(suffix)
    metric = METRICS.get(key)
    if metric is None:
        near = get_close_matches(key, METRICS, 1)
        raise ConfigurationError(f"there is no metric {name!r}" + (f": did you mean {near[0]!r}?" if near else ": docs/metrics.md lists them"))
    return METRICS[metric.obtained.key] if isinstance(metric.obtained, Beside) else metric
