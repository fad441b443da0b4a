"""The embedded servers as one: registry and ledger on a primary, its hot standby, and Valkey.

The shape is production's: a worker reads from the standby, only the notary writes to the ledger.
Servers outlive the process that started them, are found again by their directory, and survive
kill -9. Whoever may enter the directory may do anything to them: this is for demos and tests.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from padan_server.embedded import postgres, valkey
from padan_server.embedded.account import Account, EmbeddedServersError
from padan_server.embedded.postgres import Postgres
from padan_server.embedded.valkey import Valkey

__all__ = ["EmbeddedServers", "EmbeddedServersError"]

REGISTRY = "registry"
LEDGER = "ledger"

_SLOT = "padan_standby"
_PRIMARY_PORT = 5432
_STANDBY_PORT = 5433
_STREAMING_SECONDS_MAX = 60
# The kernel takes 108 bytes (104 on macOS); the longest name here is ".s.PGSQL.5433.lock".
_SOCKET_PATH_BYTES_MAX = 100
_SOCKET_NAME_BYTES_MAX = 20


class EmbeddedServers:
    """The servers of one data directory. Making this object starts nothing.

    URLs are known before the start. `start` and `stop` may be called from several processes.
    Errors are EmbeddedServersError, and psycopg's from the primary.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        logs = self.data_dir / "logs"
        sockets = _socket_directory(self.data_dir)
        account = Account.for_servers(
            (postgres.binaries(), valkey.binary().parent, self.data_dir.parent, sockets.parent)
        )
        self._account = account
        self._sockets = sockets
        self._primary = Postgres(
            name="primary",
            directory=self.data_dir / "primary",
            log=logs / "primary.log",
            socket_directory=sockets,
            port=_PRIMARY_PORT,
            account=account,
            settings={},
        )
        self._standby = Postgres(
            name="standby",
            directory=self.data_dir / "standby",
            log=logs / "standby.log",
            socket_directory=sockets,
            port=_STANDBY_PORT,
            account=account,
            settings={
                "primary_conninfo": (
                    f"host='{sockets}' port={_PRIMARY_PORT} user={postgres.OWNER} "
                    "application_name=standby"
                ),
                "primary_slot_name": _SLOT,
                "hot_standby_feedback": "on",
                "wal_receiver_status_interval": "1s",
                # A primary that comes back is followed again at once (the default waits 5 s).
                "wal_retrieve_retry_interval": "200ms",
            },
        )
        self._valkey = Valkey(
            directory=self.data_dir / "valkey",
            log=logs / "valkey.log",
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
    def replica_url(self) -> str:
        """The registry's copy, on the hot standby: read-only."""
        return self._standby.url(REGISTRY)

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
        return self._sockets

    @property
    def logs(self) -> tuple[Path, ...]:
        """The log files of all servers."""
        return (self._primary.log, self._standby.log, self._valkey.log)

    @property
    def pids(self) -> dict[str, int]:
        """The pids of what runs: any of `primary`, `standby`, `valkey`."""
        found = {
            "primary": self._primary.pid(),
            "standby": self._standby.pid(),
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

        Returns when the primary has both databases, the standby streams and Valkey answers.
        """
        with self._locked():
            self._valkey.start()
            if not self._primary.exists:
                self._primary.initialise()
            self._primary.start()
            self._make_databases()
            self._start_standby()
            self._wait_until_streaming()

    def stop(self) -> None:
        """Stop everything that runs. The primary first: the standby then has all that it wrote."""
        with self._locked():
            self._primary.stop()
            self._standby.stop()
            self._valkey.stop()

    def start_primary(self) -> None:
        """Start the primary alone."""
        with self._locked():
            self._primary.start()

    def stop_primary(self) -> None:
        """Stop the primary: the registry and the ledger are away, the replica stays."""
        with self._locked():
            self._primary.stop()

    def start_replica(self) -> None:
        """Start the standby; it catches up in its own time."""
        with self._locked():
            self._start_standby()

    def stop_replica(self) -> None:
        """Stop the standby: no copy of the registry answers."""
        with self._locked():
            self._standby.stop()

    def start_valkey(self) -> None:
        """Start Valkey, empty."""
        with self._locked():
            self._valkey.start()

    def stop_valkey(self) -> None:
        """Stop Valkey: what it held is gone."""
        with self._locked():
            self._valkey.stop()

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
            for directory in (self._sockets, self.data_dir / "logs", self.data_dir / "valkey"):
                self._account.directory(directory)
            remembered = {"data_dir": str(self.data_dir), "sockets": str(self._sockets)}
            _state_file(self.data_dir).write_text(json.dumps(remembered) + "\n", "utf-8")
            yield

    def _make_databases(self) -> None:
        with self._primary.connect() as connection:
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in sorted({REGISTRY, LEDGER} - there):
                connection.execute(f"CREATE DATABASE {name}".encode())

    def _start_standby(self) -> None:
        """Start the standby; one that is missing, or too far behind to follow, is made anew."""
        if self._standby.pid() is None and self._primary.pid() is not None:
            with self._primary.connect() as connection:
                slot = connection.execute(
                    "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", [_SLOT]
                ).fetchone()
                lost = slot is not None and slot[0] == "lost"
                if lost:
                    connection.execute("SELECT pg_drop_replication_slot(%s)", [_SLOT])
                if slot is None or lost:
                    connection.execute(
                        "SELECT pg_create_physical_replication_slot(%s, true)", [_SLOT]
                    )
            if slot is None or lost or not self._standby.exists:
                self._standby.copy_from(self._primary, _SLOT)
        self._standby.start()

    def _wait_until_streaming(self) -> None:
        give_up = time.monotonic() + _STREAMING_SECONDS_MAX
        with self._standby.connect() as connection:
            while (
                connection.execute(
                    "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'"
                ).fetchone()
                is None
            ):
                if time.monotonic() > give_up:
                    raise EmbeddedServersError(
                        f"the standby does not follow the primary; its log is {self._standby.log}"
                    )
                time.sleep(0.02)


def _state_file(data_dir: Path) -> Path:
    return data_dir / "servers.json"


def _socket_directory(data_dir: Path) -> Path:
    """Choose where the sockets stand, as remembered; too long a path gets a short one elsewhere."""
    try:
        remembered = json.loads(_state_file(data_dir).read_text("utf-8"))
    except (OSError, ValueError):
        remembered = {}
    if remembered.get("data_dir") == str(data_dir):
        return Path(remembered["sockets"])
    beside = data_dir / "sockets"
    if len(os.fsencode(beside)) + _SOCKET_NAME_BYTES_MAX <= _SOCKET_PATH_BYTES_MAX:
        return beside
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"padan-{name}"
