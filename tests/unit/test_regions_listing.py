"""ListRegions and GetRegion: levels, pages, history, coverage, and the entry of each call."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from padan.v1 import registry_pb2 as pb
from padan_server.adapters.regions_polled import PolledRegions
from padan_server.domain.call import Answered
from padan_server.domain.claims import RegionQuery, RegionsQuery
from padan_server.domain.coverage import Coverage
from padan_server.domain.draft import Kind
from padan_server.domain.ledger_replay import request_of
from padan_server.domain.listing import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Listing
from padan_server.domain.refusal import Reason, Refusal, RequestInvalid
from padan_server.domain.region import RegionTable
from padan_server.notary.intake import take
from padan_server.operations import region_documents
from padan_server.operations.drafts import Drafted, Drafts
from padan_server.operations.regions import GetRegion, ListRegions
from padan_server.transport import convert_registry
from padan_server.transport.requests import RequestParser, contract
from tests.support.builders import (
    LOG,
    NOW,
    Clock,
    CountedEntropy,
    call,
    caller,
    canonical_json,
    grant,
    worker_keys,
)

TABLE = RegionTable.published()
COVERAGE = {
    "3171": Coverage(
        NOW - 2,
        centralised_since=date(2022, 7, 5),
        records_expected=1000,
        records={"OFFICE": 800, "OUTREACH": 90, "CENTRAL": 10},
        as_of=NOW - 1,
    ),
    "3172": Coverage(NOW - 9_000, 3, date(2023, 1, 1), as_of=NOW - 1, outreach_recordings=40),
    "9502": Coverage(None, records={"OFFICE": 7}, as_of=NOW - 1),
}


class Regions:
    """Both operations over the published code list, with this coverage."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.coverage: dict[str, Coverage] | Refusal = COVERAGE
        self.polled = PolledRegions(
            table=TABLE, read=self._read, behind_seconds=3600.0, clock=self.clock
        )
        self.drafts = Drafts(
            keys=worker_keys(directory), entropy=CountedEntropy(), clock=self.clock
        )
        parts: dict[str, Any] = {"table": TABLE, "coverage": self.polled, "drafts": self.drafts}
        self.listing, self.getting = ListRegions(**parts), GetRegion(**parts)

    async def _read(self) -> dict[str, Coverage]:
        if isinstance(self.coverage, Refusal):
            raise self.coverage
        return self.coverage

    async def listed(self, **asked: Any) -> Listing:
        await self.polled.poll()
        return await self.listing.act(query(**asked), grant())

    async def codes(self, **asked: Any) -> list[str]:
        return [report.region.code for report in (await self.listed(**asked)).regions]

    async def pages(self, **asked: Any) -> list[list[str]]:
        pages, token = [], ""
        for _ in range(100):
            listed = await self.listed(page_token=token, **asked)
            pages.append([report.region.code for report in listed.regions])
            token = listed.next_page_token
            if not token:
                return pages
        raise AssertionError("the listing does not end")

    async def get(self, code: str) -> Listing:
        await self.polled.poll()
        return await self.getting.act(RegionQuery(code=code), grant())


def query(**asked: Any) -> RegionsQuery:
    ordinary = {"parent": "ID", "level": "", "include_retired": False, "page_size": 0}
    return RegionsQuery(**{"page_token": "", **ordinary, **asked})


@pytest.fixture
def regions(tmp_path: Path) -> Regions:
    return Regions(tmp_path)


async def test_a_listing_without_a_level_is_one_level_below(regions: Regions) -> None:
    assert len(await regions.codes()) == 38
    assert await regions.codes(parent="31") == ["3101", "3171", "3172", "3173", "3174", "3175"]
    assert all(code[:4] == "3171" and len(code) == 6 for code in await regions.codes(parent="3171"))


async def test_all_regencies_are_listed_once_over_pages_of_any_size(regions: Regions) -> None:
    every = [region.code for region in TABLE.current("regency")]
    assert len(every) == 514
    for size in (0, 100, 257, 514, 515):
        pages = await regions.pages(level="regency", page_size=size)
        assert [code for page in pages for code in page] == every
        assert all(len(page) == (size or PAGE_SIZE_DEFAULT) for page in pages[:-1])


async def test_a_page_is_never_longer_than_the_greatest(regions: Regions) -> None:
    pages = await regions.pages(level="district", page_size=50_000)
    assert [len(page) for page in pages[:-1]] == [PAGE_SIZE_MAX] * 7
    assert sum(map(len, pages)) == 7285


async def test_pages_of_one_region_follow_one_another(regions: Regions) -> None:
    assert await regions.pages(parent="31", page_size=1) == [
        [code] for code in ("3101", "3171", "3172", "3173", "3174", "3175")
    ]


@pytest.mark.parametrize(
    "other", [{"parent": "32"}, {"level": "district"}, {"include_retired": True}]
)
async def test_a_token_of_another_question_is_refused_by_name(
    regions: Regions, other: dict[str, Any]
) -> None:
    token = (await regions.listed(parent="31", page_size=2)).next_page_token
    with pytest.raises(RequestInvalid) as refused:
        await regions.listed(**({"parent": "31", "page_token": token} | other))
    assert [field for field, _ in refused.value.violations] == ["page_token"]


@pytest.mark.parametrize("token", ["x", "AAAA", "!!!!", "ä", "A" * 33, "A" * 20])
async def test_a_token_that_was_never_given_is_refused(regions: Regions, token: str) -> None:
    with pytest.raises(RequestInvalid):
        await regions.listed(page_token=token)


@pytest.mark.parametrize(
    ("parent", "level"), [("31", "province"), ("31", "centre"), ("317101", ""), ("ID", "centre")]
)
async def test_a_level_that_is_not_below_the_parents_is_refused_by_name(
    regions: Regions, parent: str, level: str
) -> None:
    with pytest.raises(RequestInvalid) as refused:
        await regions.listed(parent=parent, level=level)
    assert [field for field, _ in refused.value.violations] == ["level"]


async def test_a_region_that_no_edition_has_is_unknown(regions: Regions) -> None:
    for asking in (regions.get("3199"), regions.listed(parent="99")):
        with pytest.raises(Refusal) as refused:
            await asking
        assert refused.value.reason is Reason.REGION_UNKNOWN


async def test_a_retired_region_is_listed_only_when_asked_for_and_names_its_heirs(
    regions: Regions,
) -> None:
    assert "9101" not in await regions.codes(parent="91")
    listed = await regions.listed(parent="91", include_retired=True)
    (merauke,) = [each for each in listed.regions if each.region.code == "9101"]
    assert (merauke.retired, merauke.coverage) == (True, None)
    assert merauke.region.successors == ("9301",)
    (alone,) = (await regions.get("9101")).regions
    assert alone == merauke


async def test_coverage_is_told_of_regencies_provinces_and_the_centre_and_not_below(
    regions: Regions,
) -> None:
    (jakarta,) = (await regions.get("3171")).regions
    assert jakarta.coverage is not None
    assert (jakarta.coverage.share_recorded, jakarta.coverage.behind) == (0.9, 0)
    (district,) = (await regions.get("317101")).regions
    assert district.coverage is None
    (province,) = (await regions.get("31")).regions
    (country,) = (await regions.get("ID")).regions
    assert province.coverage is not None
    assert country.coverage is not None
    assert (province.coverage.regencies, country.coverage.regencies) == (6, 514)
    # The second is behind; of the others there is no watermark at all.
    assert (province.coverage.centralised, province.coverage.behind) == (2, 5)
    assert (country.coverage.centralised, country.coverage.behind) == (2, 513)
    assert country.coverage.outreach_pending == province.coverage.outreach_pending == 1
    assert country.coverage.records_held == 907


async def test_a_regency_falls_behind_as_its_watermark_grows_old(regions: Regions) -> None:
    regions.clock.now += 3600
    (jakarta,) = (await regions.get("3171")).regions
    assert jakarta.coverage is not None
    assert jakarta.coverage.behind == 1


async def test_coverage_says_how_old_it_is_and_none_is_told_before_it_was_read(
    regions: Regions,
) -> None:
    regions.coverage = Refusal(Reason.REGISTRY_UNAVAILABLE, "away")
    with pytest.raises(Refusal) as refused:
        await regions.get("ID")
    assert refused.value.reason is Reason.REGISTRY_UNAVAILABLE
    regions.coverage = COVERAGE
    assert (await regions.get("ID")).as_of == NOW - 1
    regions.coverage = Refusal(Reason.REGISTRY_UNAVAILABLE, "away again")
    assert (await regions.get("ID")).as_of == NOW - 1


def drafted(regions: Regions, listing: Listing, asked: RegionsQuery | RegionQuery) -> Drafted:
    operation: Any = regions.getting if isinstance(asked, RegionQuery) else regions.listing
    return operation.draft(call(), caller(), grant(), asked, listing)  # type: ignore[no-any-return]


class Nobody:
    """Takes verdicts of nothing."""

    def deliver(self, verdicts: list[Any]) -> None:
        raise AssertionError("nothing was sent")


async def test_an_entry_is_an_uncharged_answer_about_nobody_that_binds_nothing(
    regions: Regions,
) -> None:
    made = drafted(regions, await regions.get("3171"), RegionQuery(code="3171")).draft
    assert (made.kind, made.billable, made.nik, made.request_id) == (Kind.ANSWER, False, "", "")
    assert (made.sealed_answer, made.content_mac) == (b"", b"")
    ask = json.loads(made.ask)
    assert (ask["method"], ask["key_id"], ask["agreement_version"]) == ("GET_REGION", "key-1", 3)
    assert not ask.keys() & {"regency", "request_id", "purpose", "elements"}
    answer = json.loads(made.answer)
    assert answer.keys() == {"as_of", "outcome", "statement"}
    assert answer["outcome"] == "FOUND"
    assert request_of({"ask": ask, "partner": "agency-a"}) is None
    item = take(made, resent=False, sender=Nobody())
    assert (item.request, item.ask.method, item.answer.outcome) == (None, "GET_REGION", "FOUND")


async def test_the_statement_commits_to_what_was_asked_and_told(regions: Regions) -> None:
    asked = query(parent="31", page_size=2)
    listing = await regions.listed(parent="31", page_size=2)
    made = drafted(regions, listing, asked)
    request = region_documents.request("agency-a", "LIST_REGIONS", asked)
    told = region_documents.told(listing)
    for document in (request, told, region_documents.answer(listing), made.draft.ask):
        assert document == canonical_json(json.loads(document))
    statement = b'padan.v1 statement\0%b{"answer":%b,"request":%b}'
    committed = sha256(statement % (made.statement_salt, told, request)).digest()
    assert json.loads(made.draft.answer)["statement"] == b64encode(committed).decode()
    assert json.loads(request) == {
        "method": "LIST_REGIONS",
        "page_size": 2,
        "parent": "31",
        "partner": "agency-a",
    }
    first, second = json.loads(told)["regions"]
    assert (first["code"], second["code"], second["parent"]) == ("3101", "3171", "31")
    assert second["coverage"]["records"] == {"CENTRAL": 10, "OFFICE": 800, "OUTREACH": 90}


@pytest.mark.parametrize("code", ["ID", "31", "3171", "3172", "9502", "317101", "9101"])
async def test_what_the_statement_says_is_what_the_message_says(
    regions: Regions, code: str
) -> None:
    listing = await regions.get(code)
    (document,) = json.loads(region_documents.told(listing))["regions"]
    message = convert_registry.region_response(answered(listing)).region
    assert (message.code, message.name) == (document["code"], document["name"])
    assert (message.parent, message.retired) == (
        document.get("parent", ""),
        document.get("retired", False),
    )
    assert pb.RegionLevel.Name(message.level) == f"REGION_LEVEL_{document['level'].upper()}"
    assert message.HasField("coverage") is ("coverage" in document)
    if "coverage" in document:
        told, coverage = document["coverage"], message.coverage
        assert coverage.records == sum(told["records"].values())
        assert (coverage.records_expected or 0) == told["records_expected"]
        assert coverage.HasField("complete_to") is ("complete_to" in told)
        for name in ("regencies", "regencies_behind", "outreach_batches", "outreach_recordings"):
            assert getattr(coverage, name) == told[name]


def answered(listing: Listing) -> Answered[Listing]:
    return Answered(listing, "", LOG, 7, 0, b"salt", False, -1, -1, False)


def test_requests_are_read_with_their_defaults() -> None:
    assert convert_registry.regions_query(pb.ListRegionsRequest()) == query()
    asked = pb.ListRegionsRequest(
        parent="91", level=pb.REGION_LEVEL_DISTRICT, include_retired=True, page_token="t"
    )
    assert convert_registry.regions_query(asked) == query(
        parent="91", level="district", include_retired=True, page_token="t"
    )


def test_levels_are_the_contracts_in_its_order(regions: Regions) -> None:
    for name, number in pb.RegionLevel.items():
        level = convert_registry.regions_query(pb.ListRegionsRequest(level=number)).level
        assert level == name.removeprefix("REGION_LEVEL_").lower().removeprefix("unspecified")


POOL, VALIDATOR = contract()


def violations(message: pb.ListRegionsRequest | pb.GetRegionRequest) -> set[str]:
    """Give the fields that the contract's rules refuse, having seen that no value is told back."""
    parser = RequestParser(type(message).__name__, pool=POOL, validator=VALIDATOR)
    parsed = parser.parse(message.SerializeToString())
    found: list[tuple[str, str]] = []
    try:
        parser.validate(parsed)
    except RequestInvalid as invalid:
        found = invalid.violations
    assert "KANARI" not in str(found)
    return {field for field, _ in found}


@pytest.mark.parametrize("code", ["ID", "31", "3171", "317101"])
def test_codes_of_every_level_are_taken(code: str) -> None:
    assert violations(pb.GetRegionRequest(code=code)) == set()
    assert violations(pb.ListRegionsRequest(parent=code)) == set()


@pytest.mark.parametrize(
    "code", ["id", "3", "317", "31.71", "3171011001", "KANARI", " 31", "31\n", "\u0663\u0661"]
)
def test_what_is_no_code_is_refused_by_name(code: str) -> None:
    assert violations(pb.GetRegionRequest(code=code)) == {"code"}
    assert violations(pb.ListRegionsRequest(parent=code)) == {"parent"}


def test_every_broken_rule_of_a_listing_is_told_at_once() -> None:
    wrong = pb.ListRegionsRequest(
        parent="x",
        level=99,  # type: ignore[arg-type]
        page_size=-1,
        page_token="KANARI" * 20,
    )
    assert violations(wrong) == {"parent", "level", "page_size", "page_token"}
    assert violations(pb.GetRegionRequest()) == {"code"}
    assert violations(pb.ListRegionsRequest()) == set()
