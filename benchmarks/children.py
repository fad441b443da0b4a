"""The processes that put load on what is measured, from the side of their parent.

A child reads its job as a line of JSON, writes READY when it is, acts on further lines, and writes
a word or its result, a line of JSON, when it has done what a line asked for.
"""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType
from typing import Self, TypeVar

import msgspec

READY = "ready"

STOP_SECONDS_MAX = 5.0

T = TypeVar("T")


class MeasurementError(Exception):
    """A measurement failed, or calls were not answered as they must be."""


class Child:
    """A module of ours that runs as a process until the block ends."""

    def __init__(self, module: str, job: msgspec.Struct) -> None:
        self._name = module.rpartition(".")[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._job = msgspec.json.encode(job).decode()

    def __enter__(self) -> Self:
        try:
            self.tell(self._job)
            self.expect(READY)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def tell(self, line: str) -> None:
        """Write a line to it. Raises MeasurementError if it is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended_early() from None

    def expect(self, word: str) -> None:
        """Wait for a word of it. Raises MeasurementError if something else comes."""
        if self._line() != word:
            raise self._ended_early()

    def result(self, kind: type[T]) -> T:
        """Wait for its result. Raises MeasurementError if it ends without one."""
        line = self._line()
        if not line:
            raise self._ended_early()
        return msgspec.json.decode(line, type=kind)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def _ended_early(self) -> MeasurementError:
        return MeasurementError(f"the process {self._name} ended early")

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # what was still to be written is for nobody
