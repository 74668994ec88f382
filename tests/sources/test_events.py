import gzip
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from rollout_metrics import sources
from rollout_metrics.collect.source import Page, Rejected, Window
from rollout_metrics.collect.sweep import run
from rollout_metrics.domain.errors import CredentialsError, RetryLater
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import MINUTE, Instant, parse_instant
from rollout_metrics.sources.events import Events

NOW = parse_instant("2026-03-02T12:00:00Z")
RECORDED = Path(__file__).parent / "events" / "runtime.jsonl"


def source(*paths: Path | str, **options: Any) -> Events:
    return Events.model_validate({"name": "runtime", "paths": [str(path) for path in paths], **options})


def record(event_id: str, occurred_at: str = "2026-03-02T09:00:00Z") -> str:
    return json.dumps({"event_id": event_id, "occurred_at": occurred_at, "case_id": "1", "activity": "closed", "actor_kind": "operator"})


def write(path: Path, text: str, *, age: int = 0, mode: str = "w") -> None:
    """Write as of `age` microseconds before NOW."""
    with path.open(mode) as file:
        file.write(text)
    aged(path, age)


def aged(path: Path, age: int) -> None:
    os.utime(path, ns=((NOW - age) * 1000, (NOW - age) * 1000))


class Desk:
    """What a run would have landed: events and refused records in order, and the progress."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.rejected: list[Rejected] = []
        self.progress: dict[str, Any] | None = None
        self.commits = 0

    def land(self, events: Iterable[Event], rejected: Iterable[Rejected], progress: Any) -> None:
        self.events.extend(events)
        self.rejected.extend(rejected)
        self.progress = json.loads(json.dumps(progress))
        self.commits += 1

    def sweep(self, reader: Events, now: Instant = NOW) -> list[str]:
        """Sweep once; returns the ids of the events that came."""
        before = len(self.events)
        run(reader, None, self.progress, lambda: now, self.land)
        return [event.event_id for event in self.events[before:]]

    @property
    def watermark(self) -> Instant | None:
        return (self.progress or {}).get("watermark")


def test_recorded_lines_become_events_and_bad_ones_are_refused_by_file_and_line() -> None:
    desk = Desk()
    desk.sweep(source(RECORDED))

    assert desk.events == [
        Event(
            "runtime",
            "zendesk",
            "4711",
            "rec-1",
            parse_instant("2026-03-02T09:00:00Z"),
            Activity.RECOMMENDED,
            ActorKind.AGENT,
            "triage-bot",
            "priority",
            None,
            "high",
            {"version": "2026-03-01", "recommendation": "rec-1"},
        ),
        Event(
            "runtime",
            "zendesk",
            "4711",
            "run-1",
            parse_instant("2026-03-02T09:00:00Z"),
            Activity.EXECUTED,
            ActorKind.AGENT,
            "triage-bot",
            detail={"action": "refund", "value": "12.5", "amount": 12.5},
        ),
        Event(
            "runtime",
            "zendesk",
            "4712",
            "blk-1",
            parse_instant("2026-03-02T09:05:00.250Z"),
            Activity.BLOCKED,
            ActorKind.AGENT,
            "triage-bot",
            detail={"action": "refund", "reason": "limit"},
            revision=2,
        ),
        Event(
            "runtime",
            "runtime",
            "evaluation:eval-1",
            "eval-1",
            parse_instant("2026-03-02T09:10:00Z"),
            Activity.EVALUATED,
            ActorKind.SYSTEM,
            detail={"passed": True, "version": "2026-03-01"},
        ),
    ]
    [refused] = desk.rejected
    assert (refused.reason, refused.where) == ("format", f"{RECORDED}:6")
    assert refused.message == "occured_at: is not known; did you mean 'occurred_at'?; occurred_at: is missing"
    assert refused.payload == RECORDED.read_bytes().splitlines(keepends=True)[5]


def test_a_refused_line_can_be_read_once_more() -> None:
    reader = source(RECORDED)

    assert [event.event_id for event in reader.events(reader.page_of(record("x").encode(), "f:3")) if isinstance(event, Event)] == ["x"]
    [refused] = reader.events(reader.page_of(b"nonsense", "f:3"))
    assert isinstance(refused, Rejected)
    assert refused.where == "f:3"


def test_the_kind_is_found_by_its_name() -> None:
    assert sources.find("events") is Events


def test_an_appended_file_is_continued_where_it_stopped(tmp_path: Path) -> None:
    file, desk = tmp_path / "a.jsonl", Desk()
    write(file, record("1") + "\n")
    reader = source(file)

    assert desk.sweep(reader) == ["1"]
    assert desk.sweep(reader) == []
    write(file, record("2") + "\n", mode="a")
    assert desk.sweep(reader) == ["2"]


def test_a_half_written_last_line_waits_for_its_rest(tmp_path: Path) -> None:
    file, desk = tmp_path / "a.jsonl", Desk()
    whole = record("2") + "\n"
    write(file, record("1") + "\n" + whole[:20])
    reader = source(file)

    assert desk.sweep(reader) == ["1"]
    assert desk.sweep(reader) == []
    write(file, whole[20:], mode="a")
    assert desk.sweep(reader) == ["2"]
    assert desk.rejected == []


def test_a_last_line_without_newline_is_read_when_it_is_whole(tmp_path: Path) -> None:
    file, desk = tmp_path / "a.jsonl", Desk()
    write(file, record("1"))
    reader = source(file)

    assert desk.sweep(reader) == ["1"]
    write(file, "\n" + record("2"), mode="a")
    assert desk.sweep(reader) == ["2"]


def test_a_half_line_nobody_finishes_is_refused(tmp_path: Path) -> None:
    file, desk = tmp_path / "a.jsonl", Desk()
    write(file, record("1")[:20], age=11 * MINUTE)

    assert desk.sweep(source(file)) == []
    assert [item.where for item in desk.rejected] == [f"{file}:1"]


def test_a_replaced_or_cut_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    file, desk = tmp_path / "a.jsonl", Desk()
    write(file, record("1") + "\n" + record("2") + "\n")
    reader = source(file)
    desk.sweep(reader)

    write(file, record("3") + "\n")
    assert desk.sweep(reader) == ["3"]
    write(file, record("4") + "\n" + record("5") + "\n" + record("6") + "\n")
    assert desk.sweep(reader) == ["4", "5", "6"]


def test_new_files_of_a_directory_and_a_glob_are_found(tmp_path: Path) -> None:
    inside, desk = tmp_path / "in" / "2026", Desk()
    inside.mkdir(parents=True)
    write(inside / "a.jsonl", record("1"))
    write(inside / "notes.txt", "no events")
    write(inside / ".hidden.jsonl", "no events")
    reader = source(tmp_path / "in", tmp_path / "*.ndjson")

    assert desk.sweep(reader) == ["1"]
    with gzip.open(inside / "b.jsonl.gz", "wt") as packed:
        packed.write(record("2") + "\n" + record("3"))
    write(tmp_path / "c.ndjson", record("4"))
    assert desk.sweep(reader) == ["4", "2", "3"]
    assert desk.sweep(reader) == []
    assert desk.rejected == []


def test_a_grown_archive_is_continued_and_an_unfinished_one_waits(tmp_path: Path) -> None:
    file, desk = tmp_path / "a.jsonl.gz", Desk()
    first, second = gzip.compress((record("1") + "\n").encode()), gzip.compress((record("2") + "\n").encode())
    reader = source(file)

    file.write_bytes(first)
    aged(file, 0)
    assert desk.sweep(reader) == ["1"]
    file.write_bytes(first + second[:-6])
    aged(file, 0)
    desk.sweep(reader)
    file.write_bytes(first + second)
    aged(file, 0)
    desk.sweep(reader)
    assert [event.event_id for event in desk.events] == ["1", "2"]
    assert desk.rejected == []


def test_an_archive_that_stays_broken_is_refused_once(tmp_path: Path) -> None:
    file, desk = tmp_path / "a.jsonl.gz", Desk()
    file.write_bytes(gzip.compress((record("1") + "\n").encode())[:-4])
    aged(file, 11 * MINUTE)
    reader = source(file)

    desk.sweep(reader)
    desk.sweep(reader)
    assert [item.reason for item in desk.rejected] == ["truncated"]


def test_a_file_that_is_no_archive_in_spite_of_its_name_is_refused(tmp_path: Path) -> None:
    file, desk = tmp_path / "a.jsonl.gz", Desk()
    write(file, record("1") + "\n", age=11 * MINUTE)

    assert desk.sweep(source(file)) == []
    assert [item.reason for item in desk.rejected] == ["truncated"]


def test_a_line_without_end_is_cut_refused_and_stepped_over(tmp_path: Path) -> None:
    file, desk = tmp_path / "a.jsonl", Desk()
    write(file, "x" * (3 << 20) + "\n" + record("1") + "\n")

    assert desk.sweep(source(file)) == ["1"]
    assert [item.where for item in desk.rejected] == [f"{file}:1"]
    assert len(desk.rejected[0].payload) <= (1 << 20) + 1


def test_stdin_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((record("1") + "\n" + record("2") + "\nhalf").encode())))
    desk = Desk()
    reader = source("-")

    assert desk.sweep(reader) == ["1", "2"]
    assert desk.sweep(reader) == []
    assert [item.where for item in desk.rejected] == ["stdin:3"]


def test_the_watermark_is_now_the_newest_event_or_an_instant(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    write(file, record("1", "2026-03-01T08:00:30Z") + "\n" + record("2", "2026-02-01T00:00:00Z"))

    def watermark(read_up_to: str) -> Instant | None:
        desk = Desk()
        desk.sweep(source(file, read_up_to=read_up_to))
        desk.sweep(source(file, read_up_to=read_up_to))
        return desk.watermark

    assert watermark("now") == NOW
    assert watermark("newest") == parse_instant("2026-03-01T08:01:00Z")
    assert watermark("2026-03-01T00:00:00Z") == parse_instant("2026-03-01T00:00:00Z")
    assert watermark("2027-03-01T00:00:00Z") == NOW


def test_a_run_killed_after_any_page_goes_on_without_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollout_metrics.sources.events.PAGE_BYTES", 600)
    for name in "abc":
        write(tmp_path / f"{name}.jsonl", "".join(record(f"{name}{number}") + "\n" for number in range(7)))
    reader = source(tmp_path)
    whole = Desk()
    whole.sweep(reader)

    for stop in range(1, whole.commits):
        desk = Desk()
        with pytest.raises(KeyboardInterrupt):
            run(reader, None, None, lambda: NOW, killed_after(stop, desk))
        assert desk.watermark is None
        desk.sweep(reader)
        assert desk.events == whole.events


def killed_after(commits: int, desk: Desk) -> Any:
    def land(*page: Any) -> None:
        if desk.commits == commits:
            raise KeyboardInterrupt
        desk.land(*page)

    return land


def test_a_named_file_that_is_not_there_says_so_and_a_glob_may_match_nothing(tmp_path: Path) -> None:
    with pytest.raises(RetryLater, match=r"no\.jsonl: there is no such file or directory"):
        Desk().sweep(source(tmp_path / "no.jsonl"))
    assert Desk().sweep(source(tmp_path / "*.jsonl")) == []


def test_an_unreadable_file_names_the_remedy() -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "a.jsonl"
        write(file, record("1"))
        file.chmod(0)

        with as_nobody(), pytest.raises(CredentialsError, match="permission denied: let the user"):
            Desk().sweep(source(file))


@contextmanager
def as_nobody() -> Iterator[None]:
    """As a user who may not read everything, as root may."""
    own = os.geteuid()
    os.seteuid(65534 if own == 0 else own)
    try:
        yield
    finally:
        os.seteuid(own)


def test_translation_is_replay_stable() -> None:
    reader = source(RECORDED)
    first, second = (list(reader.pages(None, Window(0, NOW))) for _ in range(2))

    assert [event for page in first for event in reader.events(page)] == [event for page in second for event in reader.events(page)]
    assert all(isinstance(page, Page) for page in first)
