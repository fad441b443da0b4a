"""The command `registry follow`: a foreign central database's feed into the registry."""

from __future__ import annotations

import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from rich.console import Console
from rich.status import Status

from padan_server import logs
from padan_server.cli.failing import fail
from padan_server.cli.registry_options import RegistryUrl
from padan_server.domain.feed import BATCH_LINES, BATCH_LINES_MAX, FeedError

if TYPE_CHECKING:
    from padan_server.compose.feed import Progress

TOLD_EVERY_SECONDS = 10.0
"""A line in the log so often, where nobody watches a terminal."""

out = Console(highlight=False, soft_wrap=True)


def follow(
    *,
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE...",
            allow_dash=True,
            help="Files of JSON lines, directories of them (*.ndjson, *.jsonl, in the order of "
            "their names), or - for standard input; read one after the other.",
        ),
    ],
    registry_url: RegistryUrl,
    name: Annotated[
        str, typer.Option(help="The feed's name: how far each feed is applied is kept by it.")
    ] = "central",
    once: Annotated[bool, typer.Option("--once", help="Stop at the end of what is there.")] = False,
    batch: Annotated[
        int, typer.Option(min=1, max=BATCH_LINES_MAX, help="Lines in one transaction.")
    ] = BATCH_LINES,
) -> None:
    """Apply a change feed (docs/feed.md) to the registry, until SIGTERM or Ctrl-C.

    It goes on where it ended, however it ended; lines that were applied are skipped. A line that
    cannot be applied goes to the quarantine and stops no others. From the first time on, the
    registry's heartbeat tells how far this feed is complete, and nothing else moves it.
    """
    from padan_server.compose.feed import Following, settle_to_follow
    from padan_server.compose.feed import follow as run

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logs.configure("follow")
    settle_to_follow()
    following = Following(registry_url, tuple(sources), name, once, batch)
    try:
        if sys.stderr.isatty():
            with Console(stderr=True).status("reading") as status:
                done = run(following, stop=stop, tell=lambda progress: _show(status, progress))
        else:
            done = run(following, stop=stop, tell=_Logged().tell)
    except FeedError as error:
        fail(str(error))
    _summarise(done)


class _Logged:
    """Tells the log how far it is, now and then."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def tell(self, progress: Progress) -> None:
        if time.monotonic() - self._told < TOLD_EVERY_SECONDS:
            return
        self._told = time.monotonic()
        counts = progress.counts
        lag = progress.lag_seconds
        structlog.get_logger().info(
            "feed_followed",
            lines=counts.lines,
            lines_per_second=round(progress.lines_per_second),
            applied=counts.applied,
            repeated=counts.repeated,
            kept_out=counts.kept_out,
            quarantined=counts.quarantined,
            lag_seconds=round(lag, 1) if lag is not None else None,
        )


def _show(status: Status, progress: Progress) -> None:
    counts = progress.counts
    lag = progress.lag_seconds
    status.update(
        f"{counts.lines:,} lines ({progress.lines_per_second:,.0f}/s): {counts.applied:,} applied, "
        f"{counts.repeated:,} repeated, {counts.kept_out:,} kept out, "
        f"{counts.quarantined:,} quarantined, lag {_seconds(lag)}"
    )


def _summarise(progress: Progress) -> None:
    counts = progress.counts
    out.print(f"{counts.lines:,} lines, {progress.lines_per_second:,.0f} a second")
    for number, what in (
        (counts.applied, "applied"),
        (counts.repeated, "repeated: they were applied before"),
        (counts.absent, "removals of people who are not there"),
        (counts.older, "older than what is held: kept out, in quarantine"),
        (counts.duplicate, "duplicates: kept out, in quarantine"),
        (counts.rejected, "that cannot be applied: in quarantine"),
    ):
        out.print(f"{number:12,} {what}")
    if progress.skipped:
        out.print(f"besides, {progress.skipped:,} that say nothing")
    if progress.complete_ms:
        until = datetime.fromtimestamp(progress.complete_ms / 1000, UTC)
        lag = _seconds(progress.lag_seconds)
        out.print(f"complete to {until:%Y-%m-%dT%H:%M:%S}Z, {lag} ago")
    else:
        out.print("nothing told yet how far the feed is complete")
    if progress.torn:
        out.print("the last line has no end: it was left, and is read when the rest has come")


def _seconds(lag: float | None) -> str:
    return "unknown" if lag is None else f"{lag:,.1f} s"
