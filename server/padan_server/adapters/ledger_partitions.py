"""The partitions of bound request ids: one for each day (UTC) of the time in the id.

An id is usable for 72 hours, and may be a few minutes ahead. Whole days are dropped: nothing is
deleted row by row.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog

DAYS_AHEAD = 3
"""Housekeeping may fail for that long before answers do."""

DAYS_BEHIND = 3
"""Days whose ids can still be used."""

DROPPED_AFTER_DAYS = 4
"""After that, a partition is dropped: 72 hours, and a day for whoever still reads."""

_PREFIX = "bound_request_"
_RANDOM_BITS = 80

_LOCK_MILLISECONDS_MAX = 500
"""Making and dropping partitions waits for readers, and answers wait behind it: give up early."""

_LIST = (
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = 'bound_request'::regclass"
)

_log = structlog.get_logger(__name__)


def first_id(moment: datetime) -> UUID:
    """Give the smallest UUIDv7-shaped value of a moment: where a range begins."""
    return UUID(int=int(moment.timestamp() * 1000) << _RANDOM_BITS)


async def keep(connection: asyncpg.Connection[Any], now: datetime) -> None:
    """Make what is missing, drop what is over. A step that finds the table in use waits an hour."""
    today = now.astimezone(UTC).date()
    there = {row["relname"] for row in await connection.fetch(_LIST)}
    wanted = (today + timedelta(days=n) for n in range(-DAYS_BEHIND, DAYS_AHEAD + 1))
    steps = [_create(day) for day in wanted if _name(day) not in there]
    oldest = _name(today - timedelta(days=DROPPED_AFTER_DAYS))
    steps += [f"DROP TABLE {name}" for name in sorted(there) if name < oldest]
    for step in steps:
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS_MAX}")
                await connection.execute(step)
        except asyncpg.LockNotAvailableError:
            _log.warning("partitions_in_use", step=step.split("(")[0])


def _name(day: date) -> str:
    return f"{_PREFIX}{day:%Y%m%d}"


def _create(day: date) -> str:
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return (
        f"CREATE TABLE {_name(day)} PARTITION OF bound_request FOR VALUES "
        f"FROM ('{first_id(begin)}') TO ('{first_id(begin + timedelta(days=1))}')"
    )
