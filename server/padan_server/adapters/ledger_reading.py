"""The ledger's database as the check reads it: short statements, on a connection of its own.

No transaction stays open while the log is read: a long one would slow the notary's updates.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg

from padan_server.adapters import ledger_sql
from padan_server.adapters.ledger_partitions import first_id
from padan_server.adapters.ledger_postgres import STATEMENT_SECONDS_MAX, ours
from padan_server.adapters.ledger_rows import (
    agreement_of,
    batch_of,
    bound_of,
    head_of,
    log_of,
    partner_of,
    row_of,
)
from padan_server.domain.ledger import Batch, BoundRow, LedgerError, SearchRow, microseconds
from padan_server.domain.ledger_reader import Present
from padan_server.domain.merkle import EMPTY_ROOT


class LedgerReading:
    """A `domain.ledger_reader.Reader`."""

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, url: str) -> LedgerReading:
        """Connect to the ledger at a libpq URL, read-only. Raises LedgerError."""
        with ours():
            connection = await asyncpg.connect(
                url,
                timeout=STATEMENT_SECONDS_MAX,
                command_timeout=STATEMENT_SECONDS_MAX,
                server_settings={
                    "application_name": "ledger-check",
                    "default_transaction_read_only": "on",
                    "jit": "off",
                },
            )
        return cls(connection)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def present(self) -> Present:
        """Read the present state, in one snapshot."""
        connection = self._connection
        with ours():
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                log = await connection.fetchrow(ledger_sql.LOG)
                if log is None:
                    raise LedgerError("there is no log here: run `padan-server ledger init`")
                head = await connection.fetchrow(ledger_sql.HEAD)
                clock = await connection.fetchval(ledger_sql.CLOCK)
                documents = await connection.fetch(ledger_sql.PARTNERS)
                heads = await connection.fetch(ledger_sql.HEADS)
                budgets = await connection.fetch(ledger_sql.BUDGETS)
                agreements = await connection.fetch(ledger_sql.AGREEMENTS)
                size = head["size"] if head else 0
                beyond = await connection.fetchval(ledger_sql.ROWS_BEYOND, size)
        partners = [partner_of(row["document"]) for row in documents]
        return Present(
            log=log_of(log),
            size=size,
            root=head["root"] if head else EMPTY_ROOT,
            clock=microseconds(clock),
            partners={partner.partner: partner for partner in partners},
            heads={row["partner"]: head_of(row) for row in heads},
            used={(row["partner"], row["window_name"]): row["used"] for row in budgets},
            agreements={
                (row["partner"], str(row["version"])): agreement_of(row["document"])
                for row in agreements
            },
            beyond=beyond,
        )

    async def batches(self, first: int) -> AsyncIterator[Batch]:
        """Read the batches from the one that holds an index, in order; damaged ones are empty."""
        while True:
            with ours():
                rows = await self._connection.fetch(ledger_sql.BATCHES, first)
            for row in rows:
                yield batch_of(row, damaged_is_empty=True)
                first = row["size"]
            if not rows:
                return

    async def rows(self, first: int, end: int) -> dict[int, tuple[SearchRow, int]]:
        """Read the search side of entries, with their times, by index."""
        with ours():
            rows = await self._connection.fetch(ledger_sql.ENTRIES, first, end)
        return {row["index"]: (row_of(row), microseconds(row["time"])) for row in rows}

    async def personal(self, first: int, end: int) -> dict[int, bytes]:
        """Read what is sealed beside entries, by index."""
        with ours():
            rows = await self._connection.fetch(ledger_sql.PERSONAL, first, end)
        return {row["index"]: row["sealed"] for row in rows}

    async def bound(self, keys: Sequence[tuple[str, str]]) -> list[BoundRow]:
        """Give those of the request ids (partner, id) that are bound."""
        partners, ids = zip(*keys, strict=True)
        with ours():
            rows = await self._connection.fetch(ledger_sql.BOUND, ids, partners)
        return [bound_of(row) for row in rows]

    async def bound_count(self, since: float, size: int) -> int:
        """Count bound ids not older than `since` (seconds) that entries below `size` bound."""
        oldest = first_id(datetime.fromtimestamp(since, UTC))
        with ours():
            count: int = await self._connection.fetchval(ledger_sql.BOUND_COUNT, oldest, size)
        return count
