"""What Alembic runs: the connection comes from `kitwai.store.schema`, never from a file."""

from __future__ import annotations

from alembic import context

from kitwai.store.schema import VERSION_TABLE
from kitwai.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
