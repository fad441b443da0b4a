"""Commands about partners: who may call, by which keys, under which agreement.

Each is an action that the notary applies and records: the server must be running.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from padan_server.adapters import notary_control
from padan_server.adapters.partner_jwk import JwkInvalid, partner_key
from padan_server.cli.failing import fail
from padan_server.domain.agreement import PURPOSES, Agreement, Partner, PartnerKind
from padan_server.domain.claims import LOOKUP_ELEMENTS, VERIFY_ELEMENTS
from padan_server.domain.control import (
    Action,
    AddAgreement,
    AddKey,
    AddPartner,
    ControlRefused,
    Resume,
    RevokeKey,
    Suspend,
)
from padan_server.domain.window import JAKARTA

PRICE_RUPIAH = 1000
"""PP 10/2023: Rp 1,000 per NIK access."""

partner_app = typer.Typer(no_args_is_help=True, help="Partners: add, list, suspend, resume.")
key_app = typer.Typer(no_args_is_help=True, help="Partners' public keys: add, revoke.")
agreement_app = typer.Typer(no_args_is_help=True, help="Agreements (PKS): put a version in force.")

out = Console(highlight=False)


def default_socket() -> Path:
    """Give the notary's socket where the settings place it (PADAN_DATA_DIR)."""
    return Path(os.environ.get("PADAN_DATA_DIR") or "/var/lib/padan") / "notary.sock"


Socket = Annotated[
    Path,
    typer.Option(
        "--notary",
        envvar="PADAN_NOTARY_SOCKET",
        default_factory=default_socket,
        help="The notary's socket; PADAN_DATA_DIR/notary.sock if not given.",
        show_default=False,
    ),
]
PartnerId = Annotated[str, typer.Argument(metavar="PARTNER", help="The partner's id.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(partner_app, name="partner")
    app.add_typer(key_app, name="key")
    app.add_typer(agreement_app, name="agreement")


@partner_app.command("add")
def add_partner(
    *,
    partner: PartnerId,
    name: Annotated[str, typer.Option(help="The institution's name.")],
    kind: Annotated[
        PartnerKind, typer.Option(help="PRIVATE users get match or no match only: no lookup.")
    ] = PartnerKind.PRIVATE,
    socket: Socket,
) -> None:
    """Register a partner. It can call once it has a key and an agreement."""
    _act(socket, AddPartner(partner=partner, name=name, kind=kind), f"partner {partner} added")


@partner_app.command("suspend")
def suspend(partner: PartnerId, socket: Socket) -> None:
    """Suspend a partner at once: no answer follows the entry of this action."""
    _act(socket, Suspend(partner=partner), f"partner {partner} suspended")


@partner_app.command("resume")
def resume(partner: PartnerId, socket: Socket) -> None:
    """Lift a suspension."""
    _act(socket, Resume(partner=partner), f"partner {partner} resumed")


@partner_app.command("list")
def list_partners(
    *,
    socket: Socket,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List partners with their keys and agreements."""
    try:
        told = notary_control.policy(str(socket))
    except notary_control.NotaryUnreachable as error:
        fail(str(error))
    if as_json:
        print(msgspec.json.encode(told.partners).decode())
        return
    table = Table(
        Column("partner", overflow="fold"),
        "kind",
        "state",
        Column("keys", overflow="fold"),
        "agreement",
        "budget day / month",
        "until",
    )
    for state in sorted(told.partners, key=lambda state: state.partner):
        agreement = state.agreement
        table.add_row(
            state.partner,
            state.kind,
            "suspended" if state.suspended else "active",
            ", ".join(k + (" (revoked)" if v.revoked else "") for k, v in state.keys.items()),
            f"version {agreement.version}" if agreement else "none",
            f"{_limit(agreement.budget_day)} / {_limit(agreement.budget_month)}"
            if agreement
            else "",
            f"{agreement.valid_until}" if agreement else "",
        )
    out.print(table)


@key_app.command("add")
def add_key(
    *,
    partner: PartnerId,
    jwk: Annotated[
        Path,
        typer.Option(
            "--jwk",
            dir_okay=False,
            allow_dash=True,
            help="File of the public JWK; - reads standard input.",
        ),
    ],
    key_id: Annotated[
        str,
        typer.Option(
            "--key-id",
            help="The `kid` that tokens will name; the JWK's kid or thumbprint if not given.",
        ),
    ] = "",
    socket: Socket,
) -> None:
    """Register a partner's public key: a JWK of EC P-256 (ES256) or Ed25519 (EdDSA).

    The partner makes it with `padan key new`; a private key never leaves the partner.
    """
    try:
        text = typer.get_text_stream("stdin").read() if str(jwk) == "-" else jwk.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{jwk} cannot be read: {type(error).__name__}")
    try:
        key = partner_key(text, key_id=key_id)
    except JwkInvalid as error:
        fail(f"{jwk} cannot be registered: {error}")
    _act(socket, AddKey(partner=partner, key=key), f"key {key.key_id} of partner {partner} added")


@key_app.command("revoke")
def revoke_key(
    *,
    partner: PartnerId,
    key_id: Annotated[str, typer.Option("--key-id", help="The key's id.")],
    socket: Socket,
) -> None:
    """Revoke a key for good: no answer follows the entry of this action."""
    _act(
        socket,
        RevokeKey(partner=partner, key_id=key_id),
        f"key {key_id} of partner {partner} revoked",
    )


@agreement_app.command("add")
def add_agreement(
    *,
    partner: PartnerId,
    purposes: Annotated[
        list[str],
        typer.Option("--purpose", help=f"Purpose granted; repeat. Of: {', '.join(PURPOSES)}."),
    ],
    valid_until: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day, Asia/Jakarta.")
    ],
    valid_from: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day; today if not given.")
    ] = None,
    verify: Annotated[
        str, typer.Option(help="Elements to verify, separated by commas; `all` for all.")
    ] = "all",
    lookup: Annotated[
        str,
        typer.Option(
            help="Elements to look up, separated by commas; none by default. "
            f"Of: {', '.join(LOOKUP_ELEMENTS)}."
        ),
    ] = "",
    budget_day: Annotated[int | None, typer.Option(min=0, help="Charged answers a day.")] = None,
    budget_month: Annotated[
        int | None, typer.Option(min=0, help="Charged answers a month.")
    ] = None,
    price: Annotated[int, typer.Option(min=0, help="Rupiah per charged answer.")] = PRICE_RUPIAH,
    socket: Socket,
) -> None:
    """Put a new version of a partner's agreement in force. It replaces the version before.

    What is not granted is denied. Budgets count charged answers per calendar day and month in
    Asia/Jakarta; without one there is no limit.
    """
    looked_up = _names(lookup)
    today = datetime.now(JAKARTA).date()
    if valid_from is not None and valid_from.date() > today:
        fail(
            f"the agreement begins on {valid_from:%Y-%m-%d}: added now it would replace the one in "
            "force, and the partner could not call until then. Add it on its first day"
        )
    agreement = Agreement(
        version=0,  # the notary counts
        purposes=frozenset(purposes),
        methods=frozenset({"VERIFY", "LOOKUP"} if looked_up else {"VERIFY"}),
        verify_elements=frozenset(VERIFY_ELEMENTS) if verify == "all" else _names(verify),
        lookup_elements=looked_up,
        budget_day=budget_day,
        budget_month=budget_month,
        price_rupiah=price,
        valid_from=valid_from.date() if valid_from else today,
        valid_until=valid_until.date(),
    )
    state = _act(socket, AddAgreement(partner=partner, agreement=agreement), "")
    version = state.agreement.version if state and state.agreement else 0
    out.print(f"agreement of partner {partner}: version {version} is in force")


def _act(socket: Path, action: Action, done: str) -> Partner | None:
    try:
        answer = notary_control.control(str(socket), action)
    except (ControlRefused, notary_control.NotaryUnreachable) as error:
        fail(str(error))
    if done:
        out.print(f"{done} (ledger entry {answer.index})")
    return answer.partner


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def _limit(budget: int | None) -> str:
    return "no limit" if budget is None else f"{budget:,}"
