"""What the exporter says of itself and its sources: prometheus-client metrics made from the catalogue, handed over as families."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.metrics_core import Metric as Collected

from rollout_metrics import __version__
from rollout_metrics.catalog.about import COLLECTION, EXPORTER
from rollout_metrics.catalog.exposition import Family, MetricType, Sample

_UNITS = ("seconds", "bytes", "ratio")


class SelfMetrics:
    """The exporter's own metrics, by their key in the catalogue."""

    def __init__(self, definitions: str) -> None:
        """`definitions`: the version of the definition set."""
        self.registry = CollectorRegistry(auto_describe=False)
        declared = (*COLLECTION, *EXPORTER)
        self._gauges = {m.key: Gauge(m.name, m.help, m.labels, registry=self.registry) for m in declared if m.type is not MetricType.COUNTER}
        self._counters = {m.key: Counter(m.name, m.help, m.labels, registry=self.registry) for m in declared if m.type is MetricType.COUNTER}
        self.set("build_info", 1, version=__version__, definitions=definitions)
        ProcessCollector(registry=self.registry)

    def set(self, key: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[key]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def mark(self, key: str, *series: Mapping[str, str]) -> None:
        """Set these series of a gauge to 1, and those that it had beside them to 0."""
        gauge = self._gauges[key]
        marked = {tuple(sorted(labels.items())) for labels in series}
        known = {tuple(sorted(sample.labels.items())) for collected in gauge.collect() for sample in collected.samples}
        for labels in marked | known:
            gauge.labels(**dict(labels)).set(labels in marked)

    def add(self, key: str, amount: float, **labels: str) -> None:
        """Raise a counter."""
        counter = self._counters[key]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def families(self) -> Iterator[Family]:
        """Everything as it is now."""
        for collected in self.registry.collect():
            yield _family(collected)


def _family(collected: Collected) -> Family:
    """prometheus-client's metric as a family; creation times are left out: they change with every restart and say nothing of rollouts."""
    name = collected.name
    kind = MetricType(collected.type)
    if name.endswith("_info") and kind is MetricType.GAUGE:
        name, kind = name.removesuffix("_info"), MetricType.INFO
    samples: list[Sample] = []
    for sample in collected.samples:
        if sample.name.endswith("_created"):
            continue
        samples.append((sample.name.removeprefix(name), tuple(sample.labels.items()), sample.value))
    unit = next((unit for unit in _UNITS if name.endswith(f"_{unit}")), "")
    return Family(name, kind, collected.documentation, unit, samples)
