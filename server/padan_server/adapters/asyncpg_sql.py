"""What all of asyncpg's users here share: statements as its text, and what it raises."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from sqlalchemy import DOUBLE_PRECISION, ClauseElement, cast, func
from sqlalchemy.dialects import postgresql

FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    asyncio.IncompleteReadError,
)
"""What a connection raises that cannot be made, broke, or was answered by an error."""

_DIALECT = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]


def sql(statement: ClauseElement) -> str:
    """Compile a statement once, with the placeholders of asyncpg."""
    return str(statement.compile(dialect=_DIALECT))


def seconds(moment: Any) -> Any:
    """Give a time as seconds since the epoch."""
    return cast(func.extract("epoch", moment), DOUBLE_PRECISION)
