"""The commands that need the extra `demo`: the demonstration, and the embedded servers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from padan_server.cli.failing import fail
from padan_server.cli.registry import registry_app
from padan_server.embedded.account import EmbeddedServersError
from padan_server.embedded.cli import identities, servers_app, synthesize


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(demo)
    registry_app.command()(synthesize)
    registry_app.command()(identities)
    app.add_typer(servers_app, name="servers")


def demo(
    directory: Annotated[
        Path, typer.Option(envvar="PADAN_DATA_DIR", help="Where everything is kept.")
    ] = Path(".padan"),
    people: Annotated[
        int, typer.Option(min=1000, help="Synthetic people, at the first run.")
    ] = 100_000,
    port: Annotated[int, typer.Option(help="Port; another free one if it is taken.")] = 8443,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    once: Annotated[
        bool, typer.Option("--once", help="Exit after the demonstration; so does DEMO_ONCE=1.")
    ] = False,
) -> None:
    """Set everything up on this machine, show it at work, then serve until Ctrl-C.

    Starts a real PostgreSQL primary and hot standby and a real Valkey from wheels, fills the
    registry with synthetic people, registers partners, and verifies people through the SDK. A
    second run finds what the first one made.
    """
    from padan_server.demo.installation import InstallationError
    from padan_server.demo.show import Demonstration

    shown = Demonstration(directory, people=people, port=port, workers=workers)
    try:
        shown.run(once=once or os.environ.get("DEMO_ONCE") == "1")
    except (InstallationError, EmbeddedServersError) as error:
        fail(str(error))
