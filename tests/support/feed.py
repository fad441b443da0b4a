"""A foreign central database's feed for tests, and the registry that it is followed into."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from padan_server.compose.feed import Following, Progress, follow
from padan_server.domain.feed.columns import PERSON
from padan_server.embedded.servers import EmbeddedServers
from padan_server.migrations.registry import upgrade

SECONDS_MAX = 60
STARTED = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
STEP = 100

ORDINARY: dict[str, Any] = {
    "NIK": "3171014107900001",
    "NO_KK": "3171010101200001",
    "NAMA_LGKP": "SITI CONTOH",
    "GLR_AGAMA": None,
    "GLR_AKADEMIS": None,
    "GLR_BANGSAWAN": None,
    "TMPT_LHR": "JAKARTA",
    "TGL_LHR": "1990-07-01",
    "JENIS_KLMIN": 2,
    "GOL_DRH": 13,
    "AGAMA": 1,
    "STAT_KWN": 1,
    "STAT_HBKEL": 4,
    "PDDK_AKH": 5,
    "JENIS_PKRJN": 15,
    "KEBANGSAAN": "INDONESIA",
    "NO_AKTA_LHR": None,
    "NO_AKTA_KWN": None,
    "TGL_KWN": None,
    "NO_AKTA_CRAI": None,
    "TGL_CRAI": None,
    "NIK_IBU": None,
    "NAMA_LGKP_IBU": "AMINAH CONTOH",
    "NIK_AYAH": None,
    "NAMA_LGKP_AYAH": "AHMAD CONTOH",
    "ALAMAT": "JL. CONTOH NO. 1",
    "NO_RT": "001",
    "NO_RW": "002",
    "DUSUN": None,
    "KODE_POS": "10110",
    "STAT_HIDUP": 1,
    "FLAG_STATUS": 1,
    "EKTP_CURRENT_STATUS_CODE": "CARD_ISSUED",
    "CHANNEL": "OFFICE",
    "TGL_ENTRI": "2024-03-01T09:00:00+07:00",
    "HAPPENED_AT": "2024-03-01T09:00:00+07:00",
    "NO_PROP": "31",
    "NO_KAB": "71",
    "NO_KEC": "01",
    "NO_KEL": "1001",
}
"""A person whom nothing is wrong with; made up."""


def nik(number: int) -> str:
    """Give a NIK of Jakarta for each number from 1 to 9999."""
    return f"317101410790{number:04d}"


def row(number: int = 1, **special: Any) -> dict[str, Any]:
    """Give a person's row; state what matters."""
    return ORDINARY | {"NIK": nik(number)} | special


class Feed:
    """Writes lines as a source's log orders them: each a commit of its own, unless said."""

    def __init__(self) -> None:
        self.commit = 1_000
        self.change = 1_000
        self.at = STARTED

    def line(
        self,
        after: Mapping[str, Any] | None = None,
        *,
        op: str = "u",
        table: str = "biodata",
        before: Mapping[str, Any] | None = None,
        same_commit: bool = False,
        position: tuple[int | None, int] | None = None,
        **source: Any,
    ) -> bytes:
        """Write a change, a second after the one before."""
        self.change += STEP
        if not same_commit:
            self.commit = self.change
            self.at += timedelta(seconds=1)
        commit, change = position or (self.commit, self.change)
        stated: dict[str, Any] = {
            "ts_ms": int(self.at.timestamp() * 1000),
            "lsn": change,
            "sequence": json.dumps([None if commit is None else str(commit), str(change)]),
            "table": table,
            "txId": commit,
        }
        envelope = {
            "before": before,
            "after": after,
            "op": op,
            "ts_ms": stated["ts_ms"] + 50,
            "source": stated | source,
        }
        return json.dumps(envelope, separators=(",", ":")).encode()

    def person(self, number: int = 1, *, op: str = "u", **special: Any) -> bytes:
        """Write a person as now is."""
        return self.line(row(number, **special), op=op)

    def gone(self, number: int) -> bytes:
        """Write a removal."""
        return self.line(None, before={"NIK": nik(number)}, op="d")

    def beat(self) -> bytes:
        """Write a heartbeat."""
        return self.line({"ID": 1}, table="heartbeat")


def lines(*written: bytes) -> bytes:
    """Join lines as a file has them."""
    return b"".join(line + b"\n" for line in written)


class Registry:
    """A registry that a feed is followed into, and the commands of its operator."""

    def __init__(self, url: str) -> None:
        self.url = url

    def command(self, *arguments: str, input: bytes = b"") -> subprocess.CompletedProcess[str]:
        """Run `padan-server registry ...` to its end."""
        done = subprocess.run(
            self._words(*arguments),
            env=self._environment(),
            input=input,
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command; the caller ends it."""
        return subprocess.Popen(
            self._words(*arguments),
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _words(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "padan_server", "registry", *arguments]

    def _environment(self) -> dict[str, str]:
        return os.environ | {"PADAN_REGISTRY_URL": self.url, "COLUMNS": "240"}

    def follow(self, *sources: Path | str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Follow to the end of what is there; it must succeed."""
        words = [f"--{name}={value}" for name, value in options.items()]
        done = self.command("follow", *map(str, sources), "--once", *words)
        assert done.returncode == 0, done.stderr
        return done

    def run(self, *sources: Path, name: str = "central", batch: int = 5_000) -> Progress:
        """Follow in this process, to the end of what is there."""
        following = Following(self.url, sources, name, True, batch)
        return follow(following, stop=threading.Event(), tell=lambda _: None)

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Run a query, or a statement that returns nothing."""
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def people(self) -> list[dict[str, Any]]:
        """Give what a feed determines of everyone."""
        return self.rows(f"SELECT {', '.join(PERSON)}, source_position FROM person ORDER BY nik")

    def quarantined(self) -> list[tuple[str, str]]:
        """Give the reasons and details of what is in quarantine, in order of places."""
        rows = self.rows(
            "SELECT reason, detail FROM quarantine WHERE resolved_at IS NULL ORDER BY place"
        )
        return [(row["reason"], row["detail"]) for row in rows]

    def heartbeat(self) -> dict[str, Any]:
        """Give the heartbeat."""
        (beat,) = self.rows("SELECT beat_at, beat, kept_by FROM heartbeat")
        return beat

    def state(self) -> dict[str, Any]:
        """Give all that a feed determines, but for who is in quarantine under which number."""
        return {
            "people": self.people(),
            "watermarks": self.rows("SELECT * FROM watermark ORDER BY 1"),
            "batches": self.rows("SELECT * FROM outreach_batch ORDER BY 1"),
            "positions": self.rows(
                "SELECT source, commit_position, position FROM feed_position ORDER BY 1"
            ),
            "quarantine": self.rows(
                "SELECT source, place, reason, detail, content FROM quarantine ORDER BY 1, 2"
            ),
        }

    def empty(self) -> None:
        """Take everything out again."""
        for table in ("person", "watermark", "outreach_batch", "feed_position", "quarantine"):
            self.rows(f"DELETE FROM {table}")
        self.rows("DELETE FROM region WHERE first_edition = 'test'")
        self.rows("UPDATE heartbeat SET kept_by = 'CLOCK', beat_at = clock_timestamp()")

    def everything(self) -> str:
        """Give all text that the registry holds, to look for what must not be there."""
        tables = self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return "\n".join(
            str(one["text"])
            for table in tables
            for one in self.rows(f'SELECT t::text AS text FROM "{table["tablename"]}" AS t')
        )


@contextmanager
def registry(directory: Path) -> Iterator[Registry]:
    """Start servers with an empty registry, and stop them again."""
    with EmbeddedServers(directory / "data") as servers:
        upgrade(servers.registry_url)
        yield Registry(servers.registry_url)
