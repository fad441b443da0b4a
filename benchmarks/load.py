"""The load generator: a process that keeps a fixed number of calls in flight and checks answers.

It reads one Job as a line of JSON, gets ready, writes READY, waits for a line, measures, writes
MEASURED and then one Result. Requests are made before the interval, answers are checked after it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from benchmarks import people
from benchmarks.calls import Caller, caller, messages, undisturbed
from benchmarks.children import READY
from benchmarks.figures import percentile
from benchmarks.http2 import Exchange, ProtocolError
from benchmarks.people import Question

MEASURED = "measured"

PRIME_SECONDS_MAX = 60.0
CHUNK_CALLS = 4_000
"""Requests made at a time for the warm-up, whose rate is not known yet."""

HEADROOM = 2.0
"""Requests made for the interval, as a multiple of what the warm-up's rate would need."""


class Job(msgspec.Struct, frozen=True):
    """What to do. `warm` and `cold` are ranges of people's numbers, the end excluded.

    Each warm person is asked about once, before the warm-up; then one call in `cold_every` is about
    the next cold person (0: none, 1: all), the others go round the warm ones. With `echo`, answers
    must be these bytes, and the outcome is not looked at.
    """

    target: str
    certificate: str | None
    token: str
    people: str
    warm: tuple[int, int]
    cold: tuple[int, int]
    cold_every: int
    connections: int
    streams: int
    warm_up_seconds: float
    seconds: float
    core: int | None = None
    echo: bytes | None = None


class Result(msgspec.Struct, frozen=True):
    """What was measured, over the interval alone, and what was counted, over all calls.

    `billable` counts answers that say that they were charged, `cold_used` the cold people who were
    asked about. `faults` tell what went wrong; a sound run has none. `sample` is one answer.
    """

    answered_in_interval: int
    p50_ms: float
    p99_ms: float
    cpu_seconds: float
    answered: int
    billable: int
    cold_used: int
    faults: list[str]
    sample: bytes


class Source:
    """Gives questions in turn: each cold one once, the warm ones round and round."""

    def __init__(self, *, warm: list[Question], cold: list[Question], cold_every: int) -> None:
        assert warm or cold_every == 1
        self._warm = warm
        self._cold = cold
        self._every = cold_every
        self._turn = 0

    @property
    def cold_used(self) -> int:
        """How many cold questions were asked."""
        return self._turn // self._every if self._every else 0

    def peek(self, count: int) -> list[Question]:
        """Give the next questions, fewer when the cold ones run out; nothing is used up."""
        questions = []
        for turn in range(self._turn, self._turn + count):
            cold, place = divmod(turn, self._every) if self._every else (0, 0)
            if self._every and place == self._every - 1:
                if cold == len(self._cold):
                    break
                questions.append(self._cold[cold])
            else:
                questions.append(self._warm[(turn - cold) % len(self._warm)])
        return questions

    def advance(self, asked: int) -> None:
        """Note that so many of the next questions were asked."""
        self._turn += asked


class Generator:
    """Runs a job over open connections, once."""

    def __init__(self, job: Job, caller: Caller) -> None:
        questions = people.read(Path(job.people))
        self._job = job
        self._caller = caller
        self._warm = questions[slice(*job.warm)]
        self._source = Source(
            warm=self._warm, cold=questions[slice(*job.cold)], cold_every=job.cold_every
        )

    async def run(self) -> Result:
        """Prime, warm up, tell that all is ready, measure, check."""
        seconds = self._job.seconds
        if self._warm:
            exchange = await self._exchange(messages(self._warm), PRIME_SECONDS_MAX)
            self._caller.tally.add(exchange, self._warm)
        rate = await self._warm_up()
        questions = self._source.peek(CHUNK_CALLS + int(rate * seconds * HEADROOM))
        calls = messages(questions)
        with undisturbed():
            print(READY, flush=True)
            if not await asyncio.to_thread(sys.stdin.readline):
                raise ProtocolError("the parent is gone")
            cpu_before = time.process_time()
            exchange = await self._exchange(calls, seconds)
            cpu_seconds = time.process_time() - cpu_before
            print(MEASURED, flush=True)
        self._settle(exchange, questions)
        if exchange.exhausted:
            self._caller.tally.faults["the people, or the requests made ready, ran out"] += 1
        return self._result(exchange, cpu_seconds)

    async def _warm_up(self) -> float:
        """Make calls for a while; give the rate."""
        begun = time.perf_counter()
        answered = 0
        while (left := begun + self._job.warm_up_seconds - time.perf_counter()) > 0:
            questions = self._source.peek(CHUNK_CALLS)
            exchange = await self._exchange(messages(questions), left)
            self._settle(exchange, questions)
            answered += exchange.begun
            if not questions:
                break
        return answered / (time.perf_counter() - begun)

    async def _exchange(self, calls: list[bytes], seconds: float) -> Exchange:
        in_flight = self._job.streams * self._job.connections
        return await self._caller.exchange(calls, in_flight=in_flight, seconds=seconds)

    def _settle(self, exchange: Exchange, questions: list[Question]) -> None:
        self._source.advance(exchange.begun)
        self._caller.tally.add(exchange, questions)

    def _result(self, exchange: Exchange, cpu_seconds: float) -> Result:
        latencies = sorted(
            ended - started
            for started, ended in zip(exchange.started, exchange.ended, strict=True)
            if 0 < ended <= exchange.deadline
        )
        tally = self._caller.tally
        return Result(
            answered_in_interval=len(latencies),
            p50_ms=1_000 * percentile(latencies, 50),
            p99_ms=1_000 * percentile(latencies, 99),
            cpu_seconds=cpu_seconds,
            answered=tally.answered,
            billable=tally.billable,
            cold_used=self._source.cold_used,
            faults=tally.told_faults,
            sample=tally.sample,
        )


async def perform(job: Job) -> Result:
    """Connect, run a job, disconnect. Raises OSError, ProtocolError or TimeoutError."""
    async with caller(
        job.target,
        certificate=job.certificate,
        token=job.token,
        connections=job.connections,
        echo=job.echo,
    ) as connected:
        return await Generator(job, connected).run()


def main() -> None:
    """Read a job from standard input, and run it."""
    job = msgspec.json.decode(sys.stdin.readline(), type=Job)
    if job.core is not None:
        os.sched_setaffinity(0, {job.core})
    try:
        result = uvloop.run(perform(job))
    except (OSError, ProtocolError, TimeoutError) as error:
        sys.exit(f"load generator: {type(error).__name__}: {error}")
    print(msgspec.json.encode(result).decode(), flush=True)


if __name__ == "__main__":
    main()
