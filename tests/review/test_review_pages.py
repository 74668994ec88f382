"""A review written out: as a person has read it, the same bytes for the same values, and nothing of anybody's text as anything but text."""

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from review.findings_by_hand import SIGNED_AT, changed, findings, rate, review
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.overview.foreign import outward
from rollout_metrics.review import charts, page, paper
from rollout_metrics.review.compared import line
from rollout_metrics.review.differences import differences
from rollout_metrics.review.page import Shown
from rollout_metrics.review.portfolio import portfolio
from rollout_metrics.review.said import Movement, Number, Signature
from web.desks import HOSTILE

GOLDEN = Path(__file__).parent / "golden"
SIGNED = Signature("R. Okafor, change board", SIGNED_AT)
SHOWN = Shown(
    review(findings(), findings("triage", as_of=None, recommended=None)),
    SIGNED,
    differences(review(findings()), changed(review(findings()), deployed=())),
)


class Tags(HTMLParser):
    """Which elements and attributes a page has, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("href", "src"):
                self.addresses.add(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(("name", "write"), [("review.html", page.html), ("review.md", page.markdown)])
def test_a_review_is_written_as_a_person_has_read_it(name: str, write: object) -> None:
    assert callable(write)
    said = re.sub(r"<svg.*?</svg>", "<svg/>", re.sub(r"<style>.*?</style>", "<style/>", write(SHOWN), flags=re.DOTALL), flags=re.DOTALL)
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(said, encoding="utf-8")

    assert said == (GOLDEN / name).read_text(encoding="utf-8")


def test_the_same_values_give_the_same_bytes_charts_and_all() -> None:
    first = page.html(SHOWN)
    charts._drawn.cache_clear()

    assert page.html(SHOWN) == first
    assert first.count("<svg") == 1


def test_a_chart_has_its_interval_its_marks_and_axes_that_can_be_read() -> None:
    drawn = page.html(Shown(review(findings(text="CHG-7"))))
    chart = drawn[drawn.index("<svg") : drawn.index("</svg>")]

    assert 'aria-label="override by the week, from' in chart
    assert "var(--band)" in chart  # the interval
    assert ">CHG-7<" in chart
    assert re.search(r">\d+%<", chart)
    assert re.search(r">(Apr|May|Jun|Jul|Aug|Sep)<", chart)
    assert "var(--" not in page.html(SHOWN, themed=False).partition("<svg")[2].partition("</svg>")[0]


def test_no_two_elements_have_one_id() -> None:
    ids = Tags(page.html(Shown(review(findings(), findings("triage"))))).ids

    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_others_wrote_is_text_in_every_format(text: str) -> None:
    shown = Shown(
        review(findings(text, text=text)), Signature(text, SIGNED_AT), differences(review(findings(text, text=text)), review(findings("x", text=text)))
    )
    harmless = Tags(page.html(Shown(review(), SIGNED, differences(review(findings()), review(findings("x"))))))

    read = Tags(page.html(shown))
    assert read.elements <= harmless.elements
    assert read.attributes <= harmless.attributes
    assert {address.split(":", maxsplit=1)[0].split("#")[0] for address in read.addresses} <= {"https", ""}
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", page.html(shown) + page.markdown(shown))
    assert not re.search(r"(?<!\\)<", page.markdown(shown))
    assert json.loads(page.as_json(shown))["signature"]["by"] == text
    if "{{" in text:
        assert "7*7" in read.text


def test_a_page_loads_nothing_from_anywhere() -> None:
    read = Tags(page.html(SHOWN))

    assert not read.elements & {"script", "img", "link", "iframe", "object", "form"}
    assert "url(http" not in page.html(SHOWN)


def test_only_addresses_of_the_web_become_links() -> None:
    assert [
        outward(url) for url in ("https://a.example/x", " http://[::1]/x ", "javascript:alert(1)", "data:text/html,x", "//a.example", "https:///x", None)
    ] == [
        "https://a.example/x",
        "http://[::1]/x",
        None,
        None,
        None,
        None,
        None,
    ]


def test_a_rate_moved_only_where_the_intervals_lie_apart_and_there_are_twenty_cases() -> None:
    few, many = rate("override_ratio", 1, 19), rate("override_ratio", 150, 300)
    low, high = rate("override_ratio", 10, 300), rate("override_ratio", 20, 300)

    assert line(many, low).movement is Movement.ROSE
    assert line(low, many).movement is Movement.FELL
    assert line(low, high).movement is Movement.STEADY
    assert line(many, few).movement is Movement.UNKNOWN
    assert line(rate("override_ratio", 0, 0), low).movement is Movement.UNKNOWN
    assert line(Number(key="errors", labels={"category": "x"}, value=3), Number(key="errors", labels={"category": "x"})).movement is Movement.COUNTED


def test_workflows_are_added_before_they_are_divided_and_shadow_stays_out() -> None:
    found = portfolio(review(findings("a"), findings("b"), findings("c", mode="shadow")))
    acceptance = found.lines[0].now

    assert found.workflows == 2
    assert (acceptance.value, acceptance.n) == (500 / 600, 600)


def test_time_saved_on_one_basis_is_added_and_on_two_never() -> None:
    (measured,) = findings().savings
    assumed = type(measured)(basis="assumed", hours=3.0, lower=1.0, upper=5.0, cases=40, money=None, before=None)

    said = portfolio(review(findings("a"), findings("b", savings=(measured, assumed)))).economy

    assert said == ("Measured: 25.0 h saved net of review in a, b, EUR 1,050.", "Assumed: 3.0 h saved net of review in b.")


def test_what_would_read_differently_now_stands_beside_a_signed_review_and_nothing_else() -> None:
    signed = review(findings())
    now = changed(signed, deployed=(), signs=findings().signs[:1])

    found = differences(signed, now)

    assert [(item.about, item.now) for item in found] == [("deployment wrong amount", "-"), ("warning sign failure talk", "-")]
    assert differences(signed, signed) == ()


def test_a_review_cut_to_workflows_names_no_other() -> None:
    both = Shown(review(findings("open"), findings("hidden")), SIGNED, differences(review(findings("hidden")), review(findings("open"))))

    cut = both.only(frozenset(("open",)), frozenset())

    assert "hidden" not in page.html(cut) + page.markdown(cut) + page.as_json(cut).decode()
    assert cut.review.findings[0].exhibits == ()


def test_pdf_says_what_it_lacks_or_is_one() -> None:
    try:
        made = paper.pdf("<p>nothing but a line</p>")
    except ConfigurationError as error:
        assert "rollout-metrics[pdf]" in str(error) or "libpango" in str(error)  # noqa: PT017  (either is right, as the place has it)
    else:
        assert made.startswith(b"%PDF-")
