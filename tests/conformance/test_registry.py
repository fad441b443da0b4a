"""One suite for the registry port, on every implementation and on all of them stacked."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from padan_server.adapters import replica_postgres
from padan_server.adapters.cache_memory import MemoryCache
from padan_server.adapters.cache_valkey import REST_SECONDS, ValkeyCache
from padan_server.adapters.entropy_system import SystemEntropy
from padan_server.adapters.registry_batched import BATCH_MAX, BatchedRegistry
from padan_server.adapters.replica_postgres import ReplicaRegistry
from padan_server.domain.coverage import Coverage
from padan_server.domain.nik import Nik, parse
from padan_server.domain.person import Finding, Record
from padan_server.domain.refusal import Reason, Refusal
from padan_server.embedded.documented import NOT_CENTRALISED, OUTREACH_PENDING, documented_people
from padan_server.ports import Registry
from tests.conformance.registry_servers import RegistryServers
from tests.support.builders import Clock, ListedRegistry, record

TTL = 60.0
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
    """A registry under test: what it asks of the replica, its clock, and the servers behind."""

    registry: Registry
    replica: Counted
    clock: Clock
    servers: RegistryServers
    valkey: ValkeyCache | None

    async def find(self, *niks: Nik, not_before: float = 0.0) -> list[Finding]:
        """Find, and let what is stored beside the answer reach its place."""
        found = await self.registry.find(niks, not_before=not_before)
        await stored(self.valkey)
        return found

    async def one(self, nik: Nik, *, not_before: float = 0.0) -> Record | None:
        (finding,) = await self.find(nik, not_before=not_before)
        return finding.record


@pytest.fixture(scope="session")
async def replica(servers: RegistryServers) -> AsyncIterator[ReplicaRegistry]:
    replica = ReplicaRegistry([servers.replica_url])
    yield replica
    await replica.close()


async def stored(valkey: ValkeyCache | None) -> None:
    """Wait until a cache has stored what it read: it does so beside its answers."""
    if valkey is not None:
        await valkey.drain()


def in_valkey(inner: Registry, servers: RegistryServers, clock: Clock) -> ValkeyCache:
    return ValkeyCache(
        inner,
        url=servers.valkey_url,
        key=bytes(range(32)),
        clock=clock,
        entropy=SystemEntropy(),
        ttl_seconds=TTL,
    )


def in_memory(inner: Registry, clock: Clock, *, records_max: int = 1000) -> MemoryCache:
    return MemoryCache(inner, clock=clock, ttl_seconds=TTL, records_max=records_max)


async def stand_on(
    kind: str, replica: ReplicaRegistry, servers: RegistryServers
) -> AsyncIterator[Stand]:
    """Give a registry of this kind, with empty caches and the clock at the last heartbeat."""
    clock, counted = Clock(servers.beat_at), Counted(replica)
    registry: Registry = counted
    valkey = None
    if kind in ("valkey", "stack"):
        with servers.valkey() as client:
            client.flushall()
        registry = valkey = in_valkey(registry, servers, clock)
    if kind in ("batched", "stack"):
        registry = BatchedRegistry(registry)
    if kind in ("memory", "stack"):
        registry = in_memory(registry, clock)
    yield Stand(registry, counted, clock, servers, valkey)
    if valkey is not None:
        await valkey.close()


@pytest.fixture(params=["replica", "batched", "valkey", "memory", "stack"])
async def stand(
    request: pytest.FixtureRequest, replica: ReplicaRegistry, servers: RegistryServers
) -> AsyncIterator[Stand]:
    async for made in stand_on(request.param, replica, servers):
        yield made


@pytest.fixture(params=["valkey", "memory", "stack"])
async def cached(
    request: pytest.FixtureRequest, replica: ReplicaRegistry, servers: RegistryServers
) -> AsyncIterator[Stand]:
    async for made in stand_on(request.param, replica, servers):
        yield made


@pytest.fixture
async def valkey(replica: ReplicaRegistry, servers: RegistryServers) -> AsyncIterator[Stand]:
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
    here, stand.replica.inner = stand.replica.inner, ReplicaRegistry([NOWHERE])
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


async def test_a_nik_without_a_record_is_asked_for_each_time(cached: Stand) -> None:
    for _ in range(3):
        assert await cached.one(ABSENT) is None
    assert cached.replica.niks == [ABSENT] * 3


async def test_a_cached_finding_keeps_the_time_as_of_which_it_was_read(cached: Stand) -> None:
    (first,) = await cached.find(WOMAN)
    cached.servers.beat()
    assert await cached.find(WOMAN) == [first]


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
    cached.replica.inner = ReplicaRegistry([NOWHERE])
    assert await cached.find(WOMAN) == first


# Memory


def people(count: int) -> list[Record]:
    return [record(nik=f"317101520390{number:04d}") for number in range(1, count + 1)]


async def test_memory_keeps_the_latest_used_and_no_more() -> None:
    listed = people(3)
    first, second, third = (Nik(one.nik) for one in listed)
    inner, clock = ListedRegistry(*listed), Clock()
    cache = in_memory(inner, clock, records_max=2)
    for nik in (first, second, first, third):  # the second is the longest unused
        await cache.find([nik], not_before=0.0)
    inner.asked.clear()
    await cache.find([first, third], not_before=0.0)
    assert inner.asked == []
    await cache.find([second], not_before=0.0)
    assert inner.asked == [((second,), 0.0)]


async def test_memory_stays_within_its_bound_in_one_large_question() -> None:
    listed = people(50)
    niks = [Nik(one.nik) for one in listed]
    inner = ListedRegistry(*listed)
    cache = in_memory(inner, Clock(), records_max=10)
    found = await cache.find(niks, not_before=0.0)
    assert [finding.record and finding.record.nik for finding in found] == niks
    inner.asked.clear()
    await cache.find(niks[-10:], not_before=0.0)
    assert inner.asked == []


async def test_memory_forgets_a_person_whose_record_went() -> None:
    (one,) = people(1)
    inner, clock = ListedRegistry(one), Clock()
    cache = in_memory(inner, clock)
    await cache.find([Nik(one.nik)], not_before=0.0)
    inner.records.clear()
    inner.as_of += 1
    assert await cache.find([Nik(one.nik)], not_before=inner.as_of) == [Finding(None, inner.as_of)]
    assert await cache.find([Nik(one.nik)], not_before=0.0) == [Finding(None, inner.as_of)]


async def test_memory_is_not_set_back_by_a_reading_that_comes_late() -> None:
    (one,) = people(1)
    nik, inner = Nik(one.nik), ListedRegistry(one)
    cache = in_memory(inner, Clock())
    await cache.find([nik], not_before=0.0)
    inner.as_of -= 10
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


async def test_workers_share_what_one_of_them_read(valkey: Stand, replica: ReplicaRegistry) -> None:
    first = await valkey.find(WOMAN)
    other = Counted(replica)
    another = in_valkey(other, valkey.servers, valkey.clock)
    assert await another.find([WOMAN], not_before=0.0) == first
    assert other.asked == []
    await another.close()


async def test_another_installations_key_neither_reads_nor_breaks(
    valkey: Stand, replica: ReplicaRegistry
) -> None:
    await valkey.find(WOMAN)
    other = Counted(replica)
    stranger = ValkeyCache(
        other,
        url=valkey.servers.valkey_url,
        key=bytes(32),
        clock=valkey.clock,
        entropy=SystemEntropy(),
        ttl_seconds=TTL,
    )
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
    servers: RegistryServers, replica: ReplicaRegistry
) -> None:
    clock = Clock(servers.beat_at)
    cache = ValkeyCache(
        replica,
        url="unix:///nowhere/valkey.sock",
        key=bytes(32),
        clock=clock,
        entropy=SystemEntropy(),
        ttl_seconds=TTL,
    )
    (finding,) = await cache.find([WOMAN], not_before=0.0)
    assert finding.record is not None
    await cache.close()


async def test_closing_right_after_an_answer_leaves_no_error_behind(
    servers: RegistryServers, replica: ReplicaRegistry
) -> None:
    loop = asyncio.get_running_loop()
    errors: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    try:
        for _ in range(3):
            cache = in_valkey(replica, servers, Clock(servers.beat_at))
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
    servers: RegistryServers, replica: ReplicaRegistry
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


async def test_who_wants_it_fresher_than_the_query_that_runs_waits_for_the_next() -> None:
    inner = Gate()
    batched = BatchedRegistry(inner)
    asked = [asking(batched, WOMAN, 5.0)]
    while not inner.asked:
        await asyncio.sleep(0)
    asked += [asking(batched, WOMAN, 5.0), asking(batched, WOMAN, 6.0)]
    await asyncio.sleep(0)
    inner.open.set()
    await asyncio.gather(*asked)
    assert inner.asked[-1] == ((WOMAN,), 6.0)


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
    assert await batched.find([WOMAN], not_before=0.0) == [Finding(None, inner.as_of)]


# The replica


async def test_the_next_replica_answers_where_the_first_does_not(
    servers: RegistryServers,
) -> None:
    replica = ReplicaRegistry([NOWHERE, servers.replica_url])
    (finding,) = await replica.find([WOMAN], not_before=0.0)
    assert finding.record is not None
    await replica.close()


async def test_a_replica_that_does_not_answer_is_not_waited_for_by_every_call(
    servers: RegistryServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten calls, one after the other as batches are: nine find out nothing that the first did."""
    monkeypatch.setattr(replica_postgres, "CONNECT_SECONDS_MAX", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        silent = f"postgresql://padan@127.0.0.1:{mute.getsockname()[1]}/registry"
        replica = ReplicaRegistry([silent, servers.replica_url])
        loop = asyncio.get_running_loop()
        started = loop.time()
        for _ in range(10):
            (finding,) = await replica.find([WOMAN], not_before=0.0)
            assert finding.record is not None
        assert loop.time() - started < 1.5
        await replica.close()


async def test_a_village_code_that_stops_at_the_regency_is_as_short_as_it_is_known(
    servers: RegistryServers, replica: ReplicaRegistry
) -> None:
    with servers.changed(WOMAN, village_code="3171"):
        (finding,) = await replica.find([WOMAN], not_before=0.0)
    assert finding.record is not None
    assert finding.record.village_code == "3171"


async def test_what_is_not_on_record_is_an_empty_text(
    servers: RegistryServers, replica: ReplicaRegistry
) -> None:
    nothing = {"mother_name": None, "father_name": None, "postal_code": None}
    with servers.changed(WOMAN, **nothing):
        (finding,) = await replica.find([WOMAN], not_before=0.0)
    assert finding.record is not None
    found = finding.record
    assert (found.mother_name, found.father_name, found.postal_code) == ("", "", "")


async def test_coverage_tells_what_is_centralised_and_where_outreach_is_still_to_come(
    replica: ReplicaRegistry,
) -> None:
    coverage = await replica.coverage()
    assert len(coverage) == 514
    assert coverage[NOT_CENTRALISED[0]] == Coverage(None, False)
    assert coverage[OUTREACH_PENDING[0]].outreach_pending
    complete = coverage["3171"]
    assert complete.complete_to is not None
    assert not complete.outreach_pending


async def test_a_replica_that_stops_is_unavailable_until_it_is_back(
    servers: RegistryServers, replica: ReplicaRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_postgres, "REST_SECONDS", 0.0)
    questions = (lambda: replica.find([WOMAN], not_before=0.0), replica.coverage)
    for ask in questions:
        assert await ask()
    with servers.without_replica():
        for ask in (*questions, *questions):
            with pytest.raises(Refusal) as refused:
                await ask()
            assert refused.value.reason is Reason.REGISTRY_UNAVAILABLE
    for ask in questions:
        assert await ask()
