"""Alembic environment: migrate the connection passed by ``migrate``."""

from alembic import context

from newsletter.db.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
