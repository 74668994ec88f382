"""What every source read over HTTP must keep to: each case folder `<kind>/<case>` is served by a local server and read as in life.

A folder holds `case.json` (options, window, `error` where reading must fail) and `exchanges.json` (what the vendor answers), and
`golden.jsonl`: the events, rejected records and coverage it must yield. `UPDATE_GOLDEN=1` writes them anew, to be read by a person.
"""

import email.utils
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rollout_metrics import sources
from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Coverage, HttpSource, Page, Rejected, Window
from rollout_metrics.collect.sweep import run
from rollout_metrics.domain.errors import CredentialsError, PayloadError, RetryLater
from rollout_metrics.domain.events import Activity, Event, canonical_bytes, text_value
from rollout_metrics.domain.time import parse_instant
from sources.server import Answering, Reply, Request, Server, recorded, serving

HERE = Path(__file__).parent
SECRET = "very-secret-token-0815"
ELSEWHERE = os.environ.get("ROLLOUT_METRICS_CASES")
"""A folder like this one, of a package that brings a source of its own."""
FOLDERS = [HERE, *([Path(ELSEWHERE)] if ELSEWHERE else [])]
CASES = sorted(path.parent for folder in FOLDERS for path in folder.glob("*/*/case.json"))
KINDS = sorted({folder.parent.name for folder in CASES})
REQUIRED = {"typical", "loop", "cut_short", "malformed"}
Record = Event | Rejected | Coverage


@dataclass
class Case:
    folder: Path
    source: HttpSource
    window: Window
    error: str | None


class Clock:
    def __init__(self, at: float) -> None:
        self.at = at
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def folder_of(kind: str, case: str) -> Path:
    return next(folder for folder in CASES if (folder.parent.name, folder.name) == (kind, case))


def case_at(folder: Path, url: str) -> Case:
    said = json.loads((folder / "case.json").read_text())
    options = {"base_url": url, "token": SECRET, **said["options"]}
    source = sources.find(folder.parent.name).model_validate({**options, "name": folder.parent.name})
    assert isinstance(source, HttpSource)
    start, end = map(parse_instant, said["window"])
    return Case(folder, source, Window(start, end), said.get("error"))


def api_of(case: Case) -> tuple[Api, Clock]:
    clock = Clock(case.window.end / 1_000_000)
    endpoint = case.source.endpoint()
    assert endpoint is not None
    return Api(endpoint, now=clock.now, monotonic=clock.now, sleep=clock.sleep, random=lambda: 0.5), clock


def read(case: Case) -> list[tuple[Page, list[Record]]]:
    api, _ = api_of(case)
    return [(page, list(case.source.events(page))) for page in case.source.pages(api, case.window)]


def records(case: Case) -> list[Record]:
    return [record for _, found in read(case) for record in found]


def typical(kind: str, answer: Callable[[Answering], Answering] = lambda usual: usual) -> Iterator[tuple[Case, Server]]:
    folder = folder_of(kind, "typical")
    with serving(answer(recorded(folder))) as server:
        yield case_at(folder, server.url), server


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def as_line(record: Record, url: str) -> str:
    tagged = {type(record).__name__.lower(): msgspec.to_builtins(record)}
    if isinstance(record, Rejected):
        tagged["rejected"]["payload"] = json.loads(record.payload)
    return json.dumps(tagged, ensure_ascii=False).replace(url.removeprefix("http://"), "HOST")


@pytest.mark.parametrize("folder", [pytest.param(folder, id=f"{folder.parent.name}-{folder.name}") for folder in CASES])
def test_a_recorded_case_yields_what_its_golden_file_says(folder: Path) -> None:
    with serving(recorded(folder)) as server:
        case = case_at(folder, server.url)
        if case.error is not None:
            with pytest.raises((PayloadError, CredentialsError), match=case.error):
                records(case)
            return
        lines = [as_line(record, server.url) for record in records(case)]

    golden = folder / "golden.jsonl"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text("".join(f"{line}\n" for line in lines))
    assert lines == golden.read_text().splitlines()


def test_every_kind_read_over_http_is_here() -> None:
    assert [kind for kind in sources.kinds() if issubclass(sources.find(kind), HttpSource)] == KINDS


def test_every_kind_has_the_cases_that_are_asked_of_all(kind: str) -> None:
    assert {folder.name for folder in CASES if folder.parent.name == kind} >= REQUIRED


def test_reading_again_yields_the_same_unique_ids(kind: str) -> None:
    for case, _ in typical(kind):
        first = {event.event_id: canonical_bytes(event) for event in records(case) if isinstance(event, Event)}
        again = [event for event in records(case) if isinstance(event, Event)]

    assert {event.event_id: canonical_bytes(event) for event in again} == first


def test_one_reading_gives_no_id_to_two_different_events(kind: str) -> None:
    for case, _ in typical(kind):
        events = {(event.event_id, canonical_bytes(event)) for event in records(case) if isinstance(event, Event)}

    assert len({event_id for event_id, _ in events}) == len(events)


def test_instants_are_within_living_memory_and_values_canonical(kind: str) -> None:
    for case, _ in typical(kind):
        events = [record for record in records(case) if isinstance(record, Event)]

    assert events
    for event in events:
        assert parse_instant("2000-01-01T00:00:00Z") < event.occurred_at < parse_instant("2100-01-01T00:00:00Z")
        initial = event.detail.get("attributes", {})
        for value in (event.before, event.after, *initial.values()):
            assert value is None or (isinstance(value, str) and text_value(value) == value)
        assert list(event.detail.get("via", [])) == sorted(set(event.detail.get("via", [])))
        assert (event.attribute is not None) >= (event.activity is Activity.CHANGED)
        msgspec.json.encode(event)


def test_pages_say_how_far_they_have_read_and_never_go_back(kind: str) -> None:
    for case, _ in typical(kind):
        reached = [page.read_up_to for page, _ in read(case) if page.read_up_to is not None]

    assert reached
    assert reached == sorted(reached)


def test_resuming_after_any_page_yields_the_rest(kind: str) -> None:
    for case, _ in typical(kind):
        pages = read(case)
        whole = {event.event_id for _, found in pages for event in found if isinstance(event, Event)}
        for number, (page, _) in enumerate(pages):
            done = {event.event_id for _, found in pages[: number + 1] for event in found if isinstance(event, Event)}
            with serving(recorded(case.folder)) as fresh:
                again = case_at(case.folder, fresh.url)
                again.window = Window(page.read_up_to or case.window.start, case.window.end, json.loads(json.dumps(page.cursor)))
                rest = {event.event_id for event in records(again) if isinstance(event, Event)} if again.window.start < again.window.end else set()
            assert done | rest == whole


def always(reply: Reply) -> Callable[[Answering], Answering]:
    return lambda usual: lambda request: reply


def first(reply: Reply) -> Callable[[Answering], Answering]:
    """The first request of all is answered so, the others as usual."""

    def wrap(usual: Answering) -> Answering:
        left = [reply]
        return lambda request: left.pop() if left else usual(request)

    return wrap


@pytest.mark.parametrize("zone", [timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))], ids=str)
def test_instants_mean_the_same_in_whatever_offset_they_are_written(kind: str, zone: timezone) -> None:
    """Vendors write times in the zone of a user, of a site or of a proxy's taste. Those without any are in the zone that the vendor's own cases say."""
    usual = [as_line(record, server.url) for case, server in typical(kind) for record in records(case)]
    moved = [as_line(record, server.url) for case, server in typical(kind, written_in(zone)) for record in records(case)]

    assert moved == usual


WITH_OFFSET = re.compile(rb'"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?) ?(Z|\+00:?00)"')


def written_in(zone: timezone) -> Callable[[Answering], Answering]:
    def elsewhere(found: re.Match[bytes]) -> bytes:
        at, offset = found[1].decode(), found[2].decode()
        there = datetime.fromisoformat(at).replace(tzinfo=UTC).astimezone(zone)
        fraction = at[19:]
        written = f"{there:%z}" if offset == "+0000" else f"{there:%z}"[:3] + ":" + f"{there:%z}"[3:]
        return f'"{there:%Y-%m-%d}{at[10]}{there:%H:%M:%S}{fraction}{" " if at[10] == " " else ""}{written}"'.encode()

    def wrap(usual: Answering) -> Answering:
        def answer(request: Request) -> Reply:
            reply = usual(request)
            return replace(reply, body=WITH_OFFSET.sub(elsewhere, json.dumps(reply.body).encode()))

        return answer

    return wrap


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_told_with_the_remedy(kind: str, status: int) -> None:
    for case, _ in typical(kind, always(Reply({"message": "no"}, status))):
        with pytest.raises(CredentialsError, match=rf"^{status} from .*: check the token"):
            records(case)


@pytest.mark.parametrize("date", [False, True])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_and_the_sweep_goes_on(kind: str, status: int, date: bool) -> None:
    usual = next(typical(kind))[0]
    value = email.utils.formatdate(usual.window.end / 1_000_000 + 33, usegmt=True) if date else "33"
    for case, _ in typical(kind, first(Reply({}, status, {"Retry-After": value}))):
        api, clock = api_of(case)
        events = [record for page in case.source.pages(api, case.window) for record in case.source.events(page) if isinstance(record, Event)]

    assert events
    assert clock.slept[0] == 33
    assert api.counts.throttled_seconds >= 33


def test_a_vendor_that_is_down_is_tried_again_later(kind: str) -> None:
    for case, _ in typical(kind, always(Reply(b"<html>Bad gateway</html>", 502))):
        with pytest.raises(RetryLater, match=r"^502 from "):
            records(case)


def test_a_web_page_instead_of_json_is_told_as_such(kind: str) -> None:
    for case, _ in typical(kind, always(Reply(b"<!DOCTYPE html><h1>Sign in</h1>", 200, {"Content-Type": "text/html"}))):
        with pytest.raises(PayloadError, match="web page instead of JSON"):
            records(case)


def test_truncated_json_names_the_page_wherever_it_comes(kind: str) -> None:
    for case, server in typical(kind):
        records(case)
        asked = len(server.requests)
    for number in range(asked):
        for case, _ in typical(kind, truncated(number)):
            with pytest.raises(PayloadError, match=r"^(GET|POST) 127\.0\.0\.1.* is not complete JSON"):
                records(case)


def truncated(number: int) -> Callable[[Answering], Answering]:
    def wrap(usual: Answering) -> Answering:
        seen: list[Request] = []

        def answer(request: Request) -> Reply:
            reply = usual(request)
            seen.append(request)
            return replace(reply, body=json.dumps(reply.body).encode()[:-2]) if len(seen) == number + 1 else reply

        return answer

    return wrap


def test_unknown_json_is_an_error_that_names_the_page(kind: str) -> None:
    for case, _ in typical(kind, always(Reply({"surprise": []}))):
        with pytest.raises(PayloadError, match=r"^(GET|POST) 127\.0\.0\.1.*not of the documented shape"):
            records(case)


def test_bad_records_are_set_aside_while_the_rest_goes_on(kind: str) -> None:
    folder = folder_of(kind, "malformed")
    with serving(recorded(folder)) as server:
        case = case_at(folder, server.url)
        found = records(case)
    rejected = [record for record in found if isinstance(record, Rejected)]

    assert rejected
    assert any(isinstance(record, Event) for record in found)
    for record in rejected:
        assert record.reason.isidentifier()
        assert record.where
        again = list(case.source.events(case.source.page_of(record.payload, record.where)))
        assert [one.payload for one in again if isinstance(one, Rejected)] == [record.payload]


def test_secrets_are_in_no_log_no_error_and_no_repr(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for case, _ in typical(kind, first(Reply({"message": f"slow down, {SECRET}"}, 429))):
        found = [page for page, _ in read(case)]
    shown = [repr(found), repr(case.source), str(case.source), repr(case.source.endpoint()), repr(case.source.model_dump()), case.source.model_dump_json()]
    for status in (401, 404, 500):
        for refused, _ in typical(kind, always(Reply({"message": f"bad token {SECRET}"}, status))):
            with pytest.raises((CredentialsError, PayloadError, RetryLater)) as raised:
                records(refused)
            shown += [str(raised.value), repr(raised.value), repr(raised.value.__cause__)]

    assert SECRET not in "".join(shown) + caplog.text


def test_a_sweep_over_http_lands_the_same_events(kind: str) -> None:
    for case, _ in typical(kind):
        expected = {event.event_id for event in records(case) if isinstance(event, Event)}
    for case, _ in typical(kind):
        api, _ = api_of(case)
        source = case.source.model_copy(update={"depth": case.window.end - case.window.start})
        landed: dict[str, Event] = {}
        progress: list[Any] = []

        def land(events: list[Event], rejected: list[Rejected], saved: Any, landed: dict[str, Event] = landed, progress: list[Any] = progress) -> None:
            landed.update({event.event_id: event for event in events})
            progress.append(saved)

        end = case.window.end
        sweep = run(source, api, None, lambda end=end: end, land)  # type: ignore[misc]

    assert set(landed) == expected
    assert sweep.requests == api.counts.requests
    assert progress[-1]["watermark"] <= end - source.hold_back
