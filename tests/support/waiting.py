"""Waiting for what happens in its own time: until it holds, bounded, and never for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

SECONDS_MAX = 30.0
_PAUSE_SECONDS = 0.02


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fails if it does not."""
    ends = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < ends, "it did not come to hold"
        time.sleep(_PAUSE_SECONDS)


async def comes_to_hold(holds: Callable[[], bool]) -> None:
    """Wait as `until` does, and let other tasks run meanwhile."""
    ends = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < ends, "it did not come to hold"
        await asyncio.sleep(_PAUSE_SECONDS)
