"""One number, one place: /metrics, the pages, the commands and the evidence say the same for the same instant."""

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from cli.conftest import Run
from rollout_metrics.catalog import METRICS
from rollout_metrics.catalog.metric import Count, Ratio, Standing
from rollout_metrics.cli import session
from rollout_metrics.cli.serve import Service
from rollout_metrics.cli.session import opened, read_configuration
from rollout_metrics.domain.time import DAY, MINUTE, floor_minute
from rollout_metrics.overview import Values, at_a_glance
from rollout_metrics.overview.evidence import has_cases
from rollout_metrics.overview.sections import sections
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.publish.app import metrics_app

SERIES = re.compile(r"^(\w+)\{(.*)\} (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


class Figures(HTMLParser):
    """The figures of a page: `(title, value, beside)`, and where each leads to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.links: list[str] = []
        self._into: int | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "dt":
            self.rows.append(["", "", ""])
            self._into = 0
        elif tag == "span" and (given.get("class") or "").split()[:1] in (["value"], ["beside"]):
            self._into = 1 if (given.get("class") or "").startswith("value") else 2
        elif tag == "span" and given.get("class") == "visually-hidden":
            self._into = None
        if tag == "a" and (given.get("href") or "").startswith("/evidence?metric"):
            self.links.append(given["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("dt", "span", "dl"):
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None and self.rows:
            self.rows[-1][self._into] += data


@pytest.fixture(scope="module")
def now() -> int:
    return floor_minute(time.time_ns() // 1000) - MINUTE


@pytest.fixture(scope="module")
def pipeline(config: Path, now: int) -> Iterator[Pipeline]:
    with opened(read_configuration(config)) as opening:
        opening.clock = lambda: now
        opening.refresh()
        yield opening


@pytest.fixture(scope="module")
def client(pipeline: Pipeline) -> Client:
    return Client(Service(pipeline.configuration, pipeline, pipeline.board).web)


@pytest.fixture(scope="module")
def scraped(pipeline: Pipeline) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = Client(metrics_app(pipeline.board)).get("/metrics").text
    found = (SERIES.match(line) for line in text.splitlines() if not line.startswith("#"))
    return {(match[1], frozenset(LABEL.findall(match[2]))): float(match[3]) for match in found if match}


def test_the_status_page_and_command_show_what_is_scraped(
    pipeline: Pipeline, client: Client, scraped: dict[Any, float], run: Run, config: Path, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "clock", lambda: now)
    page = Figures(client.get("/?window=28d").text)
    told = run("status", "--config", config, "--window", "28d", "--json").json

    values = Values(pipeline.board.picture.families)  # type: ignore[union-attr]
    glances = [at_a_glance(values, workflow, "28d") for workflow in pipeline.company.workflows]
    shown = [figure for glance in glances for figure in glance.figures]
    assert [figure for workflow in told["workflows"] for figure in workflow["figures"]] != []
    for figure, row, given in zip(shown, page.rows, [f for w in told["workflows"] for f in w["figures"]], strict=True):
        series = frozenset(figure.labels.items())
        assert figure.value == scraped.get((figure.metric.name, series)) == given["value"]
        assert figure.lower == scraped.get((figure.metric.name + "_lower", series)) == given["lower"]
        assert figure.upper == scraped.get((figure.metric.name + "_upper", series)) == given["upper"]
        if figure.value is not None:
            assert row[1].strip() == figure.text
            assert row[2].strip() == ", ".join(filter(None, (figure.interval, f"n={figure.cases}")))


def test_every_figure_of_a_workflow_page_is_scraped_and_every_series_is_on_it(pipeline: Pipeline, scraped: dict[Any, float]) -> None:
    values = Values(pipeline.board.picture.families)  # type: ignore[union-attr]
    for workflow in pipeline.company.workflows:
        glance = at_a_glance(values, workflow, "28d")
        for section in sections(values, workflow.name, "28d", glance.mode):
            for figure in (*section.figures, *(one for series in section.counts for one in series)):
                assert figure.value == scraped.get((figure.metric.name, frozenset(figure.labels.items()))), figure


def test_as_many_cases_are_behind_a_link_as_the_number_says(pipeline: Pipeline, client: Client, scraped: dict[Any, float]) -> None:
    for workflow in ("refunds", "triage"):
        links = Figures(client.get(f"/workflows/{workflow}?window=28d").text).links
        assert len(links) > 20
        for link in links:
            body = client.get(f"{link}&format=json").json
            metric = METRICS[body["metric"].removeprefix("agent_rollout_")]
            assert has_cases(metric)
            series = frozenset(({"workflow": workflow} | ({"window": "28d"} if metric.windowed else {}) | body["labels"]).items())
            published, totals = scraped.get((metric.name, series), 0.0), body["totals"]  # the gates have one series for each verdict
            if isinstance(metric.obtained, Ratio):
                assert totals["numerator"] / totals["denominator"] == pytest.approx(published), link
            elif (isinstance(metric.obtained, Count) and metric.obtained.scale is None) or isinstance(metric.obtained, Standing):
                assert totals["counted"] == published, link
            elif (metric.name + "_cases", series) in scraped and "sample" in totals:
                assert totals["sample"] == scraped[metric.name + "_cases", series], link
            if totals:  # a denominator holds its numerator, other roles stand beside each other
                rows = [row for row in body["rows"] if row["role"] in totals]
                assert len(rows) == min(totals.get("denominator", sum(totals.values())), 10_000), link


def test_each_point_of_a_trend_is_the_rate_of_its_seven_days(pipeline: Pipeline) -> None:
    picture = pipeline.board.picture
    assert picture is not None
    rates = {"override_ratio": ("decisions", 3, "overridden"), "acceptance_ratio": ("decisions", 3, "accepted")}
    checked = 0

    for (workflow, key, (mode, *_)), points in ((where, points) for where, points in picture.trends.items() if where[1] in rates):
        tally, place, outcome = rates[key]
        for end, over, under in points:
            rows = pipeline.store.counts(workflow, (end - 7 * DAY) // MINUTE, end // MINUTE)
            counted = [(series, amount) for _, series, amount in rows if series[1] == tally and series[2] == mode]
            assert under == sum(amount for _, amount in counted)
            assert over == sum(amount for series, amount in counted if series[place] == outcome)
            checked += 1

    assert checked > 100


def test_pages_walk_through_every_case_once(client: Client) -> None:
    address = "/evidence?metric=override_ratio&workflow=triage&window=28d&mode=live"
    whole = client.get(f"{address}&format=csv").text.splitlines()[1:]
    seen: list[str] = []
    page: str | None = address
    while page:
        text = client.get(page).text
        seen += re.findall(r'<th role="rowheader" scope="row">.*?<bdi>(\d+)</bdi>', text)
        match = re.search(r'<a href="([^"]+)" rel="next">', text)
        page = match[1].replace("&amp;", "&") if match else None

    assert len(seen) == len(whole) > 100
    assert seen == [line.split(",")[0].split("/")[1] for line in whole]
