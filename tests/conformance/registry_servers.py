"""What tests do to the real servers: change the registry, wait for its copies, look into Valkey."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from redis import Redis

from padan_server.embedded.servers import EmbeddedServers

CAUGHT_UP_SECONDS_MAX = 10.0


class RegistryServers:
    """The registry's primary and its two standbys, and Valkey."""

    def __init__(self, servers: EmbeddedServers) -> None:
        self._servers = servers
        self._primary = psycopg.connect(servers.registry_url, autocommit=True, row_factory=dict_row)
        self._paused: set[int] = set()
        self.replica_urls = servers.replica_urls
        self.replica_url = servers.replica_url
        self.valkey_url = servers.valkey_url
        self.beat_at = self.beat()
        """The last heartbeat, in seconds since the epoch; the standby shows it."""

    def close(self) -> None:
        """End the session; the servers stay."""
        self._primary.close()

    def write(self, statement: str, *parameters: object) -> None:
        """Run a statement on the primary; returns when the standbys show what it did."""
        self._primary.execute(statement.encode(), parameters)
        self.settle()

    def settle(self) -> None:
        """Wait until the standbys that follow show all that was committed."""
        (reached,) = self.read("SELECT pg_current_wal_lsn() AS lsn")
        expected = max(0, self._following() - len(self._paused))
        give_up = time.monotonic() + CAUGHT_UP_SECONDS_MAX
        while (
            len(
                self.read(
                    "SELECT 1 FROM pg_stat_replication WHERE replay_lsn >= %s::pg_lsn",
                    reached["lsn"],
                )
            )
            < expected
        ):
            if time.monotonic() > give_up:
                raise TimeoutError("a standby does not catch up")
            time.sleep(0.002)

    def _following(self) -> int:
        return sum(name.startswith("standby") for name in self._servers.pids)

    def pids_of(self, number: int) -> list[int]:
        """Give the processes of a standby: its postmaster and all below it."""
        name = "standby" if number == 0 else f"standby-{number + 1}"
        postmaster = self._servers.pids[name]
        return [postmaster, *_children(postmaster)]

    def session(self) -> psycopg.Connection[Any]:
        """Give a session on the primary, for a transaction that stays open."""
        return psycopg.connect(self._servers.registry_url)

    def pause(self, number: int) -> None:
        """Have a standby stand still, and answer."""
        self._servers.pause_replay(number)
        self._paused.add(number)

    def resume(self, number: int) -> None:
        """Have a standby go on."""
        self._servers.resume_replay(number)
        self._paused.discard(number)

    def read(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """Run a query on the primary."""
        return self._primary.execute(query.encode(), parameters).fetchall()

    def beat(self) -> float:
        """Move the heartbeat; give it as the standby then shows it."""
        self.write("UPDATE heartbeat SET beat_at = clock_timestamp()")
        (row,) = self.read("SELECT beat_at FROM heartbeat")
        self.beat_at = row["beat_at"].timestamp()
        return self.beat_at

    def beat_number(self) -> int:
        """Give the heartbeat's number."""
        (row,) = self.read("SELECT beat FROM heartbeat")
        number: int = row["beat"]
        return number

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


def _children(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text("utf-8").split()
    return [int(pid) for pid in listed]
