"""Sketches of dashboards: what is asked of Prometheus, and that the page says what came of it."""

import json
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards import DASHBOARDS
from checkout import ROOT
from rollout_metrics.cli import main
from rollout_metrics.generate.preview.choices import Span, interpolated
from rollout_metrics.generate.preview.values import said, step_color

SPAN = Span(0.0, 86400.0, 400.0)


class Answers(ThreadingHTTPServer):
    """A Prometheus that knows every series: two workflows, and 0.25 for whatever it is asked, or nothing, or an error."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.mood = "knows"
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Answers

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(split.query).items()}
        mood = self.server.mood
        if "/label/" in split.path:
            data: object = {"workflow": ["refunds", "triage"], "window": ["1d", "28d", "7d", "90d"]}.get(split.path.split("/")[-2], ["support"])
        else:
            self.server.asked.append(asked["query"])
            series = [{"metric": {"workflow": "refunds", "source": "<desk>", "kind": "mapped"}, "value": [1, "0.25"], "values": self._values(asked)}]
            data = {"resultType": "matrix" if "start" in asked else "vector", "result": series if mood == "knows" else []}
        failed = mood == "refuses" and "query" in asked
        body = json.dumps({"status": "error", "error": "parse error"} if failed else {"status": "success", "data": data}).encode()
        self.send_response(400 if failed else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def _values(asked: dict[str, str]) -> list[list[object]]:
        if "start" not in asked:
            return []
        start, end = float(asked["start"]), float(asked["end"])
        return [[start + (end - start) * part / 4, "0.25"] for part in range(5)]

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def prometheus() -> Iterator[Answers]:
    server = Answers()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class _Read(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.titles: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "line", "rect", "circle", "path"):
            self.open.append(tag)
        self.outside += [value for name, value in attrs if name in ("src", "href") and value and "//" in value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("line", "rect", "circle", "path"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.titles.append(data)


def read(file: Path) -> _Read:
    """A page whose tags all close."""
    page = _Read()
    page.feed(file.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def preview(server: Answers, folder: Path, *more: str) -> int:
    return main(["dashboards", "preview", "--root", str(ROOT), "--prometheus", server.url, "--output", str(folder), *more])


def test_every_panel_of_every_dashboard_is_drawn_on_a_page_that_needs_nothing_else(prometheus, tmp_path, capsys):
    assert preview(prometheus, tmp_path) == 0

    for name, dashboard in DASHBOARDS.items():
        page = read(tmp_path / f"{name}.html")
        text = (tmp_path / f"{name}.html").read_text()
        drawn = " ".join(page.titles)
        assert page.outside == []
        assert "a sketch of the layout, not Grafana" in text
        assert "<desk>" not in text
        for panel in dashboard["panels"]:
            words = re.sub(r"\$window", r"\\d+d", re.sub(r"\$workflow", r"refunds", panel["title"].replace("(", r"\(").replace(")", r"\)")))
            assert re.search(words, drawn), panel["title"]
    assert len(capsys.readouterr().out.splitlines()) == len(DASHBOARDS)


def test_everything_that_is_asked_has_its_variables_put_in_and_can_be_parsed(prometheus, tmp_path):
    preview(prometheus, tmp_path, "--only", "spikes", "--only", "collection")

    assert len(prometheus.asked) > 80
    for expression in set(prometheus.asked):
        assert "$" not in expression
        assert promql_parser.parse(expression)


def test_a_choice_is_taken_over_everywhere(prometheus, tmp_path):
    preview(prometheus, tmp_path, "--only", "workflow", "--choose", "workflow=triage", "--choose", "window=7d")

    assert [file.name for file in tmp_path.iterdir()] == ["workflow.html"]
    assert not [expression for expression in prometheus.asked if "refunds" in expression or 'window="28d"' in expression]
    assert "triage" in (tmp_path / "workflow.html").read_text()


def test_without_data_it_says_so_and_shows_no_nought(prometheus, tmp_path):
    prometheus.mood = "knows nothing"

    assert preview(prometheus, tmp_path, "--only", "overview") == 0

    text = (tmp_path / "overview.html").read_text()
    assert text.count("no data") >= 8
    assert not re.search(r"<b>0", text)


def test_what_prometheus_refuses_is_named_with_its_panel_and_fails(prometheus, tmp_path, capsys):
    prometheus.mood = "refuses"

    assert preview(prometheus, tmp_path, "--only", "ladder") == 1

    assert re.search(r"Autonomy level, now: Prometheus does not understand max.+: parse error", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "code", "said_"),
    [
        (["--only", "nonsense"], 2, "there is no dashboard 'nonsense': known are collection"),
        (["--choose", "refunds"], 2, "--choose refunds is no choice"),
        (["--root", "/"], 2, "holds no dashboards folder"),
    ],
)
def test_what_cannot_be_drawn_is_said_with_the_remedy(words, code, said_, prometheus, tmp_path, capsys):
    assert preview(prometheus, tmp_path, *words) == code

    assert said_ in capsys.readouterr().err


def test_a_prometheus_that_is_not_there_is_said_to_be(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("rollout_metrics.generate.prometheus.ATTEMPTS", 1)

    assert main(["dashboards", "preview", "--root", str(ROOT), "--prometheus", "http://127.0.0.1:1", "--output", str(tmp_path)]) == 1

    assert "127.0.0.1:1 failed (refused)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "text"),
    [
        (0.1234, "percentunit", 1, "12.3 %"),
        (0.0, "percentunit", None, "0.0 %"),
        (5400.0, "s", None, "1.5 hours"),
        (60.0, "s", None, "1 min"),
        (-86400.0, "s", None, "-1 day"),
        (0.0, "s", None, "0 s"),
        (12345.0, "locale", 0, "12,345"),
        (0.5, "locale", None, "0.5"),
        (float("nan"), "s", None, "NaN"),
    ],
)
def test_values_are_said_as_grafana_says_them(value, unit, decimals, text):
    assert said(value, unit, decimals) == text


@given(st.lists(st.text(alphabet="ab.|(", min_size=1, max_size=4), min_size=1, max_size=4, unique=True))
def test_several_values_become_a_pattern_of_just_these(values):
    text = interpolated("${workflow}", {"workflow": tuple(values)}, SPAN)

    if len(values) > 1:
        assert [word for word in (*values, "zz", "a") if re.fullmatch(text, word)] == [word for word in (*values, "zz", "a") if word in values]
    else:
        assert text == values[0]


@given(st.floats(-1, 2), st.floats(0, 1))
def test_a_colour_turns_exactly_at_its_threshold(value, limit):
    assert step_color(value, [{"value": None, "color": "below"}, {"value": limit, "color": "beyond"}]) == ("beyond" if value >= limit else "below")
