"""Coverage as a registry copy has it: watermarks, outreach batches to come, and tallies.

One statement reads all of it with the heartbeat, in one snapshot. Where it runs is the caller's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import Date, cast, func, literal_column, select, true

from padan_server.adapters.asyncpg_sql import seconds, sql
from padan_server.adapters.registry_tables import heartbeat, outreach_batch, tally, watermark
from padan_server.domain.coverage import Coverage

_NOTHING: Any = literal_column("0")


def _statement() -> str:
    counted = (
        select(
            tally.c.regency_code,
            func.array_agg(tally.c.channel).label("channels"),
            func.array_agg(tally.c.records).label("records"),
        )
        .where(tally.c.records != _NOTHING)
        .group_by(tally.c.regency_code)
        .subquery("counted")
    )
    pending = (
        select(
            outreach_batch.c.regency_code,
            func.count().label("batches"),
            func.coalesce(func.sum(outreach_batch.c.records_expected), _NOTHING).label(
                "recordings"
            ),
            seconds(func.min(outreach_batch.c.recorded_from)).label("recorded_from"),
        )
        .where(outreach_batch.c.applied_at.is_(None))
        .group_by(outreach_batch.c.regency_code)
        .subquery("pending")
    )
    covered = (
        watermark.outerjoin(counted, counted.c.regency_code == watermark.c.regency_code, full=True)
        .outerjoin(
            pending,
            pending.c.regency_code
            == func.coalesce(watermark.c.regency_code, counted.c.regency_code),
            full=True,
        )
        .join(heartbeat, true())
    )
    statement = select(
        func.coalesce(
            watermark.c.regency_code, counted.c.regency_code, pending.c.regency_code
        ).label("code"),
        seconds(heartbeat.c.beat_at).label("as_of"),
        watermark.c.regency_code.is_not(None).label("told"),
        cast(watermark.c.centralised_since, Date).label("centralised_since"),
        seconds(watermark.c.complete_to).label("complete_to"),
        watermark.c.records_expected,
        counted.c.channels,
        counted.c.records,
        pending.c.batches,
        pending.c.recordings,
        pending.c.recorded_from,
    ).select_from(covered)
    return sql(statement)


_COVERAGE = _statement()


async def read_coverage(fetch: Callable[..., Awaitable[list[Any]]]) -> dict[str, Coverage]:
    """Give the coverage of every regency that has any, by its four-digit code.

    `fetch` runs a statement on a copy and gives its rows; what it raises is passed on.
    """
    return {row["code"]: _coverage(row) for row in await fetch(_COVERAGE)}


def _coverage(row: Any) -> Coverage:
    since = row["centralised_since"]
    return Coverage(
        row["complete_to"] if since is not None else None,
        row["batches"] or 0,
        since,
        row["records_expected"],
        dict(zip(row["channels"] or (), row["records"] or (), strict=True)),
        int(row["recordings"] or 0),
        row["recorded_from"],
        row["as_of"],
        row["told"],
    )
