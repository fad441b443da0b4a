"""The embedded servers as one: registry and ledger on a primary, its hot standbys, and Valkey.

The shape is production's: a worker reads from standbys, only the notary writes to the ledger.
Servers outlive the process that started them, are found again by their directory, and survive
kill -9. Whoever may enter the directory may do anything to them: this is for demos and tests.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from padan_server.embedded import postgres, valkey
from padan_server.embedded.account import Account, EmbeddedServersError
from padan_server.embedded.place import STANDBYS_MAX, Place
from padan_server.embedded.postgres import Postgres
from padan_server.embedded.standby import Standby
from padan_server.embedded.valkey import Valkey

__all__ = ["EmbeddedServers", "EmbeddedServersError"]

REGISTRY = "registry"
LEDGER = "ledger"

_PRIMARY_PORT = 5432

_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


class EmbeddedServers:
    """The servers of one data directory. Making this object starts nothing.

    A directory has the standbys it was ever given: `standbys` is how many it has at least.
    `settings` are PostgreSQL's, of primary and standbys, for this object's starts. Standbys are
    numbered from 0. URLs are known before the start. `start` and `stop` may be called from several
    processes. Errors are EmbeddedServersError, and psycopg's from the primary.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        standbys: int = 1,
        settings: Mapping[str, str] = _NO_SETTINGS,
    ) -> None:
        if not 1 <= standbys <= STANDBYS_MAX:
            raise EmbeddedServersError(f"there can be from 1 to {STANDBYS_MAX} standbys")
        self._place = Place.of(data_dir, standbys=standbys)
        self.data_dir = self._place.data_dir
        sockets = self._place.sockets
        account = Account.for_servers(
            (postgres.binaries(), valkey.binary().parent, self.data_dir.parent, sockets.parent)
        )
        self._account = account
        self._primary = Postgres(
            name="primary",
            directory=self.data_dir / "primary",
            log=self._place.logs / "primary.log",
            socket_directory=sockets,
            port=_PRIMARY_PORT,
            account=account,
            settings=settings,
        )
        self._standbys = tuple(
            Standby.of(self._primary, number=number) for number in range(self._place.standbys)
        )
        self._valkey = Valkey(
            directory=self.data_dir / "valkey",
            log=self._place.logs / "valkey.log",
            socket=sockets / "valkey.sock",
            account=account,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def registry_url(self) -> str:
        """The central registry, on the primary, as its owner."""
        return self._primary.url(REGISTRY)

    @property
    def replica_urls(self) -> tuple[str, ...]:
        """The registry's copies, on the hot standbys in order: read-only."""
        return tuple(standby.server.url(REGISTRY) for standby in self._standbys)

    @property
    def replica_url(self) -> str:
        """The first of the registry's copies."""
        return self.replica_urls[0]

    @property
    def ledger_url(self) -> str:
        """The ledger's database, on the primary, as its owner."""
        return self._primary.url(LEDGER)

    @property
    def valkey_url(self) -> str:
        """Valkey, as redis-py reads it (`unix://...`)."""
        return self._valkey.url

    @property
    def socket_directory(self) -> Path:
        """Where the sockets stand; its path is short enough for more of them."""
        return self._place.sockets

    @property
    def names(self) -> tuple[str, ...]:
        """All servers by name: `primary`, `standby`, `standby-2` and so on, `valkey`."""
        return ("primary", *(standby.server.name for standby in self._standbys), "valkey")

    @property
    def logs(self) -> tuple[Path, ...]:
        """The log files of all servers."""
        standbys = (standby.server.log for standby in self._standbys)
        return (self._primary.log, *standbys, self._valkey.log)

    @property
    def pids(self) -> dict[str, int]:
        """The pids of what runs, by name."""
        found = {
            "primary": self._primary.pid(),
            **{standby.server.name: standby.server.pid() for standby in self._standbys},
            "valkey": self._valkey.pid(),
        }
        return {name: pid for name, pid in found.items() if pid is not None}

    @property
    def versions(self) -> dict[str, str]:
        """The versions of the installed servers: `postgresql` and `valkey`."""
        postgresql = self._account.run(postgres.binary("postgres"), "--version", timeout_seconds=10)
        valkey_server = self._account.run(valkey.binary(), "--version", timeout_seconds=10)
        return {
            "postgresql": postgresql.split()[-1],
            "valkey": valkey_server.split("v=", 1)[-1].split()[0],
        }

    def start(self) -> None:
        """Start what does not run; set up what is not there.

        Returns when the primary has both databases, the standbys stream and Valkey answers.
        """
        with self._locked():
            self._valkey.start()
            if not self._primary.exists:
                self._primary.initialise()
            self._primary.start()
            self._make_databases()
            for standby in self._standbys:
                standby.start()
            for standby in self._standbys:
                standby.wait_until_streaming()

    def stop(self) -> None:
        """Stop everything that runs. The primary first: standbys then have all that it wrote."""
        with self._locked():
            self._primary.stop()
            for standby in self._standbys:
                standby.server.stop()
            self._valkey.stop()

    def start_primary(self) -> None:
        """Start the primary alone."""
        with self._locked():
            self._primary.start()

    def stop_primary(self) -> None:
        """Stop the primary: the registry and the ledger are away, the replicas stay."""
        with self._locked():
            self._primary.stop()

    def start_replica(self, number: int = 0) -> None:
        """Start a standby; it catches up in its own time."""
        with self._locked():
            self._standbys[number].start()

    def stop_replica(self, number: int = 0) -> None:
        """Stop a standby: this copy of the registry does not answer."""
        with self._locked():
            self._standbys[number].server.stop()

    def kill_replica(self, number: int = 0) -> None:
        """Kill -9 a standby, with all its processes."""
        with self._locked():
            self._standbys[number].server.kill()

    def pause_replay(self, number: int = 0) -> None:
        """Have a standby stand still from the return on; it answers, and takes WAL."""
        self._standbys[number].pause()

    def resume_replay(self, number: int = 0) -> None:
        """Have a standby move again; it catches up in its own time."""
        self._standbys[number].resume()

    def start_valkey(self) -> None:
        """Start Valkey, empty."""
        with self._locked():
            self._valkey.start()

    def stop_valkey(self) -> None:
        """Stop Valkey: what it held is gone."""
        with self._locked():
            self._valkey.stop()

    def kill_valkey(self) -> None:
        """Kill -9 Valkey: what it held is gone."""
        with self._locked():
            self._valkey.kill()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Make the directories, and keep other processes out while servers change."""
        if not self.data_dir.exists():
            # Others may pass to what they own below, but not look around.
            self.data_dir.mkdir(
                parents=True, mode=0o711 if self._account.uid is not None else 0o700
            )
        with (self.data_dir / "servers.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for directory in (self._place.sockets, self._place.logs, self._valkey.directory):
                self._account.directory(directory)
            self._place.remember()
            yield

    def _make_databases(self) -> None:
        with self._primary.connect() as connection:
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in sorted({REGISTRY, LEDGER} - there):
                connection.execute(f"CREATE DATABASE {name}".encode())
