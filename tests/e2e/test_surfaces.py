"""One number, one place: page, review, command line, scrape and dashboard query, asked for the same instant and window, say the same."""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import promql_parser
import pytest
import yaml
from werkzeug.serving import make_server
from werkzeug.test import Client

from boards import DASHBOARDS, matchers, metric_of, parsed
from cli.conftest import Run, run  # noqa: F401
from e2e.conftest import configure
from e2e.exporter import until
from e2e.prometheus import Prometheus, needs_prometheus
from rollout_metrics.catalog import METRICS
from rollout_metrics.cli import session
from rollout_metrics.cli.serve import Service
from rollout_metrics.cli.session import opened, read_configuration
from rollout_metrics.derive.quarters import quarter_of
from rollout_metrics.domain.time import MINUTE, SECOND, floor_minute, format_span
from rollout_metrics.generate.preview import ask
from rollout_metrics.generate.prometheus import Prometheus as Asked
from rollout_metrics.overview.figure import Figure
from rollout_metrics.publish.app import metrics_app
from rollout_metrics.simulate.server import Company

pytestmark = [pytest.mark.e2e, needs_prometheus]

Series = tuple[str, frozenset[tuple[str, str]]]
"""A metric's name and all its labels."""

LINE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')
FIGURE = re.compile(r'<span class="value"><a href="/evidence\?(?P<asked>[^"]+)">(?P<text>[^<]+)<')
SCRAPED_BY = ("__name__", "instance", "job")


class Stand(msgspec.Struct):
    """A company's figures held at one instant: where they are configured, the quarter that instant is in, and each workflow's window from its start."""

    file: Path
    now: int
    quarter: str
    windows: Mapping[str, str]
    scraped: Mapping[Series, float]
    pages: Client
    prometheus: Prometheus


@pytest.fixture(scope="module")
def stand(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("surfaces")
    file = configure(company, folder, "surfaces", {}, {})
    with opened(read_configuration(file)) as pipeline:
        for source in pipeline.sources:
            assert not pipeline.collect(source).error
        now = floor_minute(min(item.watermark for item in pipeline.readings().values() if item.watermark)) + MINUTE - SECOND
        at = floor_minute(now)
        quarters = {workflow.name: quarter_of(workflow.calendar, at) for workflow in pipeline.company.workflows}
    windows = {name: format_span(at - quarter.start) for name, quarter in quarters.items()}
    options = yaml.safe_load(file.read_text())
    for workflow in options["workflows"]:
        workflow["windows"] = ["7d", "28d", windows[workflow["name"]]]
    file.write_text(yaml.safe_dump(options, sort_keys=False))
    with opened(read_configuration(file)) as pipeline:
        pipeline.clock = lambda: now
        pipeline.refresh()
        metrics = metrics_app(pipeline.board)
        server = make_server("127.0.0.1", 0, metrics, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        prometheus = Prometheus(folder, f"127.0.0.1:{server.port}")
        try:
            until(lambda: prometheus.query("agent_rollout_as_of_timestamp_seconds"), "a scrape")
            found = (LINE.match(line) for line in Client(metrics).get("/metrics").text.splitlines())
            scraped = {(match[1], frozenset(LABEL.findall(match[2]))): float(match[3]) for match in found if match}
            pages = Client(Service(pipeline.configuration, pipeline, pipeline.board).web)
            yield Stand(file, now, next(iter(quarters.values())).name, windows, scraped, pages, prometheus)
        finally:
            prometheus.stop()
            server.shutdown()


def test_every_surface_says_the_same(stand: Stand, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(session, "clock", lambda: stand.now)
    told: dict[str, dict[Series, float]] = {"review": _of_review(stand, run), "dashboards": dict(_of_dashboards(stand))}
    for name, window in stand.windows.items():
        told.setdefault("status", {}).update(_of_figures(run("status", "--config", stand.file, "--window", window, "--workflow", name, "--json").json))

    for surface, figures in told.items():
        wrong = {series: (value, stand.scraped.get(series)) for series, value in figures.items() if value != stand.scraped.get(series)}
        assert wrong == {}, surface
    assert {surface: len(figures) > least for (surface, figures), least in zip(told.items(), (100, 500, 20), strict=True)} == dict.fromkeys(told, True)
    everywhere = set.intersection(*map(set, told.values()))
    assert len(everywhere) > 20, {name for name, _ in everywhere}


def test_what_stands_on_a_page_is_what_is_scraped(stand: Stand) -> None:
    for name, window in stand.windows.items():
        found = FIGURE.finditer(stand.pages.get(f"/workflows/{name}?window={window}").text)
        shown = [(dict(pair.split("=") for pair in match["asked"].split("&amp;")), match["text"]) for match in found]
        assert len(shown) > 20
        for asked, text in shown:
            metric = METRICS[asked.pop("metric").removeprefix("agent_rollout_")]
            labels = {label: asked.get(label, "") for label in metric.all_labels}
            assert text == Figure(metric=metric, labels=labels, value=stand.scraped[metric.name, frozenset(labels.items())]).text


def _of_review(stand: Stand, run: Run) -> dict[Series, float]:  # noqa: F811
    found: dict[Series, float] = {}
    review = run("review", stand.quarter, "--config", stand.file, "--format", "json").json
    for findings in review["review"]["findings"]:
        name = findings["workflow"]
        for line in _lines(findings):
            given = line["now"]
            metric = METRICS[given["key"]]
            known = {"workflow": name, "window": stand.windows[name]} | given.get("labels", {})
            labels = frozenset((label, known[label]) for label in metric.all_labels)
            found |= {(metric.name + suffix, labels): given[key] for suffix, key in SAID if given.get(key) is not None}
    return found


SAID = (("", "value"), ("_lower", "lower"), ("_upper", "upper"))


def _lines(value: Any) -> Iterator[dict[str, Any]]:
    """Every figure of the quarter, wherever it stands in the review."""
    if isinstance(value, dict):
        if "now" in value and "before" in value and isinstance(value["now"], dict):
            yield value
        else:
            for inner in value.values():
                yield from _lines(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _lines(inner)


def _of_figures(told: Any) -> dict[Series, float]:
    return {
        (f"{METRICS[figure['metric'].removeprefix('agent_rollout_')].name}{suffix}", frozenset(figure["labels"].items())): figure[key]
        for workflow in told["workflows"]
        for figure in workflow["figures"]
        for suffix, key in SAID
        if figure[key] is not None
    }


def _of_dashboards(stand: Stand) -> Iterator[tuple[Series, float]]:
    """What every panel shows whose query asks for a published series as it stands; others compute, and are held to the rules elsewhere."""
    client = Asked(stand.prometheus.url)
    for dashboard in DASHBOARDS.values():
        for name, window in stand.windows.items():
            for panel in ask(dashboard, client, time.time(), {"workflow": name, "window": window}).panels:
                for answer in panel.answers:
                    selector = _plain(answer.expression)
                    metric = metric_of(selector) if selector is not None else None
                    if metric is None or not metric.per_workflow:
                        continue
                    chosen = {label: value for label, (op, value) in matchers(selector).items() if op == "MatchOp.Equal"}
                    for series in answer.series:
                        labels = chosen | {label: value for label, value in series.labels.items() if label not in SCRAPED_BY}
                        if series.samples and set(labels) == set(metric.all_labels):
                            yield (selector.name, frozenset(labels.items())), series.samples[-1][1]
    client.close()


def _plain(expression: str) -> Any:
    """The selector that an expression only makes free of replicas; None where it computes."""
    node = parsed(expression)
    while isinstance(node, promql_parser.ParenExpr) or (isinstance(node, promql_parser.AggregateExpr) and str(node.op) == "max"):
        node = node.expr
    return node if isinstance(node, promql_parser.VectorSelector) and node.offset is None else None
