"""Commands about the ledger: open one, check one. Slow imports wait for their command."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from padan_server import config
from padan_server.adapters.keyring_file import KeyringError
from padan_server.cli.failing import fail
from padan_server.domain.entry import base64
from padan_server.domain.ledger import LedgerError
from padan_server.domain.ledger_check import Report

ledger_app = typer.Typer(no_args_is_help=True, help="The ledger: open it, check it.")

CANNOT_RUN = 2
"""Exit code of a check that could not run: also that of wrong settings."""

out = Console(highlight=False)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(ledger_app, name="ledger")


@ledger_app.command("init")
def init_ledger(
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Succeed if there is an anchor already.")
    ] = False,
) -> None:
    """Bring the ledger's schema up to this release, and open a new log with its anchor.

    The anchor is a small file outside the database that holds the last signed head. Without it
    nobody could tell that the database was set back, so only this command makes one, and only for
    an empty log.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from padan_server.compose.ledger import open_ledger
    from padan_server.migrations import ledger as migrations

    given = config.load()
    try:
        migrations.upgrade(given.ledger_url)
        if if_missing and given.anchor.exists():
            out.print(f"there is an anchor already: {given.anchor}")
            return
        asyncio.run(open_ledger(given))
    except SQLAlchemyError as error:
        fail(f"the ledger's schema could not be brought up: {type(error).__name__}")
    except (LedgerError, KeyringError, ValueError, OSError) as error:
        fail(str(error))
    out.print(f"log {given.log_origin} opened; its anchor is {given.anchor}")


@ledger_app.command("check")
def check_ledger(
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    keys: Annotated[
        bool,
        typer.Option(
            help="Open what is sealed beside the entries too, with the workers' keys, and compare."
        ),
    ] = True,
) -> None:
    """Read the whole log again, and check all that derives from it.

    Entries, their order and times, each partner's chain, the tree and its signed head, the search
    columns, the budgets, bound request ids and sealed parts are derived again and compared. It may
    run beside the service. Exit code 0 if all of it holds, 1 if something does not, 2 if
    the check could not run.
    """
    from padan_server.compose.ledger import check

    given = config.load()
    progress = Progress(
        TextColumn("entries"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    try:
        with progress:
            task = progress.add_task("entries", total=None)
            report = asyncio.run(
                check(
                    given,
                    with_keys=keys,
                    progress=lambda done, total: progress.update(task, completed=done, total=total),
                )
            )
    except (LedgerError, KeyringError) as error:
        fail(str(error), code=CANNOT_RUN)
    if as_json:
        print(msgspec.json.encode(report).decode())
    else:
        _print(report, with_keys=keys)
    raise typer.Exit(1 if report.findings else 0)


def _print(report: Report, *, with_keys: bool) -> None:
    out.print(f"log {report.log}: {report.size:,} entries, {report.signed:,} of them signed")
    out.print(f"root {base64(report.root)}")
    if with_keys:
        out.print(f"{report.unsealed:,} sealed parts opened and compared, {report.erased:,} erased")
    else:
        out.print(f"sealed parts not looked into (--no-keys), {report.erased:,} erased")
    for finding in report.findings:
        out.print(f"[red]{finding.what}[/red] {finding.where}: {finding.text}")
    if not report.complete:
        out.print("the check ended early: what follows was not read")
    count = len(report.findings)
    out.print(f"[red]{count} finding{'s' * (count != 1)}[/red]" if count else "all of it holds")
