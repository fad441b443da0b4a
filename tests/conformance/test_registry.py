"""One suite for the registry port, on every implementation and on all of them stacked."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from padan_server.adapters.cache_memory import MemoryCache
from padan_server.adapters.cache_valkey import REST_SECONDS, ValkeyCache
from padan_server.adapters.coverage_postgres import read_coverage
from padan_server.adapters.entropy_system import SystemEntropy
from padan_server.adapters.registry_batched import BATCH_MAX, BatchedRegistry
from padan_server.adapters.replica_postgres import Replica
from padan_server.adapters.replicas import Replicas
from padan_server.domain.freshness import Freshness, Tail
from padan_server.domain.nik import Nik, parse
from padan_server.domain.person import Finding, Record
from padan_server.domain.refusal import Reason, Refusal
from padan_server.embedded.documented import NOT_CENTRALISED, OUTREACH_PENDING, documented_people
from padan_server.ports import Registry
from tests.conformance.registry_servers import RegistryServers
from tests.support.builders import Clock, ListedRegistry, record

TTL = 60.0
SECONDS_MAX = 20.0
PEOPLE = {person.key: parse(person.nik) for person in documented_people()}
WOMAN, MOVER, TWIN = PEOPLE["ordinary-woman"], PEOPLE["mover"], PEOPLE["first-twin"]
ABSENT = PEOPLE["not-registered"]
COLUMNS = {"version": "record_version", "committed_at": "changed_at"}
NOWHERE = "postgresql://padan@/registry?host=/nowhere&port=5433"


@dataclass
class Counted:
    """Decorates a registry; keeps what it is asked for."""

    inner: Registry
    asked: list[tuple[tuple[Nik, ...], float]] = field(default_factory=list)

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        self.asked.append((tuple(niks), not_before))
        return await self.inner.find(niks, not_before=not_before)

    @property
    def niks(self) -> list[Nik]:
        """Every NIK that was asked for."""
        return [nik for niks, _ in self.asked for nik in niks]


@dataclass
class Stand:
    """A registry under test: what it asks of the replica, its clock, and the servers behind.

    Its caches know of changes what `look` has shown them, and nothing before.
    """

    registry: Registry
    replica: Counted
    clock: Clock
    servers: RegistryServers
    freshness: Freshness
    tail: Tail
    valkey: ValkeyCache | None

    async def find(self, *niks: Nik, not_before: float = 0.0) -> list[Finding]:
        """Find, and let what is stored beside the answer reach its place."""
        found = await self.registry.find(niks, not_before=not_before)
        await stored(self.valkey)
        return found

    async def one(self, nik: Nik, *, not_before: float = 0.0) -> Record | None:
        (finding,) = await self.find(nik, not_before=not_before)
        return finding.record

    async def look(self) -> None:
        """Read the change feed once."""
        await look(self.tail, self.servers)


async def look(tail: Tail, servers: RegistryServers) -> None:
    replica = Replica(servers.replica_url)
    tail.take(await replica.snapshot(tail.xmin))
    replica.close()


@pytest.fixture(scope="session")
async def replica(servers: RegistryServers) -> AsyncIterator[Replicas]:
    async with watched(servers.replica_url) as replicas:
        yield replicas


@asynccontextmanager
async def watched(*urls: str) -> AsyncIterator[Replicas]:
    """Give replicas whose watch runs, once one of them was seen."""
    replicas = Replicas(
        urls, tail=Tail(Freshness(changes_max=1000)), clock=time.time, clock_error_seconds=0.0
    )
    watching = asyncio.create_task(replicas.run())
    await until(lambda: replicas.as_of is not None)
    yield replicas
    watching.cancel()
    await asyncio.wait([watching])
    await replicas.close()


def nowhere() -> Replicas:
    """Give a copy that is away."""
    tail = Tail(Freshness(changes_max=1))
    return Replicas([NOWHERE], tail=tail, clock=time.time, clock_error_seconds=0.0)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, for a bounded time."""
    async with asyncio.timeout(SECONDS_MAX):
        while not holds():
            await asyncio.sleep(0.01)


async def stored(valkey: ValkeyCache | None) -> None:
    """Wait until a cache has stored what it read: it does so beside its answers."""
    if valkey is not None:
        await valkey.drain()


def in_valkey(
    inner: Registry,
    servers: RegistryServers,
    clock: Clock,
    freshness: Freshness,
    key: bytes = bytes(range(32)),
) -> ValkeyCache:
    return ValkeyCache(
        inner,
        url=servers.valkey_url,
        key=key,
        freshness=freshness,
        clock=clock,
        entropy=SystemEntropy(),
        ttl_seconds=TTL,
    )


def in_memory(
    inner: Registry, clock: Clock, freshness: Freshness | None = None, *, bytes_max: int = 10**6
) -> MemoryCache:
    if freshness is None:
        freshness = Freshness(changes_max=1)
        freshness.begin("", -1, 0.0)  # everything may be used
    return MemoryCache(
        inner, freshness=freshness, clock=clock, ttl_seconds=TTL, bytes_max=bytes_max
    )


async def stand_on(kind: str, replica: Replicas, servers: RegistryServers) -> AsyncIterator[Stand]:
    """Give a registry of this kind, with empty caches and the clock at the last heartbeat."""
    freshness = Freshness(changes_max=1000)
    tail = Tail(freshness)
    await look(tail, servers)
    servers.beat()  # what is read from here on may be used
    clock, counted = Clock(servers.beat_at), Counted(replica)
    registry: Registry = counted
    valkey = None
    if kind in ("valkey", "stack"):
        with servers.valkey() as client:
            client.flushall()
        registry = valkey = in_valkey(registry, servers, clock, freshness)
    if kind in ("batched", "stack"):
        registry = BatchedRegistry(registry)
    if kind in ("memory", "stack"):
        registry = in_memory(registry, clock, freshness)
    yield Stand(registry, counted, clock, servers, freshness, tail, valkey)
    if valkey is not None:
        await valkey.close()


@pytest.fixture(params=["replica", "batched", "valkey", "memory", "stack"])
async def stand(
    request: pytest.FixtureRequest, replica: Replicas, servers: RegistryServers
) -> AsyncIterator[Stand]:
    async for made in stand_on(request.param, replica, servers):
        yield made


@pytest.fixture(params=["valkey", "memory", "stack"])
async def cached(
    request: pytest.FixtureRequest, replica: Replicas, servers: RegistryServers
) -> AsyncIterator[Stand]:
    async for made in stand_on(request.param, replica, servers):
        yield made


@pytest.fixture
async def valkey(replica: Replicas, servers: RegistryServers) -> AsyncIterator[Stand]:
    async for made in stand_on("valkey", replica, servers):
        yield made


# Every implementation


async def test_findings_stand_in_the_order_of_the_question(stand: Stand) -> None:
    for niks in ((WOMAN, MOVER, TWIN), (TWIN, WOMAN, MOVER)):
        found = await stand.find(*niks)
        assert [finding.record and finding.record.nik for finding in found] == list(niks)


async def test_the_same_nik_twice_in_one_question_is_found_twice(stand: Stand) -> None:
    for _ in range(2):
        found = await stand.find(WOMAN, ABSENT, WOMAN, MOVER, ABSENT)
        niks = [finding.record and finding.record.nik for finding in found]
        assert niks == [WOMAN, None, WOMAN, MOVER, None]


async def test_a_nik_that_no_record_has_is_found_to_be_absent_as_of_the_copys_time(
    stand: Stand,
) -> None:
    (finding,) = await stand.find(ABSENT)
    assert (finding.record, finding.as_of) == (None, stand.clock.now)


async def test_nothing_asked_is_nothing_found(stand: Stand) -> None:
    assert await stand.find() == []


async def test_a_finding_is_as_of_the_heartbeat_that_the_copy_shows(stand: Stand) -> None:
    for finding in await stand.find(WOMAN, ABSENT):
        assert finding.as_of == stand.clock.now


async def test_a_record_is_what_stands_in_postgresql(stand: Stand) -> None:
    columns = [COLUMNS.get(name, name) for name in Record.__struct_fields__]
    rows = stand.servers.read(f"SELECT {', '.join(columns)} FROM person ORDER BY nik LIMIT 500")
    documented = stand.servers.read(
        f"SELECT {', '.join(columns)} FROM person WHERE nik = ANY(%s)", list(PEOPLE.values())
    )
    rows = [*rows, *documented]
    niks = [parse(row["nik"]) for row in rows]
    for _ in range(2):  # read, then from whatever cache there is
        for row, finding in zip(rows, await stand.find(*niks), strict=True):
            assert finding.record is not None
            assert values_of(finding.record) == [on_record(row[name]) for name in columns]


def on_record(value: object) -> object:
    """Give a column's value as a record has it."""
    if isinstance(value, datetime):
        return pytest.approx(value.timestamp(), abs=1e-6)
    return "" if value is None else value


def values_of(record: Record) -> list[object]:
    return [getattr(record, name) for name in Record.__struct_fields__]


async def test_many_niks_at_once_are_all_found(stand: Stand) -> None:
    niks = [parse(row["nik"]) for row in stand.servers.read("SELECT nik FROM person")]
    found = await stand.find(*niks)
    assert [finding.record and finding.record.nik for finding in found] == niks


async def test_concurrent_questions_get_their_own_answers(stand: Stand) -> None:
    asked = [(WOMAN,), (MOVER, ABSENT), (ABSENT,), (TWIN, WOMAN)]
    answers = await asyncio.gather(*(stand.find(*niks) for niks in asked))
    for niks, found in zip(asked, answers, strict=True):
        here = [finding.record.nik if finding.record else ABSENT for finding in found]
        assert here == list(niks)


async def test_a_question_that_is_cancelled_disturbs_no_other(stand: Stand) -> None:
    gone = asyncio.create_task(stand.find(WOMAN))
    stays = asyncio.create_task(stand.one(WOMAN))
    await asyncio.sleep(0)
    gone.cancel()
    found = await stays
    assert found is not None
    assert found.nik == WOMAN


async def test_what_is_newer_than_a_moment_is_not_taken_from_a_cache(stand: Stand) -> None:
    before = await stand.one(WOMAN)
    assert before is not None
    with stand.servers.changed(WOMAN, full_name="CHANGED CONTOH") as beat:
        (finding,) = await stand.find(WOMAN, not_before=beat)
        assert finding.record is not None
        assert finding.record.full_name == "CHANGED CONTOH"
        assert finding.record.version == before.version + 1
        assert finding.as_of == beat


async def test_a_copy_older_than_a_moment_still_answers_with_its_own_time(stand: Stand) -> None:
    """Whether that is too old is the caller's to judge."""
    (finding,) = await stand.find(ABSENT, not_before=stand.clock.now + 1e6)
    assert (finding.record, finding.as_of) == (None, stand.clock.now)


async def test_a_copy_that_is_away_is_refused_as_unavailable_and_found_again(
    stand: Stand,
) -> None:
    here, stand.replica.inner = stand.replica.inner, nowhere()
    with pytest.raises(Refusal) as refused:
        await stand.find(TWIN)
    assert refused.value.reason is Reason.REGISTRY_UNAVAILABLE
    assert refused.value.retry_after_seconds
    stand.replica.inner = here
    assert await stand.one(TWIN) is not None


# Caches


async def test_a_record_is_read_once_and_then_comes_from_the_cache(cached: Stand) -> None:
    first = await cached.find(WOMAN, MOVER)
    assert await cached.find(MOVER, WOMAN) == first[::-1]
    assert cached.replica.niks == [WOMAN, MOVER]


async def test_a_question_asks_on_for_what_is_missing_alone(cached: Stand) -> None:
    await cached.find(WOMAN)
    found = await cached.find(MOVER, WOMAN, TWIN)
    assert [finding.record and finding.record.nik for finding in found] == [MOVER, WOMAN, TWIN]
    assert set(cached.replica.asked[-1][0]) == {MOVER, TWIN}


async def test_a_finding_is_as_of_its_own_time_until_the_tail_has_looked_further(
    cached: Stand,
) -> None:
    (first,) = await cached.find(WOMAN)
    beat = cached.servers.beat()
    assert await cached.find(WOMAN) == [first]
    await cached.look()
    (later,) = await cached.find(WOMAN)
    assert (later.record, later.as_of) == (first.record, beat)
    assert cached.replica.niks == [WOMAN]


async def test_a_change_that_the_tail_has_seen_is_answered_at_once(cached: Stand) -> None:
    await cached.find(WOMAN, MOVER)
    with cached.servers.changed(WOMAN, full_name="CHANGED CONTOH"):
        await cached.look()
        found = await cached.one(WOMAN)
        assert found is not None
        assert found.full_name == "CHANGED CONTOH"
        assert await cached.one(MOVER) is not None
    assert cached.replica.niks == [WOMAN, MOVER, WOMAN]


async def test_what_was_read_before_the_tail_began_is_not_used(
    cached: Stand, replica: Replicas
) -> None:
    """A worker that starts later knows nothing of changes made before."""
    await cached.find(WOMAN)
    await cached.look()
    cached.freshness.begin(cached.freshness.registry, cached.freshness.beat, cached.clock.now)
    await cached.find(WOMAN)
    assert cached.replica.niks == [WOMAN, WOMAN]


async def test_a_record_is_kept_for_its_time_and_no_longer(cached: Stand) -> None:
    await cached.find(WOMAN)
    cached.clock.now += TTL
    await cached.find(WOMAN)
    assert len(cached.replica.asked) == 1
    cached.clock.now += 0.001
    await cached.find(WOMAN)
    assert len(cached.replica.asked) == 2


async def test_a_record_lives_from_the_time_it_is_as_of_not_from_when_it_was_read(
    cached: Stand,
) -> None:
    cached.clock.now += TTL - 1
    await cached.find(WOMAN)
    cached.clock.now += 2
    await cached.find(WOMAN)
    assert len(cached.replica.asked) == 2


async def test_a_record_read_from_a_copy_older_than_its_time_is_not_kept(cached: Stand) -> None:
    cached.clock.now += TTL + 1
    for _ in range(2):
        assert await cached.one(WOMAN) is not None
    assert len(cached.replica.asked) == 2


async def test_a_finding_exactly_as_old_as_asked_is_taken_from_the_cache(cached: Stand) -> None:
    (first,) = await cached.find(WOMAN)
    await cached.find(WOMAN, not_before=first.as_of)
    assert len(cached.replica.asked) == 1
    await cached.find(WOMAN, not_before=first.as_of + 0.001)
    assert len(cached.replica.asked) == 2
    assert cached.replica.asked[-1][1] == first.as_of + 0.001


async def test_a_newer_reading_replaces_the_kept_one_for_all(cached: Stand) -> None:
    await cached.find(WOMAN)
    with cached.servers.changed(WOMAN, full_name="CHANGED CONTOH") as beat:
        await cached.find(WOMAN, not_before=beat)
        found = await cached.one(WOMAN)
        assert found is not None
        assert found.full_name == "CHANGED CONTOH"
        assert len(cached.replica.asked) == 2


async def test_a_cache_answers_while_the_copy_is_away(cached: Stand) -> None:
    first = await cached.find(WOMAN)
    cached.replica.inner = nowhere()
    assert await cached.find(WOMAN) == first


# Memory


def people(count: int) -> list[Record]:
    return [record(nik=f"317101520390{number:04d}") for number in range(1, count + 1)]


async def test_memory_keeps_the_latest_used_within_its_bytes() -> None:
    listed = people(100)
    niks = [Nik(one.nik) for one in listed]
    inner = ListedRegistry(*listed)
    cache = in_memory(inner, Clock(), bytes_max=20_000)
    for nik in niks:
        await cache.find([nik, niks[0]], not_before=0.0)
    held = cache.records_held
    assert 10 < held < 100
    assert 15_000 < cache.bytes_held <= 20_000
    inner.asked.clear()
    await cache.find([niks[0], *niks[-held + 1 :]], not_before=0.0)
    assert inner.asked == []
    await cache.find([niks[-held]], not_before=0.0)
    assert inner.asked == [((niks[-held],), 0.0)]


async def test_memory_stays_within_its_bound_in_one_large_question() -> None:
    listed = people(100)
    niks = [Nik(one.nik) for one in listed]
    inner = ListedRegistry(*listed)
    cache = in_memory(inner, Clock(), bytes_max=20_000)
    found = await cache.find(niks, not_before=0.0)
    assert [finding.record and finding.record.nik for finding in found] == niks
    assert cache.bytes_held <= 20_000
    inner.asked.clear()
    await cache.find(niks[-cache.records_held :], not_before=0.0)
    assert inner.asked == []


async def test_memory_keeps_that_a_nik_has_no_record_until_it_has_one() -> None:
    (one,) = people(1)
    nik, inner = Nik(one.nik), ListedRegistry()
    inner.beat = 1
    freshness = Freshness(changes_max=1)
    freshness.begin("", 0, 0.0)
    cache = in_memory(inner, Clock(), freshness)
    for _ in range(2):
        (finding,) = await cache.find([nik], not_before=0.0)
        assert finding.record is None
    assert len(inner.asked) == 1
    inner.records[nik], inner.beat = one, 2
    freshness.change(nik, 1)
    (finding,) = await cache.find([nik], not_before=0.0)
    assert finding.record == one
    assert await cache.find([nik], not_before=0.0) == [finding]
    assert len(inner.asked) == 2


async def test_who_asks_for_what_does_not_exist_displaces_nobody() -> None:
    listed = people(10)
    niks = [Nik(one.nik) for one in listed]
    inner = ListedRegistry(*listed)
    cache = in_memory(inner, Clock(), bytes_max=20_000)
    await cache.find(niks, not_before=0.0)
    for number in range(1000):
        await cache.find([Nik(f"317101520391{number:04d}")], not_before=0.0)
    assert cache.bytes_held <= 20_000
    inner.asked.clear()
    await cache.find(niks, not_before=0.0)
    assert inner.asked == []


async def test_memory_forgets_a_person_whose_record_went() -> None:
    (one,) = people(1)
    nik, inner = Nik(one.nik), ListedRegistry(one)
    cache = in_memory(inner, Clock())
    await cache.find([nik], not_before=0.0)
    inner.records.clear()
    inner.as_of, inner.beat = inner.as_of + 1, 2
    gone = Finding(None, inner.as_of, inner.beat)
    assert await cache.find([nik], not_before=inner.as_of) == [gone]
    assert await cache.find([nik], not_before=0.0) == [gone]
    assert cache.records_held == 0


async def test_memory_is_not_set_back_by_a_reading_that_comes_late() -> None:
    (one,) = people(1)
    nik, inner = Nik(one.nik), ListedRegistry(one)
    inner.beat = 2
    cache = in_memory(inner, Clock())
    await cache.find([nik], not_before=0.0)
    inner.as_of, inner.beat = inner.as_of - 10, 1
    await cache.find([nik], not_before=inner.as_of + 20)
    inner.asked.clear()
    await cache.find([nik], not_before=inner.as_of + 10)
    assert inner.asked == []


# Valkey


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
        freshness=Freshness(changes_max=1),
        clock=Clock(servers.beat_at),
        entropy=SystemEntropy(),
        ttl_seconds=TTL,
    )
    (finding,) = await cache.find([WOMAN], not_before=0.0)
    assert finding.record is not None
    await cache.close()


async def test_closing_right_after_an_answer_leaves_no_error_behind(
    servers: RegistryServers, replica: Replicas
) -> None:
    loop = asyncio.get_running_loop()
    errors: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    try:
        for _ in range(3):
            freshness = Freshness(changes_max=1)
            cache = in_valkey(replica, servers, Clock(servers.beat_at), freshness)
            await cache.find([WOMAN], not_before=servers.beat_at)
            await cache.close()
            del cache
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    assert errors == []


# Batches


async def test_a_thousand_who_ask_for_one_nik_at_once_make_one_query(
    servers: RegistryServers, replica: Replicas
) -> None:
    counted = Counted(replica)
    batched = BatchedRegistry(counted)
    answers = await asyncio.gather(*(batched.find([WOMAN], not_before=0.0) for _ in range(1000)))
    assert counted.asked == [((WOMAN,), 0.0)]
    assert {finding.record and finding.record.nik for (finding,) in answers} == {WOMAN}


async def test_a_thousand_who_ask_for_different_niks_make_a_few_queries() -> None:
    listed = people(1000)
    inner = ListedRegistry(*listed)
    batched = BatchedRegistry(inner)
    answers = await asyncio.gather(
        *(batched.find([Nik(one.nik)], not_before=0.0) for one in listed)
    )
    assert [finding.record and finding.record.nik for (finding,) in answers] == [
        one.nik for one in listed
    ]
    assert len(inner.asked) <= 3
    assert all(len(niks) <= BATCH_MAX for niks, _ in inner.asked)
    assert sum(len(niks) for niks, _ in inner.asked) == 1000


async def test_a_batch_is_read_as_fresh_as_the_most_demanding_wants_it() -> None:
    inner = ListedRegistry(*people(1))
    batched = BatchedRegistry(inner)
    await asyncio.gather(*(batched.find([WOMAN], not_before=moment) for moment in (3.0, 9.0, 1.0)))
    assert inner.asked == [((WOMAN,), 9.0)]
    await batched.find([WOMAN], not_before=1.0)
    assert inner.asked[-1] == ((WOMAN,), 1.0)


@pytest.mark.parametrize("before", [0, 1, BATCH_MAX - 1, BATCH_MAX])
async def test_who_asks_when_a_batch_is_full_still_gets_what_is_fresh_enough(before: int) -> None:
    listed = people(before)
    inner = ListedRegistry(*listed)
    batched = BatchedRegistry(inner)
    await asyncio.gather(
        *(batched.find([Nik(one.nik)], not_before=0.0) for one in listed),
        batched.find([WOMAN, MOVER], not_before=9.0),
    )
    for nik in (WOMAN, MOVER):
        (not_before,) = (moment for niks, moment in inner.asked if nik in niks)
        assert not_before >= 9.0


class Gate(ListedRegistry):
    """A registry copy whose answers wait until a test opens the gate."""

    def __init__(self, *records: Record) -> None:
        super().__init__(*records)
        self.open = asyncio.Event()

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        found = await super().find(niks, not_before=not_before)
        await self.open.wait()
        return found


def asking(batched: BatchedRegistry, nik: Nik, moment: float = 0.0) -> asyncio.Task[list[Finding]]:
    return asyncio.create_task(batched.find([nik], not_before=moment))


async def test_what_is_asked_while_a_query_runs_goes_together_in_the_next() -> None:
    inner = Gate()
    batched = BatchedRegistry(inner)
    asked = [asking(batched, WOMAN)]
    while not inner.asked:
        await asyncio.sleep(0)
    asked += [asking(batched, nik) for nik in (MOVER, TWIN, MOVER)]
    await asyncio.sleep(0)
    inner.open.set()
    await asyncio.gather(*asked)
    assert [set(niks) for niks, _ in inner.asked] == [{WOMAN}, {MOVER, TWIN}]


async def test_who_wants_it_fresher_than_the_query_that_runs_gives_waits_for_the_next() -> None:
    inner = Gate()
    inner.as_of = 5.5
    batched = BatchedRegistry(inner)
    asked = [asking(batched, WOMAN, 5.0)]
    while not inner.asked:
        await asyncio.sleep(0)
    asked += [asking(batched, WOMAN, 5.0), asking(batched, WOMAN, 6.0)]
    await asyncio.sleep(0)
    inner.open.set()
    await asyncio.gather(*asked)
    assert inner.asked[-1] == ((WOMAN,), 6.0)


async def test_who_asks_a_moment_later_shares_the_query_that_runs_if_it_is_fresh_enough() -> None:
    """Every call wants it a little fresher than the one before: its clock has gone on."""
    inner = Gate()
    batched = BatchedRegistry(inner)
    asked = [asking(batched, WOMAN, 5.0)]
    while not inner.asked:
        await asyncio.sleep(0)
    asked += [asking(batched, WOMAN, 5.0 + number / 1000) for number in range(1, 100)]
    await asyncio.sleep(0)
    inner.open.set()
    await asyncio.gather(*asked)
    assert inner.asked == [((WOMAN,), 5.0)]


async def test_a_failure_reaches_everyone_in_the_batch_and_no_one_after_it() -> None:
    inner = ListedRegistry(*people(1))
    batched = BatchedRegistry(inner)
    inner.failure = Refusal(Reason.REGISTRY_UNAVAILABLE, "away")
    answers = await asyncio.gather(
        *(batched.find([nik], not_before=0.0) for nik in (WOMAN, MOVER, WOMAN)),
        return_exceptions=True,
    )
    assert answers == [inner.failure] * 3
    inner.failure = None
    assert await batched.find([WOMAN], not_before=0.0) == [Finding(None, inner.as_of, inner.beat)]


# The replica


async def test_a_village_code_that_stops_at_the_regency_is_as_short_as_it_is_known(
    servers: RegistryServers, replica: Replicas
) -> None:
    with servers.changed(WOMAN, village_code="3171"):
        (finding,) = await replica.find([WOMAN], not_before=0.0)
    assert finding.record is not None
    assert finding.record.village_code == "3171"


async def test_what_is_not_on_record_is_an_empty_text(
    servers: RegistryServers, replica: Replicas
) -> None:
    nothing = {"mother_name": None, "father_name": None, "postal_code": None}
    with servers.changed(WOMAN, **nothing):
        (finding,) = await replica.find([WOMAN], not_before=0.0)
    assert finding.record is not None
    found = finding.record
    assert (found.mother_name, found.father_name, found.postal_code) == ("", "", "")


async def test_coverage_tells_what_is_centralised_and_where_outreach_is_still_to_come(
    replica: Replicas,
) -> None:
    coverage = await read_coverage(replica.read)
    assert len(coverage) == 514
    assert coverage[NOT_CENTRALISED[0]].complete_to is None
    assert coverage[OUTREACH_PENDING[0]].outreach_batches
    complete = coverage["3171"]
    assert complete.complete_to is not None
    assert not complete.outreach_batches
    assert sum(complete.records.values()) > 0


async def test_a_replica_that_stops_is_unavailable_until_it_is_back(
    servers: RegistryServers, replica: Replicas
) -> None:
    questions = (
        lambda: replica.find([WOMAN], not_before=0.0),
        lambda: read_coverage(replica.read),
    )
    for ask in questions:
        assert await ask()
    with servers.without_replica():
        for ask in (*questions, *questions):
            with pytest.raises(Refusal) as refused:
                await ask()
            assert refused.value.reason is Reason.REGISTRY_UNAVAILABLE
    await until(lambda: replica.as_of is not None)
    for ask in questions:
        assert await ask()
