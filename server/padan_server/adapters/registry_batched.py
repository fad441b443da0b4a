"""Batching: what is asked for while one query runs is asked for together, in the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

import msgspec

from padan_server.domain.nik import Nik
from padan_server.domain.person import Finding
from padan_server.ports import Registry

BATCH_MAX = 500
"""NIKs in one query: what a worker admits at once, in a few queries."""


GATHER_SECONDS = 0.012
"""How long misses gather between two queries: a query costs as much as many NIKs in it."""


class _Flight(msgspec.Struct):
    """One NIK on its way; `not_before` is what the most demanding of its callers wants."""

    finding: asyncio.Future[Finding]
    not_before: float


class BatchedRegistry:
    """Decorates a registry. A NIK that many ask for at once is found once for all of them.

    One query is under way at a time; the next one starts soon after it, with all that has come up.
    The first miss after a pause is asked for at once.
    A batch is read as fresh as the most demanding of its callers wants it. Who asks for a NIK that
    is on its way waits for it, and has it read again only if it turns out older than wanted.
    """

    def __init__(self, inner: Registry) -> None:
        self._inner = inner
        self._waiting: dict[Nik, _Flight] = {}
        self._flying: dict[Nik, _Flight] = {}
        self._running: asyncio.Task[None] | None = None

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        """See ports.Registry."""
        flying = [self._flying.get(nik) for nik in niks]
        futures = [
            self._want(nik, not_before) if flight is None else flight.finding
            for nik, flight in zip(niks, flying, strict=True)
        ]
        # Shielded, as another caller may wait for the same future: only this one gives up.
        found = [await asyncio.shield(future) for future in futures]
        again = {
            nik: self._want(nik, not_before)
            for nik, flight, finding in zip(niks, flying, found, strict=True)
            if flight is not None and flight.not_before < not_before and finding.as_of < not_before
        }
        return [
            await asyncio.shield(again[nik]) if nik in again else finding
            for nik, finding in zip(niks, found, strict=True)
        ]

    def _want(self, nik: Nik, not_before: float) -> asyncio.Future[Finding]:
        waiting = self._waiting.get(nik)
        if waiting is not None:
            waiting.not_before = max(waiting.not_before, not_before)
            return waiting.finding
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Finding] = loop.create_future()
        self._waiting[nik] = _Flight(future, not_before)
        if self._running is None:
            self._running = loop.create_task(self._run())
        return future

    async def _run(self) -> None:
        """Find what is waited for, batch by batch, until nothing is."""
        try:
            while self._waiting:
                self._flying = dict(islice(self._waiting.items(), BATCH_MAX))
                for nik in self._flying:
                    del self._waiting[nik]
                await self._fly()
                self._flying = {}  # who asks from now on wants a reading of its own
                await asyncio.sleep(GATHER_SECONDS)
        finally:
            self._flying = {}
            self._running = None

    async def _fly(self) -> None:
        flights = self._flying.values()
        not_before = max(flight.not_before for flight in flights)
        try:
            findings = await self._inner.find(tuple(self._flying), not_before=not_before)
        except Exception as error:
            for flight in flights:
                flight.finding.set_exception(error)
                flight.finding.exception()  # seen: every waiter may have gone
        else:
            for flight, finding in zip(flights, findings, strict=True):
                flight.finding.set_result(finding)
