"""Several replicas as one: which is asked, and what happens when one is slow, away or strange."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from padan_server.adapters.replica_postgres import STATEMENT_SECONDS_MAX
from padan_server.adapters.replicas import BEATS_NEAR, HEDGE_SECONDS, Replicas
from padan_server.domain.freshness import Freshness
from padan_server.domain.refusal import Reason, Refusal
from tests.conformance.registry_servers import RegistryServers
from tests.conformance.stand import NOWHERE, WOMAN, seen, watched
from tests.support.builders import Clock
from tests.support.waiting import comes_to_hold


async def found(replicas: Replicas, *, not_before: float = 0.0) -> float:
    """Find someone; give the `as_of`."""
    (finding,) = await replicas.find([WOMAN], not_before=not_before)
    assert finding.record is not None
    return finding.as_of


@contextmanager
def paused(servers: RegistryServers, number: int) -> Iterator[float]:
    """Have a standby stand still while the other goes on far ahead; give the time it shows."""
    stands_at = servers.beat()
    servers.pause(number)
    try:
        for _ in range(BEATS_NEAR + 1):
            servers.beat()
        yield stands_at
    finally:
        servers.resume(number)
        servers.settle()


@contextmanager
def mute(servers: RegistryServers, number: int) -> Iterator[None]:
    """Have a standby take connections and never answer."""
    pids = servers.pids_of(number)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_the_freshest_is_asked(servers: RegistryServers) -> None:
    with paused(servers, 0) as stands_at:
        async with watched(*servers.replica_urls) as replicas:
            await seen(replicas)
            assert await found(replicas) == servers.beat_at > stands_at


async def test_who_wants_it_fresher_than_the_preferred_one_gets_the_freshest(
    servers: RegistryServers,
) -> None:
    stands_at = servers.beat()
    servers.pause(0)
    newer = servers.beat()
    try:
        async with watched(*servers.replica_urls) as replicas:
            await seen(replicas)
            assert await found(replicas) == stands_at  # near enough
            assert await found(replicas, not_before=newer) == newer
    finally:
        servers.resume(0)
        servers.settle()


async def test_one_that_is_away_is_passed_over_and_taken_again_when_it_is_back(
    servers: RegistryServers,
) -> None:
    async with watched(*servers.replica_urls) as replicas:
        await seen(replicas)
        with servers.without_replica():
            for _ in range(20):
                await found(replicas)
            assert replicas.as_of is not None
        with paused(servers, 1):
            await comes_to_hold(lambda: replicas.as_of == servers.beat_at)
            assert await found(replicas) == servers.beat_at


async def test_one_that_does_not_answer_loses_no_call_that_has_the_time_for_the_next(
    servers: RegistryServers,
) -> None:
    async with watched(*servers.replica_urls) as replicas:
        await seen(replicas)
        await found(replicas)
        with mute(servers, 0):
            for _ in range(5):
                # Less than the first would be waited for if there were no other.
                async with asyncio.timeout(STATEMENT_SECONDS_MAX - HEDGE_SECONDS):
                    await found(replicas)


async def test_a_slow_replica_that_is_fresh_enough_is_waited_for_past_a_quick_one_that_is_not(
    servers: RegistryServers,
) -> None:
    with paused(servers, 1) as stands_at:
        async with watched(*servers.replica_urls) as replicas:
            await seen(replicas)
            await found(replicas)
            with mute(servers, 0):
                asking = asyncio.create_task(found(replicas, not_before=servers.beat_at))
                await asyncio.sleep(2 * HEDGE_SECONDS)
                assert not asking.done()
            assert await asking == servers.beat_at > stands_at


async def test_without_any_replica_a_call_is_refused_at_once(servers: RegistryServers) -> None:
    async with watched(NOWHERE, NOWHERE) as replicas:
        with pytest.raises(Refusal) as refused:
            await found(replicas)
    assert refused.value.reason is Reason.REGISTRY_UNAVAILABLE
    assert refused.value.retry_after_seconds


async def test_a_copy_of_another_registry_is_not_asked(servers: RegistryServers) -> None:
    other = servers.replica_urls[1]
    freshness = Freshness(changes_max=1)
    freshness.begin("another", 0, 0.0)
    async with watched(other, freshness=freshness) as replicas:
        await asyncio.sleep(0.3)
        assert replicas.as_of is None
        with pytest.raises(Refusal):
            await found(replicas)


async def test_a_replica_that_a_promotion_left_behind_is_not_asked(
    servers: RegistryServers,
) -> None:
    (row,) = servers.read("SELECT registry::text AS registry, beat FROM heartbeat")
    freshness = Freshness(changes_max=1)
    freshness.begin(row["registry"], row["beat"] + (1 << 40), 0.0)
    async with watched(*servers.replica_urls, freshness=freshness) as replicas:
        await asyncio.sleep(0.3)
        assert replicas.as_of is None
        with pytest.raises(Refusal):
            await found(replicas)


async def test_a_long_read_does_not_look_like_a_replica_that_is_away(
    servers: RegistryServers,
) -> None:
    async with watched(servers.replica_url) as replicas:
        await seen(replicas)
        reading = asyncio.create_task(replicas.read("SELECT pg_sleep(1)"))
        await asyncio.sleep(0)
        newer = servers.beat()
        await comes_to_hold(lambda: replicas.as_of == newer)
        assert not reading.done()
        await reading


async def test_a_heartbeat_ahead_of_the_clock_is_not_believed_until_the_clock_is_there(
    servers: RegistryServers,
) -> None:
    clock = Clock(servers.beat() - 60)
    async with watched(*servers.replica_urls, clock=clock) as replicas:
        with pytest.raises(Refusal) as refused:
            await found(replicas)
        assert refused.value.reason is Reason.REGISTRY_UNAVAILABLE
        clock.now = servers.beat_at
        await comes_to_hold(lambda: replicas.as_of == servers.beat_at)
        assert await found(replicas) == servers.beat_at


async def test_a_primary_whose_clock_is_set_back_has_its_changes_seen(
    servers: RegistryServers,
) -> None:
    """Beats are numbered: what comes later is later, whatever its time says."""
    freshness = Freshness(changes_max=10)
    async with watched(*servers.replica_urls, freshness=freshness) as replicas:
        await seen(replicas)
        number = servers.beat_number()
        servers.write("UPDATE heartbeat SET beat_at = beat_at - interval '1 hour'")
        await comes_to_hold(lambda: freshness.beat == number + 1)
        assert freshness.as_of < servers.beat_at - 3599
        servers.beat()
        await comes_to_hold(lambda: freshness.as_of == servers.beat_at)


async def test_a_session_that_the_server_ended_is_made_anew(servers: RegistryServers) -> None:
    """As recovery does to a query that stands in its way."""
    async with watched(servers.replica_urls[0]) as replicas:
        await seen(replicas)
        await found(replicas)
        with psycopg.connect(servers.replica_urls[0], autocommit=True) as session:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'padan-worker'"
            )
        await found(replicas)
