"""Regions as partners see them: coverage with its history, and answers that depend on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from padan_client import (
    AsyncClient,
    Channel,
    Client,
    Coverage,
    PermissionDenied,
    RegionLevel,
    RegionUnknown,
)
from padan_server.domain.agreement import PartnerKind
from padan_server.domain.control import Suspend
from padan_server.embedded.documented import (
    NOT_CENTRALISED,
    OUTREACH_PENDING,
    documented_people,
)
from tests.support.padan import WAIT_SECONDS_MAX, Padan

PEOPLE = {person.key: person for person in documented_people()}
PARTNER = "bank-regions"


@pytest.fixture(scope="module")
def bank(running: Padan) -> Iterator[Client]:
    """Give the client of a private partner that is granted one purpose and nothing else."""
    credentials = running.partner(PARTNER, purposes=frozenset({"ACCOUNT_OPENING"}))
    with running.client(credentials) as client:
        yield client


def entry_at(running: Padan, partner: str, index: int) -> dict[str, Any]:
    (entry,) = [each for each in running.entries(partner) if each["index"] == index]
    return entry


def people(running: Padan) -> int:
    with psycopg.connect(running.installation.servers.registry_url) as registry:
        row = registry.execute("SELECT count(*)::int FROM person").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def recorded_in_the_field(running: Padan, nik: str, happened_at: datetime) -> Iterator[datetime]:
    """Have a person recorded by outreach in Surabaya for a while; gives when it was committed."""
    change = "UPDATE person SET channel = %s, happened_at = %s, village_code = %s WHERE nik = %s"
    held = "SELECT channel, happened_at, village_code, changed_at FROM person WHERE nik = %s"
    url = running.installation.servers.registry_url
    with psycopg.connect(url, autocommit=True) as registry:
        before = registry.execute(held, [nik]).fetchone()
        assert before is not None
        try:
            registry.execute(change, ["OUTREACH", happened_at, "3578011001", nik])
            row = registry.execute(held, [nik]).fetchone()
            assert row is not None
            yield row[3]
        finally:
            registry.execute(change, [*before[:3], nik])


def coverage(client: Client, code: str) -> Coverage:
    told = client.get_region(code).region.coverage
    assert told is not None
    return told


def until(client: Client, code: str, holds: Any) -> Coverage:
    """Wait until a region's coverage is as it must become; workers poll it each second."""
    ends = time.monotonic() + WAIT_SECONDS_MAX
    while not holds(told := coverage(client, code)):
        assert time.monotonic() < ends, told
        time.sleep(0.05)
    return told


def test_all_514_regencies_are_listed_with_coverage_and_each_call_left_its_entry(
    running: Padan, bank: Client
) -> None:
    pages = list(bank.list_region_pages(level="REGENCY", page_size=200))
    assert [len(page.regions) for page in pages] == [200, 200, 114]
    regencies = [region for page in pages for region in page.regions]
    assert len({region.code for region in regencies}) == 514
    assert {region.level for region in regencies} == {RegionLevel.REGENCY}
    assert sum(each.coverage.records for each in regencies if each.coverage) == people(running)
    for region in regencies:
        told = region.coverage
        assert told is not None
        centralised = region.code not in NOT_CENTRALISED
        assert (told.regencies, told.regencies_centralised) == (1, int(centralised))
        assert told.behind is not centralised
        assert (told.complete_to is not None) is centralised
        assert (told.centralised_since is not None) is centralised
        assert told.outreach_pending is (region.code in OUTREACH_PENDING)
        assert sum(told.channel_records.values()) == told.records
    assert any((each.coverage.share_recorded or 1) < 1 for each in regencies if each.coverage)
    indexes = set()
    for page in pages:
        assert page.entry is not None
        assert page.as_of is not None
        assert page.age is not None
        assert page.age < timedelta(seconds=30)
        entry = entry_at(running, PARTNER, page.entry.index)
        assert (entry["kind"], entry["ask"]["method"]) == ("ANSWER", "LIST_REGIONS")
        assert "charge" not in entry
        assert not entry.keys() & {"subject", "attempt"}
        assert not entry["ask"].keys() & {"regency", "request_id", "purpose"}
        indexes.add(page.entry.index)
    assert len(indexes) == 3


def test_the_trouble_of_a_regency_shows_in_its_province_and_at_the_centre(
    running: Padan, bank: Client
) -> None:
    regency, province, centre = (
        coverage(bank, code) for code in (NOT_CENTRALISED[0], NOT_CENTRALISED[0][:2], "ID")
    )
    assert (regency.regencies_behind, regency.centralised_since) == (1, None)
    assert (province.behind, province.centralised_since) == (True, None)
    assert province.regencies_centralised < province.regencies
    assert (centre.regencies, centre.regencies_centralised) == (514, 514 - len(NOT_CENTRALISED))
    assert centre.regencies_behind == len(NOT_CENTRALISED)
    assert centre.regencies_outreach_pending >= len(OUTREACH_PENDING)
    assert centre.records == people(running)
    assert centre.records_expected is not None
    assert centre.records_expected > centre.records


def test_a_retired_region_of_papua_is_told_with_its_successors(bank: Client) -> None:
    region = bank.get_region("9101").region
    assert (region.retired, region.coverage) == (True, None)
    assert region.successors == ("9301",)
    assert bank.get_region("9301").region.retired is False
    assert "9101" in {each.code for each in bank.list_regions(parent="91", include_retired=True)}
    assert "9101" not in {each.code for each in bank.list_regions(parent="91")}


def test_a_region_that_no_list_has_is_refused_and_recorded(running: Padan, bank: Client) -> None:
    for code in ("9999", "990101"):
        with pytest.raises(RegionUnknown):
            bank.get_region(code)
    refused = running.entries_until(PARTNER, 2, kind="REFUSAL", reason="REGION_UNKNOWN")
    assert {entry["ask"]["method"] for entry in refused} == {"GET_REGION"}


def test_a_suspended_partner_is_told_nothing_of_regions(running: Padan) -> None:
    credentials = running.partner("bank-regions-suspended")
    running.control(Suspend(partner="bank-regions-suspended"))
    running.settle()
    with running.client(credentials) as client, pytest.raises(PermissionDenied) as refused:
        client.get_region("ID")
    assert refused.value.reason == "PARTNER_SUSPENDED"
    running.entries_until("bank-regions-suspended", 1, kind="REFUSAL", reason="PARTNER_SUSPENDED")


def test_the_async_client_lists_regions_too(running: Padan, bank: Client) -> None:
    credentials = running.partner("bank-regions-async")

    async def listed() -> list[str]:
        async with AsyncClient(
            target=running.serving.target, credentials=credentials, insecure=True
        ) as client:
            country = await client.get_region()
            assert country.region.level is RegionLevel.CENTRE
            return [region.code async for region in client.list_regions(page_size=20)]

    assert asyncio.run(listed()) == [region.code for region in bank.list_regions()]


def test_a_nik_with_a_retired_papua_prefix_is_answered_with_the_signal(bank: Client) -> None:
    person = PEOPLE["retired-prefix"]
    assert person.row is not None
    result = bank.verify(person.nik, full_name=person.row.full_name, purpose="ACCOUNT_OPENING")
    assert (result.outcome, result.billable) == ("MATCHED", True)
    assert result.signals == ("RETIRED_PREFIX",)


def test_an_absent_nik_of_a_regency_that_is_not_centralised_is_free_and_to_be_asked_again(
    running: Padan, bank: Client
) -> None:
    nik = PEOPLE["not-yet-centralised"].nik
    assert coverage(bank, nik[:4]).behind
    result = bank.verify(nik, full_name="SIAPA SAJA", purpose="ACCOUNT_OPENING")
    assert (result.outcome, result.billable) == ("NOT_YET_REPLICATED", False)
    assert result.retry_after is not None
    assert result.entry is not None
    entry = entry_at(running, PARTNER, result.entry.index)
    assert (entry["ask"]["regency"], "charge" in entry) == (nik[:4], False)


def test_outreach_to_come_is_told_of_the_absent_and_of_who_lives_there(bank: Client) -> None:
    absent = PEOPLE["outreach-pending"]
    result = bank.verify(absent.nik, full_name="SIAPA SAJA", purpose="ACCOUNT_OPENING")
    assert (result.outcome, result.billable) == ("NOT_FOUND", True)
    assert result.signals == ("OUTREACH_PENDING",)
    present = PEOPLE["outreach-region"]
    assert present.row is not None
    result = bank.verify(present.nik, full_name=present.row.full_name, purpose="ACCOUNT_OPENING")
    assert (result.outcome, result.signals) == ("MATCHED", ("OUTREACH_PENDING",))


def test_an_operator_announces_a_batch_and_tells_when_it_is_applied(
    running: Padan, bank: Client
) -> None:
    code, url = "3578", running.installation.servers.registry_url
    before = coverage(bank, "ID").regencies_outreach_pending
    options = ("--registry-url", url)
    running.command(
        *("registry", "outreach", "announce", "surabaya-7", code, "--records", "250"),
        *("--recorded-from", "2026-11-01", "--recorded-until", "2026-11-05", *options),
    )
    told = until(bank, code, lambda c: c.outreach_batches == 1)
    assert told.outreach_recordings == 250
    assert told.outreach_recorded_from == datetime(2026, 11, 1, tzinfo=UTC)
    until(bank, "35", lambda c: c.regencies_outreach_pending == 1)
    until(bank, "ID", lambda c: c.regencies_outreach_pending == before + 1)
    again = running.command(
        *("registry", "outreach", "announce", "surabaya-7", code, *options), check=False
    )
    assert (again.returncode, "announced already" in again.stderr) == (1, True)
    assert "surabaya-7" in running.command("registry", "outreach", "list", *options).stdout
    running.command("registry", "outreach", "applied", "surabaya-7", *options)
    until(bank, code, lambda c: not c.outreach_pending)
    assert "surabaya-7" not in running.command("registry", "outreach", "list", *options).stdout
    assert "surabaya-7" in running.command("registry", "outreach", "list", "--all", *options).stdout
    missing = running.command(
        "registry", "outreach", "applied", "surabaya-7", *options, check=False
    )
    unknown = running.command(
        "registry", "outreach", "announce", "x", "9999", *options, check=False
    )
    assert (missing.returncode, unknown.returncode) == (1, 1)


def test_a_recording_made_in_the_field_shows_its_channel_and_both_times(
    running: Padan, bank: Client
) -> None:
    agency = running.partner(
        "dinas-regions",
        kind=PartnerKind.GOVERNMENT,
        purposes=frozenset({"PUBLIC_SERVICE"}),
        methods=frozenset({"LOOKUP"}),
        lookup_elements=frozenset({"channel", "happened_at", "committed_at"}),
    )
    nik, recorded = PEOPLE["mover"].nik, datetime.now(UTC) - timedelta(days=4)
    elements = ["channel", "happened_at", "committed_at"]
    before = coverage(bank, "3578").channel_records.get(Channel.OUTREACH, 0)
    ends = time.monotonic() + WAIT_SECONDS_MAX
    with (
        recorded_in_the_field(running, nik, recorded) as committed,
        running.client(agency) as client,
    ):
        while True:
            found = client.lookup(nik, elements, purpose="PUBLIC_SERVICE")
            if found.person.channel is Channel.OUTREACH:
                break
            assert time.monotonic() < ends
            time.sleep(0.05)
        # The keeper folds the change into the regency's tally.
        until(bank, "3578", lambda c: c.channel_records.get(Channel.OUTREACH, 0) == before + 1)
    assert (found.person.happened_at, found.person.committed_at) == (recorded, committed)
    assert found.entry is not None
    assert "OUTREACH" not in str(entry_at(running, "dinas-regions", found.entry.index))
    until(bank, "3578", lambda c: c.channel_records.get(Channel.OUTREACH, 0) == before)


def test_the_ledger_with_entries_about_regions_is_whole(running: Padan, bank: Client) -> None:
    bank.get_region("31")
    running.check()
