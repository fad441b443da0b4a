"""The registry's pulse, written on its primary: what makes the age of every copy known.

For a registry that is its own source (the embedded one) it advances the watermarks as well: what
every centralised regency entered up to now is here by definition. Where a feed keeps the registry,
beats come with the feed, and nothing is written here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import structlog
from sqlalchemy import exists, func, literal_column, select, update

from padan_server.adapters.asyncpg_sql import FAILURES, sql
from padan_server.adapters.registry_tables import heartbeat, watermark

BEAT_SECONDS = 0.2
WATERMARK_SECONDS = 1.0
FEED_SECONDS = 1.0
"""Pause between looks whether beats still come with a feed."""

RECONNECT_SECONDS_MIN = 0.1
RECONNECT_SECONDS_MAX = 2.0
"""A copy's age grows while the primary is away; longer pauses would add to it without need."""

_STATEMENT_SECONDS_MAX = 5.0

_log = structlog.get_logger(__name__)


_BEATING = (
    update(heartbeat)
    .where(heartbeat.c.kept_by == literal_column("'CLOCK'"))
    .values(beat_at=func.clock_timestamp())
)
_BEAT = sql(_BEATING.returning(heartbeat.c.beat))

# In one statement: whoever hands the registry to a feed waits for the heartbeat's row, or has it
# first; then no watermark of the feed's is overwritten with our clock.
_kept = _BEATING.returning(heartbeat.c.beat).cte("kept")
_BEAT_AND_ADVANCE = sql(
    select(_kept.c.beat).add_cte(
        update(watermark)
        .where(watermark.c.centralised_since.is_not(None), exists(select(_kept.c.beat)))
        .values(complete_to=func.clock_timestamp())
        .cte("advanced")
    )
)


async def beat(
    registry_url: str, every_seconds: float = BEAT_SECONDS, *, stop: asyncio.Event
) -> None:
    """Beat until `stop` is set; outlive the primary's absences.

    A beat says that everything committed before it is in any copy that shows it. One session, two
    kinds of statement; raises nothing but cancellation.
    """
    advance_every = max(1, round(WATERMARK_SECONDS / every_seconds))

    async def keep(connection: asyncpg.Connection[Any], worked: Callable[[], None]) -> None:
        beats = 0
        told = False
        while not stop.is_set():
            statement = _BEAT if beats % advance_every else _BEAT_AND_ADVANCE
            ours = await connection.fetchval(statement) is not None
            worked()
            if not ours and not told:
                _log.info("beats_come_with_a_feed")
            told = not ours
            beats += 1
            await wait(stop, every_seconds if ours else FEED_SECONDS)

    await keeping(
        registry_url,
        keep,
        name="keeper: heartbeat",
        statement_seconds_max=_STATEMENT_SECONDS_MAX,
        stop=stop,
    )


async def keeping(
    registry_url: str,
    keep: Callable[[asyncpg.Connection[Any], Callable[[], None]], Awaitable[None]],
    *,
    name: str,
    statement_seconds_max: float,
    stop: asyncio.Event,
) -> None:
    """Have `keep` work on a session until `stop` is set; a new session follows one that broke.

    `keep` calls its second argument whenever something was done, so that the next pause is short.
    """
    pause = RECONNECT_SECONDS_MIN
    while not stop.is_set():
        worked = asyncio.Event()
        try:
            connection = await asyncpg.connect(
                registry_url,
                timeout=_STATEMENT_SECONDS_MAX,
                command_timeout=statement_seconds_max,
                server_settings={"application_name": name},
            )
            try:
                await keep(connection, worked.set)
            finally:
                connection.terminate()
        except FAILURES as error:
            pause = (
                RECONNECT_SECONDS_MIN if worked.is_set() else min(pause * 2, RECONNECT_SECONDS_MAX)
            )
            # The type alone: a driver's text may quote what it carried.
            _log.warning(
                "keeper_interrupted", what=name, fault=type(error).__name__, retry_seconds=pause
            )
            await wait(stop, pause)


async def wait(stop: asyncio.Event, seconds: float) -> None:
    """Wait for `stop`, but no longer than so many seconds."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
