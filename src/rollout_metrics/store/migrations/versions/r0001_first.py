"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "cases",
        sa.Column("case_source", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("case_id", WORDS, nullable=False),
        sa.Column("workflow", sa.Integer(), nullable=False),
        sa.Column("scoped_at", sa.BigInteger(), nullable=True),
        sa.Column("next_change_at", sa.BigInteger(), nullable=True),
        sa.Column("first_agent_at", sa.BigInteger(), nullable=True),
        sa.Column("presence_start", sa.BigInteger(), nullable=True),
        sa.Column("presence_end", sa.BigInteger(), nullable=True),
        sa.Column("agent_absent", sa.SmallInteger(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("recorded", sa.LargeBinary(), nullable=False),
        sa.Column("counted", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("case_source", "case_id"),
    )
    op.create_index(
        "cases_absent",
        "cases",
        ["workflow", "presence_end"],
        unique=False,
        postgresql_where=sa.text("agent_absent = 1"),
        sqlite_where=sa.text("agent_absent = 1"),
    )
    op.create_index(
        "cases_due",
        "cases",
        ["workflow", "next_change_at"],
        unique=False,
        postgresql_where=sa.text("next_change_at IS NOT NULL"),
        sqlite_where=sa.text("next_change_at IS NOT NULL"),
    )
    op.create_index("cases_ends", "cases", ["workflow", "ends_at", "case_source", "case_id"], unique=False)
    op.create_index(
        "cases_first_agent",
        "cases",
        ["workflow", "first_agent_at"],
        unique=False,
        postgresql_where=sa.text("first_agent_at IS NOT NULL"),
        sqlite_where=sa.text("first_agent_at IS NOT NULL"),
    )
    op.create_index(
        "cases_scoped",
        "cases",
        ["workflow", "scoped_at"],
        unique=False,
        postgresql_where=sa.text("scoped_at IS NOT NULL"),
        sqlite_where=sa.text("scoped_at IS NOT NULL"),
    )
    op.create_table(
        "counts",
        sa.Column("workflow", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("minute", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("series", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workflow", "minute", "series"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "decisions",
        sa.Column("decider", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("case_source", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("case_id", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("decider", "at", "case_source", "case_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dirty",
        sa.Column("case_source", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("case_id", WORDS, nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("rebuilding", sa.SmallInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("case_source", "case_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "dirty_rebuilding", "dirty", ["rebuilding"], unique=False, postgresql_where=sa.text("rebuilding = 1"), sqlite_where=sa.text("rebuilding = 1")
    )
    op.create_table(
        "elsewhere",
        sa.Column("workflow", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("case_source", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("case_id", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("workflow", "case_source", "case_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("event_id", WORDS, nullable=False),
        sa.Column("case_source", sa.Integer(), nullable=False),
        sa.Column("case_id", WORDS, nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("touch", sa.Integer(), nullable=True),
        sa.Column("body", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("events_case", "events", ["case_source", "case_id", "occurred_at"], unique=False)
    op.create_index("events_name", "events", ["source", "event_id"], unique=True)
    op.create_table(
        "judgements",
        sa.Column("decider", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("decider", "at"),
        sqlite_with_rowid=False,
    )
    op.create_index("judgements_due", "judgements", ["decider", "at"], unique=False, postgresql_where=sa.text("mark > 0"), sqlite_where=sa.text("mark > 0"))
    op.create_table("meta", sa.Column("key", WORDS, nullable=False), sa.Column("value", sa.Text(), nullable=False), sa.PrimaryKeyConstraint("key"))
    op.create_table(
        "names",
        sa.Column("no", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("no"),
    )
    op.create_index("names_name", "names", ["kind", "name"], unique=True)
    op.create_table(
        "quarantine",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("source", WORDS, nullable=False),
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("quarantine_record", "quarantine", ["source", "digest"], unique=True)
    op.create_table(
        "sweeps",
        sa.Column("source", WORDS, nullable=False),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("newest", sa.BigInteger(), nullable=True),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "touches",
        sa.Column("touch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("touch", "at"),
        sqlite_with_rowid=False,
    )
