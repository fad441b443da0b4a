"""Sets an installation up in a directory: servers, keys, schemas, people, and the service itself.

What is there already is used as it is, so that a second start takes seconds.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psycopg

from padan_server.adapters import keyring_file
from padan_server.compose.ledger import open_ledger
from padan_server.config import Settings
from padan_server.embedded.load import load_population
from padan_server.embedded.servers import EmbeddedServers
from padan_server.migrations import ledger as ledger_migrations
from padan_server.migrations import registry as registry_migrations
from padan_server.supervisor import reserve_port
from padan_server.transport.health import ask
from padan_server.transport.verification import NAME

READY_SECONDS_MAX = 60.0
SEED = 1

TOLD_PEOPLE = 1_000_000
"""A load tells how far it has come each time that so many more are in: it takes a minute."""

SOCKET_PATH_BYTES_MAX = 100
"""What the kernels of all systems take."""

Tell = Callable[[str], None]

_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


class InstallationError(Exception):
    """The installation cannot be set up or started; the text says why."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A service that runs: its port, its supervisor's process, and its log."""

    port: int
    process: subprocess.Popen[bytes]
    log_file: Path
    certificate_file: Path | None

    @property
    def target(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    def ready(self) -> bool:
        """Tell whether a worker can answer."""
        return ask(self.target, service=NAME, certificate_file=self.certificate_file) == "SERVING"

    def wait_until_ready(self) -> None:
        """Wait until a worker can answer. Raises InstallationError."""
        ends = time.monotonic() + READY_SECONDS_MAX
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > ends:
                raise InstallationError(f"the service does not start; its log is {self.log_file}")
            time.sleep(0.1)


class Installation:
    """One installation below a directory; `postgres_settings` are for its embedded servers."""

    def __init__(
        self,
        directory: Path,
        *,
        tell: Tell,
        standbys: int = 1,
        postgres_settings: Mapping[str, str] = _NO_SETTINGS,
    ) -> None:
        self.directory = directory.resolve()
        self.servers = EmbeddedServers(
            self.directory / "servers", standbys=standbys, settings=postgres_settings
        )
        self._tell = tell

    @property
    def notary_socket(self) -> Path:
        """The notary's socket."""
        return Path(self.environment["PADAN_NOTARY_SOCKET"])

    @property
    def environment(self) -> dict[str, str]:
        """The settings of the service, as environment variables."""
        return {
            "PADAN_DATA_DIR": str(self.directory),
            "PADAN_NOTARY_SOCKET": str(self._notary_socket()),
            "PADAN_REGISTRY_URL": self.servers.registry_url,
            "PADAN_REPLICA_URLS": ",".join(self.servers.replica_urls),
            "PADAN_LEDGER_URL": self.servers.ledger_url,
            "PADAN_VALKEY_URL": self.servers.valkey_url,
            "PADAN_LOG_ORIGIN": "padan.example/demo",
            "PADAN_HOST": "127.0.0.1",
            "PADAN_INSECURE": "true",
        }

    def _notary_socket(self) -> Path:
        """Place the notary's socket where the settings do, or where its path is short enough."""
        placed = self.directory / "notary.sock"
        if len(os.fsencode(placed)) <= SOCKET_PATH_BYTES_MAX:
            return placed
        return self.servers.socket_directory / "notary.sock"

    @property
    def settings(self) -> Settings:
        """The same, read."""
        given = self.environment.items()
        return Settings.model_validate(
            {name.removeprefix("PADAN_").lower(): value for name, value in given}
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the installation for oneself. Raises InstallationError if another has it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "demo.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InstallationError(
                    f"another demonstration runs in {self.directory}: end it first"
                ) from None
            yield

    def write_environment(self, port: int) -> Path:
        """Write the settings to a file that a shell can read; gives it."""
        path = self.directory / "env"
        settings = self.environment | {"PADAN_PORT": str(port)}
        lines = [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    def prepare(self, *, people: int) -> None:
        """Start the servers, and set up what is missing."""
        self.servers.start()
        versions = ", ".join(f"{name} {number}" for name, number in self.servers.versions.items())
        copies = len(self.servers.replica_urls)
        standbys = "hot standby" if copies == 1 else f"{copies} hot standbys"
        self._tell(f"PostgreSQL primary and {standbys}, and Valkey, run ({versions})")
        if not (self.directory / "keys").exists():
            keyring_file.create(self.directory / "keys")
            self._tell("keys made")
        registry_migrations.upgrade(self.servers.registry_url)
        if not self._has_people():
            self._tell(f"filling the registry with {people:,} people, none of whom exists")
            report = load_population(
                self.servers.registry_url,
                people=people,
                seed=SEED,
                progress=_Told(self._tell, people).add,
            )
            self._tell(f"{report.people:,} people in {report.seconds:.1f} s")
        ledger_migrations.upgrade(self.servers.ledger_url)
        if not self.settings.anchor.exists():
            asyncio.run(open_ledger(self.settings))
            self._tell("the ledger's log opened")

    @contextmanager
    def serving(self, *, port: int, settings: Mapping[str, str]) -> Iterator[Serving]:
        """Run the service until the block ends. Port 0, or one that is taken, gives a free one."""
        holder = _reserve(port)
        environment = os.environ | self.environment | dict(settings)
        environment["PADAN_PORT"] = str(holder.getsockname()[1])
        log_file = self.directory / "padan-server.log"
        with log_file.open("ab") as log, holder:
            process = subprocess.Popen(
                [sys.executable, "-m", "padan_server", "serve"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demonstration, which then stops it
            )
            certificate = environment.get("PADAN_TLS_CERTIFICATE_FILE")
            serving = Serving(
                int(environment["PADAN_PORT"]),
                process,
                log_file,
                Path(certificate) if certificate else None,
            )
            try:
                serving.wait_until_ready()
                yield serving
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()

    def check_ledger(self) -> str:
        """Check the log as `padan-server ledger check` does; gives what that prints."""
        return self._run("ledger", "check")

    def _has_people(self) -> bool:
        with psycopg.connect(self.servers.registry_url) as registry:
            return registry.execute("SELECT 1 FROM person LIMIT 1").fetchone() is not None

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "padan_server", *arguments],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise InstallationError(done.stderr.strip() or done.stdout.strip())
        return done.stdout.strip()


class _Told:
    """Tells how far a load has come, each million people; called from several threads."""

    def __init__(self, tell: Tell, people: int) -> None:
        self._tell = tell
        self._people = people
        self._loaded = 0
        self._one_at_a_time = threading.Lock()

    def add(self, loaded: int) -> None:
        with self._one_at_a_time:
            before, self._loaded = self._loaded // TOLD_PEOPLE, self._loaded + loaded
            if self._loaded // TOLD_PEOPLE > before:
                self._tell(f"{self._loaded:,} of {self._people:,} people")


def _reserve(port: int) -> socket.socket:
    try:
        return reserve_port("127.0.0.1", port)
    except OSError:
        return reserve_port("127.0.0.1", 0)
