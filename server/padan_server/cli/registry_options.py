"""Options that the commands about a registry share."""

from __future__ import annotations

from typing import Annotated

import typer

RegistryUrl = Annotated[
    str,
    typer.Option(
        envvar="PADAN_REGISTRY_URL",
        show_envvar=True,
        help="The registry's primary (PostgreSQL).",
    ),
]
