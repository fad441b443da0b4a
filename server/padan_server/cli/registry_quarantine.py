"""The commands `registry quarantine`: what could not be applied, and trying it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from padan_server.cli.failing import fail
from padan_server.cli.registry_options import RegistryUrl
from padan_server.domain.feed import FeedError, Reason

if TYPE_CHECKING:
    import psycopg

quarantine_app = typer.Typer(
    no_args_is_help=True, help="Lines and rows that could not be applied: list, show, retry."
)

FAILED_SHOWN_MAX = 50

out = Console(highlight=False, soft_wrap=True)


@quarantine_app.command("list")
def list_quarantine(
    *,
    registry_url: RegistryUrl,
    source: Annotated[str | None, typer.Option(help="Only of this feed or file.")] = None,
    reason: Annotated[Reason | None, typer.Option(help="Only for this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")] = 50,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Those that a retry applied, too.")
    ] = False,
) -> None:
    """List what is in quarantine, the oldest first. No personal data is shown."""
    from padan_server.adapters import quarantine_postgres

    with _session(registry_url) as connection:
        rows = quarantine_postgres.listed(
            connection, source=source, reason=reason, limit=limit, resolved=resolved
        )
        summary = quarantine_postgres.summary(connection)
    table = Table(
        Column("id", justify="right", no_wrap=True),
        Column("source", overflow="fold"),
        Column("place", overflow="fold"),
        "reason",
        Column("detail", overflow="fold"),
        Column("received", no_wrap=True),
        *([Column("resolved", no_wrap=True)] if resolved else []),
    )
    for row in rows:
        at = row.resolved_at
        table.add_row(
            str(row.id),
            row.source,
            row.place,
            row.reason,
            row.detail,
            f"{row.received_at:%Y-%m-%d %H:%M:%S%z}",
            *([f"{at:%Y-%m-%d %H:%M:%S%z}" if at else ""] if resolved else []),
        )
    out.print(table)
    told = ", ".join(f"{count:,} {name}" for name, count in summary)
    out.print(f"in quarantine, of all sources: {told or 'nothing'}")


@quarantine_app.command()
def show(
    number: Annotated[int, typer.Argument(metavar="ID", help="The row's id.")],
    registry_url: RegistryUrl,
) -> None:
    """Print a row's content, which is personal data: mind who sees it and where it goes."""
    from padan_server.adapters import quarantine_postgres

    with _session(registry_url) as connection:
        content = quarantine_postgres.content(connection, number)
    if content is None:
        fail(f"there is no row {number} in quarantine")
    Console(stderr=True, soft_wrap=True).print(
        "What follows is personal data. Do not keep it, and show it to nobody who need not see it.",
        style="bold",
    )
    print(content or "(nothing of it could be kept)")


@quarantine_app.command()
def retry(
    *,
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Ids of rows.")] = None,
    registry_url: RegistryUrl,
    reason: Annotated[Reason | None, typer.Option(help="All rows of this reason.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All rows.")] = False,
) -> None:
    """Read rows again, and apply those that pass now; tells of those that still do not.

    What is held stands: a row does not replace a record that became newer in the meantime. Exit
    code 0 if all passed, 1 if some did not or are not there.
    """
    from padan_server.adapters.feed_retry import FeedRetry

    if (bool(ids), reason is not None, everything).count(True) != 1:
        fail("name either ids, or --reason, or --all", code=2)
    applied = 0
    still = Counter[str]()
    table = Table(
        Column("id", justify="right", no_wrap=True), "reason", Column("detail", overflow="fold")
    )
    try:
        session = FeedRetry(registry_url)
        try:
            for row in session.retry(ids=ids or None, reason=reason):
                if row.applied:
                    applied += 1
                    continue
                still[row.reason] += 1
                if still.total() <= FAILED_SHOWN_MAX:
                    table.add_row(str(row.id), row.reason, row.detail)
        finally:
            session.close()
    except FeedError as error:
        fail(str(error), code=2)
    absent = len(set(ids or ())) - applied - still.total() if ids else 0
    out.print(f"{applied:,} applied, {still.total():,} still kept out")
    if absent:
        out.print(f"{absent:,} of these ids wait for nothing: they are not there, or are applied")
    if still:
        out.print(table)
        told = ", ".join(f"{count:,} {name}" for name, count in still.most_common())
        out.print(f"still kept out: {told}")
    raise typer.Exit(1 if still or absent else 0)


@contextmanager
def _session(registry_url: str) -> Iterator[psycopg.Connection[Any]]:
    from padan_server.adapters import feed_session

    try:
        connection = feed_session.connect(registry_url, "registry-quarantine")
        try:
            with feed_session.our_errors():
                yield connection
        finally:
            connection.close()
    except FeedError as error:
        fail(str(error), code=2)
