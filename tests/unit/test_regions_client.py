"""Regions through both clients and the command, against a scripted server."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from padan.v1 import record_pb2, registry_pb2, verification_pb2
from padan_client import (
    AsyncClient,
    Channel,
    PadanError,
    Region,
    RegionLevel,
    RegionResult,
    RegionUnknown,
    RequestInvalid,
    ServiceFault,
)
from padan_client import encode_regions as encode
from tests.unit.test_client_calls import (
    Caller,
    Code,
    ScriptedService,
    answer,
    caller,
    connect,
    refuse,
    server,
    service,
)
from tests.unit.test_client_cli import Padan, padan
from tests.unit.test_client_cli import service as named_service

__all__ = ["caller", "connect", "named_service", "padan", "server", "service"]

AS_OF = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
ENTRY = verification_pb2.EntryReference(log="padan.example/log", index=41, statement_salt=b"s" * 16)
COVERAGE = registry_pb2.Coverage(
    regencies=6,
    regencies_centralised=5,
    regencies_behind=2,
    regencies_outreach_pending=1,
    records=990,
    records_expected=1000,
    share_recorded=0.99,
    channel_records=[
        registry_pb2.ChannelRecords(channel=record_pb2.CHANNEL_OFFICE, records=900),
        registry_pb2.ChannelRecords(channel=record_pb2.CHANNEL_OUTREACH, records=90),
    ],
    outreach_batches=1,
    outreach_recordings=180,
)


def moment(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def province(code: str = "31", **changes: Any) -> registry_pb2.Region:
    ordinary: dict[str, Any] = {
        "code": code,
        "level": registry_pb2.REGION_LEVEL_PROVINCE,
        "name": "Daerah Khusus Jakarta",
        "parent": "ID",
        "first_edition": "2018",
        "last_edition": "2025",
        "coverage": COVERAGE,
    }
    return registry_pb2.Region(**(ordinary | changes))


def page(*regions: registry_pb2.Region, token: str = "") -> registry_pb2.ListRegionsResponse:
    return registry_pb2.ListRegionsResponse(
        regions=regions, next_page_token=token, as_of=moment(AS_OF), entry=ENTRY
    )


def single(**changes: Any) -> registry_pb2.GetRegionResponse:
    return registry_pb2.GetRegionResponse(
        region=province(**changes), as_of=moment(AS_OF), entry=ENTRY
    )


async def list_all(caller: Caller, **asked: Any) -> list[Region]:
    client = caller.client
    if isinstance(client, AsyncClient):
        return [region async for region in client.list_regions(**asked)]
    return await asyncio.to_thread(lambda: list(client.list_regions(**asked)))


async def get(caller: Caller, *code: str) -> RegionResult:
    client = caller.client
    if isinstance(client, AsyncClient):
        return await client.get_region(*code)
    return await asyncio.to_thread(client.get_region, *code)


async def test_a_listing_goes_over_its_pages(caller: Caller, service: ScriptedService) -> None:
    service.script = [answer(page(province("31"), token="next")), answer(page(province("32")))]
    found = await list_all(caller, parent="ID", level="PROVINCE", include_retired=True, page_size=1)
    assert [region.code for region in found] == ["31", "32"]
    first, second = service.requests
    asked = registry_pb2.ListRegionsRequest(
        parent="ID",
        level=registry_pb2.REGION_LEVEL_PROVINCE,
        include_retired=True,
        page_size=1,
    )
    assert first == asked
    asked.page_token = "next"
    assert second == asked


async def test_a_region_is_read_in_full(caller: Caller, service: ScriptedService) -> None:
    coverage = registry_pb2.Coverage(
        complete_to=moment(AS_OF),
        centralised_since="2023-05-01",
        outreach_recorded_from=moment(AS_OF),
    )
    coverage.MergeFrom(COVERAGE)
    service.script = [answer(single(coverage=coverage))]
    result = await get(caller, "31")
    assert (result.as_of, result.entry and result.entry.index) == (AS_OF, 41)
    assert result.age is not None
    region, told = result.region, result.region.coverage
    assert (region.level, region.retired, region.successors) == (RegionLevel.PROVINCE, False, ())
    assert told is not None
    assert (told.behind, told.outreach_pending, told.share_recorded) == (True, True, 0.99)
    assert told.channel_records == {Channel.OFFICE: 900, Channel.OUTREACH: 90}
    assert (told.complete_to, told.outreach_recorded_from) == (AS_OF, AS_OF)
    assert told.centralised_since == date(2023, 5, 1)


async def test_what_is_not_told_of_a_region_is_none(
    caller: Caller, service: ScriptedService
) -> None:
    bare = registry_pb2.Region(code="317101", level=9, name="Gambir")  # type: ignore[arg-type]
    response = registry_pb2.GetRegionResponse(region=bare)
    service.script = [answer(response)]
    result = await get(caller, "317101")
    assert (result.as_of, result.age, result.entry) == (None, None, None)
    assert (result.region.level, result.region.coverage) == (RegionLevel.UNRECOGNISED, None)
    bare.coverage.regencies = 1
    service.script = [answer(registry_pb2.GetRegionResponse(region=bare))]
    told = (await get(caller, "317101")).region.coverage
    assert told is not None
    assert (told.records_expected, told.share_recorded) == (None, None)
    assert (told.complete_to, told.centralised_since, told.behind) == (None, None, False)


async def test_the_country_is_asked_for_by_default(
    caller: Caller, service: ScriptedService
) -> None:
    service.script = [answer(single(code="ID", parent=""))]
    await get(caller)
    assert service.requests == [registry_pb2.GetRegionRequest(code="ID")]


async def test_an_unknown_region_is_a_typed_error(caller: Caller, service: ScriptedService) -> None:
    service.script = [refuse(Code.NOT_FOUND, "REGION_UNKNOWN")]
    with pytest.raises(RegionUnknown) as unknown:
        await get(caller, "9999")
    assert (unknown.value.reason, len(service.requests)) == ("REGION_UNKNOWN", 1)


async def test_an_unavailable_service_is_asked_again(
    caller: Caller, service: ScriptedService
) -> None:
    service.script = [refuse(Code.UNAVAILABLE, "REGISTRY_UNAVAILABLE"), answer(page(province()))]
    assert len(await list_all(caller)) == 1
    assert len(service.requests) == 2


async def test_a_listing_that_does_not_end_is_a_fault(
    caller: Caller, service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("client", "aio"):
        monkeypatch.setattr(f"padan_client.{module}.PAGES_MAX", 3)
    service.script = [answer(page(province(), token="again"))]
    with pytest.raises(ServiceFault):
        await list_all(caller)
    assert len(service.requests) == 3


async def test_a_day_that_is_none_is_a_fault(caller: Caller, service: ScriptedService) -> None:
    service.script = [answer(single(coverage=registry_pb2.Coverage(centralised_since="soon")))]
    with pytest.raises(ServiceFault):
        await get(caller, "31")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"parent": 31}, "parent"),
        ({"level": "VILLAGE"}, "level"),
        ({"level": RegionLevel.UNRECOGNISED}, "level"),
        ({"page_size": "many"}, "page_size"),
        ({"page_size": 2**40}, "page_size"),
    ],
)
async def test_what_cannot_be_asked_is_named_and_not_sent(
    caller: Caller, service: ScriptedService, asked: dict[str, Any], field: str
) -> None:
    with pytest.raises(RequestInvalid) as invalid:
        await list_all(caller, **asked)
    assert list(invalid.value.fields) == [field]
    assert service.requests == []


def test_a_code_that_is_no_text_cannot_be_asked_for() -> None:
    with pytest.raises(PadanError):
        encode.region_request(31)  # type: ignore[arg-type]


def test_the_command_lists_regions(padan: Padan, named_service: ScriptedService) -> None:
    named_service.script = [answer(page(province("31"), province("32", coverage=None)))]
    ran = padan("regions", "--parent", "ID", "--level", "province")
    assert ran.code == 0
    assert "Daerah Khusus Jakarta" in ran.out
    assert "1 not centralised, 2 behind, 1 outreach pending" in ran.out
    assert "99.0%" in ran.out
    assert "#41" in ran.out


def test_the_command_shows_a_region(padan: Padan, named_service: ScriptedService) -> None:
    regency = registry_pb2.Coverage(
        regencies=1, regencies_behind=1, outreach_batches=1, regencies_outreach_pending=1
    )
    named_service.script = [answer(single(code="9504", coverage=regency))]
    ran = padan("region", "9504")
    assert ran.code == 0
    assert "not centralised, outreach pending" in ran.out
    assert "padan.example/log #41" in ran.out


def test_the_json_of_regions_has_stable_keys(padan: Padan, named_service: ScriptedService) -> None:
    named_service.script = [answer(page(province(), token="n")), answer(page(province("32")))]
    listed = padan("regions", "--json").json
    assert listed.keys() == {"regions", "as_of", "age_seconds", "entries"}
    assert [region["code"] for region in listed["regions"]] == ["31", "32"]
    assert [entry["index"] for entry in listed["entries"]] == [41, 41]
    named_service.script = [answer(single())]
    shown = padan("region", "31", "--json").json
    assert shown.keys() == {"region", "as_of", "age_seconds", "entry"}
    assert shown["region"] == listed["regions"][0]
    assert shown["region"]["coverage"]["channel_records"] == {"OFFICE": 900, "OUTREACH": 90}


def test_an_unknown_region_exits_2_and_says_nothing_of_a_person(
    padan: Padan, named_service: ScriptedService
) -> None:
    named_service.script = [refuse(Code.NOT_FOUND, "REGION_UNKNOWN")]
    ran = padan("region", "9999")
    assert (ran.code, "verified" in ran.err) == (2, False)
    assert "RegionUnknown" in ran.err
