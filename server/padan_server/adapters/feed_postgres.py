"""Applies a feed to the registry: each batch is one transaction, with its position and its beat.

Killed at any moment, it goes on from the position that the last committed batch left. Only one
session follows a registry at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Self

import msgspec
import psycopg

from padan_server.adapters import feed_session, feed_stage, quarantine_postgres
from padan_server.adapters.feed_stage import Staged
from padan_server.domain.feed import (
    START,
    Counts,
    FeedError,
    KeptOut,
    Line,
    OutreachBatch,
    PersonChange,
    PersonGone,
    Position,
    Reason,
    Rejected,
    Watermark,
)
from padan_server.domain.feed.content import of_line
from padan_server.domain.feed.judge import Batch, Proof, last
from padan_server.domain.feed.values import of_epoch_ms
from padan_server.domain.region import RegionTable

_FOLLOWER = int.from_bytes(b"padan-fd")
"""The advisory lock of whoever follows: two would each undo the other's order."""

# From now on only the feed tells how far the registry is complete; until it has told, nothing is.
_TAKE_HEARTBEAT = """
    INSERT INTO heartbeat (beat_at, kept_by) VALUES ('epoch', 'FEED')
    ON CONFLICT (one) DO UPDATE SET beat_at = 'epoch', kept_by = 'FEED'
    WHERE heartbeat.kept_by <> 'FEED'
"""
# What our own clock said of regions is no longer known either.
_FORGET_WATERMARKS = "UPDATE watermark SET complete_to = NULL"
_BEAT = "UPDATE heartbeat SET beat_at = greatest(beat_at, %s), kept_by = 'FEED'"
_POSITION = """
    SELECT commit_position, position FROM feed_position WHERE source = %s FOR UPDATE
"""
_MOVE = """
    INSERT INTO feed_position (source, commit_position, position) VALUES (%s, %s, %s)
    ON CONFLICT (source) DO UPDATE SET commit_position = excluded.commit_position,
        position = excluded.position, updated_at = clock_timestamp()
"""
_SET_WATERMARK = """
    INSERT INTO watermark (regency_code, centralised_since, complete_to, records_expected)
    VALUES (%s, %s, %s, %s)
    ON CONFLICT (regency_code) DO UPDATE SET centralised_since = excluded.centralised_since,
        complete_to = excluded.complete_to, records_expected = excluded.records_expected
"""
_SET_OUTREACH = """
    INSERT INTO outreach_batch (batch_id, regency_code, announced_at, recorded_from,
        recorded_until, records_expected, applied_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (batch_id) DO UPDATE SET regency_code = excluded.regency_code,
        announced_at = excluded.announced_at, recorded_from = excluded.recorded_from,
        recorded_until = excluded.recorded_until, records_expected = excluded.records_expected,
        applied_at = excluded.applied_at
"""


class Applied(msgspec.Struct, frozen=True):
    """What became of a batch, and how far the feed is complete (epoch ms; 0 if nothing tells)."""

    counts: Counts
    complete_ms: int


class FeedPostgres:
    """A feed's place in the registry. Raises FeedError; RegistryAway may be tried again."""

    def __init__(self, connection: psycopg.Connection[Any], *, name: str) -> None:
        self._connection = connection
        self._name = name
        self._proof = Proof()

    @classmethod
    def open(cls, url: str, *, name: str) -> Self:
        """Connect, and become the one who follows. The heartbeat is the feed's from now on."""
        connection = feed_session.connect(url, "registry-follow")
        try:
            with feed_session.our_errors():
                locked = connection.execute(
                    "SELECT pg_try_advisory_lock(%s)", [_FOLLOWER]
                ).fetchone()
                if locked != (True,):
                    raise FeedError("another process follows a feed into this registry")
                feed_stage.prepare(connection)
                with connection.transaction():
                    if connection.execute(_TAKE_HEARTBEAT).rowcount:
                        connection.execute(_FORGET_WATERMARKS)
        except BaseException:
            connection.close()
            raise
        return cls(connection, name=name)

    def reopen(self, url: str) -> None:
        """Connect anew after the registry was away; what was proven stands."""
        self.close()
        self._connection = type(self).open(url, name=self._name)._connection

    def close(self) -> None:
        """End the session; whoever waits may follow."""
        self._connection.close()

    def position(self) -> Position:
        """Tell how far the feed is applied."""
        with feed_session.our_errors():
            return self._position()

    def regions(self) -> RegionTable:
        """Give the regions that people can live in."""
        return feed_session.regions(self._connection)

    def apply(self, lines: list[Line]) -> Applied:
        """Apply lines in the feed's order. Those that the database refuses stop no others."""
        with feed_session.our_errors():
            counts = self._apply_or_split(lines)
        return Applied(counts, self._proof.complete_ms)

    def _apply_or_split(self, lines: list[Line]) -> Counts:
        try:
            return self._apply(lines)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(lines) == 1:
                refused = Rejected(Reason.NOT_STORABLE, type(error).__name__)
                return self._apply([msgspec.structs.replace(lines[0], change=refused)])
        counts = self._apply_or_split(lines[: len(lines) // 2])
        counts.add(self._apply_or_split(lines[len(lines) // 2 :]))
        return counts

    def _apply(self, lines: list[Line]) -> Counts:
        # Proven is only what is committed.
        proof = copy.copy(self._proof)
        with self._connection.transaction():
            stored = self._position()
            batch = Batch(stored)
            batch.sort(lines, proof)
            if batch.counts.repeated == len(lines) and not batch.watermarks and not batch.outreach:
                return batch.counts
            self._write_people(batch)
            self._write_regions(batch)
            self._quarantine(batch)
            if batch.position > stored:
                self._connection.execute(_MOVE, [self._name, *batch.position])
            if batch.news:
                self._connection.execute(_BEAT, [of_epoch_ms(proof.complete_ms)])
        self._proof = proof
        return batch.counts

    def _write_people(self, batch: Batch) -> None:
        if batch.people:
            feed_stage.fill(self._connection, _staged(batch))
            batch.settle(feed_stage.held(self._connection))
            # Before they are removed: a retry that runs beside this then finds them void, or has
            # written them, and they are removed.
            quarantine_postgres.void(self._connection, batch.removed)
            feed_stage.take_newer(self._connection)

    def _write_regions(self, batch: Batch) -> None:
        marks, outreach = batch.watermarks.values(), batch.outreach.values()
        with self._connection.cursor() as cursor:
            if marks:
                cursor.executemany(_SET_WATERMARK, [_mark(one) for one in marks if not one.gone])
                cursor.execute(
                    "DELETE FROM watermark WHERE regency_code = ANY(%s)",
                    [[one.regency_code for one in marks if one.gone]],
                )
            if outreach:
                cursor.executemany(_SET_OUTREACH, [_batch(one) for one in outreach if not one.gone])
                cursor.execute(
                    "DELETE FROM outreach_batch WHERE batch_id = ANY(%s)",
                    [[one.batch_id for one in outreach if one.gone]],
                )

    def _quarantine(self, batch: Batch) -> None:
        kept_out = [
            KeptOut(line.place, rejected, of_line(line.raw)) for line, rejected in batch.kept_out
        ]
        added = quarantine_postgres.add(self._connection, self._name, kept_out)
        batch.counts.older += added[Reason.OLDER]
        batch.counts.duplicate += added[Reason.DUPLICATE]
        batch.counts.rejected += (
            added.total() - added[Reason.OLDER] - added[Reason.DUPLICATE]
        )  # fmt: skip
        batch.counts.repeated += len(kept_out) - added.total()

    def _position(self) -> Position:
        row = self._connection.execute(_POSITION, [self._name]).fetchone()
        return Position(*row) if row is not None else START


def _staged(batch: Batch) -> Iterator[Staged]:
    for nik, lines in batch.people.items():
        line = last(lines)
        change, position = line.change, line.position
        assert position is not None
        if len(lines) == 1:
            asked = isinstance(change, PersonGone)
            first = position.change
        else:
            asked = any(isinstance(one.change, PersonGone) for one in lines)
            first = min(one.position.change for one in lines if one.position is not None)
        values = change.values if isinstance(change, PersonChange) else None
        yield Staged(nik, values, position.change, first, asked)


def _mark(one: Watermark) -> tuple[Any, ...]:
    return (one.regency_code, one.centralised_since, one.complete_to, one.records_expected)


def _batch(one: OutreachBatch) -> tuple[Any, ...]:
    return (
        one.batch_id,
        one.regency_code,
        one.announced_at,
        one.recorded_from,
        one.recorded_until,
        one.records_expected,
        one.applied_at,
    )
