"""The registry copy in read-only PostgreSQL (hot standbys), by hand-picked columns of `person`.

One statement reads the heartbeat and the records in one snapshot, so a record's `as_of` is exact.
The statements are built by SQLAlchemy Core once, and run by asyncpg.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import structlog
from sqlalchemy import (
    CHAR,
    DOUBLE_PRECISION,
    DateTime,
    Text,
    any_,
    bindparam,
    cast,
    exists,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect

from padan_server.adapters.registry_tables import (
    heartbeat,
    outreach_batch,
    person,
    tally,
    watermark,
)
from padan_server.domain.coverage import Coverage
from padan_server.domain.nik import Nik
from padan_server.domain.person import Finding, LifeStatus, Record, RecordStatus
from padan_server.domain.refusal import Reason, Refusal

REST_SECONDS = 1.0
"""How long a replica is left alone after a failure."""

STATEMENT_SECONDS_MAX = 2.0
CONNECT_SECONDS_MAX = 2.0

_FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    asyncio.IncompleteReadError,
)

log = structlog.get_logger()


def _compile(statement: Any) -> str:
    dialect = asyncpg_dialect.dialect()  # type: ignore[no-untyped-call]
    return str(statement.compile(dialect=dialect))


_NAMES = {"version": "record_version", "committed_at": "changed_at"}
_RECORD_COLUMNS = [person.c[_NAMES.get(name, name)] for name in Record.__struct_fields__]
_LIFE_STATUS = Record.__struct_fields__.index("life_status")
_RECORD_STATUS = Record.__struct_fields__.index("record_status")
_NULLABLE_TEXT = {"mother_name", "father_name", "postal_code"}


def _read(column: Any) -> Any:
    """Give a column as Record has it."""
    if column.name in _NULLABLE_TEXT:
        return func.coalesce(column, literal_column("''"))
    if isinstance(column.type, CHAR):  # PostgreSQL pads what is shorter
        return func.rtrim(column)
    if isinstance(column.type, DateTime):
        return cast(func.extract("epoch", column), DOUBLE_PRECISION)
    return column


_FIND = _compile(
    select(
        heartbeat.c.beat_at,
        heartbeat.c.beat,
        *(_read(column).label(column.name) for column in _RECORD_COLUMNS),
    ).select_from(
        heartbeat.outerjoin(person, person.c.nik == any_(bindparam("niks", type_=ARRAY(Text))))
    )
)
_COVERAGE = _compile(
    select(
        watermark.c.regency_code,
        watermark.c.centralised_since,
        watermark.c.complete_to,
        watermark.c.records_expected,
        exists()
        .where(
            outreach_batch.c.regency_code == watermark.c.regency_code,
            outreach_batch.c.applied_at.is_(None),
        )
        .label("outreach_pending"),
    )
)
_TALLY = _compile(select(tally.c.regency_code, tally.c.channel, tally.c.records))


class ReplicaRegistry:
    """Finds records on the first replica that answers."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._replicas = [_Replica(url) for url in urls]

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        """Give a finding for each NIK, in order, as new as the replica has it."""
        rows = await self._fetch(_FIND, list(set(niks)))
        if not rows:
            raise _unavailable()
        as_of, beat = _seconds(rows[0][0]), rows[0][1]
        records = {row[2]: _record(row) for row in rows if row[2] is not None}
        return [Finding(records.get(nik), as_of, beat) for nik in niks]

    async def coverage(self) -> dict[str, Coverage]:
        """Give the watermark of every regency: its four-digit code, and how complete it is."""
        records: dict[str, dict[str, int]] = {}
        for code, channel, count in await self._fetch(_TALLY):
            records.setdefault(code, {})[channel] = count
        return {
            code: Coverage(
                _seconds(complete_to) if since and complete_to else None,
                pending,
                since,
                expected,
                records.get(code, {}),
            )
            for code, since, complete_to, expected, pending in await self._fetch(_COVERAGE)
        }

    async def close(self) -> None:
        """End the connections."""
        for replica in self._replicas:
            replica.drop()

    async def _fetch(self, statement: str, *arguments: object) -> list[Any]:
        """Run a statement on the first replica that answers. Raises Refusal."""
        for replica in self._replicas:
            if replica.resting:
                continue
            try:
                return await replica.fetch(statement, *arguments)
            except _FAILURES as error:
                log.warning("a replica did not answer", error=type(error).__name__)
        raise _unavailable()


class _Replica:
    """One replica, over one connection: queries come in batches, one after the other."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection[Any] | None = None
        self._turn = asyncio.Lock()
        self._resting_until = float("-inf")

    @property
    def resting(self) -> bool:
        """Whether it failed just now: asking again at once would only cost every call its time."""
        return asyncio.get_running_loop().time() < self._resting_until

    async def fetch(self, statement: str, *arguments: object) -> list[Any]:
        """Run a statement. A connection that broke is made anew once. Raises one of _FAILURES."""
        async with self._turn:
            connected = self._connection
            try:
                try:
                    return await self._run(statement, arguments)
                except _FAILURES:
                    self.drop()
                    if connected is None:
                        raise
                    return await self._run(statement, arguments)
            except _FAILURES:
                self.drop()
                self._resting_until = asyncio.get_running_loop().time() + REST_SECONDS
                raise

    def drop(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _run(self, statement: str, arguments: tuple[object, ...]) -> list[Any]:
        if self._connection is None:
            self._connection = await asyncpg.connect(
                self._url,
                timeout=CONNECT_SECONDS_MAX,
                server_settings={"application_name": "padan-worker"},
            )
        rows: list[Any] = await self._connection.fetch(
            statement, *arguments, timeout=STATEMENT_SECONDS_MAX
        )
        return rows


def _record(row: Any) -> Record:
    """Give the record of a row of _FIND, whose columns stand in the order of Record's fields."""
    values = list(row[2:])
    values[_LIFE_STATUS] = LifeStatus(values[_LIFE_STATUS])
    values[_RECORD_STATUS] = RecordStatus(values[_RECORD_STATUS])
    return Record(*values)


def _seconds(moment: datetime) -> float:
    return moment.timestamp()


def _unavailable() -> Refusal:
    return Refusal(
        Reason.REGISTRY_UNAVAILABLE, "the registry copy cannot be read", retry_after_seconds=1.0
    )
