"""A worker's registry copy: the replicas, and the caches before them."""

from __future__ import annotations

from padan_server.adapters.cache_memory import MemoryCache
from padan_server.adapters.cache_valkey import ValkeyCache
from padan_server.adapters.registry_batched import BatchedRegistry
from padan_server.adapters.replicas import Replicas
from padan_server.config import Settings
from padan_server.domain.freshness import Freshness, Tail
from padan_server.ports import Clock, Entropy, Registry

CHANGES_MAX = 200_000
"""People whose last change a worker remembers: half an hour of a hundred changes a second."""


class RegistryCopy:
    """Every layer decorates the one before it: without its line here, it is gone."""

    def __init__(
        self, settings: Settings, *, cache_key: bytes, clock: Clock, entropy: Entropy
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.freshness = Freshness(changes_max=CHANGES_MAX)
        self.replicas = Replicas(
            settings.replica_urls,
            tail=Tail(self.freshness),
            clock=clock,
            clock_error_seconds=settings.clock_error_seconds,
        )
        registry: Registry = self.replicas
        self.valkey: ValkeyCache | None = None
        if settings.valkey_url is not None:
            registry = self.valkey = ValkeyCache(
                registry,
                url=settings.valkey_url,
                key=cache_key,
                freshness=self.freshness,
                clock=clock,
                entropy=entropy,
                ttl_seconds=settings.cache_ttl_seconds,
            )
        registry = BatchedRegistry(registry)
        registry = self.memory = MemoryCache(
            registry,
            freshness=self.freshness,
            clock=clock,
            ttl_seconds=settings.cache_ttl_seconds,
            bytes_max=settings.cache_bytes_max,
        )
        self.registry = registry

    @property
    def young(self) -> bool:
        """Whether any healthy replica is young enough to answer from."""
        as_of = self.replicas.as_of
        return as_of is not None and self._clock() - as_of < self._settings.staleness_max_seconds

    async def close(self) -> None:
        """End the connections."""
        if self.valkey is not None:
            await self.valkey.close()
        await self.replicas.close()
