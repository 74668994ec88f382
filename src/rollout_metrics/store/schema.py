"""The tables, declared once: migrations build them, everything else names them from here."""

from sqlalchemy import BigInteger, Column, Connection, Identity, Index, Integer, LargeBinary, MetaData, SmallInteger, Table, Text, event, text

metadata = MetaData()

WHERE = "where"
"""The key under which a partial index keeps its condition. Said for each dialect as SQLAlchemy wants it, both would be imported at every start."""

Words = Text().with_variant(Text(collation="C"), "postgresql")
"""Text compared by code point in both databases, which is cheap and the same."""

Serial = BigInteger().with_variant(Integer, "sqlite")
"""A growing id; SQLite gives it out only under the name INTEGER."""

meta = Table(
    "meta",
    metadata,
    Column("key", Words, primary_key=True),
    Column("value", Text, nullable=False),
)
"""Single values: pseudonym key, fingerprints, how far arrivals have been taken in."""

names = Table(
    "names",
    metadata,
    Column("no", Integer, Identity(), primary_key=True),
    Column("kind", Words, nullable=False),
    Column("name", Words, nullable=False),
    Index("names_name", "kind", "name", unique=True),
)
"""Numbers for what repeats: sources, workflows, series, operators, groups of workflows an agent works for."""

events = Table(
    "events",
    metadata,
    Column("id", Serial, Identity(), primary_key=True),
    Column("source", Integer, nullable=False),
    Column("event_id", Words, nullable=False),
    Column("case_source", Integer, nullable=False),
    Column("case_id", Words, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("touch", Integer),
    Column("body", Words, nullable=False),
    Index("events_name", "source", "event_id", unique=True),
    Index("events_case", "case_source", "case_id", "occurred_at"),
)
"""One reading of each event, the one that holds. `id` grows with every reading taken in, a superseding one gets a new id:
what lies above the mark `arrived` has not been derived yet.

`touch` numbers the operator, or the group of workflows whose agent it was; `body` is a JSON array of the other fields.
"""

touches = Table(
    "touches",
    metadata,
    Column("touch", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("events", Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""When each operator and each agent did something, on any case; `events` how many at that instant."""

dirty = Table(
    "dirty",
    metadata,
    Column("case_source", Integer, primary_key=True, autoincrement=False),
    Column("case_id", Words, primary_key=True),
    Column("mark", BigInteger, nullable=False),
    Column("rebuilding", SmallInteger, nullable=False, server_default="0"),
    Index("dirty_rebuilding", "rebuilding", info={WHERE: "rebuilding = 1"}),
    sqlite_with_rowid=False,
)
"""Cases to derive again. `mark` differs every time a case is marked, so that one marked anew while it was being derived stays."""

cases = Table(
    "cases",
    metadata,
    Column("case_source", Integer, primary_key=True, autoincrement=False),
    Column("case_id", Words, primary_key=True),
    Column("workflow", Integer, nullable=False),
    Column("scoped_at", BigInteger),
    Column("next_change_at", BigInteger),
    Column("first_agent_at", BigInteger),
    Column("presence_start", BigInteger),
    Column("presence_end", BigInteger),
    Column("agent_absent", SmallInteger, nullable=False),
    Column("starts_at", BigInteger),
    Column("ends_at", BigInteger),
    Column("moved_at", BigInteger),
    Column("facts", LargeBinary, nullable=False),
    Column("recorded", LargeBinary, nullable=False),
    Column("counted", LargeBinary, nullable=False),
    Column("sampled", LargeBinary),
    Index("cases_due", "workflow", "next_change_at", info={WHERE: "next_change_at IS NOT NULL"}),
    Index("cases_scoped", "workflow", "scoped_at", info={WHERE: "scoped_at IS NOT NULL"}),
    Index("cases_first_agent", "workflow", "first_agent_at", info={WHERE: "first_agent_at IS NOT NULL"}),
    Index("cases_absent", "workflow", "presence_end", info={WHERE: "agent_absent = 1"}),
)
"""What was derived of a case: its facts (MessagePack), when each was recorded, and what it has contributed to `counts`. `workflow` 0: none.

`sampled`: the series and minutes of its samples, which with those of `counted` are its rows in `receipts`; NULL while it has none there yet.
"""

stretches = Table(
    "stretches",
    metadata,
    Column("workflow", Integer, primary_key=True, autoincrement=False),
    Column("ends_at", BigInteger, primary_key=True, autoincrement=False),
    Column("case_source", Integer, primary_key=True, autoincrement=False),
    Column("case_id", Words, primary_key=True),
    Column("starts_at", BigInteger, nullable=False),
    Column("moved_at", BigInteger, nullable=False),
    Column("samples", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Cases in order of their ends, each with its span (`spans.Span`) and its samples of durations: figures are loaded from here without reading any facts."""

receipts = Table(
    "receipts",
    metadata,
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("minute", Integer, primary_key=True, autoincrement=False),
    Column("case_source", Integer, primary_key=True, autoincrement=False),
    Column("case_id", Words, primary_key=True),
    Column("amount", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Which cases stand behind a series (its name holds the workflow) in a minute, and how much each contributes: the other way round from `counts`."""

elsewhere = Table(
    "elsewhere",
    metadata,
    Column("workflow", Integer, primary_key=True, autoincrement=False),
    Column("case_source", Integer, primary_key=True, autoincrement=False),
    Column("case_id", Words, primary_key=True),
    sqlite_with_rowid=False,
)
"""Cases that hold facts of another workflow than their own (acts out of scope)."""

decisions = Table(
    "decisions",
    metadata,
    Column("decider", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("case_source", Integer, primary_key=True, autoincrement=False),
    Column("case_id", Words, primary_key=True),
    sqlite_with_rowid=False,
)
"""Which operator first decided recommendations of which case when, explicitly."""

judgements = Table(
    "judgements",
    metadata,
    Column("decider", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("mark", BigInteger, nullable=False),
    Column("counted", LargeBinary, nullable=False),
    Index("judgements_due", "decider", "at", info={WHERE: "mark > 0"}),
    sqlite_with_rowid=False,
)
"""What one operator's decisions at one instant contributed as glances; `mark` above 0: to be judged again."""

counts = Table(
    "counts",
    metadata,
    Column("workflow", Integer, primary_key=True, autoincrement=False),
    Column("minute", Integer, primary_key=True, autoincrement=False),
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The sum of all contributions per series and minute."""

hours = Table(
    "hours",
    metadata,
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The counts summed by the hour (named by its number: hour n ends with minute 60 n), up to the minute `summed`: a stretch of months is read from here."""

promotions = Table(
    "promotions",
    metadata,
    Column("workflow", Words, primary_key=True),
    Column("change", Words, primary_key=True),
    Column("deployed_at", BigInteger, nullable=False),
    Column("frozen_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
"""Deployed changes of level with the gates as they were known when they were frozen: written once, never changed."""

reviews = Table(
    "reviews",
    metadata,
    Column("quarter", Words, primary_key=True),
    Column("signed_by", Text, nullable=False),
    Column("signed_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
"""Quarterly reviews as they were signed: written once, never changed."""

change_readings = Table(
    "change_readings",
    metadata,
    Column("source", Words, primary_key=True),
    Column("change", Words, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("body", Words),
    Column("recorded_at", BigInteger, nullable=False),
)
"""Change records as systems hold them, one reading each: the one that holds. `body` null: it is none any more."""

sweeps = Table(
    "sweeps",
    metadata,
    Column("source", Words, primary_key=True),
    Column("progress", Text),
    Column("newest", BigInteger),
    Column("events", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
"""How far each source has been read, as its sweep wrote it."""

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Serial, Identity(), primary_key=True),
    Column("source", Words, nullable=False),
    Column("digest", Words, nullable=False),
    Column("reason", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Index("quarantine_record", "source", "digest", unique=True),
)
"""Records that could not be understood, once each."""


@event.listens_for(metadata, "before_create")
def _partial(_metadata: MetaData, connection: Connection, **_: object) -> None:
    for table in metadata.tables.values():
        for index in table.indexes:
            if WHERE in index.info:
                index.dialect_options[connection.dialect.name][WHERE] = text(index.info[WHERE])
