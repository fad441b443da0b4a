"""From the registry's answer messages to Python values. Nothing here judges."""

from __future__ import annotations

from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Literal

from padan.v1 import registry_pb2
from padan_client.decode import CHANNELS, entry_of, members, time_of
from padan_client.errors import ServiceFault
from padan_client.regions import Coverage, Region, RegionPage, RegionResult
from padan_client.vocabulary import Channel, RegionLevel


def region_result_of(
    message: registry_pb2.GetRegionResponse, *, received_at: datetime
) -> RegionResult:
    """Read the answer to a GetRegion. Raises ServiceFault if it breaks the contract."""
    return RegionResult(
        region=_region(message.region), message=message, **_common(message, received_at)
    )


def region_page_of(
    message: registry_pb2.ListRegionsResponse, *, received_at: datetime
) -> RegionPage:
    """Read the answer to a ListRegions. Raises ServiceFault if it breaks the contract."""
    return RegionPage(
        regions=tuple(_region(each) for each in message.regions),
        next_page_token=message.next_page_token,
        message=message,
        **_common(message, received_at),
    )


def _common(
    message: registry_pb2.GetRegionResponse | registry_pb2.ListRegionsResponse,
    received_at: datetime,
) -> dict[str, Any]:
    return {
        "as_of": time_of(message.as_of) if message.HasField("as_of") else None,
        "received_at": received_at,
        "entry": entry_of(message.entry) if message.HasField("entry") else None,
    }


def _region(region: registry_pb2.Region) -> Region:
    return Region(
        code=region.code,
        level=_LEVELS.get(region.level, RegionLevel.UNRECOGNISED),
        name=region.name,
        parent=region.parent,
        retired=region.retired,
        first_edition=region.first_edition,
        last_edition=region.last_edition,
        successors=tuple(region.successors),
        coverage=_coverage(region.coverage) if region.HasField("coverage") else None,
    )


def _coverage(coverage: registry_pb2.Coverage) -> Coverage:
    channels: dict[Channel, int] = {}
    for each in coverage.channel_records:
        channel = CHANNELS.get(each.channel, Channel.UNRECOGNISED)
        channels[channel] = channels.get(channel, 0) + each.records
    return Coverage(
        regencies=coverage.regencies,
        regencies_centralised=coverage.regencies_centralised,
        regencies_behind=coverage.regencies_behind,
        regencies_outreach_pending=coverage.regencies_outreach_pending,
        centralised_since=_day(coverage.centralised_since),
        complete_to=_time(coverage, "complete_to"),
        records=coverage.records,
        records_expected=coverage.records_expected
        if coverage.HasField("records_expected")
        else None,
        share_recorded=coverage.share_recorded if coverage.HasField("share_recorded") else None,
        channel_records=MappingProxyType(channels),
        outreach_batches=coverage.outreach_batches,
        outreach_recordings=coverage.outreach_recordings,
        outreach_recorded_from=_time(coverage, "outreach_recorded_from"),
    )


def endless() -> ServiceFault:
    """Give the fault of a listing that has more pages than there can be."""
    return ServiceFault("the listing does not end", reason="ANSWER_INVALID")


def _time(
    coverage: registry_pb2.Coverage, name: Literal["complete_to", "outreach_recorded_from"]
) -> datetime | None:
    return time_of(getattr(coverage, name)) if coverage.HasField(name) else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ServiceFault(
            "the answer's centralised_since is no date", reason="ANSWER_INVALID"
        ) from None


_LEVELS = members(RegionLevel, registry_pb2.RegionLevel.DESCRIPTOR, "REGION_LEVEL_")
