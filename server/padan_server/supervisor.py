"""The supervisor behind `padan-server serve`: starts the processes, restarts them, drains them.

Processes are started by exec, never by fork, and end with their supervisor even if that is killed.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence

import structlog

RESTART_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Pauses before restarts of a process that keeps ending early; the last one repeats."""

STEADY_SECONDS = 10.0
"""A process that ran for so long is started again at once."""

KILL_SECONDS = 30.0
"""How long a process may take to end after SIGTERM, drain included."""

_PR_SET_PDEATHSIG = 1

log = structlog.get_logger()


def reserve_port(host: str, port: int) -> socket.socket:
    """Bind, without listening, so that a port stays ours while workers share it; 0: a free one.

    Raises OSError if another program listens there: sharing is for our own workers alone.
    """
    _bind(host, port, socket.SO_REUSEADDR).close()
    return _bind(host, port, socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def _bind(host: str, port: int, *options: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            bound.setsockopt(socket.SOL_SOCKET, option, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def pause_after(failures: int) -> float:
    """Give the seconds to wait before the next start, after so many early ends in a row."""
    return RESTART_SECONDS[min(failures, len(RESTART_SECONDS)) - 1] if failures else 0.0


class Supervised:
    """One process that is kept running until it is told to stop."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: dict[str, str],
        *,
        ended: Callable[[int], None] | None = None,
    ) -> None:
        """`ended` is told the pid of each process that has ended."""
        self.name = name
        self._ended = ended
        self._arguments = [sys.executable, "-m", "padan_server", *arguments]
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Start the process, again and again, until `stop`."""
        failures = 0
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            started = loop.time()
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments,
                env=self._environment,
                preexec_fn=_end_with(os.getpid()),
                start_new_session=True,  # Ctrl-C is for the supervisor, which then stops in order
            )
            log.info("started", name=self.name, pid=self._process.pid)
            code = await self._process.wait()
            if self._ended is not None:
                self._ended(self._process.pid)
            if self._stopping.is_set():
                break
            failures = 0 if loop.time() - started > STEADY_SECONDS else failures + 1
            pause = pause_after(failures)
            log.error("ended; starting again", name=self.name, code=code, pause_seconds=pause)
            await asyncio.sleep(pause)

    async def stop(self) -> None:
        """Send SIGTERM, and SIGKILL to a process that does not end."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), KILL_SECONDS)
        except TimeoutError:
            log.error("did not end in time; killed", name=self.name)
            process.kill()


async def supervise(notary: Supervised, others: Sequence[Supervised]) -> None:
    """Run until SIGTERM or SIGINT; then stop all others first, so that the notary takes their last.

    A second signal changes nothing: each step is bounded.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    running = [asyncio.create_task(process.run()) for process in (notary, *others)]
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait([waiting, *running], return_when=asyncio.FIRST_COMPLETED)
    log.info("stopping")
    await asyncio.gather(*(process.stop() for process in others))
    await notary.stop()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _end_with(parent: int) -> Callable[[], None]:
    """Give what runs in the child before exec: have the kernel end it if the supervisor dies."""
    prctl = ctypes.CDLL(None).prctl

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return prepare
