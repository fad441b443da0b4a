"""The ledger's database as the notary uses it: one connection, one statement for each batch.

A driver's error becomes LedgerError without the driver's text. Reading for checks is in
ledger_reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
import msgspec
import structlog

from padan_server.adapters import ledger_partitions, ledger_sql
from padan_server.adapters.ledger_rows import (
    batch_of,
    bound_of,
    head_of,
    log_of,
    pack,
    partner_of,
)
from padan_server.domain.ledger import (
    AlreadyRecorded,
    Batch,
    BoundRow,
    Fenced,
    LedgerError,
    LogRow,
    SearchRow,
    Tail,
    Write,
    microseconds,
    moment,
)
from padan_server.domain.merkle import Frontier
from padan_server.domain.window import windows_at

CONNECT_SECONDS_MAX = 60.0
"""How long a start waits for a database that is away."""

STATEMENT_SECONDS_MAX = 30.0
"""Longest wait for a statement: then its outcome is unknown, and the notary ends."""

_PAUSE_SECONDS_MIN = 0.05
_PAUSE_SECONDS_MAX = 2.0
_FENCED = "PD001"
_TERMS = slice(SearchRow._fields.index("partner"), None)
_AWAY = (
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.PostgresConnectionError,
    asyncpg.TooManyConnectionsError,
)

_log = structlog.get_logger(__name__)


class LedgerPostgres:
    """A `notary.ports.Store`, and `notary.genesis.NewLog`."""

    def __init__(self, connection: asyncpg.Connection[Any], append: Any) -> None:
        self._connection = connection
        self._append = append
        self._gone = asyncio.Event()
        self._warned = False
        connection.add_termination_listener(lambda _: self._gone.set())
        connection.add_log_listener(self._hear)

    @classmethod
    async def connect(cls, url: str, *, seconds_max: float = CONNECT_SECONDS_MAX) -> LedgerPostgres:
        """Connect to the ledger at a libpq URL, and wait for it if it is away.

        Raises LedgerError: it stays away, it is no ledger, or it does not keep what it commits.
        """
        connection = await _connect(url, seconds_max)
        with ours():
            settings = dict(await connection.fetch(ledger_sql.SETTINGS))
            off = sorted(name for name, setting in settings.items() if setting == "off")
            if off:
                raise LedgerError(f"the ledger's PostgreSQL has {', '.join(off)} off")
            return cls(connection, await connection.prepare(ledger_sql.APPEND))

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close(timeout=_PAUSE_SECONDS_MAX)

    async def lost(self) -> None:
        """Return when the connection is gone."""
        await self._gone.wait()

    async def create_log(self, name: str, public_key: bytes) -> tuple[LogRow, int]:
        """Write the log's row, unless there is one; give it, and the log's size."""
        with ours():
            await self._connection.execute(ledger_sql.NEW_LOG, name, public_key)
            row = await self._connection.fetchrow(ledger_sql.LOG)
            head = await self._connection.fetchrow(ledger_sql.HEAD)
        assert row is not None
        return log_of(row), 0 if head is None else head["size"]

    async def take_over(self) -> Tail:
        """Raise the epoch, so that no other notary can write, and read where the log ends."""
        connection = self._connection
        with ours():
            row = await connection.fetchrow(ledger_sql.TAKE_OVER)
            if row is None:
                raise LedgerError("there is no log here: run `padan-server ledger init`")
            head = await connection.fetchrow(ledger_sql.HEAD)
            clock = microseconds(await connection.fetchval(ledger_sql.CLOCK))
            time = 0 if head is None else microseconds(head["time"])
            now = windows_at(max(clock, time) / 1_000_000)
            documents = await connection.fetch(ledger_sql.PARTNERS)
            heads = await connection.fetch(ledger_sql.HEADS)
            used = await connection.fetch(ledger_sql.USED, [now.day, now.month])
        partners = [partner_of(r["document"]) for r in documents]
        frontier = Frontier.load(head["size"], head["frontier"]) if head else Frontier(0, ())
        return Tail(
            log=log_of(row),
            frontier=frontier,
            root=head["root"] if head else frontier.root(),
            time=time,
            clock=clock,
            partners={partner.partner: partner for partner in partners},
            heads={r["partner"]: head_of(r) for r in heads},
            used={(r["partner"], r["window_name"]): r["used"] for r in used},
        )

    async def batches(self, first: int) -> AsyncIterator[Batch]:
        """Read the batches from the one that holds an index, in order."""
        while True:
            with ours():
                rows = await self._connection.fetch(ledger_sql.BATCHES, first)
            for row in rows:
                batch = batch_of(row)
                yield batch
                first = batch.size
            if not rows:
                return

    async def frontier_at(self, size: int) -> bytes | None:
        """Give the frontier stored with the batch that ends at a size."""
        with ours():
            frontier: bytes | None = await self._connection.fetchval(ledger_sql.FRONTIER, size)
        return frontier

    async def append(self, write: Write) -> int:
        """Commit a batch; give the database's clock.

        Raises AlreadyRecorded, nothing being written, if a draft or a request_id is recorded.
        Raises Fenced. LedgerError: the outcome is unknown.
        """
        with ours():
            if write.partner is None:
                clock = await self._append.fetchval(*_arguments(write))
            else:
                clock = await self._append_control(write)
        if self._warned:
            # As when a standby that must confirm did not: committed here, and perhaps lost later.
            raise LedgerError("the database warned at a commit: its outcome is unknown")
        return microseconds(clock)

    async def recorded(self, draft_ids: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give the entries of those drafts that are recorded, as bytes."""
        with ours():
            rows = await self._connection.fetch(ledger_sql.INDEXES, list(draft_ids))
        found = {}
        batch: Batch | None = None
        for index, draft_id in sorted(rows):
            if batch is None or index >= batch.size:
                batch = await self._batch_with(index)
            found[draft_id] = batch.entries[index - batch.first]
        return found

    async def bound(self, keys: Sequence[tuple[str, str]]) -> list[BoundRow]:
        """Give those of the request ids (partner, id) that are bound."""
        if not keys:
            return []
        partners, ids = zip(*keys, strict=True)
        with ours():
            rows = await self._connection.fetch(ledger_sql.BOUND, ids, partners)
        return [bound_of(row) for row in rows]

    async def keep_partitions(self, now: int) -> None:
        """Make the days' partitions of bound request ids ahead, and drop those that are over."""
        with ours():
            await ledger_partitions.keep(self._connection, moment(now))

    async def _append_control(self, write: Write) -> Any:
        partner = write.partner
        assert partner is not None
        document = msgspec.json.encode(partner).decode()
        async with self._connection.transaction():
            clock = await self._append.fetchval(*_arguments(write))
            await self._connection.execute(
                ledger_sql.PUT_PARTNER, partner.partner, partner.changed, document
            )
            if partner.agreement is not None:
                await self._connection.execute(
                    ledger_sql.PUT_AGREEMENT,
                    partner.partner,
                    partner.agreement.version,
                    msgspec.json.encode(partner.agreement).decode(),
                )
            await self._connection.execute(ledger_sql.RAISE_POLICY, partner.changed)
        return clock

    async def _batch_with(self, index: int) -> Batch:
        async for batch in self.batches(index):
            return batch
        raise LedgerError("an entry stands in no batch")

    def _hear(self, _: object, message: Any) -> None:
        if message.severity_en == "WARNING":
            self._warned = True


async def _connect(url: str, seconds_max: float) -> asyncpg.Connection[Any]:
    give_up = asyncio.get_running_loop().time() + seconds_max
    pause = _PAUSE_SECONDS_MIN
    while True:
        try:
            return await asyncpg.connect(
                url,
                timeout=STATEMENT_SECONDS_MAX,
                command_timeout=STATEMENT_SECONDS_MAX,
                server_settings={"application_name": "notary", "jit": "off"},
            )
        except _AWAY as error:
            if asyncio.get_running_loop().time() + pause > give_up:
                raise LedgerError("the ledger's database does not answer") from error
            _log.warning("waiting_for_ledger", fault=type(error).__name__, retry_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _PAUSE_SECONDS_MAX)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise LedgerError(
                f"the ledger's database cannot be used: {type(error).__name__}"
            ) from error


def _arguments(write: Write) -> tuple[Any, ...]:
    """Give the arguments of `ledger_append`, in its order."""
    _, ids, seqs, regencies, subjects, *_ = zip(*write.rows, strict=True)
    # What repeats is sent once: a text costs the driver more than a number.
    terms: dict[Any, int] = {}
    term = [terms.setdefault(row[_TERMS], len(terms) + 1) for row in write.rows]
    bound, charged, heads = write.bound, write.charged, write.heads
    return (
        write.epoch,
        write.first,
        write.frontier.size,
        write.root,
        write.frontier.dump(),
        pack(write.entries),
        moment(write.time),
        ids,
        seqs,
        regencies,
        subjects,
        write.personal,
        term,
        *zip(*terms, strict=True),
        [row.request_id for row in bound],
        [row.partner for row in bound],
        [row.content_mac for row in bound],
        [row.index for row in bound],
        [row.sealed_answer for row in bound],
        [row.partner for row in charged],
        [row.window for row in charged],
        [row.added for row in charged],
        [row.used for row in charged],
        list(heads),
        [head.next_seq for head in heads.values()],
        [head.leaf_hash for head in heads.values()],
    )


@contextmanager
def ours() -> Iterator[None]:
    """Make a driver's error ours. The notary acts on two; any other ends it."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        table, constraint = error.table_name or "", error.constraint_name
        if constraint == "entry_draft_id" or table.startswith("bound_request_"):
            raise AlreadyRecorded("a draft or request_id is recorded already") from error
        raise LedgerError("a row of the ledger is there already") from error
    except asyncpg.PostgresError as error:
        if error.sqlstate == _FENCED:
            raise Fenced("another notary took the log over") from error
        raise LedgerError(f"the ledger's database failed: {type(error).__name__}") from error
    except (asyncpg.InterfaceError, OSError) as error:
        raise LedgerError(f"the ledger's database is gone: {type(error).__name__}") from error
