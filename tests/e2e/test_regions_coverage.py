"""Coverage as it is read from a real copy: watermarks, tallies, outreach, and the heartbeat."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import psycopg
import pytest

from padan_server.adapters.coverage_postgres import read_coverage
from padan_server.adapters.regions_polled import PolledRegions
from padan_server.domain.coverage import Coverage
from padan_server.domain.region import RegionTable, Standing
from padan_server.embedded.servers import EmbeddedServers
from padan_server.migrations.registry import upgrade
from tests.support.builders import Clock

TOLD = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
BATCH = (
    "INSERT INTO outreach_batch (batch_id, regency_code, announced_at, recorded_from, "
    "records_expected, applied_at) VALUES (%s, %s, %s, %s, %s, %s)"
)


@pytest.fixture(scope="module")
def registry_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedServers(tmp_path_factory.mktemp("coverage") / "data") as started:
        upgrade(started.registry_url)
        yield started.registry_url


@pytest.fixture
def registry(registry_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a registry without regions, whose last heartbeat was at TOLD."""
    with psycopg.connect(registry_url, autocommit=True) as connection:
        connection.execute("DELETE FROM watermark; DELETE FROM tally; DELETE FROM outreach_batch")
        connection.execute("UPDATE heartbeat SET beat_at = %s", [TOLD])
        yield connection


@pytest.fixture
async def copy(registry_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(registry_url)
    yield connection
    await connection.close()


def mark(registry: psycopg.Connection[Any], code: str, since: date | None, **given: Any) -> None:
    registry.execute(
        "INSERT INTO watermark (regency_code, centralised_since, complete_to, records_expected) "
        "VALUES (%s, %s, %s, %s)",
        [code, since, given.get("complete_to"), given.get("records_expected")],
    )


def count(registry: psycopg.Connection[Any], code: str, **records: int) -> None:
    for channel, held in records.items():
        registry.execute("INSERT INTO tally VALUES (%s, %s, %s)", [code, channel.upper(), held])


async def test_a_registry_without_regions_covers_none(
    registry: psycopg.Connection[Any], copy: asyncpg.Connection[Any]
) -> None:
    assert await read_coverage(copy.fetch) == {}


async def test_everything_about_a_regency_is_read_in_one_statement(
    registry: psycopg.Connection[Any], copy: asyncpg.Connection[Any]
) -> None:
    statements = []

    async def fetch(statement: str, *arguments: object) -> list[Any]:
        statements.append(statement)
        rows: list[Any] = await copy.fetch(statement, *arguments)
        return rows

    mark(registry, "3171", date(2022, 5, 1), complete_to=TOLD, records_expected=1000)
    count(registry, "3171", office=900, outreach=60, central=0)
    early = TOLD.replace(day=3)
    for batch, recorded, expected, applied in (
        ("first", early, 100, None),
        ("second", TOLD.replace(day=9), None, None),
        ("third", TOLD.replace(day=1), 5_000, TOLD),
    ):
        registry.execute(BATCH, [batch, "3171", TOLD, recorded, expected, applied])
    mark(registry, "9502", None, complete_to=TOLD)
    covered = await read_coverage(fetch)
    assert covered == {
        "3171": Coverage(
            TOLD.timestamp(),
            outreach_batches=2,
            centralised_since=date(2022, 5, 1),
            records_expected=1000,
            records={"OFFICE": 900, "OUTREACH": 60},
            outreach_recordings=100,
            outreach_recorded_from=early.timestamp(),
            as_of=TOLD.timestamp(),
        ),
        "9502": Coverage(None, as_of=TOLD.timestamp()),
    }
    assert len(statements) == 1


async def test_records_and_batches_of_a_regency_without_a_watermark_are_told_and_claim_nothing(
    registry: psycopg.Connection[Any], copy: asyncpg.Connection[Any]
) -> None:
    mark(registry, "3171", date(2022, 5, 1), complete_to=TOLD)
    count(registry, "3578", office=5)
    count(registry, "6405", office=3)
    registry.execute(BATCH, ["alone", "5301", TOLD, None, None, None])
    registry.execute(BATCH, ["beside", "3578", TOLD, None, 9, None])
    covered = await read_coverage(copy.fetch)
    assert {code for code, told in covered.items() if not told.told} == {"3578", "6405", "5301"}
    regions = PolledRegions(
        table=RegionTable.published(),
        read=lambda: read_coverage(copy.fetch),
        behind_seconds=60.0,
        clock=Clock(TOLD.timestamp()),
    )
    await regions.poll()
    assert regions.as_of == TOLD.timestamp()
    surabaya, kupang = regions.summary("3578"), regions.summary("5301")
    assert surabaya is not None
    assert kupang is not None
    assert (surabaya.records_held, surabaya.outreach_recordings, surabaya.behind) == (5, 9, 1)
    assert (kupang.records_held, kupang.outreach_batches) == (0, 1)
    assert regions.of_prefix("357801").behind
    # 6405 is retired, and no list says which regency took it over: it claims nothing.
    old = regions.of_prefix("640501")
    assert (old.standing, old.behind) == (Standing.RETIRED, False)
