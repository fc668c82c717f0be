"""Alembic migrations of the store; `kitwai.store.schema` runs them."""
