"""The ledger's schema versions, applied by function: no alembic.ini and no working directory."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, make_url

__all__ = ["VERSION_TABLE", "upgrade"]

VERSION_TABLE = "ledger_schema_version"


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the ledger at a libpq URL up to a revision; nothing happens if it is there.

    All steps are one transaction. There is no way back: a ledger is never dropped by a tool.
    Raises sqlalchemy.exc.SQLAlchemyError.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        hide_parameters=True,
    )
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
