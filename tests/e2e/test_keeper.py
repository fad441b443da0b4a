"""The keeper on a real registry: who beats, and tallies that are exact whatever else goes on."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import psycopg
import pytest

from padan_server.adapters.keeper_postgres import beat
from padan_server.adapters.tally_postgres import fold, prune, tally
from padan_server.embedded.load import load_population
from padan_server.embedded.servers import EmbeddedServers
from padan_server.migrations.registry import upgrade

PEOPLE = 500
WAIT_SECONDS_MAX = 15.0

COUNTED = "SELECT left(village_code, 4), channel, count(*) FROM person GROUP BY 1, 2 ORDER BY 1, 2"
TALLIED = (
    "SELECT regency_code, channel, records FROM tally WHERE records <> 0 "
    "ORDER BY regency_code, channel"
)
REGENCIES = ("3171", "3578", "5301", "9301", "9502")
CHANNELS = ("OFFICE", "OUTREACH", "CENTRAL")
LOOKED = "SELECT query_start FROM pg_stat_activity WHERE application_name = 'keeper: heartbeat'"
MOVE = "UPDATE person SET village_code = %s, channel = %s WHERE nik = %s"
REMOVE = "DELETE FROM person WHERE nik = %s"
COPY = (
    "INSERT INTO person SELECT (jsonb_populate_record(person, jsonb_build_object("
    "'nik', %s::text, 'village_code', %s::text, 'channel', %s::text))).* "
    "FROM person WHERE nik = %s"
)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    with EmbeddedServers(tmp_path_factory.mktemp("keeper") / "data") as started:
        upgrade(started.registry_url)
        load_population(started.registry_url, people=PEOPLE, seed=3)
        yield started


@pytest.fixture
def primary(servers: EmbeddedServers) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(servers.registry_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def keeper(servers: EmbeddedServers) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(servers.registry_url)
    yield connection
    await connection.close()


def rows(connection: psycopg.Connection[Any], query: str, *given: object) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode(), given).fetchall()


def value(connection: psycopg.Connection[Any], query: str, *given: object) -> Any:
    ((found,),) = rows(connection, query, *given)
    return found


async def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_SECONDS_MAX
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < ends, "it never came to hold"
        await asyncio.sleep(0.02)


def looked_after(connection: psycopg.Connection[Any], moment: datetime) -> bool:
    """Tell whether the keeper has asked something after a moment."""
    return bool(value(connection, LOOKED) > moment)


def niks(connection: psycopg.Connection[Any], count: int) -> list[str]:
    found = rows(connection, "SELECT nik FROM person ORDER BY nik LIMIT %s", count)
    return [nik for (nik,) in found]


class Changes:
    """Makes changes of every kind, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._serial = seed * 1000

    def make(self, session: psycopg.Connection[Any], known: list[str]) -> None:
        """Insert, move or delete one of the people known."""
        regency, channel = self._random.choice(REGENCIES), self._random.choice(CHANNELS)
        nik = self._random.choice(known)
        match self._random.randrange(4):
            case 0:
                self._serial += 1
                copied = f"310101010190{self._serial:04d}"
                session.execute(COPY.encode(), (copied, f"{regency}010001", channel, nik))
            case 1:
                session.execute(REMOVE.encode(), (nik,))
            case _:
                session.execute(MOVE.encode(), (f"{regency}010001", channel, nik))


def test_a_load_counts_what_it_loaded(primary: psycopg.Connection[Any]) -> None:
    assert rows(primary, TALLIED) == rows(primary, COUNTED)


async def test_folding_is_exact_beside_concurrent_and_long_transactions(
    servers: EmbeddedServers,
    primary: psycopg.Connection[Any],
    keeper: asyncpg.Connection[Any],
) -> None:
    known = niks(primary, 200)
    shares = [known[0:60], known[60:120], known[120:180]]
    sessions = [psycopg.connect(servers.registry_url) for _ in shares]
    order = random.Random(7)
    try:
        changes = [Changes(number + 1) for number in range(len(sessions))]
        for _ in range(300):
            number = order.randrange(len(sessions))
            session = sessions[number]
            match order.randrange(8):
                case 0:
                    await asyncio.to_thread(session.commit)
                case 1:
                    await asyncio.to_thread(session.rollback)
                case 2:
                    await fold(keeper)
                case _:
                    await asyncio.to_thread(changes[number].make, session, shares[number])
        # Each session has a transaction open: what they changed is in neither count.
        await fold(keeper)
        for session in sessions:
            await asyncio.to_thread(session.commit)
            await fold(keeper)
    finally:
        for session in sessions:
            session.close()
    assert rows(primary, TALLIED) == rows(primary, COUNTED)
    assert await fold(keeper) == 0


async def test_a_long_transaction_delays_counts_and_loses_none(
    servers: EmbeddedServers,
    primary: psycopg.Connection[Any],
    keeper: asyncpg.Connection[Any],
) -> None:
    await fold(keeper)
    before, known = rows(primary, TALLIED), niks(primary, 10)
    with psycopg.connect(servers.registry_url) as long:
        long.execute(MOVE.encode(), ("5301010001", "OUTREACH", known[0]))
        for nik in known[1:]:
            primary.execute(MOVE.encode(), ("3578010001", "CENTRAL", nik))
        assert await fold(keeper) == 0
        assert rows(primary, TALLIED) == before
        long.commit()
    assert await fold(keeper) == len(known)
    assert rows(primary, TALLIED) == rows(primary, COUNTED) != before


async def test_two_keepers_fold_each_change_once(
    servers: EmbeddedServers,
    primary: psycopg.Connection[Any],
    keeper: asyncpg.Connection[Any],
) -> None:
    other = await asyncpg.connect(servers.registry_url)
    try:
        for nik in niks(primary, 30):
            primary.execute(MOVE.encode(), ("9301010001", "OUTREACH", nik))
            await asyncio.gather(fold(keeper), fold(other))
    finally:
        await other.close()
    assert rows(primary, TALLIED) == rows(primary, COUNTED)


async def test_a_registry_restored_elsewhere_is_counted_anew(
    primary: psycopg.Connection[Any], keeper: asyncpg.Connection[Any]
) -> None:
    primary.execute("UPDATE tally_position SET xid = '9000000000'")
    primary.execute("UPDATE tally SET records = 1")
    await fold(keeper)
    assert rows(primary, TALLIED) == rows(primary, COUNTED)
    primary.execute(MOVE.encode(), ("3171010001", "OFFICE", niks(primary, 1)[0]))
    assert await fold(keeper) == 1
    assert rows(primary, TALLIED) == rows(primary, COUNTED)


async def test_only_old_and_folded_feed_rows_are_pruned_a_bounded_number_at_a_time(
    primary: psycopg.Connection[Any], keeper: asyncpg.Connection[Any]
) -> None:
    await fold(keeper)
    primary.execute("DELETE FROM change_feed")
    known = niks(primary, 8)
    for nik in known:
        primary.execute(MOVE.encode(), ("3171010001", "OFFICE", nik))
    primary.execute("UPDATE change_feed SET committed_at = %s", (_days_ago(8),))
    assert await prune(keeper) == 0, "nothing of it is folded"
    await fold(keeper)
    primary.execute(MOVE.encode(), ("3171010001", "CENTRAL", known[0]))
    await fold(keeper)
    assert [await prune(keeper, rows_max=5) for _ in range(3)] == [5, 3, 0]
    assert value(primary, "SELECT count(*) FROM change_feed") == 1, "the young one stays"


async def test_a_registry_that_a_feed_keeps_gets_no_beat_and_no_watermark_from_the_clock(
    servers: EmbeddedServers, primary: psycopg.Connection[Any]
) -> None:
    told = "SELECT beat, beat_at FROM heartbeat"
    marked = "SELECT max(complete_to) FROM watermark"
    stop = asyncio.Event()
    beating = asyncio.create_task(beat(servers.registry_url, 0.02, stop=stop))
    try:
        start = value(primary, "SELECT beat FROM heartbeat")
        await until(lambda: value(primary, "SELECT beat FROM heartbeat") > start + 3)
        # As `registry follow` does, in one transaction with its first batch.
        proven = _days_ago(1)
        with primary.transaction():
            primary.execute("UPDATE heartbeat SET kept_by = 'FEED', beat_at = %s", (proven,))
            primary.execute("UPDATE watermark SET complete_to = %s", (proven,))
        kept = rows(primary, told)
        for _ in range(2):
            now = value(primary, "SELECT clock_timestamp()")
            await until(partial(looked_after, primary, now))
        assert rows(primary, told) == kept
        assert value(primary, marked) == proven
        primary.execute("UPDATE heartbeat SET kept_by = 'CLOCK'")
        await until(lambda: value(primary, "SELECT beat FROM heartbeat") > kept[0][0] + 3)
        await until(lambda: value(primary, marked) > proven)
    finally:
        stop.set()
        await asyncio.wait_for(beating, 10)


async def test_tallies_follow_without_being_asked(
    servers: EmbeddedServers, primary: psycopg.Connection[Any]
) -> None:
    stop = asyncio.Event()
    tallying = asyncio.create_task(tally(servers.registry_url, stop=stop))
    try:
        primary.execute(MOVE.encode(), ("5301010001", "CENTRAL", niks(primary, 1)[0]))
        await until(lambda: rows(primary, TALLIED) == rows(primary, COUNTED))
    finally:
        stop.set()
        await asyncio.wait_for(tallying, 10)


def _days_ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
