"""Cases in order of their ends with their samples, which come when the cases are derived again, as their layout has changed; counts by the hour."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables; the first serves as the index that it replaces."""
    op.create_table(
        "stretches",
        sa.Column("workflow", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ends_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("case_source", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("case_id", WORDS, nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.Column("samples", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workflow", "ends_at", "case_source", "case_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hours",
        sa.Column("series", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", "hour"),
        sqlite_with_rowid=False,
    )
    op.add_column("cases", sa.Column("moved_at", sa.BigInteger(), nullable=True))
    op.drop_index("cases_ends", table_name="cases")
