"""Lines and rows that could not be applied, in the registry's table `quarantine`.

Everything but the content is free of personal data. What a retry does with a row is
feed_retry's.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import psycopg

from padan_server.domain.feed import KeptOut, Reason
from padan_server.domain.feed.content import mentions
from padan_server.domain.feed.judge import REMOVED

LIST_MAX = 10_000
"""Rows of one list: more is nothing to read."""

_ADD = """
    INSERT INTO quarantine (source, place, reason, detail, content)
    SELECT %s, place, reason, detail, content
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
        AS given (place, reason, detail, content)
    ON CONFLICT ON CONSTRAINT quarantine_once DO NOTHING
    RETURNING place, reason
"""
_SAME = """
    SELECT q.place FROM quarantine AS q
    JOIN unnest(%s::text[], %s::text[]) AS given (place, content)
        ON q.source = %s AND q.place = given.place AND q.content = given.content
"""
_VOID = """
    UPDATE quarantine SET reason = %s, detail = %s
    WHERE resolved_at IS NULL AND reason <> %s
        AND EXISTS (SELECT FROM unnest(%s::text[]) AS given (text) WHERE strpos(content, text) > 0)
"""
_LIST = """
    SELECT id, source, place, reason, detail, received_at, resolved_at FROM quarantine
    WHERE (%(all)s OR resolved_at IS NULL)
        AND (%(source)s::text IS NULL OR source = %(source)s)
        AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    ORDER BY id LIMIT %(limit)s
"""
_SUMMARY = """
    SELECT reason, count(*) FROM quarantine WHERE resolved_at IS NULL GROUP BY 1 ORDER BY 2 DESC
"""


class Kept(msgspec.Struct, frozen=True):
    """A row of the quarantine without its content: nothing here is personal."""

    id: int
    source: str
    place: str
    reason: str
    detail: str
    received_at: datetime
    resolved_at: datetime | None


def add(
    connection: psycopg.Connection[Any], source: str, kept_out: Sequence[KeptOut]
) -> Counter[Reason]:
    """Put lines into quarantine, in the caller's transaction; counts those that are new.

    The same line at the same place is there already. Another line there is kept beside it.
    """
    if not kept_out:
        return Counter()
    added = Counter[Reason]()
    there = set()
    for place, reason in _insert(connection, source, kept_out):
        added[Reason(reason)] += 1
        there.add(place)
    known = [one for one in kept_out if one.place not in there]
    if known:
        same = connection.execute(
            _SAME, [[one.place for one in known], [one.content for one in known], source]
        )
        there.update(place for (place,) in same)
        others = [_moved(one) for one in known if one.place not in there]
        added.update(Reason(reason) for _, reason in _insert(connection, source, others))
    return added


def void(connection: psycopg.Connection[Any], niks: Iterable[str]) -> None:
    """Close rows of people who were removed after: a retry would bring them back."""
    texts = [mentions(nik) for nik in niks]
    if texts:
        connection.execute(_VOID, [Reason.OLDER, REMOVED, Reason.OLDER, texts])


def listed(
    connection: psycopg.Connection[Any],
    *,
    source: str | None,
    reason: str | None,
    limit: int,
    resolved: bool,
) -> list[Kept]:
    """List rows, the oldest first; `resolved` lists those that a retry applied as well."""
    rows = connection.execute(
        _LIST,
        {"source": source, "reason": reason, "limit": min(limit, LIST_MAX), "all": resolved},
    )
    return [Kept(*row) for row in rows]


def summary(connection: psycopg.Connection[Any]) -> list[tuple[str, int]]:
    """Count what is in quarantine, by reason, the most first."""
    return connection.execute(_SUMMARY).fetchall()


def content(connection: psycopg.Connection[Any], number: int) -> str | None:
    """Give a row's content, which is personal data; None if there is no such row."""
    row = connection.execute("SELECT content FROM quarantine WHERE id = %s", [number]).fetchone()
    return row[0] if row is not None else None


def _insert(
    connection: psycopg.Connection[Any], source: str, kept_out: Sequence[KeptOut]
) -> list[tuple[str, str]]:
    return connection.execute(
        _ADD,
        [
            source,
            [one.place for one in kept_out],
            [str(one.rejected.reason) for one in kept_out],
            [one.rejected.detail for one in kept_out],
            [one.content for one in kept_out],
        ],
    ).fetchall()


def _moved(one: KeptOut) -> KeptOut:
    """Give a line another place: something else stands at its own."""
    return KeptOut(f"{one.place}#{secrets.token_hex(4)}", one.rejected, one.content)
