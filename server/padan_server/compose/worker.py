"""A worker: every object of it, and its life."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any

import structlog

from padan_server.adapters.coverage_postgres import read_coverage
from padan_server.adapters.entropy_system import SystemEntropy
from padan_server.adapters.keyring_file import WorkerKeys
from padan_server.adapters.notary_link import NotaryLink
from padan_server.adapters.policy_linked import LinkedPolicy
from padan_server.adapters.regions_polled import PolledRegions
from padan_server.adapters.tokens_jwt import JwtTokens
from padan_server.compose.metrics import WorkerMetrics
from padan_server.compose.process import settle, stopping, until
from padan_server.compose.registry import RegistryCopy
from padan_server.config import Settings, address
from padan_server.domain.region import RegionTable
from padan_server.operations.admission import Admission
from padan_server.operations.bursts import Bursts
from padan_server.operations.drafts import Drafts
from padan_server.operations.finding import Finder
from padan_server.operations.lookup import Lookup
from padan_server.operations.refusals import Refusals
from padan_server.operations.regions import GetRegion, ListRegions
from padan_server.operations.verify import Verify
from padan_server.pipeline import Pipeline
from padan_server.transport import registry, verification
from padan_server.transport.registry import RegistryServicer
from padan_server.transport.server import Server, Tls
from padan_server.transport.verification import VerificationServicer

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
        self._copy = RegistryCopy(settings, cache_key=keys.cache_key, clock=clock, entropy=entropy)
        table = RegionTable.published()
        self._regions = PolledRegions(
            table=table,
            read=partial(read_coverage, self._copy.replicas.read),
            behind_seconds=settings.region_behind_seconds,
            clock=clock,
        )
        drafts = Drafts(keys=keys, entropy=entropy, clock=clock)
        finder = Finder(
            registry=self._copy.registry,
            regions=self._regions,
            clock=clock,
            staleness_seconds_max=settings.staleness_max_seconds,
            clock_error_seconds=settings.clock_error_seconds,
        )
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
        servicers = (
            VerificationServicer(
                pipeline=pipeline,
                verify=Verify(finder=finder, drafts=drafts),
                lookup=Lookup(finder=finder, drafts=drafts),
            ),
            RegistryServicer(
                pipeline=pipeline,
                list_regions=ListRegions(table=table, coverage=self._regions, drafts=drafts),
                get_region=GetRegion(table=table, coverage=self._regions, drafts=drafts),
            ),
        )
        self._server = Server(
            address=address(settings.host, settings.port),
            tls=_tls(settings),
            handlers=[servicer.handlers() for servicer in servicers],
            services=[verification.NAME, registry.NAME],
        )

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then end calls under way and drain the drafts."""
        stop = stopping()
        await self._server.start()
        log.info("serving", port=self._server.port)
        tasks = [
            asyncio.create_task(task)
            for task in (
                *self._publishing(),
                self._link.run(),
                self._copy.replicas.run(),
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
        await self._copy.close()
        log.info("stopped")

    def _publishing(self) -> list[Coroutine[Any, Any, None]]:
        """Give what publishes the metrics, if anybody can read them."""
        if self._settings.metrics_port is None:
            return []
        metrics = WorkerMetrics(
            freshness=self._copy.freshness,
            replicas=self._copy.replicas,
            regions=self._regions,
            memory=self._copy.memory,
            valkey=self._copy.valkey,
            clock=time.time,
        )
        return [metrics.run()]

    async def _health(self) -> None:
        while True:
            ready = self._policy.fresh and self._regions.polled
            await self._server.tell_health(registry.NAME, serving=ready)
            await self._server.tell_health(verification.NAME, serving=ready and self._copy.young)
            await asyncio.sleep(HEALTH_SECONDS)


def _tls(settings: Settings) -> Tls | None:
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    return Tls(settings.tls_certificate_file, settings.tls_key_file)
