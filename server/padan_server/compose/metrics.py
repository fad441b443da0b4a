"""What a worker's objects say, read for its metrics once a second."""

from __future__ import annotations

import asyncio

from padan_server.adapters.cache_memory import MemoryCache
from padan_server.adapters.cache_valkey import ValkeyCache
from padan_server.adapters.metrics_prometheus import Lookups, Metrics, Reading
from padan_server.adapters.regions_polled import PolledRegions
from padan_server.adapters.replicas import Replicas
from padan_server.domain.freshness import Freshness
from padan_server.ports import Clock

PUBLISH_SECONDS = 1.0


class WorkerMetrics:
    """Reads and publishes, until cancelled."""

    def __init__(
        self,
        *,
        freshness: Freshness,
        replicas: Replicas,
        regions: PolledRegions,
        memory: MemoryCache,
        valkey: ValkeyCache | None,
        clock: Clock,
    ) -> None:
        self._freshness = freshness
        self._replicas = replicas
        self._regions = regions
        self._memory = memory
        self._valkey = valkey
        self._clock = clock

    async def run(self) -> None:
        """Publish once a second."""
        metrics = Metrics()
        while True:
            metrics.publish(self._read())
            await asyncio.sleep(PUBLISH_SECONDS)

    def _read(self) -> Reading:
        now = self._clock()
        lookups = {"memory": Lookups(self._memory.hits, self._memory.misses)}
        if self._valkey is not None:
            lookups["valkey"] = Lookups(self._valkey.hits, self._valkey.misses)
        return Reading(
            data_age=now - self._freshness.as_of if self._freshness.as_of else None,
            replica_ages=self._replicas.ages,
            replicas_healthy=self._replicas.healthy,
            region_ages=self._regions.ages(),
            lookups=lookups,
            cache_bytes=self._memory.bytes_held,
            cache_records=self._memory.records_held,
            replica_queries=self._replicas.queries,
        )
