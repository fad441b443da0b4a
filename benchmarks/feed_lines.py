"""A feed to follow, made of synthetic people: arrivals first, then changes of them in any order."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from padan_server.domain.feed.columns import BIODATA, RESIDENCE
from padan_server.embedded.population import people
from padan_server.embedded.rows import PersonRow

SEED = 20_250_102
STARTED = datetime(2026, 1, 5, tzinfo=UTC)
CHANGES_PER_COMMIT = 3
POSITION_FIRST = 10_000_000
_STEP = 200
"""Bytes of log between two changes."""
HEARTBEAT_EVERY = 1_000
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_CODES = frozenset(
    {
        "JENIS_KLMIN",
        "GOL_DRH",
        "AGAMA",
        "STAT_KWN",
        "STAT_HBKEL",
        "PDDK_AKH",
        "JENIS_PKRJN",
        "STAT_HIDUP",
        "FLAG_STATUS",
    }
)
_MOMENTS = frozenset({"TGL_ENTRI", "HAPPENED_AT"})
_DAYS = frozenset({"TGL_LHR", "TGL_KWN", "TGL_CRAI"})


def biodata(person: PersonRow) -> dict[str, Any]:
    """Give a person as the source's row: SIAK's names, dates and times as Debezium sends them."""
    row: dict[str, Any] = {}
    for column in BIODATA:
        value = getattr(person, column.name)
        if value is not None and column.siak in _CODES:
            row[column.siak] = int(value)
        elif value is not None and column.siak in _DAYS:
            row[column.siak] = date.fromisoformat(value).toordinal() - _EPOCH_DAY
        elif column.siak in _MOMENTS:
            at_utc = datetime.fromisoformat(value).astimezone(UTC)
            row[column.siak] = f"{at_utc:%Y-%m-%dT%H:%M:%S.%fZ}"
        else:
            row[column.siak] = value
    at = 0
    for name, length in RESIDENCE:
        row[name] = person.village_code[at : at + length] or None
        at += length
    # What the law protects comes along, as it would from a real register.
    row["KLAIN_FSK"] = 0
    return row


class Log:
    """Writes changes as the source's log has them: a few in each commit, now and then a beat."""

    def __init__(self) -> None:
        self._changes = 0
        self._commit = 0
        self._in_commit = 0

    def line(self, row: dict[str, Any], *, op: str) -> str:
        """Write a change of a person."""
        if self._in_commit == CHANGES_PER_COMMIT:
            self._commit += 1
            self._in_commit = 0
        self._in_commit += 1
        return self._envelope(row, op=op, table="biodata")

    def beat(self) -> str:
        """Write a beat: a transaction of its own."""
        self._commit += 1
        self._in_commit = 1
        line = self._envelope({"ID": 1}, op="u", table="heartbeat")
        self._in_commit = CHANGES_PER_COMMIT
        return line

    def _envelope(self, row: dict[str, Any], *, op: str, table: str) -> str:
        committed = STARTED + timedelta(milliseconds=self._commit)
        milliseconds = int(committed.timestamp() * 1000)
        self._changes += 1
        change = POSITION_FIRST + self._changes * _STEP
        # Debezium tells the commit before: it orders as well.
        commit_before = str(change - self._in_commit * _STEP)
        return json.dumps(
            {
                "before": None,
                "after": row,
                "op": op,
                "ts_ms": milliseconds + 20,
                "source": {
                    "version": "3.0.0.Final",
                    "connector": "postgresql",
                    "name": "siak",
                    "ts_ms": milliseconds,
                    "snapshot": "false",
                    "db": "siak",
                    "sequence": json.dumps([commit_before, str(change)]),
                    "schema": "public",
                    "table": table,
                    "txId": self._commit,
                    "lsn": change,
                    "xmin": None,
                },
            },
            separators=(",", ":"),
        )


def lines(changes: int, *, arrivals: int) -> Iterator[str]:
    """Give so many changes: `arrivals` new people, then changes of some of them."""
    numbers = random.Random(SEED)
    log = Log()
    known = []
    for person in people(arrivals, SEED):
        row = biodata(person)
        known.append(row)
        yield log.line(row, op="c")
        if len(known) % HEARTBEAT_EVERY == 0:
            yield log.beat()
    for number in range(len(known), changes):
        row = known[numbers.randrange(len(known))]
        row["STAT_KWN"] = 1 + numbers.randrange(4)
        row["ALAMAT"] = f"JL. BARU NO. {numbers.randrange(1000)}"
        yield log.line(row, op="u")
        if number % HEARTBEAT_EVERY == 0:
            yield log.beat()
    yield log.beat()


def write(path: Path, changes: int, *, arrivals: int) -> int:
    """Write a feed to a file; tells its bytes."""
    with path.open("w", encoding="utf-8") as file:
        for line in lines(changes, arrivals=arrivals):
            file.write(line + "\n")
    return path.stat().st_size
