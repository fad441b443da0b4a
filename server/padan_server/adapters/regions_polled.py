"""What is known of regions: the published code list, and the copy's coverage as last polled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache

import structlog

from padan_server.domain.coverage import NOTHING_HELD, Coverage, Summary, rolled_up, summary_of
from padan_server.domain.outcome import RegionState
from padan_server.domain.refusal import Reason, Refusal
from padan_server.domain.region import COUNTRY, RegionTable, Standing
from padan_server.ports import Clock

POLL_SECONDS = 1.0

PREFIXES_MAX = 20_000
"""Prefixes looked up in the code list and remembered: there are under 8,000 districts."""

log = structlog.get_logger()


class PolledRegions:
    """Keeps the coverage. A region is behind once its watermark is older than `behind_seconds`.

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
        self._regencies = table.current("regency")
        self._current = frozenset(regency.code for regency in self._regencies)
        self._read = read
        self._behind_seconds = behind_seconds
        self._clock = clock
        self._coverage: dict[str, Coverage] = {}
        self._listed = lru_cache(maxsize=PREFIXES_MAX)(self._look_up)
        self._states: dict[tuple[Standing, str], RegionState] = {}
        self._summaries: dict[str, Summary] = {}
        self.polled = False

    def of_prefix(self, prefix: str) -> RegionState:
        """See ports.Regions. A retired regency with one successor has its successor's coverage."""
        listed = self._listed(prefix)
        state = self._states.get(listed)
        if state is None:
            state = self._states[listed] = self._state(*listed)
        return state

    @property
    def as_of(self) -> float:
        """The heartbeat that the copy showed with the coverage, in seconds since the epoch.

        Raises Refusal REGISTRY_UNAVAILABLE while no coverage, or no heartbeat with it, was read.
        """
        as_of = max((coverage.as_of for coverage in self._coverage.values()), default=0.0)
        if not as_of:
            raise Refusal(
                Reason.REGISTRY_UNAVAILABLE,
                "the age of the regions' coverage is not known yet",
                retry_after_seconds=1.0,
            )
        return as_of

    def ages(self) -> dict[str, float]:
        """Give the age of each centralised regency's watermark, in seconds, by its code."""
        now = self._clock()
        return {
            code: now - coverage.complete_to
            for code, coverage in self._coverage.items()
            if coverage.complete_to is not None
        }

    def summary(self, code: str) -> Summary | None:
        """Give the coverage of a current regency or province, or of COUNTRY; None of all else."""
        if not self._summaries:
            self._summaries = self._summed_up()
        return self._summaries.get(code)

    async def run(self) -> None:
        """Poll, until cancelled."""
        while True:
            await self.poll()
            await asyncio.sleep(POLL_SECONDS)

    async def poll(self) -> None:
        """Read the coverage; on failure the last one stays, and grows old."""
        try:
            self._coverage = await self._read()
            self.polled = True
        except Refusal:
            log.warning("the regions' coverage cannot be read")
        self._states = {}
        self._summaries = {}

    def _look_up(self, prefix: str) -> tuple[Standing, str]:
        found = self._table.lookup(prefix)
        return found.standing, found.regency_now

    def _state(self, standing: Standing, regency: str) -> RegionState:
        coverage = self._coverage.get(regency)
        if coverage is None or not coverage.told:
            # A regency without a watermark is behind. Nothing is claimed only where no list tells
            # which regency it is by now.
            behind = not self.polled or regency in self._current
        else:
            behind = self._is_behind(coverage)
        return RegionState(standing, coverage, behind)

    def _is_behind(self, coverage: Coverage) -> bool:
        if coverage.complete_to is None:
            return True
        return self._clock() - coverage.complete_to > self._behind_seconds

    def _summed_up(self) -> dict[str, Summary]:
        """Sum up every current regency, province, and the country."""
        provinces: dict[str, list[Summary]] = {}
        summaries: dict[str, Summary] = {}
        for regency in self._regencies:
            coverage = self._coverage.get(regency.code, NOTHING_HELD)
            summary = summary_of(coverage, behind=self._is_behind(coverage))
            summaries[regency.code] = summary
            provinces.setdefault(regency.code[:2], []).append(summary)
        rolled = {code: rolled_up(parts) for code, parts in provinces.items()}
        return summaries | rolled | {COUNTRY: rolled_up(rolled.values())}
