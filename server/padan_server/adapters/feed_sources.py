"""Where a feed's lines come from: files, directories that grow, standard input.

Sources are read one after the other, in the order given; only the last is waited at. A line is
given when its end has come: a torn one is read again when the rest is there.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog

from padan_server.domain.feed import LINE_BYTES_MAX, FeedError

STANDARD_INPUT = Path("-")
SUFFIXES = (".ndjson", ".jsonl")

POLL_SECONDS = 0.1
"""Pause between looks at a file or directory that may have grown: part of every answer's age."""

_BLOCK_BYTES = 1_048_576

_log = structlog.get_logger(__name__)

Block = list[bytes]
"""Whole lines without their ends; empty when nothing more is there just now."""


class Splitter:
    """Cuts blocks into lines. Of a line that is too long only the beginning is kept."""

    def __init__(self) -> None:
        self.rest = b""

    def lines(self, block: bytes) -> Block:
        """Give the lines that end in a block; what follows the last end waits in `rest`."""
        first, *others = block.split(b"\n")
        begun = self.rest + first[: LINE_BYTES_MAX + 1]
        if not others:
            self.rest = begun[: LINE_BYTES_MAX + 1]
            return []
        self.rest = others.pop()
        return [begun, *others]

    def leave(self) -> bytes:
        """Give what has no end, and forget it."""
        rest, self.rest = self.rest, b""
        return rest


class FeedSources:
    """Some sources as one stream of blocks, until they end or `stop` is set.

    With `once` they end where they end now. `torn` tells whether a line without its end was left.
    Raises FeedError for a source that cannot be read.
    """

    def __init__(self, sources: Sequence[Path], *, once: bool, stop: threading.Event) -> None:
        self._sources = sources
        self._once = once
        self._stop = stop
        self.torn = False

    def blocks(self) -> Iterator[Block]:
        """Read. Standard input ends when its writer closes it."""
        for number, source in enumerate(self._sources):
            final = number == len(self._sources) - 1
            try:
                yield from self._blocks(source, final=final)
            except OSError as error:
                raise FeedError(f"{source} cannot be read: {type(error).__name__}") from error
            if self._stop.is_set():
                return

    def _blocks(self, source: Path, *, final: bool) -> Iterator[Block]:
        waited = final and not self._once
        if source == STANDARD_INPUT:
            yield from self._stream(0, final=final)
        elif source.is_dir():
            yield from self._directory(source, waited=waited, final=final)
        elif stat.S_ISREG(source.stat().st_mode):
            yield from self._file(source, more=lambda: waited, final=lambda: final)
        else:
            descriptor = os.open(source, os.O_RDONLY)
            try:
                yield from self._stream(descriptor, final=final)
            finally:
                os.close(descriptor)

    def _stream(self, descriptor: int, *, final: bool) -> Iterator[Block]:
        splitter = Splitter()
        while not self._stop.is_set():
            if not select.select([descriptor], [], [], 0)[0]:
                yield []  # nothing more just now: what was read can be applied
                if not select.select([descriptor], [], [], POLL_SECONDS)[0]:
                    continue
            block = os.read(descriptor, _BLOCK_BYTES)
            if not block:
                break
            yield splitter.lines(block)
        yield from self._left(splitter, final=final)

    def _directory(self, directory: Path, *, waited: bool, final: bool) -> Iterator[Block]:
        done: set[str] = set()
        last = ""
        while not self._stop.is_set():
            names = [name for name in _files(directory) if name not in done]
            if names and names[0] < last:
                _log.warning("feed_file_came_late", place="a file sorts before one that was read")
            if not names:
                if not waited:
                    return
                yield []
                self._stop.wait(POLL_SECONDS)
                continue
            last = max(last, names[0])
            done.add(names[0])

            def succeeded() -> bool:
                return any(name not in done for name in _files(directory))

            yield from self._file(
                directory / names[0],
                more=lambda: waited and not succeeded(),
                final=lambda: final and not succeeded(),
            )

    def _file(
        self, path: Path, *, more: Callable[[], bool], final: Callable[[], bool]
    ) -> Iterator[Block]:
        """Read a file to its end, and on while there may be more."""
        splitter = Splitter()
        with path.open("rb", buffering=0) as file:
            while not self._stop.is_set():
                goes_on = more()  # asked first: what was written before a successor came is read
                block = file.read(_BLOCK_BYTES)
                if block:
                    yield splitter.lines(block)
                elif not goes_on:
                    break
                else:
                    if os.fstat(file.fileno()).st_size < file.tell():
                        _log.warning("feed_file_cut", place="it is read from its start again")
                        file.seek(0)
                        splitter.leave()
                    yield []
                    self._stop.wait(POLL_SECONDS)
        yield from self._left(splitter, final=final())

    def _left(self, splitter: Splitter, *, final: bool) -> Iterator[Block]:
        """Leave a line without its end, unless what follows it is there: no rest will come."""
        rest = splitter.leave()
        if not rest.strip():
            return
        if final or self._stop.is_set():
            self.torn = True
        else:
            yield [rest]


def _files(directory: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(directory) if entry.name.endswith(SUFFIXES))
