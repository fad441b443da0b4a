"""Commands about a registry of one's own: its schema here, what fills it in the modules beside.

The extra `demo` adds synthetic people.
"""

from __future__ import annotations

import typer
from rich.console import Console

from padan_server.cli import registry_follow, registry_load, registry_quarantine
from padan_server.cli.failing import fail
from padan_server.cli.registry_options import RegistryUrl

registry_app = typer.Typer(no_args_is_help=True, help="The registry that this server keeps.")

out = Console(highlight=False)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(registry_app, name="registry")


@registry_app.command("init")
def init_registry(registry_url: RegistryUrl) -> None:
    """Bring the registry's schema up to this release. Safe to repeat."""
    from sqlalchemy.exc import SQLAlchemyError

    from padan_server.migrations.registry import upgrade

    try:
        upgrade(registry_url)
    except SQLAlchemyError as error:
        fail(f"the registry's schema could not be brought up: {type(error).__name__}")
    out.print("the registry's schema is up to date")


registry_app.command()(registry_follow.follow)
registry_app.command()(registry_load.load)
registry_app.add_typer(registry_quarantine.quarantine_app, name="quarantine")
