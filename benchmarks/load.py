"""The load generator: a process that keeps a fixed number of calls in flight and checks answers.

It reads one Job as a line of JSON, gets ready, writes READY, waits for a line, measures, writes
MEASURED and then one Result. Requests are made before the interval, answers are checked after it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import ssl
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import uvloop

from benchmarks import people
from benchmarks.figures import percentile
from benchmarks.http2 import Connection, Exchange, ProtocolError, message_of
from benchmarks.people import Question
from padan.v1 import verification_pb2 as pb

READY = "ready"
MEASURED = "measured"

PATH = "/padan.v1.VerificationService/Verify"
DEADLINE_SECONDS = 5
"""The deadline that calls tell the server, as a client of ours does."""

CONNECT_SECONDS_MAX = 10.0
PRIME_SECONDS_MAX = 60.0
DRAIN_SECONDS_MAX = 30.0
"""How long after the interval an answer under way may take."""

CHUNK_CALLS = 4_000
"""Requests made at a time for the warm-up, whose rate is not known yet."""

HEADROOM = 2.0
"""Requests made for the interval, as a multiple of what the warm-up's rate would need."""

FAULTS_SHOWN = 5


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


class Tally:
    """What came of all exchanges so far, each answer checked against its question."""

    def __init__(self, *, echo: bytes | None) -> None:
        self._echo = echo
        self.answered = 0
        self.billable = 0
        self.sample = b""
        self.faults: Counter[str] = Counter()

    def add(self, exchange: Exchange, questions: list[Question]) -> None:
        """Check an exchange of these questions."""
        self.faults.update({f"call failed: {why}": n for why, n in exchange.failures.items()})
        check = self._check_answer if self._echo is None else self._check_echo
        for number in range(exchange.begun):
            if exchange.ended[number]:
                self.answered += 1
                check(message_of(exchange.answers[number]), questions[number])
            elif number not in exchange.failed:
                self.faults["call without an end"] += 1

    def _check_echo(self, message: bytes | None, _: Question) -> None:
        if message != self._echo:
            self.faults["another answer than the echo's"] += 1

    def _check_answer(self, message: bytes | None, question: Question) -> None:
        if message is None:
            self.faults["an answer is not one message"] += 1
            return
        answer = pb.VerifyResponse.FromString(message)
        if answer.outcome != question.outcome:
            told, right = pb.Outcome.Name(answer.outcome), pb.Outcome.Name(_outcome(question))
            self.faults[f"{told} where {right} is right"] += 1
        if answer.replayed or not answer.entry.statement_salt:
            self.faults["an answer is a replay, or names no entry"] += 1
        self.billable += answer.billable
        if answer.outcome == pb.OUTCOME_MATCHED:
            self.sample = message


class Generator:
    """Runs a job over open connections, once."""

    def __init__(self, job: Job, connections: list[Connection]) -> None:
        questions = people.read(Path(job.people))
        self._job = job
        self._connections = connections
        self._warm = questions[slice(*job.warm)]
        self._source = Source(
            warm=self._warm, cold=questions[slice(*job.cold)], cold_every=job.cold_every
        )
        self._tally = Tally(echo=job.echo)

    async def run(self) -> Result:
        """Prime, warm up, tell that all is ready, measure, check."""
        seconds = self._job.seconds
        if self._warm:
            exchange = await self._exchange(_calls(self._warm), PRIME_SECONDS_MAX)
            self._tally.add(exchange, self._warm)
        rate = await self._warm_up()
        questions = self._source.peek(CHUNK_CALLS + int(rate * seconds * HEADROOM))
        calls = _calls(questions)
        gc.collect()
        gc.disable()
        print(READY, flush=True)
        if not await asyncio.to_thread(sys.stdin.readline):
            raise ProtocolError("the parent is gone")
        cpu_before = time.process_time()
        exchange = await self._exchange(calls, seconds)
        cpu_seconds = time.process_time() - cpu_before
        print(MEASURED, flush=True)
        gc.enable()
        self._settle(exchange, questions)
        if exchange.exhausted:
            self._tally.faults["the people, or the requests made ready, ran out"] += 1
        return self._result(exchange, cpu_seconds)

    async def _warm_up(self) -> float:
        """Make calls for a while; give the rate."""
        begun = time.perf_counter()
        answered = 0
        while (left := begun + self._job.warm_up_seconds - time.perf_counter()) > 0:
            questions = self._source.peek(CHUNK_CALLS)
            exchange = await self._exchange(_calls(questions), left)
            self._settle(exchange, questions)
            answered += exchange.begun
            if not questions:
                break
        return answered / (time.perf_counter() - begun)

    async def _exchange(self, calls: list[bytes], seconds: float) -> Exchange:
        """Begin calls until time is up or all are begun, and wait for those under way."""
        exchange = Exchange(calls, deadline=time.perf_counter() + seconds)
        async with asyncio.timeout(seconds + DRAIN_SECONDS_MAX):
            ends = [each.run(exchange, in_flight=self._job.streams) for each in self._connections]
            for end in ends:
                await end
        return exchange

    def _settle(self, exchange: Exchange, questions: list[Question]) -> None:
        self._source.advance(exchange.begun)
        self._tally.add(exchange, questions)

    def _result(self, exchange: Exchange, cpu_seconds: float) -> Result:
        latencies = sorted(
            ended - started
            for started, ended in zip(exchange.started, exchange.ended, strict=True)
            if 0 < ended <= exchange.deadline
        )
        tally = self._tally
        return Result(
            answered_in_interval=len(latencies),
            p50_ms=1_000 * percentile(latencies, 50),
            p99_ms=1_000 * percentile(latencies, 99),
            cpu_seconds=cpu_seconds,
            answered=tally.answered,
            billable=tally.billable,
            cold_used=self._source.cold_used,
            faults=[
                f"{count} x {fault}" for fault, count in tally.faults.most_common(FAULTS_SHOWN)
            ],
            sample=tally.sample,
        )


async def perform(job: Job) -> Result:
    """Connect, run a job, disconnect. Raises OSError, ProtocolError or TimeoutError."""
    connections: list[Connection] = []
    try:
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            for _ in range(job.connections):
                connections.append(await _connect(job))
        return await Generator(job, connections).run()
    finally:
        for connection in connections:
            connection.close()


async def _connect(job: Job) -> Connection:
    host, _, port = job.target.rpartition(":")
    tls = None
    if job.certificate is not None:
        tls = ssl.create_default_context(cafile=job.certificate)
        tls.set_alpn_protocols(["h2"])
    headers = [
        (":method", "POST"),
        (":scheme", "https" if tls else "http"),
        (":path", PATH),
        (":authority", job.target),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "padan-benchmarks"),
        ("grpc-accept-encoding", "identity"),
        ("grpc-timeout", f"{DEADLINE_SECONDS}S"),
        ("authorization", f"Bearer {job.token}"),
    ]
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(headers), host, int(port), ssl=tls
    )
    return connection


def _calls(questions: list[Question]) -> list[bytes]:
    """Make the calls' messages, each under a new request id."""
    now = time.time_ns() // 1_000_000
    randomness = secrets.token_bytes(10 * len(questions))
    return [
        people.call(question, unix_milliseconds=now, randomness=randomness[10 * n : 10 * (n + 1)])
        for n, question in enumerate(questions)
    ]


def _outcome(question: Question) -> pb.Outcome.ValueType:
    return pb.Outcome.ValueType(question.outcome)


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
