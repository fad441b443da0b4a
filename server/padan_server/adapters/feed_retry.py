"""Tries quarantined rows again, oldest first, each in a transaction of its own.

What is held stands: a row is applied only if the record did not become newer in the meantime.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import psycopg

from padan_server.adapters import feed_session, feed_stage
from padan_server.adapters.feed_stage import Staged
from padan_server.domain.feed import (
    FINAL_REASONS,
    OutreachBatch,
    PersonChange,
    PersonGone,
    Position,
    Reason,
    Rejected,
    Watermark,
)
from padan_server.domain.feed.content import loaded_row
from padan_server.domain.feed.envelope import FeedReader
from padan_server.domain.feed.person import Horizons, KnownRegions, read_person

_CHUNK = 1_000
_FINAL = [str(reason) for reason in FINAL_REASONS]

_SELECT = """
    SELECT id FROM quarantine WHERE resolved_at IS NULL AND id > %(after)s
        AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
        AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    ORDER BY id LIMIT %(limit)s
"""
_TAKE = """
    SELECT reason, detail, content, received_at FROM quarantine
    WHERE id = %s AND resolved_at IS NULL FOR UPDATE
"""
_STILL = "UPDATE quarantine SET reason = %s, detail = %s WHERE id = %s"
_RESOLVE = "UPDATE quarantine SET resolved_at = clock_timestamp() WHERE id = %s"

# What a regency told later stands.
_WATERMARK = """
    INSERT INTO watermark AS held (regency_code, centralised_since, complete_to, records_expected)
    VALUES (%s, %s, %s, %s)
    ON CONFLICT (regency_code) DO UPDATE SET centralised_since = excluded.centralised_since,
        complete_to = excluded.complete_to, records_expected = excluded.records_expected
    WHERE held.complete_to IS NULL OR held.complete_to < excluded.complete_to
"""
_OUTREACH = """
    INSERT INTO outreach_batch AS held (batch_id, regency_code, announced_at, recorded_from,
        recorded_until, records_expected, applied_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (batch_id) DO UPDATE SET applied_at = excluded.applied_at
    WHERE held.applied_at IS NULL AND excluded.applied_at IS NOT NULL
"""

_CHANGED_SINCE = Rejected(Reason.OLDER, "the record was changed since the row was kept out")


class Retried(NamedTuple):
    """What became of one row: applied, or still kept out, and why."""

    id: int
    applied: bool
    reason: str
    detail: str


class FeedRetry:
    """A session that retries. Raises FeedError."""

    def __init__(self, registry_url: str) -> None:
        self._connection = feed_session.connect(registry_url, "registry-retry")
        try:
            with feed_session.our_errors():
                feed_stage.prepare(self._connection)
            self._regions = KnownRegions(feed_session.regions(self._connection))
        except BaseException:
            self._connection.close()
            raise
        self._horizons = Horizons()
        self._written: set[str] = set()
        """People whom this session wrote from a file: a later row of theirs is newer still."""

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def retry(self, *, ids: Sequence[int] | None, reason: str | None) -> Iterator[Retried]:
        """Try the rows of these ids, or of this reason, or all; tells of each."""
        after = 0
        while True:
            with feed_session.our_errors():
                chunk = self._connection.execute(
                    _SELECT,
                    {
                        "after": after,
                        "ids": list(ids) if ids is not None else None,
                        "reason": reason,
                        "limit": _CHUNK,
                    },
                ).fetchall()
            if not chunk:
                return
            for (number,) in chunk:
                with feed_session.our_errors():
                    retried = self._retry(number)
                if retried is not None:
                    yield retried
            after = chunk[-1][0]

    def _retry(self, number: int) -> Retried | None:
        try:
            with self._connection.transaction():
                return self._retry_in(number, None)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            with self._connection.transaction():
                return self._retry_in(number, Rejected(Reason.NOT_STORABLE, type(error).__name__))

    def _retry_in(self, number: int, refused: Rejected | None) -> Retried | None:
        row = self._connection.execute(_TAKE, [number]).fetchone()
        if row is None:
            return None
        reason, detail, content, received_at = row
        if reason in _FINAL or not content:
            return Retried(number, False, reason, detail)
        still = refused or self._apply(content, received_at)
        if still is None:
            self._connection.execute(_RESOLVE, [number])
            return Retried(number, True, reason, detail)
        self._connection.execute(_STILL, [still.reason, still.detail, number])
        return Retried(number, False, still.reason, still.detail)

    def _apply(self, content: str, received_at: datetime) -> Rejected | None:
        """Apply a row if it passes now; tells why not."""
        loaded = loaded_row(content)
        if loaded is not None:
            horizon = self._horizons.at(time.time_ns() // 1_000_000)
            read = read_person(loaded, regions=self._regions, horizon=horizon)
            return read if isinstance(read, Rejected) else self._apply_loaded(read, received_at)
        line = FeedReader(self._regions, clock=lambda: time.time_ns() // 1_000_000).read(
            content.encode()
        )
        if line is None or line.change is None:
            return Rejected(Reason.NOT_JSON, "nothing of it could be kept")
        match line.change:
            case Rejected() as rejected:
                return rejected
            case PersonChange() | PersonGone() as change:
                assert line.position is not None
                return self._apply_fed(change, line.position)
            case Watermark(gone=True) | OutreachBatch(gone=True):
                return Rejected(Reason.OLDER, "what was removed then may be there anew")
            case Watermark() as mark:
                self._connection.execute(
                    _WATERMARK,
                    [
                        mark.regency_code,
                        mark.centralised_since,
                        mark.complete_to,
                        mark.records_expected,
                    ],
                )
            case OutreachBatch() as batch:
                self._connection.execute(
                    _OUTREACH,
                    [
                        batch.batch_id,
                        batch.regency_code,
                        batch.announced_at,
                        batch.recorded_from,
                        batch.recorded_until,
                        batch.records_expected,
                        batch.applied_at,
                    ],
                )
            case _:
                pass  # A beat of the past proves nothing that later ones did not.
        return None

    def _apply_fed(self, change: PersonChange | PersonGone, position: Position) -> Rejected | None:
        values = change.values if isinstance(change, PersonChange) else None
        at = position.change
        feed_stage.fill(self._connection, [Staged(change.nik, values, at, at, False)])
        if feed_stage.held(self._connection):
            return Rejected(Reason.OLDER, "source.lsn")
        feed_stage.take_newer(self._connection)
        return None

    def _apply_loaded(self, read: PersonChange, received_at: datetime) -> Rejected | None:
        feed_stage.fill(self._connection, [Staged(read.nik, read.values, 0, 0, False)])
        if feed_stage.kept_by_feed(self._connection):
            return Rejected(Reason.KEPT_BY_FEED, "the record came with a feed, and differs")
        changed_at = feed_stage.changed_at(self._connection).get(read.nik)
        if changed_at is not None and changed_at > received_at and read.nik not in self._written:
            return _CHANGED_SINCE
        feed_stage.take_unfed(self._connection)
        self._written.add(read.nik)
        return None
