"""The options that the commands share, and how their texts become values."""

from __future__ import annotations

import getpass
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from padan_client.encode import Consent
from padan_client.vocabulary import Purpose

_CONNECTION = "Connection and identity"
_CIRCUMSTANCES = "Circumstances"

NikArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="NIK",
        help="The 16-digit NIK. Process lists and shell history show what stands on a command "
        "line: leave it out, or write -, to be asked for it or to read it from standard input. "
        "Claims given as options show there too.",
    ),
]
PurposeOption = Annotated[
    Purpose,
    typer.Option(case_sensitive=False, rich_help_panel=_CIRCUMSTANCES, help="Why the caller asks."),
]
ConsentOption = Annotated[
    str, typer.Option(rich_help_panel=_CIRCUMSTANCES, help="Reference of the person's consent.")
]
ConsentSha256Option = Annotated[
    str, typer.Option(rich_help_panel=_CIRCUMSTANCES, help="SHA-256 of its document, in hex.")
]
ConsentGivenAtOption = Annotated[
    str,
    typer.Option(rich_help_panel=_CIRCUMSTANCES, help="When it was given: RFC 3339, with zone."),
]
CaseReferenceOption = Annotated[
    str, typer.Option(rich_help_panel=_CIRCUMSTANCES, help="Your reference of the case.")
]
OperatorOption = Annotated[
    str, typer.Option(rich_help_panel=_CIRCUMSTANCES, help="Who asks: a user id or a desk.")
]
MaxStalenessOption = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", rich_help_panel=_CIRCUMSTANCES, help="Greatest age of the data."
    ),
]
RequestIdOption = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=_CIRCUMSTANCES,
        help="Repeat an earlier call by its id (UUIDv7): it is charged once.",
    ),
]

TargetOption = Annotated[
    str,
    typer.Option(
        envvar="PADAN_TARGET", rich_help_panel=_CONNECTION, help="The service, as host:port."
    ),
]
PartnerOption = Annotated[
    str,
    typer.Option(envvar="PADAN_PARTNER", rich_help_panel=_CONNECTION, help="Your partner id."),
]
KeyIdOption = Annotated[
    str | None,
    typer.Option(
        envvar="PADAN_KEY_ID",
        rich_help_panel=_CONNECTION,
        help="The registered id of your key; by default its RFC 7638 thumbprint.",
    ),
]
KeyFileOption = Annotated[
    Path,
    typer.Option(
        envvar="PADAN_KEY_FILE",
        rich_help_panel=_CONNECTION,
        help="Your private key: PEM or JWK, Ed25519 or EC P-256.",
    ),
]
CaFileOption = Annotated[
    Path | None,
    typer.Option(
        envvar="PADAN_CA_FILE",
        rich_help_panel=_CONNECTION,
        help="Trust these root certificates (PEM) instead of the system's.",
    ),
]
InsecureOption = Annotated[
    bool,
    typer.Option(
        "--insecure",
        envvar="PADAN_INSECURE",
        rich_help_panel=_CONNECTION,
        help="Plaintext; accepted for loopback targets only.",
    ),
]
AudienceOption = Annotated[
    str,
    typer.Option(
        envvar="PADAN_AUDIENCE", rich_help_panel=_CONNECTION, help="Audience of the token."
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", rich_help_panel=_CONNECTION, help="Deadline over all attempts."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, also for an error.")
]


def read_nik(argument: str | None) -> str:
    """Give the NIK from the argument, a prompt without echo, or a line of standard input."""
    if argument not in (None, "-"):
        return str(argument)
    try:
        line = getpass.getpass("NIK: ") if sys.stdin.isatty() else sys.stdin.readline()
    except EOFError:
        line = ""
    if not line.strip():
        raise typer.BadParameter("no NIK given, and none on standard input")
    return line.strip()


def read_consent(*, reference: str, sha256: str, given_at: str) -> Consent | None:
    """Give the consent, or None where nothing of it is given."""
    if not (reference or sha256 or given_at):
        return None
    try:
        return Consent(
            reference=reference,
            sha256=bytes.fromhex(sha256),
            given_at=datetime.fromisoformat(given_at) if given_at else None,
        )
    except ValueError:
        raise typer.BadParameter(
            "consent: the hash must be hex, the time RFC 3339 (2026-01-31T09:30:00+07:00)"
        ) from None


def read_max_staleness(seconds: float | None) -> timedelta | None:
    """Give the greatest age as a duration. Its rule is the service's to check."""
    try:
        return None if seconds is None else timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise typer.BadParameter("--max-staleness is out of range") from None
