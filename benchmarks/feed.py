"""How fast `registry follow` applies a feed, and where the time goes: `python -m benchmarks.feed`.

Real servers from wheels, a standby streaming beside them, every batch durable.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks import feed_lines
from padan_server.domain.feed.envelope import FeedReader
from padan_server.domain.feed.person import KnownRegions
from padan_server.domain.region import RegionTable
from padan_server.embedded.servers import EmbeddedServers
from padan_server.migrations.registry import upgrade

CHANGES_MIN = 10_000
PARSED = 50_000
"""Lines whose reading alone is measured."""
SECONDS_MAX = 1_800

out = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Run:
    """One follow: its lines a second, and the processor seconds of each side."""

    what: str
    lines: int
    rate: int
    """Lines a second as the command tells it: without its start."""
    seconds: float
    follower: float
    primary: float
    standby: float


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feed", description=__doc__)
    parser.add_argument("--changes", type=int, default=500_000)
    parser.add_argument("--arrivals", type=int, default=0, help="new people; 2 in 5 if not given")
    parser.add_argument("--batch", type=int, default=5_000)
    given = parser.parse_args()
    given.arrivals = given.arrivals or given.changes * 2 // 5
    if given.changes < CHANGES_MIN or not 100 <= given.arrivals <= given.changes:
        parser.error(f"changes from {CHANGES_MIN}, arrivals from 100 up to them")
    return given


def main() -> None:
    """Generate a feed, follow it, follow it again, and print the table."""
    given = options()
    with tempfile.TemporaryDirectory(prefix="padan-feed-") as home:
        os.chmod(home, 0o755)  # The servers run as another user than root.
        arrivals, changes = Path(home) / "1-arrivals.ndjson", Path(home) / "2-changes.ndjson"
        _generate(arrivals, changes, given.changes, given.arrivals)
        runs = []
        with EmbeddedServers(Path(home) / "data") as servers:
            upgrade(servers.registry_url)
            steps = (
                ("arrivals", [arrivals]),
                ("changes", [changes]),
                ("all of it again", [arrivals, changes]),
            )
            for what, sources in steps:
                runs.append(_follow(servers, what, sources, batch=given.batch))
            _require(servers, people=given.arrivals)
        out.print(_table(runs))
        out.print(f"reading a line alone: {_reading_us(changes):.1f} us")


def _generate(arrivals: Path, changes: Path, count: int, people: int) -> None:
    started = time.monotonic()
    beats = people // feed_lines.HEARTBEAT_EVERY
    with arrivals.open("w", encoding="utf-8") as first, changes.open("w", encoding="utf-8") as rest:
        for number, line in enumerate(feed_lines.lines(count, arrivals=people)):
            (first if number < people + beats else rest).write(line + "\n")
    size = arrivals.stat().st_size + changes.stat().st_size
    seconds = time.monotonic() - started
    out.print(f"{count:,} changes, {size / 1e6:,.0f} MB, generated in {seconds:.0f} s")


def _follow(servers: EmbeddedServers, what: str, sources: list[Path], *, batch: int) -> Run:
    words = ["registry", "follow", *map(str, sources), "--once", f"--batch={batch}"]
    before = _processor(servers, "primary"), _processor(servers, "standby")
    mine = os.times()
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "padan_server", *words],
        env=os.environ | {"PADAN_REGISTRY_URL": servers.registry_url},
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS_MAX,
    )
    seconds = time.monotonic() - started
    after = os.times()
    lines, rate = (
        int(number.replace(",", "")) for number in re.findall(r"[0-9,]*[0-9]", done.stdout)[:2]
    )
    return Run(
        what=what,
        lines=lines,
        rate=rate,
        seconds=seconds,
        follower=after.children_user + after.children_system - mine[2] - mine[3],
        primary=_processor(servers, "primary") - before[0],
        standby=_processor(servers, "standby") - before[1],
    )


def _processor(servers: EmbeddedServers, name: str) -> float:
    """Give a server's processor seconds, sessions that ended included."""
    server = psutil.Process(servers.pids[name])
    times = [server.cpu_times()]
    children = sum(times[0][2:4])
    for child in server.children():
        times.append(child.cpu_times())
    return children + sum(one.user + one.system for one in times)


def _require(servers: EmbeddedServers, *, people: int) -> None:
    with psycopg.connect(servers.registry_url) as registry:
        (held,) = registry.execute("SELECT count(*) FROM person").fetchone() or (0,)
        (kept,) = registry.execute("SELECT count(*) FROM quarantine").fetchone() or (0,)
    if (held, kept) != (people, 0):
        sys.exit(f"{held:,} of {people:,} people are held, {kept:,} lines in quarantine")


def _reading_us(path: Path) -> float:
    reader = FeedReader(KnownRegions(RegionTable.published()), clock=lambda: 0)
    with path.open("rb") as file:
        lines = [line for _, line in zip(range(PARSED), file, strict=False)]
    started = time.perf_counter()
    for line in lines:
        reader.read(line)
    return (time.perf_counter() - started) / len(lines) * 1e6


def _table(runs: list[Run]) -> Table:
    table = Table(title="registry follow, processor time in microseconds a line")
    for column in ("run", "lines", "seconds", "lines/s", "follower", "primary", "standby"):
        table.add_column(column, justify="left" if column == "run" else "right")
    for run in runs:
        table.add_row(
            run.what,
            f"{run.lines:,}",
            f"{run.seconds:.1f}",
            f"{run.rate:,}",
            *(f"{one / run.lines * 1e6:.1f}" for one in (run.follower, run.primary, run.standby)),
        )
    return table


if __name__ == "__main__":
    main()
