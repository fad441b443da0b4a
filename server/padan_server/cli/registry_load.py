"""The command `registry load`: a file of whole records into the registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from padan_server.cli.failing import fail
from padan_server.cli.registry_options import RegistryUrl
from padan_server.domain.feed import FeedError, Format

if TYPE_CHECKING:
    from padan_server.adapters.feed_load import Report

NOT_READ = 2
"""Exit code where nothing was refused because the file was not read to its end."""

out = Console(highlight=False, soft_wrap=True)


def load(
    *,
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The file.")
    ],
    registry_url: RegistryUrl,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Its format, if the suffix does not tell."),
    ] = None,
) -> None:
    """Load people's full records from CSV, NDJSON or Parquet, with SIAK's columns (docs/feed.md).

    A row that cannot be loaded goes to the quarantine and stops no others. Loading a file again
    changes nothing. Exit code 0 if all rows are held, 1 if some were refused, 2 if the file or the
    registry could not be used.
    """
    from padan_server.adapters.feed_load import load as run

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[refused]:,} refused"),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("records", total=None, refused=0)
            report = run(
                registry_url,
                file,
                form=form,
                progress=lambda done, total, refused: bar.update(
                    task, completed=done, total=total, refused=refused
                ),
            )
    except FeedError as error:
        fail(str(error), code=NOT_READ)
    _print(report)
    raise typer.Exit(1 if report.refused else 0)


def _print(report: Report) -> None:
    rate = report.rows / max(report.seconds, 1e-9)
    out.print(f"{report.rows:,} rows in {report.seconds:.1f} s, {rate:,.0f} a second")
    out.print(f"{report.written:12,} written")
    out.print(f"{report.unchanged:12,} unchanged: they were held already")
    out.print(f"{report.refused.total():12,} refused: in quarantine, source {report.source}")
    for reason, count in report.refused.most_common():
        out.print(f"{count:16,} {reason}")
    if report.shown:
        table = Table(Column("where", no_wrap=True), "reason", Column("detail", overflow="fold"))
        for place, refused in report.shown:
            table.add_row(place, refused.reason, refused.detail)
        out.print(table)
    if report.refused.total() > len(report.shown):
        out.print(
            f"these are the first {len(report.shown)}; "
            f"all of them: padan-server registry quarantine list --source '{report.source}'"
        )
