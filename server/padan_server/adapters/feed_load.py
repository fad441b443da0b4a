"""Loads files of whole records into the registry, each batch of rows in one transaction.

Loading a file again changes nothing: only records that differ are written. A record that came with
a feed is the feed's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from padan_server.adapters import feed_session, feed_stage, quarantine_postgres
from padan_server.adapters.feed_files import Row, open_file
from padan_server.adapters.feed_stage import Staged
from padan_server.domain.feed import (
    BATCH_LINES,
    Format,
    KeptOut,
    PersonChange,
    Reason,
    Rejected,
)
from padan_server.domain.feed.content import of_row
from padan_server.domain.feed.person import Horizons, KnownRegions, read_person

SOURCE = "load:"
"""Before a file's name, in quarantine."""
REFUSED_SHOWN_MAX = 20

_SEEN = "CREATE TEMP TABLE feed_loaded (nik text PRIMARY KEY)"
_SEE = """
    INSERT INTO feed_loaded (nik) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING RETURNING nik
"""

_DUPLICATE = Rejected(Reason.DUPLICATE, "NIK stands in the file before")
_KEPT_BY_FEED = Rejected(Reason.KEPT_BY_FEED, "the record came with a feed, and differs")


@dataclass(slots=True)
class Report:
    """What a load did. Every row is in exactly one of `written`, `unchanged` and `refused`."""

    source: str
    written: int = 0
    unchanged: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    shown: list[tuple[str, Rejected]] = field(default_factory=list)
    """The first refused rows: their places, and why."""
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """All of them."""
        return self.written + self.unchanged + self.refused.total()


Progress = Callable[[int, int, int], None]
"""Hears, after each batch: how much of the file is done, of how much, and rows refused so far."""


def load(
    registry_url: str, path: Path, *, form: Format | None = None, progress: Progress
) -> Report:
    """Load a file. Raises FeedError; what was committed before then stays.

    The columns are checked before anything is written. Refused rows are in quarantine too.
    """
    started = time.monotonic()
    file = open_file(path, form)
    connection = feed_session.connect(registry_url, "registry-load")
    try:
        with feed_session.our_errors():
            feed_stage.prepare(connection)
            connection.execute(_SEEN)
        loading = _Loading(connection, KnownRegions(feed_session.regions(connection)), path.name)
        batch: list[Row] = []
        for row in file.rows():
            batch.append(row)
            if len(batch) == BATCH_LINES:
                loading.take(batch)
                progress(row.done, file.total, loading.report.refused.total())
                batch = []
        loading.take(batch)
        progress(file.total, file.total, loading.report.refused.total())
    finally:
        connection.close()
    loading.report.seconds = time.monotonic() - started
    return loading.report


class _Loading:
    """One load under way."""

    def __init__(
        self, connection: psycopg.Connection[Any], regions: KnownRegions, name: str
    ) -> None:
        self._connection = connection
        self._regions = regions
        self._horizons = Horizons()
        self.report = Report(SOURCE + name)

    def take(self, rows: list[Row]) -> None:
        """Write a batch; rows that the database refuses stop no others."""
        if rows:
            with feed_session.our_errors():
                self._take_or_split([(row, self._read(row)) for row in rows])

    def _read(self, row: Row) -> PersonChange | Rejected:
        if isinstance(row.content, Rejected):
            return row.content
        horizon = self._horizons.at(time.time_ns() // 1_000_000)
        return read_person(row.content, regions=self._regions, horizon=horizon)

    def _take_or_split(self, rows: list[tuple[Row, PersonChange | Rejected]]) -> None:
        try:
            self._take(rows)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(rows) == 1:
                refused = Rejected(Reason.NOT_STORABLE, type(error).__name__)
                self._take([(rows[0][0], refused)])
                return
            self._take_or_split(rows[: len(rows) // 2])
            self._take_or_split(rows[len(rows) // 2 :])

    def _take(self, rows: list[tuple[Row, PersonChange | Rejected]]) -> None:
        people: dict[str, tuple[Row, PersonChange]] = {}
        refused: list[tuple[Row, Rejected]] = []
        for row, read in rows:
            if isinstance(read, Rejected):
                refused.append((row, read))
            elif read.nik in people:
                refused.append((row, _DUPLICATE))
            else:
                people[read.nik] = (row, read)
        with self._connection.transaction():
            seen = self._connection.execute(_SEE, [list(people)])
            new = {nik for (nik,) in seen}
            again = people.keys() - new
            refused += [(people.pop(nik)[0], _DUPLICATE) for nik in again]
            feed_stage.fill(self._connection, (_staged(read) for _, read in people.values()))
            fed = feed_stage.kept_by_feed(self._connection)
            refused += [(people.pop(nik)[0], _KEPT_BY_FEED) for nik in fed]
            written = feed_stage.take_unfed(self._connection)
            quarantine_postgres.add(
                self._connection,
                self.report.source,
                [KeptOut(row.place, why, _content(row)) for row, why in refused],
            )
        self.report.written += written
        self.report.unchanged += len(people) - written
        for row, why in refused:
            self.report.refused[why.reason] += 1
            if len(self.report.shown) < REFUSED_SHOWN_MAX:
                self.report.shown.append((row.place, why))


def _staged(read: PersonChange) -> Staged:
    return Staged(read.nik, read.values, 0, 0, False)


def _content(row: Row) -> str:
    return "" if isinstance(row.content, Rejected) else of_row(row.content)
