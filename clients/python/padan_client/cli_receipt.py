"""The command `padan receipt verify`: is the entry in the log, and is the statement the entry's?

It is offline. What its exit codes say stands in docs/verify.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from padan_client.cli_call import print_json
from padan_client.cli_output import show_pairs
from padan_client.verify.checkpoints import Trust
from padan_client.verify.errors import Exit, Unreadable, VerificationError
from padan_client.verify.notes import NOTE_BYTES_MAX
from padan_client.verify.receipts import (
    RECEIPT_BYTES_MAX,
    Proved,
    compare,
    parse_receipt,
    verify_receipt,
)

EXIT_CODES = """Exit codes: 0 proved · 2 wrong usage · 10 unreadable · 11 not signed by the log ·
12 witnesses missing · 13 not in the log · 14 another history · 15 not the entry's statement ·
16 no entry · 21 checkpoints of two sizes, not compared · 4 a fault. Only 0 is a proof."""

LogKeyOption = Annotated[
    list[str],
    typer.Option(
        "--log-key",
        envvar="PADAN_LOG_KEY",
        metavar="VKEY",
        help="The log's verifier key (NAME+HASH+KEY); again for one that came after it.",
    ),
]
WitnessOption = Annotated[
    list[str] | None,
    typer.Option("--witness", metavar="VKEY", help="A witness's verifier key; one for each."),
]
QuorumOption = Annotated[
    int | None,
    typer.Option(metavar="K", help="How many of the witnesses must have cosigned; by default all."),
]

receipt_app = typer.Typer(help="Receipts: proofs of what was recorded.", no_args_is_help=True)


@receipt_app.callback()
def receipt() -> None:
    """Receipts: proofs of what was recorded."""


@receipt_app.command(epilog=EXIT_CODES)
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The receipt (.padan-receipt).")],
    log_key: LogKeyOption,
    witness: WitnessOption = None,
    quorum: QuorumOption = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="CHECKPOINT",
            help="A signed checkpoint that you have: one of the same size must be the same.",
        ),
    ] = None,
    require_statement: Annotated[
        bool,
        typer.Option(
            "--require-statement", help="Fail if the receipt does not tell what was asked."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a receipt offline, and tell what it proves."""
    trust = read_trust(log_key, witness, quorum)
    try:
        proved = verify_receipt(parse_receipt(read_file(file, RECEIPT_BYTES_MAX)), trust)
        if require_statement and proved.statement is None:
            raise StatementAbsent("the receipt", "holds no statement")
        if against is not None:
            name = "the checkpoint given"
            kept = trust_in_log(trust).open(read_file(against, NOTE_BYTES_MAX), name)
            compare(proved.signed.checkpoint, kept.checkpoint, where=name)
    except VerificationError as error:
        tell_failure(error, what="Not proved", as_json=as_json)
        raise typer.Exit(error.exit) from None
    if as_json:
        print_json(_json(proved))
    else:
        _show(Console(highlight=False), proved)


class StatementAbsent(VerificationError):
    """A statement was asked for, and the receipt holds none."""

    exit = Exit.STATEMENT


def read_trust(log_key: list[str], witness: list[str] | None, quorum: int | None) -> Trust:
    """Read the keys of the command line; end with what is wrong with them."""
    try:
        return Trust.parse(log_keys=log_key, witnesses=witness or (), quorum=quorum)
    except Unreadable as error:
        raise typer.BadParameter(str(error)) from None


def trust_in_log(trust: Trust) -> Trust:
    """Give the same keys of the log, and no witness: for checkpoints that were kept."""
    return Trust(trust.log_keys, (), 0)


def read_file(path: Path, longest: int) -> bytes:
    """Read a file that is given on the command line. Raises Unreadable."""
    try:
        with path.open("rb") as file:
            data = file.read(longest + 1)
    except OSError as error:
        raise Unreadable(path.name, f"cannot be read: {error.strerror}") from None
    if len(data) > longest:
        raise Unreadable(path.name, f"is longer than {longest} bytes")
    return data


def tell_failure(error: VerificationError, *, what: str, as_json: bool) -> None:
    """Print what does not hold."""
    if as_json:
        details = {"type": type(error).__name__, "where": error.where, "text": error.text}
        print_json({"proved": False, "error": details})
        return
    console = Console(stderr=True, highlight=False)
    console.print(Text(f"{what}: {error}", style="bold red"), soft_wrap=True)


def _facts(proved: Proved) -> dict[str, Any]:
    """What is proved, without the person: the statement's claims and values are not repeated."""
    entry, ask, answer = (
        proved.entry,
        proved.entry.get("ask", {}),
        proved.entry.get("answer", {}),
    )
    facts = {
        "log": entry["log"],
        "index": proved.index,
        "time": entry["time"],
        "kind": entry["kind"],
        "partner": entry["partner"],
        "partner_seq": entry["partner_seq"],
        "method": ask.get("method"),
        "purpose": ask.get("purpose"),
        "request_id": ask.get("request_id"),
        "outcome": answer.get("outcome"),
        "reason": entry.get("reason"),
        "price_rupiah": entry.get("charge", {}).get("price"),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _json(proved: Proved) -> dict[str, Any]:
    witnesses = [
        {"witness": one.witness, "time": None if one.time is None else one.time.isoformat()}
        for one in proved.signed.witnesses
    ]
    return {
        "proved": True,
        **_facts(proved),
        "statement": proved.statement is not None,
        "tree_size": proved.signed.checkpoint.size,
        "witnesses": witnesses,
    }


def _show(console: Console, proved: Proved) -> None:
    console.print(Text("Proved: the entry is in the log", style="bold green"))
    facts = {name.replace("_", " "): str(value) for name, value in _facts(proved).items()}
    told = "what was asked and answered is what the entry commits to"
    facts["statement"] = told if proved.statement is not None else "not in the receipt: not proved"
    facts["signed tree"] = f"{proved.signed.checkpoint.size} entries"
    for one in proved.signed.witnesses:
        time = "" if one.time is None else f", {one.time:%Y-%m-%d %H:%M:%S}Z"
        facts[f"witness {one.witness}"] = f"cosigned{time}"
    show_pairs(console, facts)
