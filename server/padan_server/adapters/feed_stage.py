"""People on their way into the registry: copied into a table of the session, then taken over.

All of it is set-based, in the caller's transaction; the triggers on person announce each change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from padan_server.domain.feed.columns import PERSON
from padan_server.domain.feed.judge import Held

_TABLE = sql.Identifier("feed_stage")
_NUMBERS = ("source_position", "first_position")
_FLAGS = ("gone", "asked")
_COLUMNS = (*PERSON, *_NUMBERS, *_FLAGS)
_NOBODY = (None,) * (len(PERSON) - 1)


# The stage is small beside person: its index is the way, whatever the planner believes of tables
# that nobody has analysed yet. Inside the trigger that announces updates it is the other way
# round: its plan is kept from a call without rows, and must not go through all for each.
_BY_INDEX = "SET LOCAL enable_nestloop = on; SET LOCAL enable_hashjoin = off; " + (
    "SET LOCAL enable_mergejoin = off"
)
_BY_HASH = "SET LOCAL enable_nestloop = off; SET LOCAL enable_hashjoin = on"


_SAID = {True: b"t", False: b"f"}
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

Values = tuple[Any, ...] | bytes
"""A record's values, or the same as `rendered` gives them."""


def rendered(values: tuple[Any, ...]) -> bytes:
    """Write values as COPY takes them: whoever reads can do so while the database works."""
    text = "".join([value for value in values if type(value) is str])
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        values = tuple(
            [value.translate(_ESCAPED) if type(value) is str else value for value in values]
        )
    return "\t".join(
        [
            "\\N" if value is None else value if type(value) is str else str(value)
            for value in values
        ]
    ).encode()


class Staged(NamedTuple):
    """One person's row of the stage."""

    nik: str
    values: Values | None
    """As columns.PERSON orders them; None if the record is to be removed."""
    position: int
    first_position: int
    """The lowest position among the person's lines."""
    asked: bool
    """Whether what is held matters all the same: there is a removal among the lines."""


def _names(columns: Iterable[str], prefix: str = "") -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL(prefix) + sql.Identifier(column) if prefix else sql.Identifier(column)
        for column in columns
    )


_CREATE = sql.SQL(
    "CREATE TEMP TABLE IF NOT EXISTS {table} ON COMMIT DELETE ROWS AS "
    "SELECT {person}, source_position, source_position AS first_position, "
    "false AS gone, false AS asked FROM person WHERE false"
).format(table=_TABLE, person=_names(PERSON))

_COPY = sql.SQL("COPY {table} ({columns}) FROM STDIN").format(
    table=_TABLE, columns=_names(_COLUMNS)
)

_HELD = sql.SQL(
    "SELECT s.nik, p.source_position FROM {table} AS s LEFT JOIN person AS p ON p.nik = s.nik "
    "WHERE s.asked OR p.source_position >= s.first_position"
).format(table=_TABLE)

_REMOVE = sql.SQL(
    "DELETE FROM person AS p USING {table} AS s "
    "WHERE s.gone AND p.nik = s.nik AND p.source_position < s.source_position"
).format(table=_TABLE)

_STORED = (*PERSON, "source_position")
# The trigger sets the time of change; the column takes nothing null before it.
_TAKE_OVER = sql.SQL(
    "INSERT INTO person AS held ({stored}) SELECT {stored} FROM {table} WHERE NOT gone "
    "ORDER BY nik ON CONFLICT (nik) DO UPDATE SET ({changed}) = ({new}) "
).format(
    stored=_names(_STORED),
    table=_TABLE,
    changed=_names(_STORED[1:]),
    new=_names(_STORED[1:], "excluded."),
)
_TAKE_NEWER = _TAKE_OVER + sql.SQL("WHERE excluded.source_position > held.source_position")

_CONTENT = _STORED[1:-1]
_DIFFERS = sql.SQL("({held}) IS DISTINCT FROM ({new})").format(
    held=_names(_CONTENT, "held."), new=_names(_CONTENT, "excluded.")
)
_TAKE_UNFED = _TAKE_OVER + sql.SQL("WHERE held.source_position = 0 AND ") + _DIFFERS
_SAME_AS_STAGED = sql.SQL("({held}) IS DISTINCT FROM ({new})").format(
    held=_names(_CONTENT, "held."), new=_names(_CONTENT, "s.")
)
_KEPT_BY_FEED = sql.SQL(
    "SELECT s.nik FROM {table} AS s JOIN person AS held ON held.nik = s.nik "
    "WHERE held.source_position > 0 AND {differs}"
).format(table=_TABLE, differs=_SAME_AS_STAGED)
_CHANGED_SINCE = sql.SQL(
    "SELECT s.nik, held.changed_at FROM {table} AS s JOIN person AS held ON held.nik = s.nik "
    "WHERE held.source_position = 0 AND {differs}"
).format(table=_TABLE, differs=_SAME_AS_STAGED)


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Make the stage of a session."""
    connection.execute(_CREATE)


def fill(connection: psycopg.Connection[Any], rows: Iterable[Staged]) -> None:
    """Copy rows to the stage; a person is in it once."""
    connection.execute(_BY_INDEX)
    with connection.cursor().copy(_COPY) as copy:
        write_row = copy.write_row
        for nik, values, position, first_position, asked in rows:
            if type(values) is bytes:
                copy.write(
                    b"%b\t%d\t%d\tf\t%b\n" % (values, position, first_position, _SAID[asked])
                )
            elif values is None:
                write_row((nik, *_NOBODY, position, first_position, True, asked))
            else:
                write_row((*values, position, first_position, False, asked))


def held(connection: psycopg.Connection[Any]) -> dict[str, Held]:
    """Tell what is held of staged people whose lines may not all be new."""
    return {nik: Held(position) for nik, position in connection.execute(_HELD)}


def take_newer(connection: psycopg.Connection[Any]) -> None:
    """Remove and write people whose staged position is higher than what is held."""
    connection.execute(_REMOVE)
    connection.execute(_BY_HASH)
    connection.execute(_TAKE_NEWER)


def kept_by_feed(connection: psycopg.Connection[Any]) -> set[str]:
    """Name staged people whose record came with a feed, and differs."""
    return {nik for (nik,) in connection.execute(_KEPT_BY_FEED)}


def changed_at(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """Tell since when the records of staged people are what they are, if they differ."""
    return dict(connection.execute(_CHANGED_SINCE).fetchall())


def take_unfed(connection: psycopg.Connection[Any]) -> int:
    """Write people whose record did not come with a feed and differs; tells how many."""
    connection.execute(_BY_HASH)
    return connection.execute(_TAKE_UNFED).rowcount


def drop(connection: psycopg.Connection[Any], niks: list[str]) -> None:
    """Take people off the stage."""
    connection.execute(
        sql.SQL("DELETE FROM {table} WHERE nik = ANY(%s)").format(table=_TABLE), [niks]
    )
