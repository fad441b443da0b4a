"""The registry's schema versions, applied by function: no alembic.ini and no working directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, make_url

__all__ = ["VERSION_TABLE", "downgrade", "upgrade"]

VERSION_TABLE = "registry_schema_version"


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the registry at a libpq URL up to a revision; nothing happens if it is there.

    All steps are one transaction. Raises sqlalchemy.exc.SQLAlchemyError.
    """
    _run(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, revision: str) -> None:
    """Bring the registry back to an older revision (`base`: drop everything, people included)."""
    _run(url, lambda config: command.downgrade(config, revision))


def _run(url: str, step: Callable[[Config], None]) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        hide_parameters=True,
    )
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        step(config)
