"""Conversion between RegistryService's messages and the domain."""

from __future__ import annotations

from typing import Any

from padan.v1 import registry_pb2 as pb
from padan_server.domain.call import Answered
from padan_server.domain.claims import RegionQuery, RegionsQuery
from padan_server.domain.coverage import Summary
from padan_server.domain.listing import Listing, RegionReport
from padan_server.domain.region import COUNTRY, LEVELS
from padan_server.transport.convert import CHANNEL, write_entry, write_moment

_LEVEL = {name: number for number, name in enumerate(LEVELS, start=1)}


def regions_query(message: Any) -> RegionsQuery:
    """Read a validated ListRegionsRequest."""
    return RegionsQuery(
        parent=message.parent or COUNTRY,
        level=LEVELS[message.level - 1] if message.level else "",
        include_retired=message.include_retired,
        page_size=message.page_size,
        page_token=message.page_token,
    )


def region_query(message: Any) -> RegionQuery:
    """Read a validated GetRegionRequest."""
    return RegionQuery(code=message.code)


def regions_response(answered: Answered[Listing]) -> pb.ListRegionsResponse:
    """Write the answer to a ListRegions."""
    listing = answered.judgement
    response = pb.ListRegionsResponse(
        regions=[_region(report) for report in listing.regions],
        next_page_token=listing.next_page_token,
    )
    _write_common(response, answered)
    return response


def region_response(answered: Answered[Listing]) -> pb.GetRegionResponse:
    """Write the answer to a GetRegion."""
    (report,) = answered.judgement.regions
    response = pb.GetRegionResponse(region=_region(report))
    _write_common(response, answered)
    return response


def _write_common(response: Any, answered: Answered[Listing]) -> None:
    write_moment(response.as_of, round(answered.judgement.as_of * 1_000_000))
    write_entry(response.entry, answered)


def _region(report: RegionReport) -> pb.Region:
    region = report.region
    return pb.Region(
        code=region.code,
        level=_LEVEL[region.level],  # type: ignore[arg-type]
        name=region.name,
        parent="" if region.code == COUNTRY else region.parent or COUNTRY,
        retired=report.retired,
        first_edition=region.first_edition,
        last_edition=region.last_edition,
        successors=region.successors,
        coverage=None if report.coverage is None else _coverage(report.coverage),
    )


def _coverage(summary: Summary) -> pb.Coverage:
    since = summary.centralised_since
    message = pb.Coverage(
        regencies=summary.regencies,
        regencies_centralised=summary.centralised,
        regencies_behind=summary.behind,
        regencies_outreach_pending=summary.outreach_pending,
        centralised_since=None if since is None else since.isoformat(),
        records=summary.records_held,
        records_expected=summary.records_expected or None,
        share_recorded=summary.share_recorded,
        channel_records=[
            pb.ChannelRecords(channel=number, records=summary.records[name])
            for name, number in CHANNEL.items()
            if summary.records.get(name)
        ],
        outreach_batches=summary.outreach_batches,
        outreach_recordings=summary.outreach_recordings,
    )
    if summary.complete_to is not None:
        write_moment(message.complete_to, round(summary.complete_to * 1_000_000))
    if summary.outreach_recorded_from is not None:
        write_moment(
            message.outreach_recorded_from, round(summary.outreach_recorded_from * 1_000_000)
        )
    return message
