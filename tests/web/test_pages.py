"""The pages for people: what they show, to whom, and what cannot be done to them."""

import csv
import io
import logging
import re
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from review.findings_by_hand import findings, review
from rollout_metrics.catalog import METRICS, Family
from rollout_metrics.domain.changes import Change, ChangeKind, Incident
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.records import Links, Record, Signature, SignOff
from rollout_metrics.domain.time import DAY, parse_instant
from rollout_metrics.review.page import Shown, html
from rollout_metrics.review.said import Signature as Signed
from web.desks import HOSTILE, NOW, Pages, receipt

RATIO = "/evidence?metric=override_ratio&workflow=triage&window=28d&mode=live"
RIGHTS = {
    "rights": [
        {"users": ["*"], "workflows": ["billing"], "evidence": False},
        {"users": ["anna"], "workflows": ["triage"]},
        {"users": ["dora"], "persons": True},
    ]
}


class Read(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_status_shows_each_workflow_with_its_rates_their_intervals_and_numbers_of_cases() -> None:
    page = Read(Pages().get("/").text)

    assert page.text.count("25.0 %") == 2
    assert "15.0 to 40.0 %, n=40" in page.text
    assert "2 assisted" in page.text
    assert "90.0 %" in page.text  # of the source's records were understood


def test_the_status_says_what_a_source_refuses_since_when_and_what_to_do() -> None:
    page = Read(Pages(refused=("talks cannot be read (403): grant the scope talks",)).get("/").text)

    assert "refused in part" in page.text
    assert re.search(r"not read since \S+.*: talks cannot be read \(403\): grant the scope talks", page.text)


def test_people_are_told_what_a_figure_means_and_not_how_its_series_are_queried() -> None:
    metric = METRICS["override_ratio"]

    for page in ("/", RATIO, "/workflows/triage"):
        shown = Pages((receipt(1),)).get(page).text
        assert (metric.meaning.partition(" Numerator")[0] in shown, metric.reading in shown) == (True, False), page
    assert metric.help == f"{metric.meaning} {metric.reading}"


def test_every_page_is_guarded_by_its_headers_and_has_no_script_and_nothing_from_elsewhere() -> None:
    pages = Pages((receipt(1),))

    for path in ("/", "/workflows/triage", "/evidence", RATIO, "/nothing", "/static/pages.css"):
        answer = pages.get(path)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'"), path
        assert "script" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        if answer.mimetype == "text/html":
            page = Read(answer.text)
            assert {"script", "iframe", "object", "style"}.isdisjoint(page.tags)
            assert [value for name, value in page.attributes if name in ("src", "action") and not value.startswith("/")] == []
            assert [name for name, _ in page.attributes if name == "style" or name.startswith("on")] == []
        answer.close()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_text_wherever_it_comes_from(text: str) -> None:
    case = receipt(1, text, case=(text, text), url="javascript:alert(1)")
    pages = Pages((case,), error=text, refused=(text,))
    harmless = Read(Pages((receipt(1, "plain", case=("plain", "plain"), url="javascript:alert(1)"),), error="plain").get(RATIO).text)

    shown = Read(pages.get(RATIO).text)
    status = pages.get("/").text

    assert shown.tags == harmless.tags  # no element more
    assert all("javascript:" not in value for name, value in shown.attributes if name == "href")
    assert re.search("[\u202a-\u202e\u2066-\u2069]", pages.get(RATIO).text + status) is None
    assert len(pages.get(RATIO).text) < 20_000
    assert "<script" not in status and "onerror=alert(1)>" not in status
    assert pages.get(f"/workflows/{text.replace('/', '')}").status_code == 404


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_cell_of_a_download_is_a_formula(text: str) -> None:
    answer = Pages((receipt(1, text, case=("desk", text), counted=text, role="x"),)).get(RATIO + "&format=csv")

    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert len(rows) == 2
    assert [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert answer.headers["Content-Disposition"] == 'attachment; filename="evidence.csv"'


def test_a_cell_that_begins_like_a_formula_is_quoted() -> None:
    found = Pages((receipt(1, case=("=1+1", "7"), url=None),)).get(RATIO + "&format=csv").text

    assert "'=1+1/7" in found


def test_links_lead_into_the_ticketing_system_and_carry_no_referrer() -> None:
    page = Read(Pages((receipt(1),)).get(RATIO).text)

    assert ("href", "https://desk.example/tickets/1") in page.attributes
    assert page.attributes.count(("rel", "noopener noreferrer")) == 2


def test_what_is_derived_from_persons_needs_the_right() -> None:
    pages = Pages((receipt(1),), options=RIGHTS)

    for suffix in ("", "&format=csv", "&format=json"):
        assert "actor:" not in pages.get(RATIO + suffix, user="anna").text
        assert "actor:0123456789abcdef01" in pages.get(RATIO + suffix, user="dora").text


def test_rights_decide_who_sees_which_workflow_and_who_opens_its_cases() -> None:
    pages = Pages((receipt(1),), options=RIGHTS)

    assert "triage" not in pages.get("/").text
    assert "triage" in pages.get("/", user="anna").text
    assert pages.get("/workflows/triage").status_code == 404
    assert pages.get("/workflows/triage", user="anna").status_code == 200
    assert pages.get(RATIO).status_code == 404
    assert pages.get(RATIO, user="anna").status_code == 200
    assert pages.get(RATIO.replace("triage", "billing"), user="anna").status_code == 403
    assert "/evidence?metric" not in pages.get("/").text
    assert pages.get("/evidence?metric=violations&workflow=none", user="anna").status_code == 403
    assert pages.get("/evidence?metric=violations&workflow=none", user="dora").status_code == 200


def test_a_proxy_is_believed_from_its_address_only_and_one_name_at_a_time() -> None:
    options = RIGHTS | {"proxy_header": "X-Forwarded-User", "proxy_addresses": ["10.0.0.0/8"]}
    pages = Pages(options=options)

    assert pages.get("/workflows/triage", HTTP_X_FORWARDED_USER="anna", REMOTE_ADDR="10.1.2.3").status_code == 200
    assert pages.get("/workflows/triage", HTTP_X_FORWARDED_USER="anna", REMOTE_ADDR="192.0.2.1").status_code == 404
    assert pages.get("/workflows/triage", HTTP_X_FORWARDED_USER="eve, anna", REMOTE_ADDR="10.1.2.3").status_code == 404
    assert Pages(options=RIGHTS).get("/workflows/triage", HTTP_X_FORWARDED_USER="anna", REMOTE_ADDR="127.0.0.1").status_code == 404


def test_whoever_opens_evidence_is_logged_and_nobody_who_is_in_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "rollout_metrics.web.evidence"):
        Pages((receipt(77),), options=RIGHTS).get(RATIO + "&format=csv&case=77", user="anna")

    (record,) = caplog.records
    assert record.fields | {"to": ""} == {  # type: ignore[attr-defined]
        "user": "anna", "workflow": "triage", "metric": "override_ratio", "window": "28d", "to": "", "format": "csv", "receipts": "1", "one_case": "true",
    }  # fmt: skip


def test_an_address_can_name_the_stretch_as_grafana_does_or_as_people_do() -> None:
    pages = Pages()
    first, last = parse_instant("2026-02-01T00:00:00Z"), parse_instant("2026-02-15T00:00:00Z")

    pages.get(f"/evidence?metric=agent_rollout_decisions&workflow=triage&from={first // 1000}&to={last // 1000}&mode=live&outcome=")
    pages.get("/evidence?metric=decisions&workflow=triage&from=2026-02-01T00:00:00Z&to=2026-02-15T00:00:00%2B00:00&mode=live")

    (one, _), (other, _) = pages.asked
    assert one == other
    assert (one.end, one.window, one.labels) == (last, 14 * DAY, {"mode": "live"})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("metric=override&workflow=triage", "did you mean"),
        ("metric=override_ratio&workflow=triage&window=soon", "is no duration"),
        ("metric=override_ratio&workflow=triage&from=2026-02-01", "from and to belong together"),
        ("metric=override_ratio&workflow=triage&from=2026-02-02T00:00:00Z&to=2026-02-01T00:00:00Z", "from must lie"),
        ("metric=override_ratio", "Name the workflow"),
        ("metric=override_ratio&workflow=triage&before=x", "not enough values"),
    ],
)
def test_an_address_that_makes_no_sense_says_what_is_wrong(asked: str, said: str) -> None:
    answer = Pages().get(f"/evidence?{asked}")

    assert answer.status_code == 400
    assert said in Read(answer.text).text


def test_pages_only_read() -> None:
    client = Pages().client

    assert {client.open(path, method=method).status_code for path in ("/", RATIO, "/workflows/triage") for method in ("POST", "PUT", "DELETE", "PATCH")} == {
        405
    }


def test_before_the_first_pass_the_pages_say_so() -> None:
    pages = Pages()
    pages.board.unready("the first pass has not finished yet")

    assert "the first pass has not finished yet" in pages.get("/").text


def test_the_list_goes_on_where_the_page_ended() -> None:
    pages = Pages(tuple(receipt(number) for number in range(60)))

    page = Read(pages.get(RATIO).text)
    older = next(value for name, value in page.attributes if name == "href" and "before=" in value)
    pages.get(older)

    assert pages.asked[-1][1].before == (1, "desk", "7")


def record(text: str, **changes: str) -> Record:
    change = Change(
        id=text[:100] or "c1", workflow="triage", kind=ChangeKind.PROMPT, title=text, version=text, environment="production", risk_class="medium",
        proposed_at=NOW - 3 * DAY, reviewed_at=None, approved_at=None, deployed_at=NOW - DAY, recovered_at=None, level=None, reworks=None, fixes=(text,),
        incidents=(Incident(text, NOW - DAY, None, "javascript:alert(1)"),), interventions=(),
    )  # fmt: skip
    return Record(change=change, owner=text, audience=text, sign_offs={SignOff.SEMANTICS: Signature(text, NOW)}, links=Links(pull_request=text), **changes)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_change_record_shows_as_text_too(text: str) -> None:
    found, harmless = record(text), record("plain")
    pages = Pages(records=(found,))
    address = "/changes/" + quote(found.change.id, safe="")

    shown, plain = pages.get(address), Pages(records=(harmless,)).get("/changes/plain")

    assert shown.status_code == 200
    assert Read(shown.text).tags == Read(plain.text).tags
    assert "javascript:" not in re.sub(r"<bdi>.*?</bdi>", "", shown.text)
    assert re.search("[\u202a-\u202e\u2066-\u2069]", shown.text + pages.get("/changes").text + pages.get("/workflows/triage").text) is None


def test_a_change_record_says_where_it_stands_who_signed_and_what_it_lacks() -> None:
    pages = Pages(records=(record("CHG-1"),), options=RIGHTS)

    page = Read(pages.get("/changes/CHG-1", user="anna").text)

    assert "incident open" in page.text
    assert "The record lacks" in page.text
    assert "CHG-1" in pages.get("/changes", user="anna").text
    assert pages.get("/changes/CHG-1").status_code == 404  # of a workflow that is not everyone's to see
    assert "CHG-1" not in pages.get("/changes").text


def test_the_sheet_on_data_protection_says_what_is_configured() -> None:
    said = Read(Pages(options=RIGHTS).get("/data-protection").text).text

    assert "180d" in said
    assert "at least 5 operators" in said
    assert "3 entries of web.rights" in said
    assert "set aside as it came, with the names and texts in it" in said


def test_reviews_are_listed_by_quarter_of_the_calendar() -> None:
    said = Read(Pages().get("/review").text).text

    assert list(dict.fromkeys(re.findall(r"\d{4}Q\d", said)))[:2] == ["2026Q1", "2025Q4"]
    assert "still running" in said


def test_what_stands_out_leads_to_its_evidence() -> None:
    def of(key: str, value: float, *values: str) -> Family:
        return METRICS[key].collect([METRICS[key].sample(value, "triage", *values)])

    gates = [("override", "fail"), ("decisions", "pass")]
    judged = METRICS["gate"].collect(
        [METRICS["gate"].sample(int(v == held), "triage", gate, v) for gate, held in gates for v in ("pass", "fail", "inconclusive")]
    )
    more = [
        of("spike", 1, "override"),
        of("spike_observed_ratio", 0.3, "override"),
        of("spike_cases", 50, "override"),
        of("warning_sign", 1, "private_cleanup"),
        judged,
        of("gate_ratio", 0.25, "override"),
        of("gate_limit_ratio", 0.1, "override"),
        of("level_proposal", 1, "demote"),
    ]
    pages = Pages(more=more, options={"rights": [{"users": ["anna"]}, {"users": ["eve"], "evidence": False}]})

    seen, workflow = Read(pages.get("/", user="anna").text), Read(pages.get("/workflows/triage", user="anna").text)
    eve = pages.get("/workflows/triage", user="eve").text

    assert "gates: 1 of 2 pass, proposal go back" in " ".join(seen.text.split())
    assert any(name == "href" and value.startswith("/workflows/triage?") and value.endswith("#gates") for name, value in seen.attributes)
    assert ("href", "/evidence?metric=spike&workflow=triage&signal=override") in seen.attributes
    assert ("href", "/evidence?metric=warning_sign&workflow=triage&sign=private_cleanup") in seen.attributes
    assert ("href", "/evidence?metric=gate&workflow=triage&gate=override") in workflow.attributes
    assert [value.rpartition("=")[2] for _, value in workflow.attributes if "metric=gate&" in value] == ["override", "decisions"]
    assert "at most 10.0 %" in workflow.text
    assert "30.0 % (n=50)" in workflow.text
    assert "propose to go back one level" in " ".join(workflow.text.split())
    assert "/evidence?metric" not in eve


def test_a_deployment_behind_a_number_leads_to_its_change_record() -> None:
    pages = Pages((receipt(1, case=("change", "CHG-1"), events=(), url=None),), records=(record("CHG-1"),))

    page = Read(pages.get("/evidence?metric=failed_deployments&workflow=triage&window=90d").text)

    assert ("href", "/changes/CHG-1") in page.attributes


class Cabinet:
    """One review of two workflows, signed."""

    def open(self, name: str) -> Shown:
        if name != "2026Q3":
            raise ConfigurationError(f"{name} has not begun: name a quarter that has")
        return Shown(review(findings("triage", "ours"), findings("billing", "theirs")), Signed("the board", NOW))

    def signatures(self) -> dict[str, Signed]:
        return {"2026Q3": Signed("the board", NOW)}


def test_a_review_on_the_pages_is_the_file_of_the_command_line_and_allows_its_own_style_only() -> None:
    pages = Pages(reviews=Cabinet())

    answer = pages.get("/review/2026Q3")

    assert answer.text == html(Cabinet().open("2026Q3"))
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert "style-src 'unsafe-inline'" in answer.headers["Content-Security-Policy"]
    assert pages.get("/review/2026Q3?format=md").text.startswith("# Review 2026Q3")
    assert pages.get("/review/2026Q3?format=json").json["signature"]["by"] == "the board"
    assert "signed by the board" in Read(pages.get("/review").text).text


def test_a_review_shows_the_workflows_that_are_the_viewers_to_see_and_cases_only_to_whom_they_are_open() -> None:
    pages = Pages(options=RIGHTS, reviews=Cabinet())

    for kind in ("html", "md", "json"):
        anybody = pages.get(f"/review/2026Q3?format={kind}").text
        anna = pages.get(f"/review/2026Q3?format={kind}", user="anna").text
        assert "triage" not in anybody
        assert "billing" in anybody
        assert "desk.example" not in anybody
        assert "triage" in anna
    assert "desk.example" in pages.get("/review/2026Q3", user="anna").text


def test_a_quarter_that_there_is_not_is_not_found() -> None:
    answer = Pages(reviews=Cabinet()).get("/review/2031Q1")

    assert answer.status_code == 404
    assert "has not begun" in answer.text
    assert Pages(reviews=Cabinet()).get("/review/2026Q3?format=exe").status_code == 404
