"""One figure with what belongs to it: its interval, its number of cases, and the question that opens the cases behind it."""

from collections.abc import Callable, Mapping

import msgspec

from rollout_metrics.catalog import DENOMINATORS, METRICS, Metric
from rollout_metrics.catalog.metric import Count, Ratio
from rollout_metrics.overview import written
from rollout_metrics.overview.values import Values

_UNSAID = frozenset(("workflow", "window", "mode"))
"""Labels that are said of a whole page."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A published number. `value` None: there is no sample. `labels`: all its series has; `n`: how many cases it rests on, None where that is not said."""

    metric: Metric
    labels: Mapping[str, str]
    value: float | None
    lower: float | None = None
    upper: float | None = None
    n: float | None = None

    @property
    def title(self) -> str:
        """What it is, in words."""
        return title(self.metric)

    @property
    def which(self) -> str:
        """What tells its series from others of the metric, in words; empty where there is only one."""
        said = (written.stated(label, value) for label, value in self.labels.items() if label not in _UNSAID and value)
        return ", ".join(said)

    @property
    def text(self) -> str:
        """The value as people read it; `no data` where there is none."""
        return self.written(self.value)

    @property
    def interval(self) -> str:
        """`10.2 to 14.8 %`, empty where it has no bounds."""
        if self.lower is None or self.upper is None:
            return ""
        return written.between(self.written(self.lower), self.written(self.upper))

    @property
    def cases(self) -> str:
        """The number of cases as people read it; empty where none is said."""
        return "" if self.n is None else f"{self.n:,.0f}"

    @property
    def line(self) -> str:
        """All of it in one line: `12.3 % (10.2 to 14.8 %, n=1,234)`."""
        if self.value is None:
            return written.NONE
        beside = [part for part in (self.interval, f"n={self.cases}" if self.cases else "") if part]
        return f"{self.text} ({', '.join(beside)})" if beside else self.text

    def written(self, value: float | None) -> str:
        """A value in this figure's unit."""
        return _writer(self.metric)(value)


def title(metric: Metric) -> str:
    """A metric's name as people read it: `override`, `review latency, median`."""
    key = metric.key.removesuffix("_total").removesuffix("_ratio").removesuffix("_seconds").removesuffix("_timestamp")
    middle = "_median" in key
    return written.name(key.replace("_median", "")) + (", median" if middle else "")


def figure(values: Values, key: str, labels: Mapping[str, str]) -> Figure:
    """The figure of a series: `labels` are all it has."""
    metric = METRICS[key]
    found = {suffix: values.get(f"{metric.name}{suffix}", labels) for suffix in ("", "_lower", "_upper", "_cases")}
    n = found["_cases"] if found["_cases"] is not None else _denominator(values, metric, labels)
    return Figure(metric=metric, labels=labels, value=found[""], lower=found["_lower"], upper=found["_upper"], n=n)


_COUNTED: Mapping[str, Metric] = {metric.obtained.tally: metric for metric in METRICS.values() if isinstance(metric.obtained, Count)}
"""The count that publishes a tally."""


def _denominator(values: Values, metric: Metric, labels: Mapping[str, str]) -> float | None:
    if isinstance(metric.obtained, Ratio):
        part = metric.obtained.denominator
        return values.total(_COUNTED[part.tally].name, labels, dict(part.where))
    key = DENOMINATORS.get(metric.key)
    return None if key is None else values.get(METRICS[key].name, labels)


def _writer(metric: Metric) -> Callable[[float | None], str]:
    if metric.key.endswith("_timestamp_seconds"):
        return written.instant
    return {"ratio": written.ratio, "seconds": written.duration}.get(metric.unit, written.count)
