"""Fills a registry with the synthetic population: one generator per core feeds one COPY.

The load bypasses the triggers on person (`session_replication_role = replica`), so it leaves no
change feed: processes that cache records start anew after a replace.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import ceil

import psycopg

from padan_server.domain.region import RegionTable
from padan_server.embedded.account import EmbeddedServersError
from padan_server.embedded.documented import NOT_CENTRALISED, OUTREACH_PENDING
from padan_server.embedded.population import PEOPLE_MAX, PEOPLE_MIN
from padan_server.embedded.rows import copy_statement

_GENERATORS_MAX = 8
"""More would wait for the one session that copies."""
_CHUNK_BYTES = 256 * 1024
_FIRST_CENTRALISED = date(2021, 3, 1)
_CENTRALISING_DAYS = 900
_SHARE_COMPLETE = 0.985
"""Part of its people that an ordinary centralised regency of this registry has recorded."""
_SHARE_NOT_CENTRALISED = 0.4
_OUTREACH_RECORDINGS = 180


class PopulationExists(Exception):
    """The registry has people already, and replacing them was not asked for."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did; `seconds` span everything from the first statement to the commit."""

    people: int
    seconds: float

    @property
    def people_per_second(self) -> float:
        """The rate over the whole load."""
        return self.people / self.seconds


def load_population(
    registry_url: str,
    *,
    people: int,
    seed: int,
    replace: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> LoadReport:
    """Fill the registry's person, region and watermark tables, in one transaction.

    Readers of person wait until it ends; after a failure everything is as it was. `progress` gets
    the number of people just copied, from several threads. Raises ValueError for a number of
    people out of bounds, PopulationExists, EmbeddedServersError if a generator fails, and
    psycopg.Error.
    """
    if not PEOPLE_MIN <= people <= PEOPLE_MAX:
        raise ValueError(f"people must be from {PEOPLE_MIN} to {PEOPLE_MAX}")
    started = time.monotonic()
    with psycopg.connect(registry_url) as connection:
        if not replace and connection.execute("SELECT 1 FROM person LIMIT 1").fetchone():
            raise PopulationExists
        with _generators(people, seed) as generators:
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute(
                "TRUNCATE person, change_feed, region, watermark, outreach_batch, tally"
            )
            # One build of the index at the end costs less than its growth row by row.
            connection.execute("ALTER TABLE person DROP CONSTRAINT person_pkey")
            _fill_regions(connection, RegionTable.published())
            _copy_people(connection, generators, progress)
        connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        connection.execute("ALTER TABLE person ADD CONSTRAINT person_pkey PRIMARY KEY (nik)")
        connection.execute("ANALYZE person (nik)")
        _count(connection)
    return LoadReport(people=people, seconds=time.monotonic() - started)


@contextmanager
def _generators(people: int, seed: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start one generator per core; none outlives this."""
    parts = min(os.cpu_count() or 1, _GENERATORS_MAX)
    words = [sys.executable, "-m", "padan_server.embedded.population"]
    words += ["--people", str(people), "--seed", str(seed), "--parts", str(parts)]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for part in range(parts):
            generator = subprocess.Popen(  # noqa: S603 - ourselves
                [*words, "--part", str(part)], stdout=subprocess.PIPE
            )
            started.append(generator)
        yield started
    finally:
        for generator in started:
            generator.kill()
            generator.communicate()


def _fill_regions(connection: psycopg.Connection, regions: RegionTable) -> None:
    """Write the code list and, for each current regency, how complete its records are."""
    with connection.cursor().copy("COPY region FROM STDIN") as copy:
        for level in ("province", "regency", "district"):
            for region in (*regions.current(level), *regions.retired(level)):
                copy.write_row(
                    (
                        region.code,
                        region.level,
                        region.name,
                        region.parent,
                        region.first_edition,
                        region.last_edition,
                        list(region.successors) or None,
                    )
                )
    now = datetime.now(UTC)
    _announce_outreach(connection, now)
    with connection.cursor().copy(
        "COPY watermark (regency_code, centralised_since, complete_to) FROM STDIN"
    ) as copy:
        for region in regions.current("regency"):
            since = _centralised_since(region.code)
            copy.write_row((region.code, since, since and now))


def _announce_outreach(connection: psycopg.Connection, now: datetime) -> None:
    """Announce the batches that this registry waits for, made in the field in the last weeks."""
    with connection.cursor().copy(
        "COPY outreach_batch (batch_id, regency_code, announced_at, recorded_from, recorded_until, "
        "records_expected) FROM STDIN"
    ) as copy:
        for number, code in enumerate(OUTREACH_PENDING, start=1):
            until = now - timedelta(days=number)
            copy.write_row(
                (
                    f"demo-{code}",
                    code,
                    now,
                    until - timedelta(days=9),
                    until,
                    _OUTREACH_RECORDINGS * number,
                )
            )


def _count(connection: psycopg.Connection) -> None:
    """Count what is held, once; the feed is empty, and person locked against other writers."""
    connection.execute(
        "INSERT INTO tally (regency_code, channel, records) "
        "SELECT left(village_code, 4), channel, count(*) FROM person GROUP BY 1, 2"
    )
    connection.execute(
        "UPDATE tally_position SET xid = pg_snapshot_xmin(pg_current_snapshot()), above_id = 0"
    )
    _expect(connection)


def _expect(connection: psycopg.Connection) -> None:
    """Have each regency expect some more people than are held, as its own register would."""
    held = connection.execute("SELECT regency_code, sum(records)::bigint FROM tally GROUP BY 1")
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE watermark SET records_expected = %s WHERE regency_code = %s",
            [(ceil(records / _share(code)), code) for code, records in held.fetchall()],
        )


def _share(regency: str) -> float:
    if regency in NOT_CENTRALISED:
        return _SHARE_NOT_CENTRALISED
    # Where teams are still out, some more are missing.
    return _SHARE_COMPLETE - 0.1 * (regency in OUTREACH_PENDING)


def _centralised_since(regency: str) -> date | None:
    if regency in NOT_CENTRALISED:
        return None
    return _FIRST_CENTRALISED + timedelta(days=int(regency) * 37 % _CENTRALISING_DAYS)


def _copy_people(
    connection: psycopg.Connection,
    generators: list[subprocess.Popen[bytes]],
    progress: Callable[[int], None],
) -> None:
    """Copy what the generators write, as it comes, whole lines at a time."""
    one_at_a_time = threading.Lock()

    def drain(generator: subprocess.Popen[bytes], copy: psycopg.Copy) -> None:
        assert generator.stdout is not None
        while lines := generator.stdout.readlines(_CHUNK_BYTES):
            with one_at_a_time:
                copy.write(b"".join(lines))
            progress(len(lines))
        if generator.wait() != 0:
            raise EmbeddedServersError("the generator of people failed")

    with (
        connection.cursor().copy(copy_statement().encode()) as copy,
        ThreadPoolExecutor(len(generators)) as pool,
    ):
        for drained in [pool.submit(drain, generator, copy) for generator in generators]:
            drained.result()
