"""Commands about outreach batches (jemput bola), for an operator who tells of them by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from padan_server.adapters import outreach_postgres
from padan_server.adapters.outreach_postgres import OutreachError
from padan_server.cli.failing import fail
from padan_server.cli.registry import registry_app
from padan_server.domain.region import RegionTable

LIST_MAX = 1000
BATCH_ID_CHARACTERS_MAX = 100

outreach_app = typer.Typer(
    no_args_is_help=True,
    help="Outreach batches: recordings made in the field that are still to come.",
)

out = Console(highlight=False)

Url = Annotated[
    str, typer.Option(envvar="PADAN_REGISTRY_URL", help="The registry's primary (PostgreSQL).")
]
BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The team's name for the batch.")]
_MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the group of the registry, which is in `app` already."""
    del app
    registry_app.add_typer(outreach_app, name="outreach")


@outreach_app.command("announce")
def announce(
    *,
    batch: BatchId,
    regency: Annotated[str, typer.Argument(help="Code of the regency or city: 4 digits.")],
    recorded_from: Annotated[
        datetime | None,
        typer.Option(formats=_MOMENTS, help="When the earliest recording was made; UTC."),
    ] = None,
    recorded_until: Annotated[
        datetime | None,
        typer.Option(formats=_MOMENTS, help="When the latest recording was made; UTC."),
    ] = None,
    records: Annotated[int | None, typer.Option(min=1, help="How many recordings.")] = None,
    registry_url: Url,
) -> None:
    """Announce a batch. Until it is applied, answers about its regency say OUTREACH_PENDING."""
    table = RegionTable.published()
    region = table.get(regency)
    if region is None or region.level != "regency" or not table.is_current(region):
        fail("no regency or city has this code today")
    if not 1 <= len(batch) <= BATCH_ID_CHARACTERS_MAX or not batch.isprintable():
        fail(f"a batch's name is 1 to {BATCH_ID_CHARACTERS_MAX} printable characters")
    first, last = _utc(recorded_from), _utc(recorded_until)
    if first is not None and last is not None and last < first:
        fail("the latest recording is before the earliest")
    try:
        outreach_postgres.announce(
            registry_url,
            batch_id=batch,
            regency_code=regency,
            recorded_from=first,
            recorded_until=last,
            records_expected=records,
        )
    except OutreachError as error:
        fail(str(error))
    out.print(f"batch {batch} of {region.name} is announced")


@outreach_app.command("applied")
def applied(batch: BatchId, registry_url: Url) -> None:
    """Tell that all recordings of a batch are in the registry."""
    try:
        outreach_postgres.applied(registry_url, batch_id=batch)
    except OutreachError as error:
        fail(str(error))
    out.print(f"batch {batch} is applied")


@outreach_app.command("list")
def list_batches(
    *,
    all_of_them: Annotated[bool, typer.Option("--all", help="Applied ones as well.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=LIST_MAX, help="How many at most.")] = 100,
    registry_url: Url,
) -> None:
    """List the batches that are still to come, the latest announced first."""
    try:
        batches = outreach_postgres.listed(registry_url, all_of_them=all_of_them, limit=limit)
    except OutreachError as error:
        fail(str(error))
    table = Table(
        Column("batch", overflow="fold"),
        "regency",
        "announced",
        "recorded in the field",
        Column("records", justify="right"),
        "applied",
    )
    for batch in batches:
        span = (batch.recorded_from, batch.recorded_until)
        table.add_row(
            batch.batch_id,
            batch.regency_code,
            _day(batch.announced_at),
            " to ".join(_day(moment) or "?" for moment in span) if any(span) else "",
            "" if batch.records_expected is None else f"{batch.records_expected:,}",
            _day(batch.applied_at),
        )
    out.print(table)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _day(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
