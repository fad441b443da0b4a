"""A registry under test, in every form that it has, and what these suites ask of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from padan_server.adapters.cache_memory import MemoryCache
from padan_server.adapters.cache_valkey import ValkeyCache
from padan_server.adapters.entropy_system import SystemEntropy
from padan_server.adapters.registry_batched import BatchedRegistry
from padan_server.adapters.replica_postgres import Replica
from padan_server.adapters.replicas import Replicas
from padan_server.domain.freshness import Freshness, Tail
from padan_server.domain.nik import Nik, parse
from padan_server.domain.person import Finding, Record
from padan_server.embedded.documented import documented_people
from padan_server.ports import Registry
from tests.conformance.registry_servers import RegistryServers
from tests.support.builders import Clock, record
from tests.support.waiting import comes_to_hold

TTL = 60.0
CLOCK_ERROR_SECONDS = 0.5
PEOPLE = {person.key: parse(person.nik) for person in documented_people()}
WOMAN, MOVER, TWIN = PEOPLE["ordinary-woman"], PEOPLE["mover"], PEOPLE["first-twin"]
ABSENT = PEOPLE["not-registered"]
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


@asynccontextmanager
async def watched(
    *urls: str, clock: Callable[[], float] = time.time, freshness: Freshness | None = None
) -> AsyncIterator[Replicas]:
    """Give replicas whose watch runs."""
    tail = Tail(freshness or Freshness(changes_max=1000))
    replicas = Replicas(urls, tail=tail, clock=clock, clock_error_seconds=CLOCK_ERROR_SECONDS)
    watching = asyncio.create_task(replicas.run())
    yield replicas
    watching.cancel()
    await asyncio.wait([watching])
    await replicas.close()


async def seen(replicas: Replicas) -> None:
    """Wait until every replica was seen."""
    await comes_to_hold(lambda: None not in replicas.ages)


def nowhere() -> Replicas:
    """Give a copy that is away."""
    tail = Tail(Freshness(changes_max=1))
    return Replicas([NOWHERE], tail=tail, clock=time.time, clock_error_seconds=0.0)


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
    return MemoryCache(
        inner, freshness=freshness or begun(), clock=clock, ttl_seconds=TTL, bytes_max=bytes_max
    )


def begun() -> Freshness:
    """Give a tail's knowledge by which everything may be used."""
    freshness = Freshness(changes_max=1)
    freshness.begin("a registry", -1, 0.0)
    return freshness


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


def values_of(record: Record) -> list[object]:
    return [getattr(record, name) for name in Record.__struct_fields__]


def people(count: int) -> list[Record]:
    return [record(nik=f"317101520390{number:04d}") for number in range(1, count + 1)]
