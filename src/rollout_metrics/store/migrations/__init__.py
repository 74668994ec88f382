"""Schema revisions, run by Alembic from inside the package."""
