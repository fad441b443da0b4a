"""All replicas as one registry copy: each is watched, and the freshest healthy one is asked.

The same watch reads the change feed for the worker's caches (domain/freshness.py): what any
replica shows, the tail knows.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import structlog

from padan_server.adapters.replica_postgres import FAILURES, Replica
from padan_server.domain.freshness import Snapshot, Tail
from padan_server.domain.nik import Nik
from padan_server.domain.person import Finding
from padan_server.domain.refusal import Reason, Refusal
from padan_server.ports import Clock

WATCH_SECONDS = 0.1
"""Pause between looks at a replica: a part of how long a change takes to reach answers."""

CHANGES_MANY = 1_000
BUSY_WATCH_SECONDS = 0.5
"""Pause after a look that showed many changes: a long transaction has them shown each time."""

RETRY_SECONDS_MAX = 2.0
"""Longest pause before a replica that is away is looked at again."""

HEALTHY_SECONDS = 2.0
"""A replica that was not seen for so long is not healthy."""

BEATS_NEAR = 5
"""A replica within so many beats of the freshest is as good: the first in the list is taken."""

HEDGE_SECONDS = 0.25
"""A replica that has not answered by then is no longer waited for alone: the next is asked too."""

T = TypeVar("T")

log = structlog.get_logger()


class _AheadOfClock(Exception):
    """A heartbeat comes from the future: a clock is wrong, and no age can be told."""


class _TooOld(Exception):
    """An answer is older than the caller wants it: another replica's may not be."""


_FAILURES = (*FAILURES, _AheadOfClock)


class _Watched:
    """A replica, and what the last look at it showed."""

    def __init__(self, number: int, url: str) -> None:
        self.number = number
        self.replica = Replica(url)
        self.seen: Snapshot | None = None
        self.seen_at = float("-inf")
        self.failed = False

    def healthy(self) -> bool:
        return not self.failed and time.monotonic() - self.seen_at < HEALTHY_SECONDS

    def fail(self, why: str) -> None:
        """Leave it alone until the watch has seen it again."""
        if not self.failed:
            log.warning("a replica is away", replica=self.number, why=why)
        self.failed = True

    def see(self, snapshot: Snapshot) -> None:
        if self.failed:
            log.info("a replica is back", replica=self.number)
        self.seen, self.seen_at, self.failed = snapshot, time.monotonic(), False


class Replicas:
    """A registry over replicas, the preferred one first. See ports.Registry.

    Nothing is answered before the watch (`run`) has seen a replica.
    """

    def __init__(
        self, urls: Sequence[str], *, tail: Tail, clock: Clock, clock_error_seconds: float
    ) -> None:
        self._watched = [_Watched(number, url) for number, url in enumerate(urls)]
        self._tail = tail
        self._clock = clock
        self._clock_error_seconds = clock_error_seconds
        self.queries = 0
        """How many queries for records were asked, of any replica."""

    @property
    def as_of(self) -> float | None:
        """The time of the freshest healthy replica's heartbeat; None if there is none."""
        return max((w.seen.as_of for w in self._watched if w.seen and w.healthy()), default=None)

    @property
    def ages(self) -> list[float | None]:
        """How old each replica's data is, in seconds, in their order; None for one never seen."""
        now = self._clock()
        return [now - w.seen.as_of if w.seen is not None else None for w in self._watched]

    @property
    def healthy(self) -> list[bool]:
        """Which replicas are healthy, in their order."""
        return [watched.healthy() for watched in self._watched]

    async def run(self) -> None:
        """Watch the replicas, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for watched in self._watched:
                group.create_task(self._watch(watched))

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        """Give a finding for each NIK, in order, as new as the freshest replica has it.

        One that is older than `not_before` is given only if no replica has a younger one.
        """
        old: list[list[Finding]] = []

        async def ask(replica: Replica) -> list[Finding]:
            self.queries += 1
            found = await replica.find(niks)
            if found and self._ahead(found[0].as_of):
                raise _AheadOfClock
            if found and found[0].as_of < not_before:
                old.append(found)
                raise _TooOld
            return found

        try:
            return await self._first_of(self._candidates(not_before), ask)
        except Refusal:
            if not old:
                raise
            return max(old, key=lambda found: found[0].as_of)

    async def read(self, statement: str, *arguments: object) -> list[Any]:
        """Run a statement on the freshest replica. Raises Refusal REGISTRY_UNAVAILABLE."""
        return await self._first_of(
            self._candidates(0.0), lambda replica: replica.read(statement, *arguments)
        )

    async def close(self) -> None:
        """End the connections."""
        for watched in self._watched:
            watched.replica.close()

    def _candidates(self, not_before: float) -> list[_Watched]:
        """Order the healthy replicas: those near the freshest as they are listed, then the rest."""
        healthy = [w for w in self._watched if w.seen is not None and w.healthy()]
        best = max((w.seen.beat for w in healthy if w.seen), default=0)

        def rank(watched: _Watched) -> tuple[bool, int]:
            assert watched.seen is not None
            near = watched.seen.beat >= best - BEATS_NEAR and watched.seen.as_of >= not_before
            return (False, watched.number) if near else (True, -watched.seen.beat)

        return sorted(healthy, key=rank)

    async def _first_of(
        self, candidates: list[_Watched], ask: Callable[[Replica], Awaitable[T]]
    ) -> T:
        """Ask the first; ask the next as well when one fails or is slow. Raises Refusal."""
        running: dict[asyncio.Future[T], _Watched] = {}
        try:
            for place, watched in enumerate(candidates):
                task = asyncio.ensure_future(ask(watched.replica))
                task.add_done_callback(_seen)
                running[task] = watched
                last = place == len(candidates) - 1
                answer = await _answered(running, None if last else HEDGE_SECONDS)
                if answer is not None:
                    return answer
        finally:
            for waiting in running:
                waiting.cancel()
        raise Refusal(
            Reason.REGISTRY_UNAVAILABLE, "the registry copy cannot be read", retry_after_seconds=1.0
        )

    async def _watch(self, watched: _Watched) -> None:
        away_seconds = WATCH_SECONDS
        while True:
            try:
                snapshot = await watched.replica.snapshot(self._tail.xmin)
                self._take(watched, snapshot)
                away_seconds = WATCH_SECONDS
                many = snapshot.changes is None or len(snapshot.changes) > CHANGES_MANY
                pause = BUSY_WATCH_SECONDS if many else WATCH_SECONDS
            except _FAILURES as error:
                watched.fail(type(error).__name__)
                away_seconds = min(2 * away_seconds, RETRY_SECONDS_MAX)
                pause = away_seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load only
            await asyncio.sleep(pause)

    def _take(self, watched: _Watched, snapshot: Snapshot) -> None:
        if not self._tail.belongs(snapshot):
            watched.fail("it is a copy of another registry")
        elif self._tail.left_behind(snapshot):
            watched.fail("it was left behind by a promotion")
        elif self._ahead(snapshot.as_of):
            watched.fail(_AheadOfClock.__name__)
        else:
            watched.see(snapshot)
            self._tail.take(snapshot)

    def _ahead(self, as_of: float) -> bool:
        """Tell whether a heartbeat comes from the future."""
        return as_of > self._clock() + self._clock_error_seconds


def _seen(task: asyncio.Future[Any]) -> None:
    """Look at a result that nobody waits for any more, so that nothing is logged of it."""
    if not task.cancelled():
        task.exception()


async def _answered(running: dict[asyncio.Future[T], _Watched], seconds: float | None) -> T | None:
    """Wait for the first answer of some that are asked; None once all failed, or time is over."""
    ends = None if seconds is None else time.monotonic() + seconds
    while running:
        left = None if ends is None else max(0.0, ends - time.monotonic())
        done, _ = await asyncio.wait(running, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            return None
        for task in done:
            watched = running.pop(task)
            try:
                return task.result()
            except _TooOld:
                continue
            except _FAILURES as error:
                watched.fail(type(error).__name__)
    return None
