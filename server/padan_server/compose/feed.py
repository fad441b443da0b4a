"""Following a feed: one thread reads lines, this one applies them, so that both cores work.

It ends with its sources or on `stop`; the registry's absences it outlives.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from padan_server.adapters.feed_postgres import Applied, FeedPostgres
from padan_server.adapters.feed_session import RegistryAway
from padan_server.adapters.feed_sources import FeedSources
from padan_server.adapters.feed_stage import rendered
from padan_server.compose.process import settle
from padan_server.domain.feed import Counts, FeedError, Line
from padan_server.domain.feed.envelope import FeedReader
from padan_server.domain.feed.person import KnownRegions

_BATCHES_READ = 2
"""Batches that wait to be applied: enough that neither side waits for the other."""
_WAIT_SECONDS = 0.2
_SWITCH_SECONDS = 0.0005
"""Each answer of the registry would wait so long for the reading thread; by default ten times."""
_RETRY_SECONDS_MIN = 0.1
_RETRY_SECONDS_MAX = 2.0
_GHOST_SECONDS_MAX = 60.0
"""How long a lost session may still hold the follower's lock."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Progress:
    """How far following has come."""

    started: float
    """Monotonic."""
    counts: Counts = field(default_factory=Counts)
    skipped: int = 0
    """Lines that say nothing: blank ones, tombstones."""
    complete_ms: int = 0
    """Epoch milliseconds up to which the feed is complete; 0 if nothing tells."""
    torn: bool = False

    @property
    def lines_per_second(self) -> float:
        """The rate since the start."""
        return self.counts.lines / max(time.monotonic() - self.started, 1e-9)

    @property
    def lag_seconds(self) -> float | None:
        """How long ago the feed was complete, by this host's clock."""
        return time.time() - self.complete_ms / 1000 if self.complete_ms else None


@dataclass(frozen=True, slots=True)
class Following:
    """What to follow, and where to."""

    registry_url: str
    sources: tuple[Path, ...]
    name: str
    once: bool
    batch_lines: int


@dataclass(slots=True)
class _Batch:
    lines: list[Line] = field(default_factory=list)
    skipped: int = 0


def settle_to_follow() -> None:
    """Settle a process that does nothing else."""
    settle()
    sys.setswitchinterval(_SWITCH_SECONDS)


def follow(
    following: Following, *, stop: threading.Event, tell: Callable[[Progress], None]
) -> Progress:
    """Apply a feed until it ends or `stop` is set; `tell` hears of every batch.

    Raises FeedError.
    """
    feed = FeedPostgres.open(following.registry_url, name=following.name)
    ending = threading.Event()
    try:
        reader = FeedReader(
            KnownRegions(feed.regions()),
            clock=lambda: time.time_ns() // 1_000_000,
            applied=feed.position(),
            render=rendered,
        )
        sources = FeedSources(following.sources, once=following.once, stop=ending)
        progress = Progress(started=time.monotonic())
        reading = _Reading(sources, reader, following.batch_lines)
        reading.start()
        try:
            for batch in reading.batches(stop):
                if batch.lines:
                    applied = _apply(feed, batch.lines, following.registry_url, stop)
                    if applied is None:
                        break
                    progress.counts.add(applied.counts)
                    progress.complete_ms = applied.complete_ms
                progress.skipped += batch.skipped
                tell(progress)
        finally:
            ending.set()
            reading.end()
        progress.torn = sources.torn
        return progress
    finally:
        feed.close()


class _Reading(threading.Thread):
    """Reads and parses, a few batches ahead."""

    def __init__(self, sources: FeedSources, reader: FeedReader, batch_lines: int) -> None:
        super().__init__(name="feed-reading", daemon=True)
        self._sources = sources
        self._reader = reader
        self._batch_lines = batch_lines
        self._ready: queue.Queue[_Batch | BaseException | None] = queue.Queue(_BATCHES_READ)
        self._ended = threading.Event()

    def run(self) -> None:
        """Read until the sources end or nobody listens."""
        try:
            batch = _Batch()
            for block in self._sources.blocks():
                for raw in block:
                    line = self._reader.read(raw)
                    if line is None:
                        batch.skipped += 1
                        continue
                    batch.lines.append(line)
                    if len(batch.lines) >= self._batch_lines:
                        self._put(batch)
                        batch = _Batch()
                if not block and (batch.lines or batch.skipped):
                    self._put(batch)
                    batch = _Batch()
            self._put(batch)
            self._put(None)
        except BaseException as error:
            self._put(error)

    def batches(self, stop: threading.Event) -> Iterator[_Batch]:
        """Give batches until the last one, or until `stop` is set. Raises what reading raised."""
        while not stop.is_set():
            try:
                ready = self._ready.get(timeout=_WAIT_SECONDS)
            except queue.Empty:
                continue
            if ready is None:
                return
            if isinstance(ready, BaseException):
                raise ready
            yield ready

    def end(self) -> None:
        """Stop reading, and wait until it has stopped."""
        self._ended.set()
        self.join()

    def _put(self, ready: _Batch | BaseException | None) -> None:
        while not self._ended.is_set():
            try:
                self._ready.put(ready, timeout=_WAIT_SECONDS)
                return
            except queue.Full:
                continue


def _apply(
    feed: FeedPostgres, lines: list[Line], registry_url: str, stop: threading.Event
) -> Applied | None:
    """Apply a batch, however long the registry is away; None if `stop` came first."""
    pause = _RETRY_SECONDS_MIN
    away_since: float | None = None
    while not stop.is_set():
        try:
            if away_since is not None:
                _reopen(feed, registry_url, away_since)
            return feed.apply(lines)
        except RegistryAway as error:
            away_since = away_since or time.monotonic()
            # The type alone: a driver's text may quote what it carried.
            _log.warning("feed_interrupted", fault=type(error.__cause__).__name__)
            stop.wait(pause)
            pause = min(pause * 2, _RETRY_SECONDS_MAX)
    return None


def _reopen(feed: FeedPostgres, registry_url: str, away_since: float) -> None:
    try:
        feed.reopen(registry_url)
    except RegistryAway:
        raise
    except FeedError:
        # The lost session may not have ended there yet.
        if time.monotonic() - away_since > _GHOST_SECONDS_MAX:
            raise
        raise RegistryAway("the lost session still follows") from None
