"""The registry's pulse, written on its primary: what makes the age of every copy known.

For a registry that is its own source (the embedded one) it advances the watermarks as well: what
every centralised regency entered up to now is here by definition.
"""

from __future__ import annotations

import asyncio
import contextlib

import asyncpg
import structlog
from sqlalchemy import Update, func, update
from sqlalchemy.dialects import postgresql

from padan_server.adapters.registry_tables import heartbeat, watermark

WATERMARK_SECONDS = 1.0
RECONNECT_SECONDS_MIN = 0.1
# A copy's age grows while the primary is away; longer pauses would add to it without need.
RECONNECT_SECONDS_MAX = 2.0
_STATEMENT_SECONDS_MAX = 5.0


def _sql(statement: Update) -> str:
    return str(statement.compile(dialect=postgresql.asyncpg.dialect()))  # type: ignore[no-untyped-call]


_BEAT = _sql(update(heartbeat).values(beat_at=func.clock_timestamp()))
_ADVANCE = _sql(
    update(watermark)
    .where(watermark.c.centralised_since.is_not(None))
    .values(complete_to=func.clock_timestamp())
)

_log = structlog.get_logger(__name__)


async def beat(registry_url: str, every_seconds: float = 0.2, *, stop: asyncio.Event) -> None:
    """Beat until `stop` is set; outlive the primary's absences.

    A beat says that everything committed before it is in any copy that shows it. One session, two
    kinds of statement; raises nothing but cancellation.
    """
    pause = RECONNECT_SECONDS_MIN
    while not stop.is_set():
        beats = 0
        try:
            connection = await asyncpg.connect(
                registry_url,
                timeout=_STATEMENT_SECONDS_MAX,
                command_timeout=_STATEMENT_SECONDS_MAX,
                server_settings={"application_name": "heartbeat"},
            )
            try:
                while not stop.is_set():
                    await connection.execute(_BEAT)
                    if beats % max(1, round(WATERMARK_SECONDS / every_seconds)) == 0:
                        await connection.execute(_ADVANCE)
                    beats += 1
                    await _wait(stop, every_seconds)
            finally:
                connection.terminate()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            pause = RECONNECT_SECONDS_MIN if beats else min(pause * 2, RECONNECT_SECONDS_MAX)
            # The type alone: a driver's text may quote what it carried.
            _log.warning("heartbeat_interrupted", fault=type(error).__name__, retry_seconds=pause)
            await _wait(stop, pause)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
