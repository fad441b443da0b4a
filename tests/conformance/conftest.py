"""Real servers for this suite: a registry with a thousand people, two standbys, and Valkey."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from padan_server.embedded.load import load_population
from padan_server.embedded.servers import EmbeddedServers
from padan_server.migrations.registry import upgrade
from tests.conformance.registry_servers import RegistryServers


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServers]:
    """Give the servers; a test that stops one starts it again."""
    with EmbeddedServers(tmp_path_factory.mktemp("servers") / "data", standbys=2) as started:
        upgrade(started.registry_url)
        load_population(started.registry_url, people=1_000, seed=1)
        running = RegistryServers(started)
        yield running
        running.close()
