"""A look at a source is bounded, newest first, and keeps nothing of where it has been."""

import gzip
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import after, ev
from rollout_metrics.collect.files import last_lines
from rollout_metrics.collect.http import Api, Endpoint
from rollout_metrics.collect.sample import Bounds, Sample, sample
from rollout_metrics.collect.source import Coverage, Named, Page, Rejected, Source, Window
from rollout_metrics.domain.errors import CredentialsError, PayloadError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import DAY, HOUR
from rollout_metrics.sources.events import Events

NOW = after("100d")
ENOUGH = Bounds(14 * DAY, 1000, 10_000, 60)


class Hourly(Source):
    """A page an hour with one event, a rejected record and a coverage."""

    kind: ClassVar[str] = "hourly"
    asked: ClassVar[list[Window]] = []

    def endpoint(self) -> Endpoint | None:
        return None

    def pages(self, api: Api | None, window: Window) -> Iterator[Page]:
        self.asked.append(window)
        for at in range(-(-window.start // HOUR) * HOUR, window.end, HOUR):
            yield Page(at, f"hour {at // HOUR}", at)

    def events(self, page: Page) -> Iterator[Event | Rejected | Coverage]:
        yield ev(page.body - after(0), "op-1", "changed", "priority", "high", id=f"e{page.body}")
        yield Rejected("malformed", page.where, "bad", b"")
        yield Coverage("history", 1, 2)

    def lacking(self, api: Api) -> Iterator[str]:
        yield "audit is off: switch it on"

    def names(self, api: Api) -> Iterator[Named]:
        yield Named("priority", "high", "High")


class Nameless(Hourly):
    """It does not tell names."""

    kind: ClassVar[str] = "nameless"

    def names(self, api: Api) -> Iterator[Named]:
        raise CredentialsError("403 from names: check the token's permissions")


class Closed(Nameless):
    """Nothing may be asked beside its events."""

    kind: ClassVar[str] = "closed"

    def lacking(self, api: Api) -> Iterator[str]:
        yield "audit is off: switch it on"
        raise CredentialsError("403 from organizations: check the token's permissions")

    def names(self, api: Api) -> Iterator[Named]:
        yield Named("priority", "high", "High")
        yield from super().names(api)


class Broken(Hourly):
    """Its pages are of no known shape."""

    kind: ClassVar[str] = "broken"

    def events(self, page: Page) -> Iterator[Event | Rejected | Coverage]:
        raise KeyError("id")


def look(source: Source, bounds: Bounds = ENOUGH, *, seconds: Iterator[float] | None = None) -> Sample:
    api = Api(Endpoint(base_url="http://localhost"))
    return sample(source, api, bounds, now=NOW, elapsed=lambda: 0.0 if seconds is None else next(seconds))


@pytest.fixture(autouse=True)
def forget() -> None:
    Hourly.asked.clear()


def test_everything_within_the_depth_is_read_once_the_newest_first() -> None:
    found = look(Hourly(name="h"))

    assert [event.occurred_at for event in found.events] == list(range(-(-(NOW - 14 * DAY) // HOUR) * HOUR, NOW, HOUR))
    assert [(window.start, window.end) for window in Hourly.asked] == [
        (NOW - start * DAY, NOW - end * DAY) for start, end in ((1, 0), (2, 1), (4, 2), (8, 4), (14, 8))
    ]
    assert (found.pages, found.rejected, found.coverage, found.cut) == (14 * 24, {"malformed": 14 * 24}, {"history": (14 * 24, 28 * 24)}, None)


def test_permissions_that_are_lacking_and_names_come_with_it() -> None:
    found = look(Hourly(name="h"), msgspec.structs.replace(ENOUGH, depth=HOUR))

    assert found.lacking == ("audit is off: switch it on",)
    assert found.names == (Named("priority", "high", "High"),)


def test_names_that_are_refused_lose_nothing_else() -> None:
    found = look(Nameless(name="n"), msgspec.structs.replace(ENOUGH, depth=DAY))

    assert len(found.events) == 24
    assert found.lacking == ("audit is off: switch it on", "403 from names: check the token's permissions")


def test_what_keeps_permissions_from_being_told_keeps_no_names_back() -> None:
    found = look(Closed(name="c"), msgspec.structs.replace(ENOUGH, depth=HOUR))

    assert found.names == (Named("priority", "high", "High"),)
    assert found.lacking == (
        "audit is off: switch it on",
        "403 from organizations: check the token's permissions",
        "403 from names: check the token's permissions",
    )


@pytest.mark.parametrize(
    ("bounds", "said", "pages"),
    [({"pages": 30}, "on pages (30)", 30), ({"events": 40}, "on events (40)", 40), ({"seconds": 6}, "on time (6 s)", 7)],
)
def test_each_bound_cuts_the_older_part_off(bounds: dict[str, Any], said: str, pages: int) -> None:
    found = look(Hourly(name="h"), msgspec.structs.replace(ENOUGH, **bounds), seconds=iter(map(float, range(10_000))) if "seconds" in bounds else None)

    assert (found.cut, found.pages, len(found.events)) == (said, pages, pages)
    assert found.events[0].occurred_at >= NOW - 3 * DAY


def test_an_unknown_shape_is_the_error_of_a_sweep() -> None:
    with pytest.raises(PayloadError, match="could not be translated by broken"):
        look(Broken(name="b"))


def lines(count: int) -> bytes:
    made = ({"case_id": f"{n}", "event_id": f"{n}", "occurred_at": f"2026-0{1 + n // 28}-{1 + n % 28:02}T10:00:00Z"} for n in range(count))
    return b"".join(msgspec.json.encode(one | {"activity": "created", "actor_kind": "customer"}) + b"\n" for one in made)


def test_of_files_the_newest_are_kept_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(lines(100))
    (tmp_path / "a.jsonl").write_bytes(lines(112)[len(lines(100)) :])
    source = Events(name="e", paths=(tmp_path,))

    found = sample(source, None, ENOUGH, now=NOW, elapsed=lambda: 0.0)
    few = sample(source, None, msgspec.structs.replace(ENOUGH, events=3), now=NOW, elapsed=lambda: 0.0)

    assert [event.case_id for event in found.events] == [f"{n}" for n in range(98, 112)]
    assert [event.case_id for event in few.events] == ["109", "110", "111"]
    assert found.cut is None


def test_a_bound_of_time_holds_for_files_too(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(5))

    found = sample(Events(name="e", paths=(tmp_path,)), None, ENOUGH, now=NOW, elapsed=lambda: 61.0)

    assert (len(found.events), found.cut) == (5, "on time (60 s)")


def is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True


@given(st.lists(st.just(b"7") | st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=12), st.integers(1, 20), st.booleans())
def test_the_last_lines_come_first_and_all_of_them_once(written: list[bytes], most: int, ended: bool) -> None:
    text = b"\n".join(written) + (b"\n" if ended and written else b"")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        path.write_bytes(text)
        pieces = [lines.lines for lines in last_lines(path, most=most)]

    whole = text.split(b"\n")
    last = whole[-1:] if is_json(whole[-1]) else []
    assert [line for piece in reversed(pieces) for line in piece] == [*whole[:-1], *last]


def test_of_a_long_file_its_end_is_read_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"not an event\n" * 200_000 + lines(112))

    found = sample(Events(name="e", paths=(tmp_path,)), None, msgspec.structs.replace(ENOUGH, pages=1), now=NOW, elapsed=lambda: 0.0)

    assert [event.case_id for event in found.events] == [f"{n}" for n in range(98, 112)]


def test_files_that_lie_wholly_before_the_depth_end_the_look(tmp_path: Path) -> None:
    for day, name in enumerate(("old.jsonl.gz", "older.jsonl.gz", "oldest.jsonl.gz")):
        at = lines(112)[len(lines(112 - 40 * day - 1)) : len(lines(112 - 40 * day))]
        (tmp_path / name).write_bytes(gzip.compress(at))
        os.utime(tmp_path / name, (1000 - day, 1000 - day))

    found = sample(Events(name="e", paths=(tmp_path,)), None, ENOUGH, now=NOW, elapsed=lambda: 0.0)

    assert ([event.case_id for event in found.events], found.pages, found.cut) == (["111"], 2, None)
