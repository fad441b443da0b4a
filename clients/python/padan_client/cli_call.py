"""How every command calls the service, and with which code it exits."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console

from padan_client.cli_output import error_json, show_error
from padan_client.client import Client
from padan_client.errors import (
    BudgetSpent,
    PadanError,
    PermissionDenied,
    RegionUnknown,
    RequestIdExpired,
    RequestIdReused,
    RequestInvalid,
    Unauthenticated,
)
from padan_client.keys import PartnerKey

_Answered = TypeVar("_Answered")


class Exit(IntEnum):
    """What the exit code says."""

    YES = 0
    NO = 1
    INVALID = 2
    REFUSED = 3
    FAULT = 4


EXIT_CODES = """Exit codes: 0 matched, or found · 1 answered, but not matched or found ·
2 wrong usage, or an invalid request · 3 refused: identity, permission or budget ·
4 unavailable, or a fault. Only 0 is a yes."""


def connect(
    *,
    target: str,
    partner: str,
    key_id: str | None,
    key_file: Path,
    ca_file: Path | None,
    insecure: bool,
    audience: str,
    timeout_seconds: float,
) -> Client:
    """Give the client, or end with what is wrong with the options."""
    try:
        return Client(
            target=target,
            credentials=PartnerKey(partner, key_id, private_key=key_file),
            audience=audience,
            ca_file=ca_file,
            insecure=insecure,
            channels=2,  # One to call on, one to retry on.
            timeout_seconds=timeout_seconds,
        )
    except OSError as error:
        raise typer.BadParameter(f"cannot read {error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def ask(
    client: Client, call: Callable[[], _Answered], *, as_json: bool, failed: str = "Not verified"
) -> _Answered:
    """Give the answer, or print the error, under what failed, and leave with its exit code."""
    try:
        with client:
            return call()
    except PadanError as error:
        if as_json:
            print_json(error_json(error))
        else:
            show_error(Console(stderr=True, highlight=False), error, failed=failed)
        raise typer.Exit(_exit_of(error)) from None


def _exit_of(error: PadanError) -> Exit:
    match error:
        case RequestInvalid() | RequestIdReused() | RequestIdExpired() | RegionUnknown():
            return Exit.INVALID
        case Unauthenticated() | PermissionDenied() | BudgetSpent():
            return Exit.REFUSED
        case _:
            return Exit.FAULT


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
