"""Bursts: calls that come while others are under way are worked on together, a few at a time."""

from __future__ import annotations

import asyncio

BURST_SECONDS = 0.005
"""How long calls gather for a burst while others are under way."""

BURST_MAX = 64
"""Calls in one burst: what a few milliseconds of work are."""


class Bursts:
    """Has calls start their work together.

    The work of a call is short, and what it touches is not in the processor's caches after the
    event loop served gRPC: one call after the other finds it there (decision 0002). A call that
    comes while nothing is under way starts at once.
    """

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def join(self, *, alone: bool) -> None:
        """Wait for the start of the next burst; `alone` tells that nothing else is under way."""
        if alone and not self._waiting:
            return
        loop = asyncio.get_running_loop()
        start = loop.create_future()
        self._waiting.append(start)
        if len(self._waiting) >= BURST_MAX:
            self._start()
        elif self._timer is None:
            self._timer = loop.call_later(BURST_SECONDS, self._start)
        await start

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for start in waiting:
            if not start.done():  # else its caller is gone
                start.set_result(None)
