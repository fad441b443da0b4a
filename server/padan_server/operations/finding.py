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
    """Asks the registry copy."""

    def __init__(self, *, registry: Registry, regions: Regions, clock: Clock) -> None:
        self._registry = registry
        self._regions = regions
        self._clock = clock

    async def find(self, query: Query) -> Finding:
        """Find a NIK. Raises Refusal (REGISTRY_UNAVAILABLE, TOO_STALE)."""
        staleness = query.max_staleness_seconds
        not_before = 0.0 if staleness is None else self._clock() - staleness
        (finding,) = await self._registry.find((query.nik,), not_before=not_before)
        if finding.as_of < not_before:
            raise Refusal(
                Reason.TOO_STALE,
                "the registry copy is older than max_staleness",
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
