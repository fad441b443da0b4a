"""A worker: every object of it, and its life."""

from __future__ import annotations

import asyncio
import time

import structlog

from padan_server.adapters.cache_memory import MemoryCache
from padan_server.adapters.cache_valkey import ValkeyCache
from padan_server.adapters.entropy_system import SystemEntropy
from padan_server.adapters.keyring_file import WorkerKeys
from padan_server.adapters.notary_link import NotaryLink
from padan_server.adapters.policy_linked import LinkedPolicy
from padan_server.adapters.regions_polled import PolledRegions
from padan_server.adapters.registry_batched import BatchedRegistry
from padan_server.adapters.replica_postgres import ReplicaRegistry
from padan_server.adapters.tokens_jwt import JwtTokens
from padan_server.compose.process import settle, stopping, until
from padan_server.config import Settings, address
from padan_server.domain.region import RegionTable
from padan_server.operations.admission import Admission
from padan_server.operations.bursts import Bursts
from padan_server.operations.drafts import Drafts
from padan_server.operations.finding import Finder
from padan_server.operations.lookup import Lookup
from padan_server.operations.refusals import Refusals
from padan_server.operations.verify import Verify
from padan_server.pipeline import Pipeline
from padan_server.ports import Registry
from padan_server.transport.server import Server, Tls
from padan_server.transport.verification import NAME, VerificationServicer

HEALTH_SECONDS = 0.25

log = structlog.get_logger()


class Worker:
    """One worker process."""

    def __init__(self, settings: Settings) -> None:
        clock, entropy = time.time, SystemEntropy()
        self._settings = settings
        keys = WorkerKeys(settings.worker_keys, clock=clock, entropy=entropy)
        self._policy = LinkedPolicy(monotonic=time.monotonic)
        self._link = NotaryLink(
            path=settings.socket,
            timeout_seconds=settings.append_timeout_seconds,
            poll_seconds=settings.policy_poll_seconds,
            known_policy=self._policy.known,
            on_policy=self._policy.take,
        )
        self._replica = ReplicaRegistry(settings.replica_urls)
        registry: Registry = self._replica
        self._valkey: ValkeyCache | None = None
        if settings.valkey_url is not None:
            registry = self._valkey = ValkeyCache(
                registry,
                url=settings.valkey_url,
                key=keys.cache_key,
                clock=clock,
                entropy=entropy,
                ttl_seconds=settings.cache_ttl_seconds,
            )
        registry = BatchedRegistry(registry)
        registry = MemoryCache(
            registry,
            clock=clock,
            ttl_seconds=settings.cache_ttl_seconds,
            records_max=settings.cache_records_max,
        )
        self._regions = PolledRegions(
            table=RegionTable.published(),
            read=self._replica.coverage,
            behind_seconds=settings.region_behind_seconds,
            clock=clock,
        )
        drafts = Drafts(keys=keys, entropy=entropy, clock=clock)
        finder = Finder(registry=registry, regions=self._regions, clock=clock)
        self._refusals = Refusals(
            drafts=drafts, ledger=self._link, period_seconds=settings.summary_seconds
        )
        pipeline = Pipeline(
            tokens=JwtTokens(policy=self._policy, audience=settings.audience, clock=clock),
            policy=self._policy,
            bursts=Bursts(),
            admission=Admission(calls_max=settings.calls_max),
            ledger=self._link,
            refusals=self._refusals,
            clock=clock,
        )
        servicer = VerificationServicer(
            pipeline=pipeline,
            verify=Verify(finder=finder, drafts=drafts),
            lookup=Lookup(finder=finder, drafts=drafts),
        )
        self._server = Server(
            address=address(settings.host, settings.port),
            tls=_tls(settings),
            handlers=[servicer.handlers()],
            services=[NAME],
        )

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then end calls under way and drain the drafts."""
        stop = stopping()
        await self._server.start()
        log.info("serving", port=self._server.port)
        tasks = [
            asyncio.create_task(task)
            for task in (
                self._link.run(),
                self._regions.run(),
                self._refusals.run(),
                self._health(),
            )
        ]
        settle()
        await until(stop, tasks)
        log.info("draining")
        await self._server.stop(grace_seconds=self._settings.drain_seconds)
        self._refusals.sum_up()
        if not await self._link.drain(seconds=self._settings.drain_seconds):
            log.error("the notary did not take every draft in time")
        for task in tasks:
            task.cancel()
        if self._valkey is not None:
            await self._valkey.close()
        await self._replica.close()
        log.info("stopped")

    async def _health(self) -> None:
        while True:
            await self._server.tell_health(serving=self._policy.fresh and self._regions.polled)
            await asyncio.sleep(HEALTH_SECONDS)


def _tls(settings: Settings) -> Tls | None:
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    return Tls(settings.tls_certificate_file, settings.tls_key_file)
