"""Rendering against `generate_latest`, and scrapes against prometheus-client's own server."""

import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from benchmarks.measure import by_turns, function, median, process_cpu, ratio, told
from benchmarks.scraping import Series, labelled, percentile, scrape
from rollout_metrics.catalog.exposition import Family, MetricType
from rollout_metrics.publish.exposition import Renderer

LABELS = ("field", "outcome", "window", "workflow")
ROUNDS = 5


def run(work: Path, *, full: bool) -> None:
    """Rendering, then scrapes."""
    series = 100_000 if full else 10_000
    rendering(series)
    scraping(10_000, seconds=8.0 if full else 4.0)


def rendering(count: int) -> None:
    """The same gauges from our families and from prometheus-client's."""
    series = labelled(count)
    registry = CollectorRegistry()
    gauge = Gauge("decisions", "Decisions by outcome.", LABELS, registry=registry)
    for labels, value in series:
        gauge.labels(*(text for _, text in labels)).set(value)
    collected = CollectorRegistry()
    collected.register(_Collector(series))
    family = Family("decisions", MetricType.GAUGE, "Decisions by outcome.", "", [("", labels, value) for labels, value in series])
    renderer = Renderer()
    ours = renderer.render([family])[0]
    theirs = generate_latest(registry)
    assert sorted(ours.splitlines()) == sorted(theirs.replace(b".0\n", b"\n").splitlines()), "both must say the same"
    sides = {
        "gauges": lambda: function(lambda: generate_latest(registry)),
        "collector": lambda: function(lambda: generate_latest(collected)),
        "ours": lambda: function(lambda: renderer.render([family])),
    }
    spent = by_turns(sides, ROUNDS)
    size = f"n={count:,} series, {ROUNDS} rounds"
    found = ratio(spent["gauges"], spent["ours"])
    more = f"{median(spent['ours']) * 1e3:.1f} ms for both formats against {median(spent['gauges']) * 1e3:.0f} ms for one"
    told("rendering", found, "at least 10x", met=found[0] >= 10, against="generate_latest of gauges", n=size, more=more)
    found = ratio(spent["collector"], spent["ours"])
    told(
        "rendering",
        found,
        "at least 10x",
        met=found[0] >= 10,
        against="generate_latest of a collector",
        n=size,
        more=f"{median(spent['collector']) * 1e3:.0f} ms",
    )


class _Collector(Collector):
    """The cheaper way of prometheus-client: families made at each scrape."""

    def __init__(self, series: Series) -> None:
        self._series = [(tuple(text for _, text in labels), value) for labels, value in series]

    def collect(self) -> list[GaugeMetricFamily]:
        """One family."""
        family = GaugeMetricFamily("decisions", "Decisions by outcome.", labels=LABELS)
        for labels, value in self._series:
            family.add_metric(labels, value)
        return [family]


def scraping(count: int, *, seconds: float) -> None:
    """Both servers in processes of their own, scraped gzipped as Prometheus does: one at a time for CPU, by sixteen for latency."""
    spent: dict[str, list[float]] = {"theirs": [], "ours": []}
    waited: dict[str, list[float]] = {"theirs": [], "ours": []}
    for _ in range(3):
        for side, requests in (("theirs", 8), ("ours", 800)):
            with subprocess.Popen([sys.executable, "-m", "benchmarks.scraped", side, str(count)], stdout=subprocess.PIPE, text=True) as server:
                try:
                    port = _port(server)
                    scrape(port, scrapers=1, requests=2)
                    before = process_cpu(server.pid)
                    waited[side].append(percentile(scrape(port, scrapers=1, requests=requests), 0.5))
                    spent[side].append((process_cpu(server.pid) - before) / requests)
                finally:
                    server.terminate()
    for what, sides, unit in (("a scrape, server CPU", spent, "CPU"), ("a scrape, median time", waited, "")):
        theirs, ours = sorted(sides["theirs"]), sorted(sides["ours"])
        found = (theirs[1] / ours[1], theirs[0] / ours[-1], theirs[-1] / ours[0])
        told(
            what,
            found,
            "at least 100x",
            met=found[0] >= 100,
            against="prometheus-client's start_http_server",
            n=f"n={count:,} series, gzip, 3 rounds",
            more=f"{ours[1] * 1e3:.2f} ms against {theirs[1] * 1e3:.0f} ms {unit}".rstrip(),
        )
    with subprocess.Popen([sys.executable, "-m", "benchmarks.scraped", "working", str(count)], stdout=subprocess.PIPE, text=True) as server:
        try:
            port = _port(server)
            for pause, how in ((0.25, "four times a second each"), (0.0, "without a pause")):
                times = scrape(port, scrapers=16, seconds=seconds, pause=pause)
                worst = percentile(times, 0.99) * 1e3
                print(
                    f"{'ok  ' if worst < 100 else 'MISS'} 16 scrapers, {how}, while passes run: p50 {percentile(times, 0.5) * 1e3:.1f} ms, "
                    f"p99 {worst:.1f} ms, target under 100 ms; n={len(times):,} scrapes of {count:,} series",
                    flush=True,
                )
        finally:
            server.terminate()


def _port(server: "subprocess.Popen[str]") -> int:
    assert server.stdout is not None
    return int(server.stdout.readline())
