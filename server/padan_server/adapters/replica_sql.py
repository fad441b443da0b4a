"""What is asked of a registry replica, and how its rows are read.

Statements are built by SQLAlchemy Core once, and run by asyncpg as text. Each reads the heartbeat
in the same snapshot as what it is about, so that an `as_of` is exact.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CHAR,
    BigInteger,
    DateTime,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from padan_server.adapters.asyncpg_sql import seconds, sql
from padan_server.adapters.registry_tables import Xid8, change_feed, heartbeat, person
from padan_server.domain.freshness import Change, Snapshot
from padan_server.domain.person import Finding, LifeStatus, Record, RecordStatus

CHANGES_MAX = 50_000
"""Changes in one snapshot. More are not gone through: every person is then read anew."""

_NAMES = {"version": "record_version", "committed_at": "changed_at"}
_FIELDS = Record.__struct_fields__
_LIFE_STATUS, _RECORD_STATUS = _FIELDS.index("life_status"), _FIELDS.index("record_status")
_NULLABLE_TEXT = frozenset({"mother_name", "father_name", "postal_code"})


def _read(column: Any) -> Any:
    """Give a column as Record has it."""
    if column.name in _NULLABLE_TEXT:
        return func.coalesce(column, literal_column("''"))
    if isinstance(column.type, CHAR):  # PostgreSQL pads what is shorter
        return func.rtrim(column)
    if isinstance(column.type, DateTime):
        return seconds(column)
    return column


def _number(xid: Any) -> Any:
    """Give a transaction id as a number: there is no direct cast."""
    return cast(cast(xid, Text), BigInteger)


FIND = sql(
    select(
        heartbeat.c.beat,
        seconds(heartbeat.c.beat_at),
        *(_read(person.c[_NAMES.get(name, name)]).label(name) for name in _FIELDS),
    ).select_from(
        heartbeat.outerjoin(person, person.c.nik == any_(bindparam("niks", type_=ARRAY(Text))))
    )
)
"""The heartbeat, and the records of some NIKs. Takes an array of texts."""

_since = bindparam("xmin", type_=Text)
_changes = (
    select(change_feed.c.id, _number(change_feed.c.xid).label("xid"), change_feed.c.nik)
    .where(change_feed.c.xid >= cast(_since, Xid8))
    .limit(literal_column(str(CHANGES_MAX + 1)))
    .lateral("changes")
)
SNAPSHOT = sql(
    select(
        cast(heartbeat.c.registry, Text),
        heartbeat.c.beat,
        seconds(heartbeat.c.beat_at),
        _number(func.pg_snapshot_xmin(func.pg_current_snapshot())),
        _changes.c.id,
        _changes.c.xid,
        _changes.c.nik,
    ).select_from(heartbeat.outerjoin(_changes, true()))
)
"""The heartbeat, the oldest running transaction, and changes. Takes a transaction id as text."""

NO_CHANGES = 2**63 - 1
"""A transaction id from which on there are no changes."""


class NoHeartbeat(Exception):
    """The database has no heartbeat: how old it is cannot be told."""


def findings(rows: list[Any], niks: list[str]) -> list[Finding]:
    """Read rows of FIND: a finding for each NIK, in order. Raises NoHeartbeat."""
    if not rows:
        raise NoHeartbeat
    beat, as_of = rows[0][0], rows[0][1]
    records = {row[2]: _record(row) for row in rows if row[2] is not None}
    return [Finding(records.get(nik), as_of, beat) for nik in niks]


def snapshot(rows: list[Any], since: int) -> Snapshot:
    """Read rows of SNAPSHOT, asked for `since` (0: for no changes). Raises NoHeartbeat."""
    if not rows:
        raise NoHeartbeat
    registry, beat, as_of, xmin, *_ = rows[0]
    changes = None
    if len(rows) <= CHANGES_MAX:
        changes = [Change(row[4], row[5], row[6]) for row in rows if row[4] is not None]
    return Snapshot(registry, beat, as_of, xmin, since, changes)


def _record(row: Any) -> Record:
    """Give the record of a row of FIND, whose columns stand in the order of Record's fields."""
    values = list(row[2:])
    values[_LIFE_STATUS] = LifeStatus(values[_LIFE_STATUS])
    values[_RECORD_STATUS] = RecordStatus(values[_RECORD_STATUS])
    return Record(*values)
