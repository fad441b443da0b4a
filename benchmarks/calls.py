"""Making calls and checking what comes back: connections, messages, exchanges, their tally."""

from __future__ import annotations

import asyncio
import gc
import secrets
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from benchmarks import people
from benchmarks.figures import percentile
from benchmarks.http2 import Connection, Exchange, message_of
from benchmarks.people import Question
from padan.v1 import verification_pb2 as pb
from padan_client.keys import PartnerKey
from padan_client.tokens import mint

AUDIENCE = "padan"
PATH = "/padan.v1.VerificationService/Verify"
DEADLINE_SECONDS = 5
"""The deadline that calls tell the server, as a client of ours does."""

CONNECT_SECONDS_MAX = 10.0
DRAIN_SECONDS_MAX = 30.0
"""How long after the interval an answer under way may take."""

FAULTS_SHOWN = 5


class Tally:
    """What came of all exchanges so far, each answer checked against its question."""

    def __init__(self, *, echo: bytes | None) -> None:
        self._echo = echo
        self.answered = 0
        self.billable = 0
        self.sample = b""
        self.faults: Counter[str] = Counter()

    @property
    def told_faults(self) -> list[str]:
        """The most frequent faults, with their counts."""
        return [f"{count} x {fault}" for fault, count in self.faults.most_common(FAULTS_SHOWN)]

    def add(self, exchange: Exchange, questions: Sequence[Question]) -> None:
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


class Caller:
    """Puts questions over open connections, and keeps the tally of the answers."""

    def __init__(self, connections: list[Connection], *, echo: bytes | None = None) -> None:
        self._connections = connections
        self.tally = Tally(echo=echo)

    async def ask(self, questions: Sequence[Question], *, in_flight: int, seconds: float) -> Timing:
        """Ask all, with so many under way at once. Raises TimeoutError if not done in time."""
        calls = messages(questions)
        with undisturbed():
            started = time.perf_counter()
            exchange = await self.exchange(calls, in_flight=in_flight, seconds=seconds)
            taken = time.perf_counter() - started
        self.tally.add(exchange, questions)
        if not exchange.exhausted:
            raise TimeoutError("calls could not all be begun in time")
        return Timing(exchange, taken)

    async def exchange(self, calls: list[bytes], *, in_flight: int, seconds: float) -> Exchange:
        """Begin calls until time is up or all are begun, and wait for those under way."""
        exchange = Exchange(calls, deadline=time.perf_counter() + seconds)
        share = -(-in_flight // len(self._connections))
        async with asyncio.timeout(seconds + DRAIN_SECONDS_MAX):
            ends = [each.run(exchange, in_flight=share) for each in self._connections]
            for end in ends:
                await end
        return exchange


class Timing:
    """How long an exchange took, and its calls."""

    def __init__(self, exchange: Exchange, seconds: float) -> None:
        self.seconds = seconds
        latencies = sorted(
            ended - started
            for started, ended in zip(exchange.started, exchange.ended, strict=True)
            if ended > 0
        )
        self.calls = len(latencies)
        self.p50_ms = 1_000 * percentile(latencies, 50)


@asynccontextmanager
async def caller(
    target: str, *, certificate: str | None, token: str, connections: int, echo: bytes | None = None
) -> AsyncIterator[Caller]:
    """Connect, and disconnect at the end. Raises OSError or TimeoutError."""
    opened: list[Connection] = []
    try:
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            for _ in range(connections):
                opened.append(await _connect(target, certificate, token))
        yield Caller(opened, echo=echo)
    finally:
        for connection in opened:
            connection.close()


def token_of(key: PartnerKey) -> str:
    """Mint a partner's token; it holds for a few minutes from now."""
    return mint(
        key, audience=AUDIENCE, now=int(time.time()), token_id=secrets.token_urlsafe(16)
    ).text


async def _connect(target: str, certificate: str | None, token: str) -> Connection:
    host, _, port = target.rpartition(":")
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(cafile=certificate)
        tls.set_alpn_protocols(["h2"])
    headers = [
        (":method", "POST"),
        (":scheme", "https" if tls else "http"),
        (":path", PATH),
        (":authority", target),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "padan-benchmarks"),
        ("grpc-accept-encoding", "identity"),
        ("grpc-timeout", f"{DEADLINE_SECONDS}S"),
        ("authorization", f"Bearer {token}"),
    ]
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(headers), host, int(port), ssl=tls
    )
    return connection


def messages(questions: Sequence[Question]) -> list[bytes]:
    """Make the calls' messages, each under a new request id."""
    now = time.time_ns() // 1_000_000
    randomness = secrets.token_bytes(10 * len(questions))
    return [
        people.call(question, unix_milliseconds=now, randomness=randomness[10 * n : 10 * (n + 1)])
        for n, question in enumerate(questions)
    ]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Have no collection of garbage meanwhile."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _outcome(question: Question) -> pb.Outcome.ValueType:
    return pb.Outcome.ValueType(question.outcome)
