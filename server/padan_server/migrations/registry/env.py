"""What alembic runs: on the connection and in the transaction that the caller opened."""

from __future__ import annotations

from alembic import context

from padan_server.migrations.registry import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
