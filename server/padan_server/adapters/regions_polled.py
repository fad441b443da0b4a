"""What is known of regions: the published code list, and the copy's watermarks as last polled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache

import structlog

from padan_server.domain.coverage import Coverage
from padan_server.domain.outcome import RegionState
from padan_server.domain.refusal import Refusal
from padan_server.domain.region import RegionTable, Standing
from padan_server.ports import Clock

POLL_SECONDS = 1.0

PREFIXES_MAX = 20_000
"""Prefixes looked up in the code list and remembered: there are under 8,000 districts."""

log = structlog.get_logger()


class PolledRegions:
    """Keeps the watermarks. A region is behind once its watermark is older than `behind_seconds`.

    Until the first poll every region is behind: absence then proves nothing.
    """

    def __init__(
        self,
        *,
        table: RegionTable,
        read: Callable[[], Awaitable[dict[str, Coverage]]],
        behind_seconds: float,
        clock: Clock,
    ) -> None:
        self._table = table
        self._read = read
        self._behind_seconds = behind_seconds
        self._clock = clock
        self._coverage: dict[str, Coverage] = {}
        self._listed = lru_cache(maxsize=PREFIXES_MAX)(self._look_up)
        self._states: dict[tuple[Standing, str], RegionState] = {}
        self.polled = False

    def of_prefix(self, prefix: str) -> RegionState:
        """See ports.Regions. A retired regency with one successor has its successor's coverage."""
        listed = self._listed(prefix)
        state = self._states.get(listed)
        if state is None:
            state = self._states[listed] = self._state(*listed)
        return state

    async def run(self) -> None:
        """Poll, until cancelled."""
        while True:
            await self.poll()
            await asyncio.sleep(POLL_SECONDS)

    async def poll(self) -> None:
        """Read the watermarks; on failure the last ones stay, and grow old."""
        try:
            self._coverage = await self._read()
            self.polled = True
        except Refusal:
            log.warning("the regions' watermarks cannot be read")
        self._states = {}

    def _look_up(self, prefix: str) -> tuple[Standing, str]:
        found = self._table.lookup(prefix)
        return found.standing, found.regency_now

    def _state(self, standing: Standing, regency: str) -> RegionState:
        coverage = self._coverage.get(regency)
        if coverage is None:
            # Only codes that no list has claim nothing: a listed one without a watermark is behind.
            behind = not self.polled or standing is Standing.CURRENT
        elif coverage.complete_to is None:
            behind = True
        else:
            behind = self._clock() - coverage.complete_to > self._behind_seconds
        return RegionState(standing, coverage, behind)
