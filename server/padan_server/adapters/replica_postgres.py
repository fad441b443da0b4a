"""One registry replica in read-only PostgreSQL (a hot standby), over three connections.

The watch has one of its own, so that a long query does not look like a replica that is away.
Which replica is asked is decided in replicas.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from padan_server.adapters import asyncpg_sql, replica_sql
from padan_server.domain.freshness import Snapshot
from padan_server.domain.nik import Nik
from padan_server.domain.person import Finding

STATEMENT_SECONDS_MAX = 2.0
CONNECT_SECONDS_MAX = 2.0

WATCH_SECONDS_MAX = 1.0
"""A replica that has not told its heartbeat by then is taken for away."""

FAILURES = (*asyncpg_sql.FAILURES, replica_sql.NoHeartbeat)
"""What asking a replica raises."""


class Replica:
    """One replica. Its methods raise one of FAILURES."""

    def __init__(self, url: str) -> None:
        self._queries = _Session(url)
        self._reads = _Session(url)
        self._watch = _Session(url)

    async def find(self, niks: Sequence[Nik]) -> list[Finding]:
        """Give a finding for each NIK, in order, as new as the replica has it."""
        rows = await self._queries.fetch(
            replica_sql.FIND, list(set(niks)), seconds=STATEMENT_SECONDS_MAX
        )
        return replica_sql.findings(rows, list(niks))

    async def read(self, statement: str, *arguments: object) -> list[Any]:
        """Run a statement beside the findings' queries."""
        return await self._reads.fetch(statement, *arguments, seconds=STATEMENT_SECONDS_MAX)

    async def snapshot(self, xmin: int) -> Snapshot:
        """Give its heartbeat, and the changes of transactions from `xmin` on; 0 for none."""
        since = str(xmin or replica_sql.NO_CHANGES)
        rows = await self._watch.fetch(replica_sql.SNAPSHOT, since, seconds=WATCH_SECONDS_MAX)
        return replica_sql.snapshot(rows, xmin)

    def close(self) -> None:
        """End the connections."""
        for session in (self._queries, self._reads, self._watch):
            session.drop()


class _Session:
    """A connection that is made when it is needed, and anew after a failure."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection[Any] | None = None
        self._turn = asyncio.Lock()

    async def fetch(self, statement: str, *arguments: object, seconds: float) -> list[Any]:
        """Run a statement; one after the other.

        A connection that broke, or a statement that recovery cancelled, is tried once more.
        """
        async with self._turn:
            connected = self._connection is not None
            try:
                return await self._run(statement, arguments, seconds)
            except TimeoutError:
                raise
            except FAILURES:
                if not connected:
                    raise
            return await self._run(statement, arguments, seconds)

    def drop(self) -> None:
        """End the connection, without a word to a server that may not listen."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _run(
        self, statement: str, arguments: tuple[object, ...], seconds: float
    ) -> list[Any]:
        try:
            async with asyncio.timeout(seconds):
                if self._connection is None:
                    self._connection = await asyncpg.connect(
                        self._url,
                        timeout=CONNECT_SECONDS_MAX,
                        server_settings={"application_name": "padan-worker"},
                    )
                rows: list[Any] = await self._connection.fetch(statement, *arguments)
                return rows
        except BaseException:  # cancelled as well: what the server still sends is for nobody
            self.drop()
            raise
