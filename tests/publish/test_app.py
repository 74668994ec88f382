"""The metrics listener's pages over real HTTP."""

import gzip
from collections.abc import Iterator

import pytest
import requests

from rollout_metrics.catalog import Family, MetricType
from rollout_metrics.publish.app import metrics_app
from rollout_metrics.publish.exposition import OPENMETRICS, TEXT, Renderer
from rollout_metrics.publish.listener import Listener
from rollout_metrics.publish.snapshot import Board, take

FAMILIES = [Family("agent_rollout_x", MetricType.GAUGE, "X.", "", [("", (("workflow", "w"),), 1)])]


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def url(board: Board) -> Iterator[str]:
    listener = Listener(metrics_app(board, pages_url="https://rollout.example/pages"), "127.0.0.1:0").start()
    yield listener.url
    listener.close()


def test_before_the_first_pass_there_are_reasons_instead_of_figures(url: str) -> None:
    metrics, ready, health = (requests.get(f"{url}/{page}", timeout=5) for page in ("metrics", "readyz", "healthz"))

    assert (metrics.status_code, ready.status_code, health.status_code) == (503, 503, 200)
    assert "the first pass has not finished yet" in ready.text


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3", OPENMETRICS),
        ("text/plain;version=0.0.4", TEXT),
        ("*/*", TEXT),
    ],
)
def test_the_format_is_negotiated(board: Board, url: str, accept: str, content_type: str) -> None:
    board.hang(take(FAMILIES, 0, Renderer()))

    answer = requests.get(f"{url}/metrics", headers={"Accept": accept}, timeout=5)

    assert answer.headers["Content-Type"] == content_type
    assert answer.text.endswith("# EOF\n") == (content_type == OPENMETRICS)
    assert 'agent_rollout_x{workflow="w"} 1\n' in answer.text


def test_gzip_is_served_only_to_those_who_accept_it(board: Board, url: str) -> None:
    snapshot = take(FAMILIES, 0, Renderer())
    board.hang(snapshot)

    packed = requests.get(f"{url}/metrics", headers={"Accept-Encoding": "gzip"}, stream=True, timeout=5)
    plain = requests.get(f"{url}/metrics", headers={"Accept-Encoding": "identity"}, timeout=5)

    assert gzip.decompress(packed.raw.read()) == plain.content == snapshot.text
    assert "Content-Encoding" not in plain.headers


def test_the_last_figures_stay_while_the_exporter_is_not_ready(board: Board, url: str) -> None:
    board.hang(take(FAMILIES, 0, Renderer()))
    board.unready("the database is lost: restart it")

    assert requests.get(f"{url}/metrics", timeout=5).status_code == 200
    assert "the database is lost" in requests.get(f"{url}/readyz", timeout=5).text


def test_other_paths_and_methods_are_refused(board: Board, url: str) -> None:
    board.hang(take(FAMILIES, 0, Renderer()))

    assert requests.get(f"{url}/nothing", timeout=5).status_code == 404
    assert requests.post(f"{url}/metrics", timeout=5).status_code == 405
    head = requests.head(f"{url}/metrics", timeout=5)
    assert head.status_code == 200
    assert head.content == b""


def test_the_landing_page_leads_to_the_figures_and_the_pages(board: Board, url: str) -> None:
    page = requests.get(url, timeout=5).text

    assert 'href="/metrics"' in page
    assert 'href="https://rollout.example/pages/"' in page
