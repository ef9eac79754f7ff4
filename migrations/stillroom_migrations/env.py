"""Run by Alembic: migrates on the connection that `stillroom_server.storage.migrate` hands over.

Its transaction is the caller's, so that an upgrade happens as a whole or not at all.
"""

from alembic import context

from stillroom_server.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)

with context.begin_transaction():
    context.run_migrations()
