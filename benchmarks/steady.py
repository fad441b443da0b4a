"""Load at a steady rate, until its parent writes a line: verification calls, or changes of people.

A process (children.py). It is behind where the servers cannot keep up, and tells the rate it
reached. Calls are checked as everywhere.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import uvloop

from benchmarks import people
from benchmarks.calls import caller, messages
from benchmarks.children import READY
from benchmarks.http2 import ProtocolError

TICK_SECONDS = 0.01
BEHIND_MAX = 500
"""What is asked for at once after a delay, at most; the rest of the delay is given up."""

TICK_CALLS_SECONDS_MAX = 10.0

_CHANGE = "UPDATE person SET address = %s WHERE nik = %s"


class Calls(msgspec.Struct, frozen=True, tag=True):
    """Verification calls about people of a file, by their numbers, round and round."""

    target: str
    certificate: str | None
    token: str
    people: str
    numbers: tuple[int, int]
    connections: int
    per_second: float


class Changes(msgspec.Struct, frozen=True, tag=True):
    """Changes of people's addresses, each a transaction of its own, by several sessions."""

    registry_url: str
    niks: list[str]
    sessions: int
    per_second: float


Job = Calls | Changes


class Result(msgspec.Struct, frozen=True):
    """What was done; `answered` and `billable` are of calls alone."""

    per_second: float
    answered: int = 0
    billable: int = 0
    faults: list[str] = []


async def call(job: Calls) -> Result:
    """Make calls until told to stop."""
    questions = itertools.cycle(people.read(Path(job.people))[slice(*job.numbers)])
    async with caller(
        job.target, certificate=job.certificate, token=job.token, connections=job.connections
    ) as connected:

        async def ask(count: int) -> None:
            asked = list(itertools.islice(questions, count))
            exchange = await connected.exchange(
                messages(asked), in_flight=count, seconds=TICK_CALLS_SECONDS_MAX
            )
            connected.tally.add(exchange, asked)

        per_second = await steadily(ask, per_second=job.per_second, stop=_told())
        tally = connected.tally
    return Result(per_second, tally.answered, tally.billable, tally.told_faults)


async def change(job: Changes) -> Result:
    """Change people until told to stop."""
    niks = itertools.cycle(job.niks)
    numbers = itertools.count()
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(
                await psycopg.AsyncConnection.connect(job.registry_url, autocommit=True)
            )
            for _ in range(job.sessions)
        ]

        async def some(session: psycopg.AsyncConnection, count: int) -> None:
            for _ in range(count):
                address = f"JL. CONTOH NO. {next(numbers) % 1_000}"
                await session.execute(_CHANGE, (address, next(niks)))

        async def share(count: int) -> None:
            each, more = divmod(count, len(sessions))
            parts = [each + (number < more) for number in range(len(sessions))]
            await asyncio.gather(*map(some, sessions, parts))

        return Result(await steadily(share, per_second=job.per_second, stop=_told()))


async def steadily(
    act: Callable[[int], Awaitable[None]], *, per_second: float, stop: asyncio.Future[Any]
) -> float:
    """Act, on so many at a time as are due, until `stop` is done; give the rate reached."""
    begun = due_since = time.perf_counter()
    done = counted = 0
    while not stop.done():
        due = int((time.perf_counter() - due_since) * per_second) - counted
        if due > BEHIND_MAX:
            due_since, counted, due = time.perf_counter(), -BEHIND_MAX, BEHIND_MAX
        if due:
            counted += due
            await act(due)
            done += due
        await asyncio.wait([stop], timeout=TICK_SECONDS)
    return done / (time.perf_counter() - begun)


def _told() -> asyncio.Future[Any]:
    """Say that all is ready; what this gives is done when the parent writes a line, or is gone."""
    print(READY, flush=True)
    return asyncio.create_task(asyncio.to_thread(sys.stdin.readline))


async def perform(job: Job) -> Result:
    """Run a job. Raises OSError, psycopg.Error, ProtocolError or TimeoutError."""
    match job:
        case Calls():
            return await call(job)
        case Changes():
            return await change(job)


def main() -> None:
    """Read a job from standard input, and run it."""
    job = msgspec.json.decode(sys.stdin.readline(), type=Job)
    try:
        result = uvloop.run(perform(job))
    except (OSError, ProtocolError, TimeoutError, psycopg.Error) as error:
        sys.exit(f"steady load: {type(error).__name__}")
    print(msgspec.json.encode(result).decode(), flush=True)


if __name__ == "__main__":
    main()
