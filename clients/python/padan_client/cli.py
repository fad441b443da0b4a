"""The command `padan`: verify a person, look a record up, make a key.

What its options mean stands in cli_options, what it prints in cli_output, how it calls and exits in
cli_call, what it tells of regions in cli_regions, and how it checks receipts in cli_receipt.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from padan_client import cli_options as options
from padan_client import cli_regions
from padan_client.cli_call import EXIT_CODES, Exit, ask, connect, print_json
from padan_client.cli_output import (
    lookup_json,
    show_lookup,
    show_verification,
    verification_json,
)
from padan_client.cli_receipt import receipt_app
from padan_client.keys import KeyKind, new_private_key, private_pem, public_jwk
from padan_client.version import sdk_version
from padan_client.vocabulary import MaritalStatus, Sex

app = typer.Typer(
    name="padan",
    help="Verify people against the civil registry, as a registered partner.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    # Local variables hold personal data.
    pretty_exceptions_show_locals=False,
)
key_app = typer.Typer(help="Keys that sign for the partner.", no_args_is_help=True)
app.add_typer(key_app, name="key")
app.add_typer(receipt_app, name="receipt")
cli_regions.add_to(app)

_Text = Annotated[str | None, typer.Option(rich_help_panel="Claims")]
_Date = Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", rich_help_panel="Claims")]
_Sex = Annotated[Sex | None, typer.Option(case_sensitive=False, rich_help_panel="Claims")]
_MaritalStatus = Annotated[
    MaritalStatus | None, typer.Option(case_sensitive=False, rich_help_panel="Claims")
]


@app.command(epilog=EXIT_CODES)
def verify(
    *,
    nik: options.NikArgument = None,
    purpose: options.PurposeOption,
    full_name: _Text = None,
    birth_place: _Text = None,
    birth_date: _Date = None,
    sex: _Sex = None,
    mother_name: _Text = None,
    father_name: _Text = None,
    family_card_number: _Text = None,
    address: _Text = None,
    rt: _Text = None,
    rw: _Text = None,
    province_code: _Text = None,
    regency_code: _Text = None,
    district_code: _Text = None,
    village_code: _Text = None,
    marital_status: _MaritalStatus = None,
    born_on_or_before: _Date = None,
    consent: options.ConsentOption = "",
    consent_sha256: options.ConsentSha256Option = "",
    consent_given_at: options.ConsentGivenAtOption = "",
    case_reference: options.CaseReferenceOption = "",
    operator: options.OperatorOption = "",
    max_staleness: options.MaxStalenessOption = None,
    request_id: options.RequestIdOption = None,
    target: options.TargetOption,
    partner: options.PartnerOption,
    key_id: options.KeyIdOption = None,
    key_file: options.KeyFileOption,
    ca_file: options.CaFileOption = None,
    insecure: options.InsecureOption = False,
    audience: options.AudienceOption = "padan",
    timeout: options.TimeoutOption = 5.0,
    as_json: options.JsonOption = False,
) -> None:
    """Compare claims with the record of a NIK."""
    claims = {
        "full_name": full_name,
        "birth_place": birth_place,
        "birth_date": birth_date,
        "sex": sex,
        "mother_name": mother_name,
        "father_name": father_name,
        "family_card_number": family_card_number,
        "address": address,
        "rt": rt,
        "rw": rw,
        "province_code": province_code,
        "regency_code": regency_code,
        "district_code": district_code,
        "village_code": village_code,
        "marital_status": marital_status,
        "born_on_or_before": born_on_or_before,
    }
    client = connect(
        target=target,
        partner=partner,
        key_id=key_id,
        key_file=key_file,
        ca_file=ca_file,
        insecure=insecure,
        audience=audience,
        timeout_seconds=timeout,
    )
    result = ask(
        client,
        lambda: client.verify(
            options.read_nik(nik),
            {name: claim for name, claim in claims.items() if claim is not None},
            purpose=purpose,
            consent=options.read_consent(
                reference=consent, sha256=consent_sha256, given_at=consent_given_at
            ),
            case_reference=case_reference,
            operator=operator,
            max_staleness=options.read_max_staleness(max_staleness),
            request_id=request_id,
        ),
        as_json=as_json,
    )
    if as_json:
        print_json(verification_json(result))
    else:
        show_verification(Console(highlight=False), result)
    raise typer.Exit(Exit.YES if result.matched else Exit.NO)


@app.command(epilog=EXIT_CODES)
def lookup(
    *,
    nik: options.NikArgument = None,
    read_mask: Annotated[
        str, typer.Option(help="The elements wanted, separated by commas: full_name,birth_date.")
    ],
    purpose: options.PurposeOption,
    consent: options.ConsentOption = "",
    consent_sha256: options.ConsentSha256Option = "",
    consent_given_at: options.ConsentGivenAtOption = "",
    case_reference: options.CaseReferenceOption = "",
    operator: options.OperatorOption = "",
    max_staleness: options.MaxStalenessOption = None,
    request_id: options.RequestIdOption = None,
    target: options.TargetOption,
    partner: options.PartnerOption,
    key_id: options.KeyIdOption = None,
    key_file: options.KeyFileOption,
    ca_file: options.CaFileOption = None,
    insecure: options.InsecureOption = False,
    audience: options.AudienceOption = "padan",
    timeout: options.TimeoutOption = 5.0,
    as_json: options.JsonOption = False,
) -> None:
    """Read the elements of a NIK's record that --read-mask names."""
    client = connect(
        target=target,
        partner=partner,
        key_id=key_id,
        key_file=key_file,
        ca_file=ca_file,
        insecure=insecure,
        audience=audience,
        timeout_seconds=timeout,
    )
    result = ask(
        client,
        lambda: client.lookup(
            options.read_nik(nik),
            [name.strip() for name in read_mask.split(",")],
            purpose=purpose,
            consent=options.read_consent(
                reference=consent, sha256=consent_sha256, given_at=consent_given_at
            ),
            case_reference=case_reference,
            operator=operator,
            max_staleness=options.read_max_staleness(max_staleness),
            request_id=request_id,
        ),
        as_json=as_json,
    )
    if as_json:
        print_json(lookup_json(result))
    else:
        show_lookup(Console(highlight=False), result)
    raise typer.Exit(Exit.YES if result.found else Exit.NO)


@key_app.command("new")
def key_new(
    out: Annotated[Path, typer.Option(help="The file to make; an existing one is left alone.")],
    kind: Annotated[
        KeyKind, typer.Option(case_sensitive=False, help="EdDSA is Ed25519, ES256 is EC P-256.")
    ] = KeyKind.EDDSA,
    key_id: Annotated[
        str | None, typer.Option(help="The key's id; by default its RFC 7638 thumbprint.")
    ] = None,
) -> None:
    """Make a private key that only you can read, and print the public JWK to register."""
    key = new_private_key(kind)
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(private_pem(key))
    except FileExistsError:
        raise typer.BadParameter("the file exists, and is left as it is") from None
    except OSError as error:
        raise typer.BadParameter(f"cannot write the file: {error.strerror}") from None
    print_json(public_jwk(key, key_id=key_id))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"padan {sdk_version()}")


def main() -> NoReturn:
    """Run the command, and exit. A fault of its own must not look like an answer."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal without the marks gets a question mark, not a traceback.
            stream.reconfigure(errors="replace")
    try:
        app()
    except Exception as error:
        # Its type alone: its text may quote what was asked.
        print(f"padan: internal fault: {type(error).__name__}", file=sys.stderr)
    sys.exit(Exit.FAULT)
