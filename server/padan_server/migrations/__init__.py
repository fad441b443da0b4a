"""Schema versions (alembic): one package per database."""
