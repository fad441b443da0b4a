"""How long a change of a record takes to reach callers who have it in the worker's cache.

A change is committed at the primary by a session of its own; a client asks without a pause until an
answer shows it. The clock runs from just before the commit to the end of that answer.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Event

import psycopg

from benchmarks.children import Child, MeasurementError
from benchmarks.figures import percentile
from benchmarks.people import SEED, Question
from benchmarks.steady import Calls, Changes, Result
from padan.v1 import verification_pb2 as pb
from padan_client import Client, Outcome, PartnerKey

SEEN_SECONDS_MAX = 20.0
"""Longest wait for a change to be seen; a cache that never hears of it fails the run."""

PAUSE_SECONDS_MAX = 0.4
"""Pauses before changes are random, and longer than what beats in the servers: a change that always
followed the last beat would always wait for a whole one."""

STEADY_MODULE = "benchmarks.steady"

_CHANGE = "UPDATE person SET birth_date = %s WHERE nik = %s"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Probe:
    """Someone whose birth date is going to change."""

    nik: str
    full_name: str
    birth_date: date


@dataclass(frozen=True, slots=True)
class Freshness:
    """Times from commit to answer, in order, and what went on meanwhile."""

    seconds: Sequence[float]
    answered: int
    billable: int
    polls: int
    changes_per_second: float
    calls_per_second: float

    def percentile_ms(self, percent: float) -> float:
        """Give a percentile of the times, in milliseconds."""
        return 1_000 * percentile(self.seconds, percent)


def is_probe(question: Question) -> bool:
    """Tell whether a question is about someone whose claims are right."""
    return question.outcome == pb.OUTCOME_MATCHED


def probe_of(question: Question) -> Probe:
    """Make a probe of such a question."""
    asked = pb.VerifyRequest.FromString(question.message)
    return Probe(asked.nik, asked.claims.full_name, date.fromisoformat(asked.claims.birth_date))


def measure(
    probes: Sequence[Probe],
    *,
    target: str,
    key: PartnerKey,
    registry_url: str,
    followers: int,
    calls: Calls,
    changes: Changes,
) -> Freshness:
    """Change each probe once while other people are changed and asked about at steady rates.

    `followers` changes are under way at once. Raises MeasurementError, PadanError, psycopg.Error.
    """
    with ExitStack() as stack:
        changing = stack.enter_context(Child(STEADY_MODULE, changes))
        calling = stack.enter_context(Child(STEADY_MODULE, calls))
        pool = stack.enter_context(ThreadPoolExecutor(followers))
        stopping = Event()
        stack.callback(stopping.set)  # before the pool waits for those that go on after a failure
        parts = [
            pool.submit(
                _follow,
                probes[number::followers],
                target=target,
                key=key,
                registry_url=registry_url,
                seed=SEED + number,
                stopping=stopping,
            )
            for number in range(followers)
        ]
        followed = [part.result() for part in parts]
        calling.tell("stop")
        changing.tell("stop")
        called, changed = calling.result(Result), changing.result(Result)
    if called.faults:
        raise MeasurementError("; ".join(called.faults))
    return Freshness(
        seconds=sorted(second for follower in followed for second in follower.seconds),
        answered=called.answered + sum(follower.answered for follower in followed),
        billable=called.billable + sum(follower.billable for follower in followed),
        polls=sum(follower.answered for follower in followed),
        changes_per_second=changed.per_second,
        calls_per_second=called.per_second,
    )


class _Follower:
    """Asks about probes, and counts what came."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.seconds: list[float] = []
        self.answered = 0
        self.billable = 0

    def outcome(self, probe: Probe, birth_date: date) -> Outcome:
        answer = self._client.verify(
            probe.nik,
            purpose="ACCOUNT_OPENING",
            full_name=probe.full_name,
            birth_date=birth_date,
        )
        self.answered += 1
        self.billable += answer.billable
        return answer.outcome

    def require(self, probe: Probe, birth_date: date, when: str) -> None:
        outcome = self.outcome(probe, birth_date)
        if outcome is not Outcome.MATCHED:
            raise MeasurementError(f"{outcome} where MATCHED is right, {when}")

    def until_gone(self, probe: Probe, since: float) -> float:
        """Ask until the old birth date is no longer the one on record; give the seconds."""
        while self.outcome(probe, probe.birth_date) is Outcome.MATCHED:
            if time.perf_counter() - since > SEEN_SECONDS_MAX:
                raise MeasurementError(f"a change was not seen for {SEEN_SECONDS_MAX:.0f} s")
        return time.perf_counter() - since


def _follow(
    probes: Sequence[Probe],
    *,
    target: str,
    key: PartnerKey,
    registry_url: str,
    seed: int,
    stopping: Event,
) -> _Follower:
    """Change each of these people in turn, and wait until callers see it."""
    pauses = random.Random(seed)
    with (
        Client(target=target, credentials=key, insecure=True, channels=1) as client,
        psycopg.connect(registry_url) as session,
    ):
        follower = _Follower(client)
        for probe in probes:
            follower.require(probe, probe.birth_date, "before a change")
            if stopping.wait(pauses.uniform(0, PAUSE_SECONDS_MAX)):
                break
            follower.require(probe, probe.birth_date, "just before a change")
            session.execute(_CHANGE, (probe.birth_date - _DAY, probe.nik))
            committing = time.perf_counter()
            session.commit()
            follower.seconds.append(follower.until_gone(probe, committing))
            follower.require(probe, probe.birth_date - _DAY, "after a change")
    return follower
