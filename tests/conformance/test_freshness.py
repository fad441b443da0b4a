"""In any order of changes, long transactions, pauses, looks and hits, answers keep their word.

Two workers, two standbys of different lag, one Valkey, all real. tests/unit/test_freshness.py does
the same in a model, thousands of times.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import Any, cast

import psycopg
import pytest

from padan_server.adapters.cache_memory import MemoryCache
from padan_server.adapters.cache_valkey import ValkeyCache
from padan_server.adapters.entropy_system import SystemEntropy
from padan_server.adapters.registry_batched import BatchedRegistry
from padan_server.adapters.replica_postgres import Replica
from padan_server.domain.freshness import Freshness, Tail
from padan_server.domain.nik import Nik, parse
from padan_server.domain.person import Finding
from padan_server.domain.refusal import Reason, Refusal
from padan_server.embedded.documented import documented_people
from padan_server.operations.finding import Finder
from padan_server.ports import Registry
from tests.conformance.registry_servers import RegistryServers
from tests.support.builders import Clock, verify_query

RUNS = int(os.environ.get("PADAN_FRESHNESS_RUNS", "12"))
STEPS = 120

_ON_RECORD = [parse(person.nik) for person in documented_people() if person.row is not None]
PEOPLE = _ON_RECORD[:3]


class ChosenReplica:
    """A registry copy on whichever replica the test has chosen."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self._replicas = replicas
        self.number = 0
        self.asked = 0

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        self.asked += 1
        return await self._replicas[self.number].find(niks)


@dataclass
class Worker:
    """A worker's registry, as compose/worker.py builds it, over a replica that the test chooses."""

    chosen: ChosenReplica
    tail: Tail
    valkey: ValkeyCache
    finder: Finder


def worker(replicas: Sequence[Replica], servers: RegistryServers, clock: Clock) -> Worker:
    freshness = Freshness(changes_max=2)
    chosen = ChosenReplica(replicas)
    valkey = ValkeyCache(
        chosen,
        url=servers.valkey_url,
        key=bytes(32),
        freshness=freshness,
        clock=clock,
        entropy=SystemEntropy(),
        ttl_seconds=3600,
    )
    memory: Registry = MemoryCache(
        BatchedRegistry(valkey),
        freshness=freshness,
        clock=clock,
        ttl_seconds=3600,
        bytes_max=10**6,
    )
    finder = Finder(
        registry=memory,
        regions=cast(Any, None),  # finding asks for no region
        clock=clock,
        staleness_seconds_max=3600,
        clock_error_seconds=0.0,
    )
    return Worker(chosen, Tail(freshness), valkey, finder)


class World:
    """The servers and workers, and what was committed in which order."""

    def __init__(
        self, servers: RegistryServers, workers: Sequence[Worker], replicas: Sequence[Replica]
    ) -> None:
        self.servers = servers
        self.workers = workers
        self.replicas = replicas
        self.chance = Random(0)
        self.clock = Clock()
        self.open: dict[Nik, psycopg.Connection[Any]] = {}
        self.paused: set[int] = set()
        self.events: list[tuple[str, int]] = []
        """("beat", number), and (a NIK, the version of its record), as they were committed."""
        self.answers = self.hits = self.refused = 0

    def begin(self, chance: Random, clock: Clock) -> None:
        self.chance, self.clock = chance, clock
        self.events = [(nik, self.version(nik)) for nik in PEOPLE]
        self.beat()

    async def step(self) -> None:
        steps = (self.beat, self.change, self.start, self.commit, self.pause, self.look, self.ask)
        step = self.chance.choices(steps, weights=(4, 2, 1, 1, 1, 6, 10))[0]
        done = step()
        if done is not None:
            await done

    def beat(self) -> None:
        self.clock.now = self.servers.beat()
        self.events.append(("beat", self.servers.beat_number()))

    def change(self) -> None:
        nik = self.someone()
        if nik not in self.open:
            self.servers.write("UPDATE person SET rt = rt WHERE nik = %s", nik)
            self.events.append((nik, self.version(nik)))

    def start(self) -> None:
        """Change a person in a transaction that stays open."""
        nik = self.someone()
        if nik not in self.open:
            self.open[nik] = self.servers.session()
            self.open[nik].execute("UPDATE person SET rt = rt WHERE nik = %s", [nik])

    def commit(self) -> None:
        for nik in list(self.open)[:1]:
            session = self.open.pop(nik)
            session.commit()
            session.close()
            self.events.append((nik, self.version(nik)))
            self.servers.settle()

    def pause(self) -> None:
        number = self.chance.randrange(2)
        if number in self.paused:
            self.servers.resume(number)
            self.paused.discard(number)
            self.servers.settle()
        else:
            self.servers.pause(number)
            self.paused.add(number)

    async def look(self) -> None:
        tail = self.chance.choice(self.workers).tail
        tail.take(await self.chance.choice(self.replicas).snapshot(tail.xmin))

    async def ask(self) -> None:
        asked, nik = self.chance.choice(self.workers), self.someone()
        asked.chosen.number = self.chance.randrange(2)
        before = asked.chosen.asked
        staleness = self.chance.choice((None, 0.005, 0.05, 3000.0))
        try:
            finding = await asked.finder.find(
                verify_query(nik=nik, max_staleness_seconds=staleness)
            )
        except Refusal as refusal:
            if refusal.reason is not Reason.TOO_STALE:
                raise
            self.refused += 1
            return
        await asked.valkey.drain()
        self.answers += 1
        self.hits += asked.chosen.asked == before
        if staleness is not None:
            assert self.clock.now - finding.as_of <= staleness
        self.check(nik, finding)

    def check(self, nik: Nik, finding: Finding) -> None:
        """Hold an answer against what was committed: as of its beat, or before the next one."""
        assert finding.record is not None
        beats = [at for at, (what, _) in enumerate(self.events) if what == "beat"]
        begins = self.events.index(("beat", finding.beat))
        ends = min((at for at in beats if at > begins), default=len(self.events))
        held = [
            version for at, (whose, version) in enumerate(self.events) if whose == nik and at < ends
        ]
        as_of = [v for at, (whose, v) in enumerate(self.events) if whose == nik and at < begins]
        assert max(as_of) <= finding.record.version <= max(held)

    def end(self) -> None:
        for session in self.open.values():
            session.close()
        self.open.clear()
        for number in self.paused:
            self.servers.resume(number)
        self.paused.clear()
        self.servers.settle()

    def version(self, nik: Nik) -> int:
        (row,) = self.servers.read("SELECT record_version FROM person WHERE nik = %s", nik)
        version: int = row["record_version"]
        return version

    def someone(self) -> Nik:
        return self.chance.choice(PEOPLE)


@pytest.fixture
async def replicas(servers: RegistryServers) -> AsyncIterator[list[Replica]]:
    made = [Replica(url) for url in servers.replica_urls]
    yield made
    for replica in made:
        replica.close()


async def test_in_any_order_no_answer_is_older_or_newer_than_it_says(
    servers: RegistryServers, replicas: list[Replica]
) -> None:
    answers = hits = refused = 0
    for seed in range(RUNS):
        clock = Clock()
        workers = [worker(replicas, servers, clock) for _ in range(2)]
        world = World(servers, workers, replicas)
        with ExitStack() as stack:
            stack.callback(world.end)
            world.begin(Random(seed), clock)
            for _ in range(STEPS):
                await world.step()
        for one in workers:
            await one.valkey.close()
        answers, hits = answers + world.answers, hits + world.hits
        refused += world.refused
    # The runs reached what they are about.
    assert hits > answers / 10
    assert answers - hits > answers / 10
    assert refused > 0
