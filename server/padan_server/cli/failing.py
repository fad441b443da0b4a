"""How a command fails: one clear line on standard error, exit code 1."""

from __future__ import annotations

from typing import NoReturn

import typer
from rich.console import Console


def fail(text: str) -> NoReturn:
    """End the command."""
    Console(stderr=True).print(f"[red]error[/red] {text}", highlight=False)
    raise typer.Exit(1)
