"""What tests do to the real servers: change the registry, wait for its copy, look into Valkey."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from redis import Redis

from padan_server.embedded.servers import EmbeddedServers

CAUGHT_UP_SECONDS_MAX = 10.0


class RegistryServers:
    """The registry's primary and its standby, and Valkey."""

    def __init__(self, servers: EmbeddedServers) -> None:
        self._servers = servers
        self._primary = psycopg.connect(servers.registry_url, autocommit=True, row_factory=dict_row)
        self.replica_url = servers.replica_url
        self.valkey_url = servers.valkey_url
        self.beat_at = self.beat()
        """The last heartbeat, in seconds since the epoch; the standby shows it."""

    def close(self) -> None:
        """End the session; the servers stay."""
        self._primary.close()

    def write(self, statement: str, *parameters: object) -> None:
        """Run a statement on the primary; returns when the standby shows what it did."""
        self._primary.execute(statement.encode(), parameters)
        (reached,) = self.read("SELECT pg_current_wal_lsn() AS lsn")
        give_up = time.monotonic() + CAUGHT_UP_SECONDS_MAX
        while not self.read(
            "SELECT 1 FROM pg_stat_replication WHERE replay_lsn >= %s::pg_lsn", reached["lsn"]
        ):
            if time.monotonic() > give_up:
                raise TimeoutError("the standby does not catch up")
            time.sleep(0.002)

    def read(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """Run a query on the primary."""
        return self._primary.execute(query.encode(), parameters).fetchall()

    def beat(self) -> float:
        """Move the heartbeat; give it as the standby then shows it."""
        self.write("UPDATE heartbeat SET beat_at = clock_timestamp()")
        (row,) = self.read("SELECT beat_at FROM heartbeat")
        self.beat_at = row["beat_at"].timestamp()
        return self.beat_at

    @contextmanager
    def changed(self, nik: str, **values: object) -> Iterator[float]:
        """Change a person for a while; give the heartbeat that follows the change."""
        (before,) = self.read(f"SELECT {', '.join(values)} FROM person WHERE nik = %s", nik)
        self._update(nik, values)
        try:
            yield self.beat()
        finally:
            self._update(nik, before)
            self.beat()

    def _update(self, nik: str, values: dict[str, Any]) -> None:
        settings = ", ".join(f"{name} = %s" for name in values)
        self.write(f"UPDATE person SET {settings} WHERE nik = %s", *values.values(), nik)

    @contextmanager
    def without_replica(self) -> Iterator[None]:
        """Stop the standby for a while."""
        self._servers.stop_replica()
        try:
            yield
        finally:
            self._servers.start_replica()
            self.beat()

    @contextmanager
    def without_valkey(self) -> Iterator[None]:
        """Stop Valkey for a while; it comes back empty."""
        self._servers.stop_valkey()
        try:
            yield
        finally:
            self._servers.start_valkey()

    @contextmanager
    def valkey(self) -> Iterator[Redis]:
        """Give a client of Valkey."""
        client = Redis.from_url(self.valkey_url)
        try:
            yield client
        finally:
            client.close()
