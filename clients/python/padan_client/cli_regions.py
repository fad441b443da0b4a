"""The commands about regions: `padan regions` and `padan region`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from padan_client import cli_options as options
from padan_client.cli_call import EXIT_CODES, ask, connect, print_json
from padan_client.cli_output import entry_json, seconds_of, show_pairs, time_text
from padan_client.regions import Coverage, Region, RegionPage, RegionResult

FAILED = "No answer"


class Level(StrEnum):
    """The levels that can be listed."""

    PROVINCE = "PROVINCE"
    REGENCY = "REGENCY"
    DISTRICT = "DISTRICT"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command(epilog=EXIT_CODES)(regions)
    app.command(epilog=EXIT_CODES)(region)


def regions(
    *,
    parent: Annotated[str, typer.Option(help="Look in this region: ID, or its code.")] = "ID",
    level: Annotated[
        Level | None,
        typer.Option(case_sensitive=False, help="By default the level below the parent's."),
    ] = None,
    include_retired: Annotated[
        bool, typer.Option("--include-retired", help="List retired regions as well.")
    ] = False,
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
    """List regions, and how complete their records are."""
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
    pages = ask(
        client,
        lambda: list(
            client.list_region_pages(parent=parent, level=level, include_retired=include_retired)
        ),
        as_json=as_json,
        failed=FAILED,
    )
    if as_json:
        print_json(
            {
                "regions": [_region_json(each) for page in pages for each in page.regions],
                **_told_json(pages[0]),
                "entries": [entry_json(page.entry) for page in pages if page.entry is not None],
            }
        )
    else:
        _show_regions(Console(highlight=False), pages)


def region(
    *,
    code: Annotated[str, typer.Argument(help="ID for the country, else 2, 4 or 6 digits.")] = "ID",
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
    """Show one region, and how complete its records are."""
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
    result = ask(client, lambda: client.get_region(code), as_json=as_json, failed=FAILED)
    if as_json:
        entry = None if result.entry is None else entry_json(result.entry)
        print_json({"region": _region_json(result.region), **_told_json(result), "entry": entry})
    else:
        _show_region(Console(highlight=False), result)


def _told_json(told: RegionPage | RegionResult) -> dict[str, Any]:
    return {"as_of": time_text(told.as_of), "age_seconds": seconds_of(told.age)}


def _region_json(region: Region) -> dict[str, Any]:
    return {
        "code": region.code,
        "level": region.level,
        "name": region.name,
        "parent": region.parent,
        "retired": region.retired,
        "first_edition": region.first_edition,
        "last_edition": region.last_edition,
        "successors": list(region.successors),
        "coverage": None if region.coverage is None else _coverage_json(region.coverage),
    }


def _coverage_json(coverage: Coverage) -> dict[str, Any]:
    since = coverage.centralised_since
    return {
        "regencies": coverage.regencies,
        "regencies_centralised": coverage.regencies_centralised,
        "regencies_behind": coverage.regencies_behind,
        "regencies_outreach_pending": coverage.regencies_outreach_pending,
        "complete_to": time_text(coverage.complete_to),
        "centralised_since": None if since is None else since.isoformat(),
        "records": coverage.records,
        "records_expected": coverage.records_expected,
        "share_recorded": coverage.share_recorded,
        "channel_records": dict(coverage.channel_records),
        "outreach_batches": coverage.outreach_batches,
        "outreach_recordings": coverage.outreach_recordings,
        "outreach_recorded_from": time_text(coverage.outreach_recorded_from),
    }


def _show_regions(console: Console, pages: list[RegionPage]) -> None:
    table = Table(
        "code",
        Column("name", overflow="fold"),
        "state",
        Column("records", justify="right"),
        Column("recorded", justify="right"),
        "complete to",
        box=None,
        pad_edge=False,
    )
    for page in pages:
        for each in page.regions:
            coverage = each.coverage
            table.add_row(
                each.code,
                Text(each.name),
                _state(each),
                "" if coverage is None else f"{coverage.records:,}",
                "" if coverage is None else _share(coverage),
                "" if coverage is None else _minute(coverage),
            )
    console.print(table)
    last = pages[-1]
    show_pairs(
        console,
        {
            "regions": str(sum(len(page.regions) for page in pages)),
            "data as of": time_text(last.as_of) or "",
            "entries": ", ".join(f"#{page.entry.index}" for page in pages if page.entry),
        },
    )


def _show_region(console: Console, result: RegionResult) -> None:
    region, coverage = result.region, result.region.coverage
    console.print(Text(f"{region.code} {region.name}", style="bold"))
    details = {
        "level": region.level.lower(),
        "within": region.parent,
        "state": _state(region),
        "editions": f"{region.first_edition} to {region.last_edition}",
        "successors": ", ".join(region.successors),
    }
    if coverage is not None:
        since = coverage.centralised_since
        details |= {
            "centralised since": "" if since is None else since.isoformat(),
            "complete to": _minute(coverage),
            "records": f"{coverage.records:,}",
            "recorded": _share(coverage),
            "by channel": ", ".join(f"{c} {n:,}" for c, n in coverage.channel_records.items()),
            "outreach to come": _outreach(coverage),
        }
    entry = result.entry
    details |= {
        "data as of": time_text(result.as_of) or "",
        "entry": "" if entry is None else f"{entry.log} #{entry.index}",
    }
    show_pairs(console, details)


def _state(region: Region) -> str:
    """Tell what is not in order, in words: of a regency itself, of other regions in numbers."""
    coverage = region.coverage
    if region.retired:
        return "retired"
    if coverage is None:
        return ""
    regency = coverage.regencies == 1
    missing = coverage.regencies - coverage.regencies_centralised
    troubles = {
        "not centralised": missing,
        "behind": coverage.regencies_behind - (missing if regency else 0),
        "outreach pending": coverage.regencies_outreach_pending,
    }
    told = [name if regency else f"{count} {name}" for name, count in troubles.items() if count]
    return ", ".join(told) or "complete"


def _share(coverage: Coverage) -> str:
    return "" if coverage.share_recorded is None else f"{coverage.share_recorded:.1%}"


def _minute(coverage: Coverage) -> str:
    return "" if coverage.complete_to is None else f"{coverage.complete_to:%Y-%m-%d %H:%M}Z"


def _outreach(coverage: Coverage) -> str:
    if not coverage.outreach_batches:
        return ""
    since = coverage.outreach_recorded_from
    text = f"{coverage.outreach_batches} batches, {coverage.outreach_recordings:,} recordings"
    return text if since is None else f"{text}, made from {since:%Y-%m-%d} on"
