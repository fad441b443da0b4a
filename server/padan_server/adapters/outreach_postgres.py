"""Outreach batches (jemput bola) on the registry's primary: announced by hand, and applied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from sqlalchemy import Executable, func, insert, select, update
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect

from padan_server.adapters.registry_tables import outreach_batch

CONNECT_SECONDS_MAX = 10


class OutreachError(Exception):
    """What was asked cannot be done. The message says why."""


class OutreachBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of recordings that an outreach team made in the field.

    `recorded_from` and `recorded_until` are when the earliest and the latest recording was made,
    `records_expected` how many there are; None where not announced. `applied_at` is None while it
    is still to come.
    """

    batch_id: str
    regency_code: str
    announced_at: datetime
    recorded_from: datetime | None
    recorded_until: datetime | None
    records_expected: int | None
    applied_at: datetime | None


_COLUMNS = [outreach_batch.c[name] for name in OutreachBatch.__struct_fields__]


def announce(
    registry_url: str,
    *,
    batch_id: str,
    regency_code: str,
    recorded_from: datetime | None,
    recorded_until: datetime | None,
    records_expected: int | None,
) -> None:
    """Announce a batch. Raises OutreachError if its id is there already, or nothing is reached."""
    values = {
        "batch_id": batch_id,
        "regency_code": regency_code,
        "announced_at": func.clock_timestamp(),
        "recorded_from": recorded_from,
        "recorded_until": recorded_until,
        "records_expected": records_expected,
    }
    with _session(registry_url) as session:
        try:
            _run(session, insert(outreach_batch).values(values))
        except psycopg.errors.UniqueViolation:
            raise OutreachError("a batch of this id is announced already") from None


def applied(registry_url: str, *, batch_id: str) -> None:
    """Tell that a batch's recordings are in the registry.

    Raises OutreachError if no batch of this id waits, or nothing is reached.
    """
    statement = (
        update(outreach_batch)
        .where(outreach_batch.c.batch_id == batch_id, outreach_batch.c.applied_at.is_(None))
        .values(applied_at=func.clock_timestamp())
    )
    with _session(registry_url) as session:
        if _run(session, statement).rowcount == 0:
            raise OutreachError("no batch of this id is still to come")


def listed(registry_url: str, *, all_of_them: bool, limit: int) -> list[OutreachBatch]:
    """List the batches still to come, or all, the latest announced first. Raises OutreachError."""
    statement = select(*_COLUMNS).order_by(outreach_batch.c.announced_at.desc()).limit(limit)
    if not all_of_them:
        statement = statement.where(outreach_batch.c.applied_at.is_(None))
    with _session(registry_url) as session:
        rows = _run(session, statement).fetchall()
    return [
        OutreachBatch(**dict(zip(OutreachBatch.__struct_fields__, r, strict=True))) for r in rows
    ]


@contextmanager
def _session(registry_url: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(registry_url, connect_timeout=CONNECT_SECONDS_MAX) as session:
            yield session
    # The type alone: a driver's text may quote what it carried.
    except psycopg.OperationalError as error:
        raise OutreachError(f"the registry cannot be reached: {type(error).__name__}") from None
    except psycopg.Error as error:
        raise OutreachError(f"the registry refused: {type(error).__name__}") from None


def _run(session: psycopg.Connection[Any], statement: Executable) -> psycopg.Cursor[Any]:
    compiled = statement.compile(dialect=psycopg_dialect.dialect())  # type: ignore[attr-defined,no-untyped-call]
    return session.execute(str(compiled).encode(), compiled.params)
