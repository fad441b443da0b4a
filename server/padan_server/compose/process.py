"""What every process does: stop on a signal, watch its tasks, spare the collector."""

from __future__ import annotations

import asyncio
import gc
import signal
from typing import Any


def stopping() -> asyncio.Event:
    """Give an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def until(stop: asyncio.Event, tasks: list[asyncio.Task[Any]]) -> None:
    """Wait for the event; a task that ends before it takes the process with it."""
    waiting = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    waiting.cancel()


def settle() -> None:
    """Spare the collector what was made at start, and let it run seldom: values are acyclic."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
