"""How a command fails: one clear line on standard error."""

from __future__ import annotations

from typing import NoReturn

import typer
from rich.console import Console


def fail(text: str, *, code: int = 1) -> NoReturn:
    """End the command with an exit code."""
    Console(stderr=True, soft_wrap=True).print(f"[red]error[/red] {text}", highlight=False)
    raise typer.Exit(code)
