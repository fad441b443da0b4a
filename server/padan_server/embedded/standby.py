"""One hot standby of the embedded primary: how it is made, follows, and has its replay paused.

`servers` decides how many there are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

from padan_server.embedded.account import EmbeddedServersError
from padan_server.embedded.postgres import OWNER, Postgres

_STREAMING_SECONDS_MAX = 60
_PAUSED_SECONDS_MAX = 30
_POLL_SECONDS = 0.02

_SETTINGS = MappingProxyType(
    {
        "hot_standby_feedback": "on",
        "wal_receiver_status_interval": "1s",
        # A primary that comes back is followed again at once (the default waits 5 s).
        "wal_retrieve_retry_interval": "200ms",
    }
)


@dataclass(frozen=True, slots=True)
class Standby:
    """A server that follows a primary through a replication slot of its own."""

    server: Postgres
    primary: Postgres
    slot: str

    @classmethod
    def of(cls, primary: Postgres, *, number: int) -> Self:
        """Give a primary's standby by its number, from 0; it stands beside it."""
        name = "standby" if number == 0 else f"standby-{number + 1}"
        slot = f"padan_{name.replace('-', '_')}"
        server = Postgres(
            name=name,
            directory=primary.directory.with_name(name),
            log=primary.log.with_name(f"{name}.log"),
            socket_directory=primary.socket_directory,
            port=primary.port + 1 + number,
            account=primary.account,
            settings={
                **primary.settings,
                **_SETTINGS,
                "primary_conninfo": _conninfo(primary.socket_directory, primary.port, name),
                "primary_slot_name": slot,
            },
        )
        return cls(server, primary, slot)

    def start(self) -> None:
        """Start it, or find it running; it catches up in its own time.

        One that is missing, or too far behind to follow, is made anew: the primary must run then.
        """
        if self.server.pid() is None and self.primary.pid() is not None:
            self._require_copy()
        if not self.server.exists:
            raise EmbeddedServersError(
                f"there is no {self.server.name} yet: start the primary first"
            )
        self.server.start()

    def wait_until_streaming(self) -> None:
        """Return when it follows the primary."""
        self._wait_for(
            "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'",
            seconds=_STREAMING_SECONDS_MAX,
            failure="does not follow the primary",
        )

    def pause(self) -> None:
        """Pause the replay; what is read stays as it is from the return on."""
        with self.server.connect() as connection:
            connection.execute("SELECT pg_wal_replay_pause()")
        self._wait_for(
            "SELECT 1 WHERE pg_get_wal_replay_pause_state() = 'paused'",
            seconds=_PAUSED_SECONDS_MAX,
            failure="does not pause its replay",
        )

    def resume(self) -> None:
        """Resume the replay; it catches up in its own time."""
        with self.server.connect() as connection:
            connection.execute("SELECT pg_wal_replay_resume()")

    def _require_copy(self) -> None:
        with self.primary.connect() as connection:
            found = connection.execute(
                "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", [self.slot]
            ).fetchone()
            lost = found is not None and found[0] == "lost"
            if lost:
                connection.execute("SELECT pg_drop_replication_slot(%s)", [self.slot])
            if found is None or lost:
                connection.execute(
                    "SELECT pg_create_physical_replication_slot(%s, true)", [self.slot]
                )
        if found is None or lost or not self.server.exists:
            self.server.copy_from(self.primary, self.slot)

    def _wait_for(self, query: str, *, seconds: float, failure: str) -> None:
        """Wait until a query here has a row."""
        give_up = time.monotonic() + seconds
        with self.server.connect() as connection:
            while connection.execute(query.encode()).fetchone() is None:
                if time.monotonic() > give_up:
                    raise EmbeddedServersError(
                        f"the {self.server.name} {failure}; its log is {self.server.log}"
                    )
                time.sleep(_POLL_SECONDS)


def _conninfo(sockets: Path, port: int, name: str) -> str:
    return f"host='{sockets}' port={port} user={OWNER} application_name={name}"
