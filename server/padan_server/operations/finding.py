"""Finding: one NIK's record, young enough for the query, with the regions that bear on it."""

from __future__ import annotations

from padan_server.domain.claims import Query
from padan_server.domain.outcome import RegionState
from padan_server.domain.person import Finding
from padan_server.domain.refusal import Reason, Refusal
from padan_server.domain.region import Standing
from padan_server.ports import Clock, Regions, Registry

_NOWHERE = RegionState(Standing.UNKNOWN, None, False)


class Finder:
    """Asks the registry copy.

    No data older than `staleness_seconds_max` is answered, whatever a query accepts. An age is what
    this worker's clock says, plus `clock_error_seconds`, by which clocks may differ.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        regions: Regions,
        clock: Clock,
        staleness_seconds_max: float,
        clock_error_seconds: float,
    ) -> None:
        self._registry = registry
        self._regions = regions
        self._clock = clock
        self._staleness_seconds_max = staleness_seconds_max
        self._clock_error_seconds = clock_error_seconds

    async def find(self, query: Query) -> Finding:
        """Find a NIK. Raises Refusal (REGISTRY_UNAVAILABLE, TOO_STALE)."""
        staleness = self._staleness_seconds_max
        if query.max_staleness_seconds is not None:
            staleness = min(staleness, query.max_staleness_seconds)
        not_before = self._clock() - staleness + self._clock_error_seconds
        (finding,) = await self._registry.find((query.nik,), not_before=not_before)
        if finding.as_of < not_before:
            raise Refusal(
                Reason.TOO_STALE,
                "the registry copy is older than is accepted",
                retry_after_seconds=1.0,
            )
        if finding.as_of > self._clock() + self._clock_error_seconds:
            raise Refusal(
                Reason.REGISTRY_UNAVAILABLE,
                "the registry copy's age cannot be told: clocks differ",
                retry_after_seconds=1.0,
            )
        return finding

    def region(self, prefix: str) -> RegionState:
        """Tell what is known of a six-digit prefix."""
        return self._regions.of_prefix(prefix)

    def residence(self, finding: Finding) -> RegionState:
        """Tell what is known of the region where the person lives now."""
        if finding.record is None:
            return _NOWHERE
        return self._regions.of_prefix(finding.record.village_code[:6])
