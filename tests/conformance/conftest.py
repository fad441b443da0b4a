"""Real servers for this suite: a registry with a thousand people, two standbys, and Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from padan_server.adapters.replicas import Replicas
from padan_server.embedded.load import load_population
from padan_server.embedded.servers import EmbeddedServers
from padan_server.migrations.registry import upgrade
from tests.conformance.registry_servers import RegistryServers
from tests.conformance.stand import Stand, seen, stand_on, watched


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServers]:
    """Give the servers; a test that stops one starts it again."""
    with EmbeddedServers(tmp_path_factory.mktemp("servers") / "data", standbys=2) as started:
        upgrade(started.registry_url)
        load_population(started.registry_url, people=1_000, seed=1)
        running = RegistryServers(started)
        yield running
        running.close()


@pytest.fixture(scope="session")
async def replica(servers: RegistryServers) -> AsyncIterator[Replicas]:
    """Give the first standby as a registry, watched."""
    async with watched(servers.replica_url) as replicas:
        await seen(replicas)
        yield replicas


@pytest.fixture(params=["replica", "batched", "valkey", "memory", "stack"])
async def stand(
    request: pytest.FixtureRequest, replica: Replicas, servers: RegistryServers
) -> AsyncIterator[Stand]:
    """Give each kind of registry in turn."""
    async for made in stand_on(request.param, replica, servers):
        yield made


@pytest.fixture(params=["valkey", "memory", "stack"])
async def cached(
    request: pytest.FixtureRequest, replica: Replicas, servers: RegistryServers
) -> AsyncIterator[Stand]:
    """Give each kind of cache in turn."""
    async for made in stand_on(request.param, replica, servers):
        yield made


@pytest.fixture
async def valkey(replica: Replicas, servers: RegistryServers) -> AsyncIterator[Stand]:
    """Give a cache in Valkey."""
    async for made in stand_on("valkey", replica, servers):
        yield made
