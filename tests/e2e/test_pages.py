"""The pages in a real browser, on the running simulated company: the ways people go, in both colour schemes and at every width."""

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from e2e.conftest import configure
from e2e.exporter import Exporter
from rollout_metrics.simulate.server import Company

CHROMIUM = shutil.which("chromium")

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here: apt-get install chromium")]

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed here: pip install playwright")

WIDTHS = (320, 768, 1280, 1920)
EVIDENCE = "/evidence?metric=agent_rollout_override_ratio&workflow=triage&window=28d&mode=live"
TODAY = datetime.now(UTC)
REVIEW = f"/review/{TODAY.year}Q{(TODAY.month + 2) // 3}"
PAGES = ("/", "/workflows/triage", "/evidence", EVIDENCE, "/changes", "/changes/CHG-104", "/review", REVIEW, "/data-protection", "/nothing-here")


class Seen:
    """A page with everything that it asked for and complained about."""

    def __init__(self, browser: Any, base: str, **options: Any) -> None:
        self.base = base
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.hosts: set[str] = set()
        self.said: list[str] = []
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def open(self, path: str) -> int:
        """Go there; the status."""
        answer = self.page.goto(self.base + path)
        return int(answer.status)


@pytest.fixture(scope="module")
def exporter(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    with Exporter(configure(company, tmp_path_factory.mktemp("pages"), "pages", {}, {})) as running:
        yield running.ready()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        only_here = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking", only_here])
        yield opened
        opened.close()


@pytest.fixture
def seen(browser: Any, exporter: Exporter) -> Iterator[Any]:
    """Makes pages: `seen(color_scheme="dark")`; at the end none of them has complained or asked for anything from elsewhere."""
    made: list[Seen] = []

    def making(**options: Any) -> Seen:
        made.append(Seen(browser, exporter.pages, **options))
        return made[-1]

    yield making
    for one in made:
        one.context.close()
        assert one.hosts <= {"127.0.0.1"}
        assert [said for said in one.said if "404" not in said] == []


def test_from_the_status_to_the_cases_and_into_the_ticketing_system(seen: Any, company: Company) -> None:
    one = seen(java_script_enabled=False)
    page = one.page
    one.context.route(f"{company.zendesk_url}/**", lambda route: route.fulfill(body="<title>a ticket</title>", content_type="text/html"))

    one.open("/")
    page.get_by_role("link", name="triage").first.click()
    page.get_by_role("heading", level=1, name="triage").wait_for()
    page.get_by_role("link", name=re.compile("override: the cases behind it")).first.click()
    assert "override ratio" in page.get_by_role("heading", level=1).inner_text()
    row = page.get_by_role("row").nth(1)
    case = row.get_by_role("rowheader").get_by_role("link").inner_text()
    with page.expect_request(f"{company.zendesk_url}/**") as request:
        row.get_by_role("rowheader").get_by_role("link").click()

    assert request.value.url == f"{company.zendesk_url}/agent/tickets/{case}"
    assert "referer" not in request.value.headers
    assert page.title() == "a ticket"


def test_the_list_is_filtered_turned_over_and_downloaded(seen: Any) -> None:
    one = seen(java_script_enabled=False)
    page = one.page
    one.open("/evidence?metric=decisions&workflow=triage&window=90d&mode=live")
    before = page.get_by_role("row").count()

    page.get_by_label("outcome").select_option("overridden")
    page.get_by_role("button", name="Filter").click()
    cells = page.locator("tbody td[data-label='counts as']").all_inner_texts()
    total = int(re.search(r"([\d,]+) counted", page.locator("main").inner_text())[1].replace(",", ""))  # type: ignore[index]
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON").click()
    body = json.loads(Path(download.value.path()).read_text())
    if page.get_by_role("link", name="Older").count():
        page.get_by_role("link", name="Older").click()
        page.get_by_role("link", name="Newest").click()
    page.get_by_label("case").fill(rows[-1]["case"].split("/")[1])
    page.get_by_role("button", name="Filter").click()

    assert before == 51
    assert cells and all("outcome=overridden" in cell for cell in cells)
    assert len(rows) == len(body["rows"]) == total == body["totals"]["counted"]
    assert {row["case"] for row in rows} == {row["case"] for row in body["rows"]}
    assert {text.split()[0] for text in page.get_by_role("rowheader").all_inner_texts()} == {rows[-1]["case"].split("/")[1]}


def test_the_number_of_a_dashboard_is_the_number_of_its_link(seen: Any, exporter: Exporter) -> None:
    one = seen(java_script_enabled=False)
    published = exporter.value("agent_rollout_override_ratio", workflow="triage", window="28d", mode="live")

    one.open(EVIDENCE)  # as a panel links it
    text = one.page.locator("main").inner_text()
    over, under = (int(re.search(rf"([\d,]+) {role}", text)[1].replace(",", "")) for role in ("numerator", "denominator"))  # type: ignore[index]

    assert over / under == pytest.approx(published, abs=0.01)  # a pass may lie between the two
    assert "as published" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_and_every_page_is_accessible(seen: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed here: pip install axe-playwright-python").Axe()
    one = seen(color_scheme=scheme)
    wrong: list[str] = []
    for path in PAGES:
        status = one.open(path)
        assert status == (404 if path == "/nothing-here" else 200), path
        for width in WIDTHS:
            one.page.set_viewport_size({"width": width, "height": 900})
            reach = one.page.evaluate("document.documentElement.scrollWidth")
            if reach > width:
                wrong.append(f"{path} at {width}: reaches to {reach}")
        for width in (320, 1280):
            one.page.set_viewport_size({"width": width, "height": 900})
            found = axe.run(one.page).response["violations"]
            wrong += [f"{path} at {width}: {item['id']}: {item['nodes'][0]['html'][:200]}" for item in found]

    assert wrong == []


def test_a_keyboard_reaches_the_content_first_and_shows_where_it_is(seen: Any) -> None:
    one = seen()
    one.open("/")

    one.page.keyboard.press("Tab")
    first = one.page.evaluate("[document.activeElement.textContent, document.activeElement.getBoundingClientRect().left >= 0]")
    one.page.keyboard.press("Enter")
    for _ in range(2):
        one.page.keyboard.press("Tab")
    outline = one.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")

    assert first == ["Skip to the content", True]
    assert one.page.url.endswith("#main")
    assert outline == "solid"


def test_both_schemes_are_drawn(seen: Any) -> None:
    backs = set()
    for scheme in ("light", "dark"):
        one = seen(color_scheme=scheme)
        one.open("/")
        backs.add(one.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert one.page.locator("svg.spark path.line").count() > 5

    assert len(backs) == 2


def test_the_list_of_quarters_leads_to_a_review_whose_figures_lead_to_their_cases(seen: Any) -> None:
    one = seen(java_script_enabled=False)
    one.open("/review")

    one.page.get_by_role("link", name=REVIEW.removeprefix("/review/"), exact=True).click()
    one.page.get_by_role("heading", level=1, name="Review").wait_for()
    drawn = one.page.locator("svg.chart").count()
    address = one.page.locator("section.workflow td.number a").first.get_attribute("href")

    assert drawn > 10
    assert re.search(r"/evidence\?metric=\w+&workflow=\w+&", address or "")
    assert one.open(address[address.index("/evidence") :]) == 200  # as the listener of this test has it


def test_a_review_is_printed_on_white_paper_whatever_the_screen_shows(seen: Any) -> None:
    one = seen(color_scheme="dark")
    one.open(REVIEW)
    printed = one.page.pdf(prefer_css_page_size=True, print_background=True)
    one.page.emulate_media(media="print", color_scheme="dark")

    assert printed.startswith(b"%PDF-")
    assert one.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
