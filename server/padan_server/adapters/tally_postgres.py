"""The tallies of records held, kept on the registry's primary by folding its change feed.

Exactly once: a fold takes the changes of all transactions that are finished and not folded yet, and
says in the same transaction how far it came. What a long transaction changes is counted when it
ends. Old feed rows that are folded are pruned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog

from padan_server.adapters.keeper_postgres import keeping, wait

FOLD_SECONDS = 2.0
"""Pause between folds: how late counts are."""

PRUNE_SECONDS = 60.0
PRUNE_ROWS_MAX = 10_000
"""Feed rows that one statement deletes; more would hold up the feed's readers on a standby."""

KEPT_DAYS = 7
"""How long feed rows stay: longer than any cache keeps what it read (a day at most)."""

STATEMENT_SECONDS_MAX = 600.0
"""Longest fold or count: all people of the country in one transaction are folded at once."""

_POSITION = "SELECT xid::text, above_id FROM tally_position FOR UPDATE"

_IS_AHEAD = "SELECT $1::text::xid8 > pg_snapshot_xmax(pg_current_snapshot())"

# Every transaction below the snapshot's xmin is finished, and what it wrote is in the snapshot.
_FOLD = """
WITH changes AS (
    SELECT operation, region, channel, previous_region, previous_channel FROM change_feed
    WHERE xid >= $1::text::xid8 AND xid < pg_snapshot_xmin(pg_current_snapshot()) AND id > $2
), steps AS (
    SELECT region, channel, 1 AS step FROM changes WHERE operation <> 'DELETE'
    UNION ALL
    SELECT previous_region, previous_channel, -1 FROM changes WHERE operation <> 'INSERT'
), summed AS (
    SELECT region, channel, sum(step) AS step FROM steps GROUP BY region, channel
    HAVING sum(step) <> 0
), folded AS (
    INSERT INTO tally (regency_code, channel, records) SELECT region, channel, step FROM summed
    ON CONFLICT (regency_code, channel) DO UPDATE SET records = tally.records + excluded.records
), moved AS (
    UPDATE tally_position SET xid = pg_snapshot_xmin(pg_current_snapshot())
)
SELECT count(*) FROM changes
"""

_RECOUNT = (
    "LOCK TABLE person IN SHARE MODE",
    "DELETE FROM tally",
    "INSERT INTO tally (regency_code, channel, records) "
    "SELECT left(village_code, 4), channel, count(*) FROM person GROUP BY 1, 2",
    "UPDATE tally_position SET xid = pg_snapshot_xmin(pg_current_snapshot()), "
    "above_id = (SELECT coalesce(max(id), 0) FROM change_feed)",
)

# The first rows by id, so that no statement reads the whole feed; ids and times rise together.
_PRUNE = """
DELETE FROM change_feed WHERE id IN (
    SELECT id FROM (SELECT id, xid, committed_at FROM change_feed ORDER BY id LIMIT $1) AS oldest
    WHERE committed_at < clock_timestamp() - make_interval(days => $2)
    AND EXISTS (
        SELECT 1 FROM tally_position AS folded
        WHERE oldest.xid < folded.xid OR oldest.id <= folded.above_id
    )
)
"""

_log = structlog.get_logger(__name__)


async def fold(connection: asyncpg.Connection[Any]) -> int:
    """Fold what is finished into the tallies; give how many changes that were.

    Tallies that cannot be gone on with, because the registry was restored into a PostgreSQL whose
    transaction ids are younger, are counted anew. Raises asyncpg's errors.
    """
    async with connection.transaction():
        # The lock comes first, so that the fold's snapshot is newer than any fold before it.
        position = await connection.fetchrow(_POSITION)
        if position is None:
            return 0
        xid, above_id = position
        if await connection.fetchval(_IS_AHEAD, xid):
            _log.warning("tallies_counted_anew")
            for statement in _RECOUNT:
                await connection.execute(statement)
            return 0
        folded: int = await connection.fetchval(_FOLD, xid, above_id)
        return folded


async def prune(
    connection: asyncpg.Connection[Any], *, rows_max: int = PRUNE_ROWS_MAX, days: int = KEPT_DAYS
) -> int:
    """Delete the oldest feed rows that are folded and older than so many days; give how many.

    At most `rows_max` in one go. Raises asyncpg's errors.
    """
    done: str = await connection.execute(_PRUNE, rows_max, days)
    return int(done.rpartition(" ")[2])


async def tally(registry_url: str, *, stop: asyncio.Event) -> None:
    """Fold and prune until `stop` is set; outlive the primary's absences."""

    async def keep(connection: asyncpg.Connection[Any], worked: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        prune_at = loop.time()
        while not stop.is_set():
            await fold(connection)
            worked()
            if loop.time() >= prune_at:
                full = await prune(connection) == PRUNE_ROWS_MAX
                prune_at = loop.time() + (0 if full else PRUNE_SECONDS)
            await wait(stop, FOLD_SECONDS)

    await keeping(
        registry_url,
        keep,
        name="keeper: tallies",
        statement_seconds_max=STATEMENT_SECONDS_MAX,
        stop=stop,
    )
