"""The cache in Valkey: sealed, shared, and missed by nobody."""

from __future__ import annotations

import asyncio
import gc

import pytest
import structlog

from padan_server.adapters.cache_valkey import REST_SECONDS, ValkeyCache
from padan_server.adapters.entropy_system import SystemEntropy
from padan_server.adapters.replicas import Replicas
from padan_server.domain.freshness import Freshness
from tests.conformance.registry_servers import RegistryServers
from tests.conformance.stand import (
    MOVER,
    TTL,
    TWIN,
    WOMAN,
    Counted,
    Stand,
    begun,
    in_valkey,
    stored,
    values_of,
)
from tests.support.builders import Clock


def values_in(servers: RegistryServers) -> dict[bytes, bytes]:
    with servers.valkey() as client:
        keys: list[bytes] = client.keys()  # type: ignore[assignment]  # not awaitable here
        return {key: client.get(key) for key in keys}  # type: ignore[misc]  # nor here


async def test_nothing_of_a_person_can_be_read_in_valkey(valkey: Stand) -> None:
    found = await valkey.find(WOMAN, MOVER, TWIN)
    stored = values_in(valkey.servers)
    assert len(stored) == 3
    everything = b"|".join([*stored, *stored.values()]).upper()
    for finding in found:
        assert finding.record is not None
        for value in values_of(finding.record):
            words = str(value).encode().split()
            assert [word for word in words if len(word) > 4 and word in everything] == []


async def test_the_same_record_is_never_sealed_the_same_way(valkey: Stand) -> None:
    await valkey.find(WOMAN)
    (first,) = values_in(valkey.servers).values()
    await valkey.find(WOMAN, not_before=valkey.servers.beat())
    (second,) = values_in(valkey.servers).values()
    assert first[:12] != second[:12]
    assert first != second


async def test_two_values_swapped_in_valkey_swap_no_people(valkey: Stand) -> None:
    await valkey.find(WOMAN, MOVER)
    (one, value), (other, other_value) = values_in(valkey.servers).items()
    with valkey.servers.valkey() as client:
        client.mset({one: other_value, other: value})
    found = await valkey.find(WOMAN, MOVER)
    assert [finding.record and finding.record.nik for finding in found] == [WOMAN, MOVER]
    assert valkey.replica.niks == [WOMAN, MOVER] * 2


@pytest.mark.parametrize(
    "altered",
    [b"", b"x", bytes(12), bytes(500), b"{}"],
    ids=["empty", "short", "a nonce alone", "zeros", "json"],
)
async def test_a_value_written_by_another_hand_is_read_anew(valkey: Stand, altered: bytes) -> None:
    first = await valkey.find(WOMAN)
    (key,) = values_in(valkey.servers)
    with valkey.servers.valkey() as client:
        client.set(key, altered)
    assert await valkey.find(WOMAN) == first
    assert valkey.replica.niks == [WOMAN] * 2
    assert await valkey.find(WOMAN) == first
    assert valkey.replica.niks == [WOMAN] * 2


async def test_one_changed_bit_is_noticed(valkey: Stand) -> None:
    first = await valkey.find(WOMAN)
    ((key, value),) = values_in(valkey.servers).items()
    changed = bytearray(value)
    changed[len(changed) // 2] ^= 1
    with valkey.servers.valkey() as client:
        client.set(key, bytes(changed))
    assert await valkey.find(WOMAN) == first
    assert valkey.replica.niks == [WOMAN] * 2


async def test_a_key_of_another_type_is_a_miss(valkey: Stand) -> None:
    first = await valkey.find(WOMAN)
    (key,) = values_in(valkey.servers)
    with valkey.servers.valkey() as client:
        client.delete(key)
        client.rpush(key, "x")
    assert await valkey.find(WOMAN) == first


async def test_values_leave_valkey_with_their_time(valkey: Stand) -> None:
    valkey.clock.now += 10
    await valkey.find(WOMAN)
    (key,) = values_in(valkey.servers)
    with valkey.servers.valkey() as client:
        left = client.pttl(key)
    assert isinstance(left, int)
    assert 0 < left <= (TTL - 10) * 1000


async def test_workers_share_what_one_of_them_read(valkey: Stand, replica: Replicas) -> None:
    first = await valkey.find(WOMAN)
    other = Counted(replica)
    another = in_valkey(other, valkey.servers, valkey.clock, valkey.freshness)
    assert await another.find([WOMAN], not_before=0.0) == first
    assert other.asked == []
    await another.close()


async def test_another_installations_key_neither_reads_nor_breaks(
    valkey: Stand, replica: Replicas
) -> None:
    await valkey.find(WOMAN)
    other = Counted(replica)
    stranger = in_valkey(other, valkey.servers, valkey.clock, valkey.freshness, key=bytes(32))
    await stranger.find([WOMAN], not_before=0.0)
    await stored(stranger)
    assert other.niks == [WOMAN]
    assert len(values_in(valkey.servers)) == 2
    await stranger.close()


async def test_answers_go_on_without_valkey_and_it_is_used_again_when_it_is_back(
    valkey: Stand,
) -> None:
    first = await valkey.find(WOMAN)
    with valkey.servers.without_valkey():
        assert await valkey.find(WOMAN) == first
        assert await valkey.find(WOMAN) == first
    asked = len(valkey.replica.asked)
    assert asked == 3
    await valkey.find(WOMAN)  # it rests after the failure
    assert values_in(valkey.servers) == {}
    valkey.clock.now += REST_SECONDS
    await valkey.find(WOMAN)
    assert len(values_in(valkey.servers)) == 1
    assert await valkey.find(WOMAN) == first
    assert len(valkey.replica.asked) == asked + 2


async def test_answers_go_on_where_valkey_never_was(
    servers: RegistryServers, replica: Replicas
) -> None:
    cache = ValkeyCache(
        replica,
        url="unix:///nowhere/valkey.sock",
        key=bytes(32),
        freshness=begun(),
        clock=Clock(servers.beat_at),
        entropy=SystemEntropy(),
        ttl_seconds=TTL,
    )
    (finding,) = await cache.find([WOMAN], not_before=0.0)
    assert finding.record is not None
    await cache.close()


async def test_nothing_is_asked_or_kept_before_it_is_known_which_registry_this_is(
    valkey: Stand, replica: Replicas
) -> None:
    await valkey.find(WOMAN)
    unknown = in_valkey(replica, valkey.servers, valkey.clock, Freshness(changes_max=1))
    with structlog.testing.capture_logs() as told:
        await unknown.find([WOMAN, MOVER], not_before=0.0)
        await stored(unknown)
    assert told == []
    assert len(values_in(valkey.servers)) == 1
    await unknown.close()


async def test_closing_right_after_an_answer_leaves_no_error_behind(
    servers: RegistryServers, replica: Replicas
) -> None:
    loop = asyncio.get_running_loop()
    errors: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    try:
        for _ in range(3):
            cache = in_valkey(replica, servers, Clock(servers.beat_at), begun())
            await cache.find([WOMAN], not_before=servers.beat_at)
            await cache.close()
            del cache
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    assert errors == []
