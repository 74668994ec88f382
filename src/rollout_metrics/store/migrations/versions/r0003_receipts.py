"""From a series to its cases; the rows come when the cases are derived again, as their layout has changed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table, and the column that says what a case has there."""
    op.create_table(
        "receipts",
        sa.Column("series", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("minute", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("case_source", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("case_id", WORDS, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", "minute", "case_source", "case_id"),
        sqlite_with_rowid=False,
    )
    op.add_column("cases", sa.Column("sampled", sa.LargeBinary(), nullable=True))
