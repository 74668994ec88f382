"""What Alembic runs: the revisions, on the connection it is handed."""

from alembic import context

from rollout_metrics.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
