"""The command `padan-verify`: checks a log's files as a whole, offline, and reports on a page.

What it checks and what its exit codes say stands in docs/verify.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import nullcontext
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from padan_client.cli_call import print_json
from padan_client.cli_output import show_pairs
from padan_client.cli_receipt import (
    LogKeyOption,
    QuorumOption,
    WitnessOption,
    read_file,
    read_trust,
    tell_failure,
    trust_in_log,
)
from padan_client.verify.checkpoints import Signed, Trust
from padan_client.verify.directory import LogDirectory
from padan_client.verify.errors import Exit, VerificationError
from padan_client.verify.findings import FINDINGS_MAX
from padan_client.verify.receipts import RECEIPT_BYTES_MAX, parse_receipt

if TYPE_CHECKING:
    from padan_client.verify.audit import AuditReport

EXIT_CODES = """Exit codes: 0 all holds · 2 wrong usage · 10 unreadable · 11 not signed by the log ·
12 witnesses missing · 13 the tree · 14 another history · 16 an entry · 17 a partner's chain ·
18 an agreement · 19 a charge · 20 a request id · 4 a fault. Of several, the lowest."""

PROGRESS_EVERY = 64
"""Bundles between two steps of the progress bar: it must not cost what it shows."""

app = typer.Typer(name="padan-verify", add_completion=False, pretty_exceptions_show_locals=False)


@app.command(epilog=EXIT_CODES)
def audit(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The log's files.")],
    log_key: LogKeyOption,
    witness: WitnessOption = None,
    quorum: QuorumOption = None,
    kept: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A checkpoint, or a receipt, of earlier: the log must hold it unchanged.",
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the verified checkpoint here, if all holds."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a log: signatures, tree, history, every entry, chains, charges, request ids."""
    trust = read_trust(log_key, witness, quorum)
    try:
        from padan_client.verify.audit import Kept
        from padan_client.verify.audit import audit as audit_log
    except ModuleNotFoundError as error:
        if error.name != "msgspec":
            raise
        raise typer.BadParameter(
            "needs the extra `verify`: pip install 'padan-client[verify]'"
        ) from None
    try:
        earlier = [Kept(path.name, _open_kept(path, trust)) for path in kept or ()]
        with _progress() as bar:
            report = audit_log(
                LogDirectory(directory),
                trust,
                kept=earlier,
                progress=(lambda done, total: None) if bar is None else bar.show,
            )
    except VerificationError as error:
        tell_failure(error, what="Not verified", as_json=as_json)
        raise typer.Exit(error.exit) from None
    if as_json:
        print_json(_json(report))
    else:
        _show(Console(highlight=False), report)
    if keep is not None and report.exit is Exit.PROVED:
        _write(keep, report.signed.note)
    raise typer.Exit(report.exit)


def _open_kept(path: Path, trust: Trust) -> Signed:
    """Read a checkpoint that was kept, or a receipt's. Witnesses are asked for now, not then."""
    data = read_file(path, RECEIPT_BYTES_MAX)
    if data.startswith(b"{"):
        data = parse_receipt(data, path.name).proof.checkpoint
    return trust_in_log(trust).open(data, path.name)


class _Bar:
    """A progress bar on standard error."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("entries"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("entries", total=None)
        self._calls = 0

    def show(self, done: int, total: int) -> None:
        self._calls += 1
        if self._calls % PROGRESS_EVERY == 0 or done == total:
            self._progress.update(self._task, completed=done, total=total)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _progress() -> _Bar | nullcontext[None]:
    return _Bar() if sys.stderr.isatty() else nullcontext()


def _write(path: Path, note: bytes) -> None:
    """Write the checkpoint; the one before stays until this one is whole."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise typer.BadParameter(f"--keep: cannot write: {error.strerror}") from None


def _facts(report: AuditReport) -> dict[str, Any]:
    checkpoint = report.signed.checkpoint
    return {
        "log": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "first_time": report.first_time or None,
        "last_time": report.last_time or None,
        "witnesses": [one.witness for one in report.signed.witnesses],
        "kept": [one.signed.checkpoint.size for one in report.kept],
        "kinds": report.kinds,
        "partners": report.partners,
        "charges": report.charges,
        "rupiah": report.rupiah,
    }


def _json(report: AuditReport) -> dict[str, Any]:
    findings = [{"what": one.what, "where": one.where, "text": one.text} for one in report.findings]
    return {
        "verified": not findings,
        **_facts(report),
        "complete": report.complete,
        "findings": findings,
    }


def _show(console: Console, report: AuditReport) -> None:
    facts = _facts(report)
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.kinds.items())
    kept = ", ".join(f"{one.name} ({one.signed.checkpoint.size})" for one in report.kept)
    if report.findings:
        many = "" if report.complete else f"; it ended at {FINDINGS_MAX}"
        headline = Text(f"Not verified: {len(report.findings)} findings{many}", style="bold red")
    else:
        headline = Text("Verified: all that was checked holds", style="bold green")
    console.print(headline)
    show_pairs(
        console,
        {
            "log": facts["log"],
            "entries": str(facts["size"]),
            "root": facts["root"],
            "from": report.first_time,
            "to": report.last_time,
            "witnesses": ", ".join(facts["witnesses"]),
            "kept": kept,
            "kinds": kinds,
            "partners": str(report.partners),
            "charges": f"{report.charges}, {report.rupiah} rupiah",
        },
    )
    for finding in report.findings:
        console.print(Text(f"- {finding}"), soft_wrap=True)


def main() -> NoReturn:
    """Run the command, and exit. A fault of its own must not look like a finding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except Exception as error:
        # Its type alone: its text may quote an entry.
        print(f"padan-verify: internal fault: {type(error).__name__}", file=sys.stderr)
    sys.exit(Exit.INTERNAL)
