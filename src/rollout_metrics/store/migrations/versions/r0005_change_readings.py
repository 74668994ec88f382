"""Change records as systems hold them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "change_readings",
        sa.Column("source", WORDS, nullable=False),
        sa.Column("change", WORDS, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("body", WORDS, nullable=True),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "change"),
    )
