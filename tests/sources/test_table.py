import gzip
import os
import zipfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import sqlalchemy
import yaml
from pydantic import ValidationError

from rollout_metrics import sources
from rollout_metrics.collect.source import Rejected
from rollout_metrics.collect.sweep import run
from rollout_metrics.domain.errors import ConfigurationError, PayloadError, RetryLater
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import Instant, parse_instant
from rollout_metrics.sources.table import Table

HERE = Path(__file__).parent / "table"
NOW = parse_instant("2026-03-02T12:00:00Z")
PLAIN: dict[str, Any] = {
    "case_id": "{id}",
    "mapping": [{"activity": "changed", "event_id": "{id}", "occurred_at": "{at}", "actor_kind": "operator", "attribute": "state", "after": "{state}"}],
}
SNAPSHOTS: dict[str, Any] = {
    "case_id": "{id}",
    "occurred_at": "{at}",
    "actor_id": "{by}",
    "actor_kind": "operator",
    "time": {"zone": "UTC"},
    "snapshots": {"order": {"version": "number"}, "watch": {"state": {"attribute": "status", "closed": ["done", "shut"]}, "group": "group"}},
}
HISTORY = """id,version,at,by,state,group
1,2,2026-03-02T09:10:00,ann,open,a
1,10,2026-03-02T09:50:00,ben,shut,b
2,1,2026-03-02T09:05:00,ann,done,a
1,1,2026-03-02T09:00:00,ann,open,
1,9,2026-03-02T09:40:00,ben,done,b
2,2,2026-03-02T09:06:00,ann,open,a
"""


class Desk:
    """What a run would have landed."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.rejected: list[Rejected] = []
        self.progress: Any = None
        self.commits = 0

    def land(self, events: Iterable[Event], rejected: Iterable[Rejected], progress: Any) -> None:
        self.events.extend(events)
        self.rejected.extend(rejected)
        self.progress = yaml.safe_load(yaml.safe_dump(progress))
        self.commits += 1

    def sweep(self, reader: Table) -> list[str]:
        """Sweep once; returns the ids of the events that came."""
        before = len(self.events)
        run(reader, None, self.progress, lambda: NOW, self.land)
        return [event.event_id for event in self.events[before:]]

    @property
    def watermark(self) -> Instant | None:
        return (self.progress or {}).get("watermark")


def table(*paths: Path, **options: Any) -> Table:
    return Table.model_validate({"name": "desk", **({"paths": [str(path) for path in paths]} if paths else {}), **options})


def written(path: Path, text: str, *, at: int = 0) -> Path:
    path.write_text(text)
    os.utime(path, (at, at))
    return path


def rows(*ids: int) -> str:
    return "id,at,state\n" + "".join(f"{number},2026-03-02T09:00:00Z,open\n" for number in ids)


def refused(**options: Any) -> str:
    with pytest.raises(ValidationError) as error:
        table(**options)
    return "; ".join(item["msg"] for item in error.value.errors())


def test_a_home_grown_table_becomes_events_and_bad_rows_are_refused_by_file_and_row() -> None:
    desk = Desk()
    desk.sweep(table(HERE / "tickets.csv", **yaml.safe_load((HERE / "tickets.yaml").read_text())))

    assert desk.events == [
        Event(
            "desk",
            "desk",
            "1",
            "000001-created",
            parse_instant("2026-03-02T08:00:00Z"),
            Activity.CREATED,
            ActorKind.CUSTOMER,
            "ann@example.org",
            detail={"attributes": {"priority": "high", "tags": '["eu","vip"]'}, "url": "https://desk.example.org/1"},
        ),
        Event("desk", "desk", "1", "000001-closed", parse_instant("2026-03-02T09:30:00Z"), Activity.CLOSED, ActorKind.OPERATOR, "ben"),
        Event(
            "desk", "desk", "1", "000001-time", parse_instant("2026-03-02T09:30:00Z"), Activity.TIME_LOGGED, ActorKind.OPERATOR, "ben", detail={"seconds": 30}
        ),
        Event(
            "desk",
            "desk",
            "2",
            "000002-created",
            parse_instant("2026-03-02T08:10:00Z"),
            Activity.CREATED,
            ActorKind.CUSTOMER,
            "cid@example.org",
            detail={"attributes": {"priority": "low", "tags": None}, "url": "https://desk.example.org/2"},
        ),
        Event(
            "desk",
            "desk",
            "4",
            "000004-created",
            parse_instant("2026-03-02T08:20:00Z"),
            Activity.CREATED,
            ActorKind.CUSTOMER,
            "cid@example.org",
            detail={"attributes": {"priority": "low", "tags": '["eu"]'}, "url": "https://desk.example.org/4"},
        ),
        Event("desk", "desk", "4", "000004-closed", parse_instant("2026-03-02T10:00:00Z"), Activity.CLOSED, ActorKind.SYSTEM, "rule-7"),
    ]
    name = HERE / "tickets.csv"
    assert [(item.where, item.message) for item in desk.rejected] == [
        (
            f"{name}:4",
            "occurred_at: '31/02/2026 09:10' is not %d/%m/%Y %H:%M: declare time.format, such as %d/%m/%Y %H:%M (day first) or %m/%d/%Y %H:%M (month first)",
        ),
        (f"{name}:5", "detail.seconds: 'soon' is no number of seconds from 0 up"),
        (f"{name}:6", "has 3 fields where the header has 8"),
    ]
    assert desk.watermark == NOW


def test_a_refused_row_can_be_read_once_more() -> None:
    options = yaml.safe_load((HERE / "tickets.yaml").read_text())
    desk = Desk()
    desk.sweep(table(HERE / "tickets.csv", **options))
    patient = table(HERE / "tickets.csv", **{**options, "mapping": options["mapping"][:2]})
    item = desk.rejected[1]

    assert [event.event_id for event in patient.events(patient.page_of(item.payload, item.where)) if isinstance(event, Event)] == [
        "000004-created",
        "000004-closed",
    ]


def test_the_kind_is_found_by_its_name() -> None:
    assert sources.find("table") is Table


@pytest.mark.parametrize("kind", ["csv", "gz", "tsv", "zip", "semicolon", "bom", "latin", "parquet"])
def test_every_format_reads_alike(tmp_path: Path, kind: str) -> None:
    text = 'id,at,state\n1,2026-03-02T09:00:00Z,"caf\u00e9, open"\n2,2026-03-02T09:01:00Z,\n'
    options: dict[str, Any] = {}
    path = tmp_path / {"gz": "t.csv.gz", "tsv": "t.tsv", "zip": "t.zip", "parquet": "t.parquet"}.get(kind, "t.csv")
    if kind == "gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("in/t.csv", text)
            archive.writestr("readme.txt", "no table")
        options["member"] = "*.csv"
    elif kind == "parquet":
        pyarrow.parquet.write_table(
            pyarrow.table({"id": [1, 2], "at": ["2026-03-02T09:00:00Z", "2026-03-02T09:01:00Z"], "state": ["caf\u00e9, open", None]}), path
        )
    else:
        encodings = {"bom": "utf-8-sig", "latin": "latin-1"}
        separators = {"tsv": "\t", "semicolon": ";"}
        body = text.replace(", open", "_ open").replace(",", separators.get(kind, ",")).replace("_ open", ", open")
        path.write_text(body, encoding=encodings.get(kind, "utf-8"))
        options |= {"encoding": "latin-1"} if kind == "latin" else {"delimiter": ";"} if kind == "semicolon" else {}
    desk = Desk()
    desk.sweep(table(path, **PLAIN, **options))

    assert [(event.case_id, event.after, event.occurred_at) for event in desk.events] == [
        ("1", "caf\u00e9, open", parse_instant("2026-03-02T09:00:00Z")),
        ("2", None, parse_instant("2026-03-02T09:01:00Z")),
    ]
    assert desk.rejected == []


def test_typed_values_of_parquet_become_canonical_text(tmp_path: Path) -> None:
    import datetime
    import decimal

    moment = datetime.datetime(2026, 3, 2, 10, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    columns = {"id": [7.0], "at": [moment], "state": [decimal.Decimal("12.50")], "flag": [True], "tags": [["b", "a"]], "none": [float("nan")]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    event = {**PLAIN["mapping"][0], "detail": {"public": "{flag}", "reason": "{tags}", "version": "{none}"}}
    desk = Desk()
    desk.sweep(table(tmp_path / "t.parquet", case_id="{id}", mapping=[event]))

    [found] = desk.events
    assert (found.case_id, found.occurred_at, found.after) == ("7", parse_instant("2026-03-02T09:00:00Z"), "12.5")
    assert found.detail == {"public": True, "reason": '["a","b"]'}


def test_a_file_is_read_again_only_when_its_content_changed(tmp_path: Path) -> None:
    file, desk = written(tmp_path / "t.csv", rows(1)), Desk()
    reader = table(tmp_path, **PLAIN)

    assert desk.sweep(reader) == ["1"]
    assert desk.sweep(reader) == []
    os.utime(file, (9, 9))
    assert desk.sweep(reader) == []
    written(file, rows(1, 2), at=20)
    assert desk.sweep(reader) == ["1", "2"]
    written(tmp_path / "u.csv", rows(3))
    assert desk.sweep(reader) == ["3"]


@pytest.mark.parametrize("options", [PLAIN, SNAPSHOTS])
def test_a_run_killed_after_any_page_goes_on_without_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
    monkeypatch.setattr("rollout_metrics.sources.table.PAGE_ROWS", 2)
    for name in "ab":
        written(tmp_path / f"{name}.csv", HISTORY if options is SNAPSHOTS else rows(1, 2, 3, 4, 5))
    reader = table(tmp_path, **options)
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


def test_snapshots_are_compared_with_the_row_before_of_the_same_case(tmp_path: Path) -> None:
    desk = Desk()
    desk.sweep(table(written(tmp_path / "t.csv", HISTORY), **SNAPSHOTS))

    told = [(event.case_id, event.activity.value, event.attribute, event.before, event.after, event.actor_id) for event in desk.events]
    assert told == [
        ("1", "created", None, None, None, "ann"),
        ("1", "changed", "group", None, "a", "ann"),
        ("1", "closed", "status", "open", "done", "ben"),
        ("1", "changed", "group", "a", "b", "ben"),
        ("1", "changed", "status", "done", "shut", "ben"),
        ("2", "created", None, None, None, "ann"),
        ("2", "closed", "status", None, "done", "ann"),
        ("2", "reopened", "status", "done", "open", "ann"),
    ]
    assert desk.events[0].detail == {"attributes": {"status": "open", "group": None}}
    assert desk.events[5].detail == {"attributes": {"group": "a"}}
    assert len({event.event_id for event in desk.events}) == len(desk.events)
    assert sorted(event.event_id for event in desk.events if event.case_id == "1")[1:] == [
        "1:0000000000000009:group",
        "1:0000000000000009:status",
        "1:0000000000000010:status",
        "1:created",
    ]


def test_rows_of_one_version_stay_as_they_come_and_tell_events_of_their_own(tmp_path: Path) -> None:
    text = "id,version,at,by,state,group\n" + "".join(f"1,1,2026-03-02T09:0{place}:00,ann,open,{group}\n" for place, group in enumerate("abc"))
    desk = Desk()
    desk.sweep(table(written(tmp_path / "t.csv", text), **SNAPSHOTS))

    assert [(event.before, event.after) for event in desk.events[1:]] == [("a", "b"), ("b", "c")]
    assert len({event.event_id for event in desk.events}) == 3


def test_a_case_may_straddle_files_of_snapshots(tmp_path: Path) -> None:
    lines = HISTORY.splitlines(keepends=True)
    written(tmp_path / "a.csv", "".join(lines[:4]))
    written(tmp_path / "b.csv", lines[0] + "".join(lines[4:]))
    apart, together = Desk(), Desk()
    apart.sweep(table(tmp_path / "*.csv", **SNAPSHOTS))
    together.sweep(table(written(tmp_path / "all.tsv", HISTORY.replace(",", "\t")), **SNAPSHOTS))

    assert apart.events == together.events


def test_rows_of_snapshots_tell_further_events_by_what_changed(tmp_path: Path) -> None:
    event = {"activity": "escalated", "when": {"group": {"changed": True, "from": "a"}}, "event_id": "{id}-{version}-escalated"}
    desk = Desk()
    desk.sweep(table(written(tmp_path / "t.csv", HISTORY), **SNAPSHOTS, mapping=[event]))

    assert [event.event_id for event in desk.events if event.activity is Activity.ESCALATED] == ["1-9-escalated"]


def test_snapshots_that_cannot_be_put_in_order_are_refused(tmp_path: Path) -> None:
    desk = Desk()
    desk.sweep(table(written(tmp_path / "t.csv", HISTORY + "3,x,2026-03-02T09:00:00,ann,open,a\n,1,2026-03-02T09:00:00,ann,open,a\n"), **SNAPSHOTS))

    assert [item.message for item in desk.rejected] == ["version: 'x' is no number to put rows in order by", "case_id: is empty"]
    assert len(desk.events) == 8


def test_joined_rows_are_the_last_that_match(tmp_path: Path) -> None:
    main = written(tmp_path / "t.csv", rows(1, 2))
    other = written(
        tmp_path / "log.csv", "case,event,at,who\n1,closed,2026-03-02T10:00:00Z,ann\n1,closed,2026-03-02T09:00:00Z,ben\n1,opened,2026-03-02T11:00:00Z,cid\n"
    )
    options = {**PLAIN, "joins": {"closing": {"path": str(other), "match": {"case": "{id}"}, "when": {"event": "closed"}, "last_by": {"at": "time"}}}}
    options["mapping"] = [{**PLAIN["mapping"][0], "actor_id": "{closing.who}"}]
    reader, desk = table(main, **options), Desk()
    desk.sweep(reader)

    assert [event.actor_id for event in desk.events] == ["ann", None]
    written(other, "case,event,at,who\n2,closed,2026-03-02T10:00:00Z,dan\n", at=10)
    desk.sweep(reader)
    assert [event.actor_id for event in desk.events[2:]] == [None, "dan"]


def test_an_event_without_an_id_gets_one_that_tells_no_person_and_stays_the_same(tmp_path: Path) -> None:
    event = {"activity": "commented", "occurred_at": "{at}", "actor_kind": "operator", "actor_id": "{state}"}
    options = {"case_id": "{id}", "mapping": [event]}
    first, second = Desk(), Desk()
    first.sweep(table(written(tmp_path / "t.csv", rows(1, 2)), **options))
    second.sweep(table(written(tmp_path / "t.csv", rows(1, 2).replace("open", "ann")), **options))

    assert [event.event_id for event in first.events] == [event.event_id for event in second.events]
    assert len({event.event_id for event in first.events}) == 2


def test_two_events_of_one_made_id_are_noticed(tmp_path: Path) -> None:
    event = {"activity": "commented", "occurred_at": "{at}", "actor_kind": "operator", "actor_id": "{state}"}
    desk = Desk()
    desk.sweep(table(written(tmp_path / "t.csv", rows(1) + "1,2026-03-02T09:00:00Z,other\n"), case_id="{id}", mapping=[event]))

    assert [item.message for item in desk.rejected] == ["event_id: another event of this case has the same time, activity and action: say event_id"]


def test_the_watermark_is_now_the_newest_event_or_an_instant(tmp_path: Path) -> None:
    file = written(tmp_path / "t.csv", rows(1).replace("09:00:00", "09:00:01"))

    def watermark(read_up_to: str) -> Instant | None:
        desk = Desk()
        desk.sweep(table(file, **PLAIN, read_up_to=read_up_to))
        desk.sweep(table(file, **PLAIN, read_up_to=read_up_to))
        return desk.watermark

    assert watermark("now") == NOW
    assert watermark("newest") == parse_instant("2026-03-02T09:01:00Z")
    assert watermark("2026-03-01T00:00:00Z") == parse_instant("2026-03-01T00:00:00Z")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ID,at,state\n1,2,3\n", "has no column 'id'; there are: ID, at, state"),
        ("id,att,state\n", r"has no column 'at' \(did you mean 'att'\?\)"),
        ("id,at,state,at\n", "column at stands more than once"),
    ],
)
def test_a_table_that_is_not_as_described_says_what_is_missing(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        Desk().sweep(table(written(tmp_path / "t.csv", text), **PLAIN))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'3,2026-03-02T09:00:00Z,"x"y\n', "is no row of this table"),
        (b"3,2026-03-02T09:00:00Z,\xff\n", "state is not written in the declared encoding"),
        (b"3,2026-03-02T09:00:00Z,a\0b\n", "state holds a NUL"),
        (b"3,0001-01-01T00:00:00Z,x\n", "lies before 1980"),
        (b",2026-03-02T09:00:00Z,x\n", "is empty"),
        (b"3,2026-03-02T09:00:00Z," + b"x" * (2 << 20) + b"\n", "is no row of this table"),
        (b"x" * 600 + b",2026-03-02T09:00:00Z,x\n", "longer than 512"),
    ],
)
def test_a_bad_row_is_refused_and_the_others_are_kept(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(rows(1).encode() + line + b"2,2026-03-02T09:00:00Z,x\n")
    desk = Desk()

    assert desk.sweep(table(path, **PLAIN)) == ["1", "2"]
    [item] = desk.rejected
    assert message in item.message


def test_an_empty_file_and_a_header_alone_hold_nothing(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "")
    written(tmp_path / "b.csv", "id,at,state\n")

    assert Desk().sweep(table(tmp_path, **PLAIN)) == []


def test_broken_archives_name_themselves(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(rows(1).encode())[:-5])
    with pytest.raises(PayloadError, match=r"t\.csv\.gz: is a broken archive"):
        Desk().sweep(table(tmp_path / "t.csv.gz", **PLAIN))
    (tmp_path / "t.zip").write_bytes(b"PK nonsense")
    with pytest.raises(PayloadError, match=r"t\.zip: is a broken archive"):
        Desk().sweep(table(tmp_path / "t.zip", **PLAIN))
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(PayloadError, match=r"t\.parquet: is no Parquet file"):
        Desk().sweep(table(tmp_path / "t.parquet", **PLAIN))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"paths": "x.csv", "url": "sqlite://", "query": "q"}, "say either paths"),
        ({}, "say either paths"),
        ({"url": "sqlite://"}, "url and query belong together"),
        ({"url": "no url", "query": "q"}, "is no SQLAlchemy URL"),
        ({"paths": "x.csv", "watermark_column": "at"}, "watermark_column belongs to a query"),
        ({"paths": "x.csv", "mapping": []}, "say what events the rows tell of"),
        ({"paths": "x.csv", "mapping": [{"activity": "closed"}]}, r"mapping\[0\] has no occurred_at, nor has the table; mapping\[0\] has no actor_kind"),
        ({"paths": "x.csv", "mapping": [{**PLAIN["mapping"][0], "activity": "solved"}]}, "'solved' is no activity: use created, changed"),
        ({"paths": "x.csv", "mapping": [{**PLAIN["mapping"][0], "actor_kind": "human"}]}, "'human' is no kind of actor: use agent, operator, customer, system"),
        ({"paths": "x.csv", "mapping": [{**PLAIN["mapping"][0], "when": {"a": {"changed": True}}}]}, "need snapshots"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_what_to_write(options: dict[str, Any], message: str) -> None:
    import re

    assert re.search(message, refused(**{"case_id": "{id}", "mapping": PLAIN["mapping"], **options}))


@pytest.fixture
def database(tmp_path: Path) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'erp.db'}")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE t (id TEXT, version INTEGER, at TEXT, changed INTEGER, who TEXT, state TEXT, grp TEXT)"))
    yield engine
    engine.dispose()


def insert(engine: sqlalchemy.Engine, *found: tuple[Any, ...]) -> None:
    with engine.begin() as connection:
        for row in found:
            connection.exec_driver_sql("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def queried(engine: sqlalchemy.Engine, **options: Any) -> Table:
    return table(
        url=engine.url.render_as_string(hide_password=False), query='SELECT *, "time" AS "a:b" FROM (SELECT t.*, \'10:30\' AS "time" FROM t);', **options
    )


def test_a_query_is_read_from_its_last_watermark_on(database: sqlalchemy.Engine) -> None:
    reader, desk = queried(database, **PLAIN, watermark_column="changed"), Desk()
    insert(database, ("2", 1, "2026-03-02T09:00:00Z", 20, "ann", "x", "g"), ("1", 1, "2026-03-02T09:00:00Z", 10, "ann", "x", "g"))

    assert desk.sweep(reader) == ["1", "2"]
    insert(database, ("3", 1, "2026-03-02T09:00:00Z", 20, "ann", "x", "g"), ("4", 1, "2026-03-02T09:00:00Z", 5, "ann", "x", "g"))
    assert desk.sweep(reader) == ["2", "3"]
    assert desk.watermark == NOW


def looked_at(reader: Table, pages: int) -> list[str]:
    """The ids of events in the first pages of a look, page by page."""
    stretches = (page for stretch in reader.newest(None, NOW) for page in stretch)
    return [",".join(event.event_id for event in reader.events(page) if isinstance(event, Event)) for page in islice(stretches, pages)]


def test_a_look_at_a_query_begins_with_its_greatest_watermark(database: sqlalchemy.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollout_metrics.sources.table.PAGE_ROWS", 2)
    insert(database, *((str(number), 1, "2026-03-02T09:00:00Z", number, "ann", "x", "g") for number in (3, 1, 4, 2, 5)))

    assert looked_at(queried(database, **PLAIN, watermark_column="changed"), 2) == ["5,4", "3,2"]
    assert looked_at(queried(database, **PLAIN), 9) == ["3,1", "4,2", "5", ""]


def test_a_look_at_files_begins_with_the_one_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollout_metrics.sources.table.PAGE_ROWS", 2)
    for at, name, numbers in ((30, "a.csv", (1, 2, 3)), (10, "b.csv", (4,)), (20, "c.csv", (5,))):
        written(tmp_path / name, rows(*numbers), at=at)

    assert looked_at(table(tmp_path, **PLAIN), 3) == ["1,2", "3", "5"]


def test_a_query_without_watermark_is_read_whole(database: sqlalchemy.Engine) -> None:
    reader, desk = queried(database, **PLAIN), Desk()
    insert(database, ("1", 1, "2026-03-02T09:00:00Z", 1, "ann", "x", "g"))

    assert desk.sweep(reader) == desk.sweep(reader) == ["1"]


def test_snapshots_of_a_query_are_read_for_the_cases_that_have_new_rows(database: sqlalchemy.Engine) -> None:
    options = {**SNAPSHOTS, "actor_id": "{who}", "snapshots": {"order": {"version": "number"}, "watch": {"grp": "group"}}}
    reader, desk = queried(database, **options, watermark_column="changed"), Desk()
    insert(database, ("1", 1, "2026-03-02T09:00:00", 1, "ann", "x", "a"), ("2", 1, "2026-03-02T09:00:00", 2, "ann", "x", "a"))

    assert desk.sweep(reader) == ["1:created", "2:created"]
    insert(database, ("1", 2, "2026-03-02T09:10:00", 3, "ben", "x", "b"))
    desk.sweep(reader)
    assert [event.event_id for event in desk.events[2:]] == ["1:created", "1:0000000000000002:group", "2:created"]


def test_a_query_that_fails_says_what_to_do(database: sqlalchemy.Engine, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"the query fails \(no such table: missing\): check the query"):
        Desk().sweep(table(url=str(database.url), query="SELECT * FROM missing", **PLAIN))
    with pytest.raises(PayloadError, match="the query's result has no column 'state'"):
        Desk().sweep(table(url=str(database.url), query="SELECT id, at FROM t", **PLAIN))
    with pytest.raises(RetryLater, match="does not answer"):
        Desk().sweep(table(url=f"sqlite:///{tmp_path}/no/such/place.db", query="SELECT 1", **PLAIN))
    with pytest.raises(ConfigurationError, match="there is no driver for this database"):
        Desk().sweep(table(url="nosuch://user:hidden@host/db", query="SELECT 1", **PLAIN))


def test_the_password_is_never_shown() -> None:
    reader = table(url="postgresql+psycopg://ann:hidden1@127.0.0.1:1/db", password="hidden2", query="SELECT 1", **PLAIN)

    assert "hidden" not in repr(reader)
    with pytest.raises(RetryLater) as error:
        Desk().sweep(reader)
    assert "hidden" not in str(error.value)
    assert "ann:***@127.0.0.1" in str(error.value)
