"""Metrics for Prometheus: what a worker's objects count, published by it, served by the supervisor.

Workers write into files of one directory (prometheus_client's multiprocess mode, which an
environment variable switches on before the package is imported); a scrape reads all of them.
Labels name replicas by number and regencies by code; nothing here is about a person.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from wsgiref.simple_server import WSGIServer

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class Lookups(msgspec.Struct, frozen=True):
    """How often a cache was asked since the worker started."""

    hits: int
    misses: int


class Reading(msgspec.Struct, frozen=True):
    """What a worker's objects say at one moment.

    Ages are in seconds; None where there is no data to be old. Counts only ever grow.
    """

    data_age: float | None
    replica_ages: list[float | None]
    replicas_healthy: list[bool]
    region_ages: dict[str, float]
    lookups: dict[str, Lookups]
    cache_bytes: int
    cache_records: int
    replica_queries: int


class Metrics:
    """A worker's metrics. There is one in a process: names are registered once."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register with a registry of one's own, or with none: then files alone are written."""
        made = registry or CollectorRegistry()
        self._before: dict[str, Lookups] = {}
        self._queries_before = 0
        self._data_age = Gauge(
            "padan_data_age_seconds",
            "Age of the heartbeat that answers from caches are as of; the oldest worker's.",
            registry=made,
            multiprocess_mode="livemax",
        )
        self._replica_age = Gauge(
            "padan_replica_age_seconds",
            "Age of the heartbeat that a replica showed last.",
            ["replica"],
            registry=made,
            multiprocess_mode="livemax",
        )
        self._replica_healthy = Gauge(
            "padan_replica_healthy",
            "1 if every worker sees the replica, 0 if any does not.",
            ["replica"],
            registry=made,
            multiprocess_mode="livemin",
        )
        self._region_age = Gauge(
            "padan_region_age_seconds",
            "Age of a centralised regency's watermark; others have none.",
            ["regency"],
            registry=made,
            multiprocess_mode="livemax",
        )
        self._lookups = Counter(
            "padan_cache_lookups",
            "NIKs asked of a cache.",
            ["cache", "result"],
            registry=made,
        )
        self._cache_bytes = Gauge(
            "padan_cache_bytes",
            "Bytes of the workers' memory caches.",
            registry=made,
            multiprocess_mode="livesum",
        )
        self._cache_records = Gauge(
            "padan_cache_records",
            "Records in the workers' memory caches.",
            registry=made,
            multiprocess_mode="livesum",
        )
        self._queries = Counter(
            "padan_replica_queries",
            "Queries for records that replicas were asked.",
            registry=made,
        )

    def publish(self, reading: Reading) -> None:
        """Publish what is now."""
        if reading.data_age is not None:
            self._data_age.set(reading.data_age)
        for number, healthy in enumerate(reading.replicas_healthy):
            self._replica_healthy.labels(str(number)).set(healthy)
            age = reading.replica_ages[number]
            if age is not None:
                self._replica_age.labels(str(number)).set(age)
        for regency, age in reading.region_ages.items():
            self._region_age.labels(regency).set(age)
        for cache, lookups in reading.lookups.items():
            before = self._before.get(cache, Lookups(0, 0))
            self._lookups.labels(cache, "hit").inc(lookups.hits - before.hits)
            self._lookups.labels(cache, "miss").inc(lookups.misses - before.misses)
        self._before = reading.lookups
        self._queries.inc(reading.replica_queries - self._queries_before)
        self._queries_before = reading.replica_queries
        self._cache_bytes.set(reading.cache_bytes)
        self._cache_records.set(reading.cache_records)


class MetricsServer:
    """Serves what all workers published, at `http://host:port/metrics`; port 0 takes a free one.

    `directory` is emptied: what earlier processes counted is not ours. Raises OSError.
    """

    def __init__(self, directory: Path, *, host: str, port: int) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self.directory = directory
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
        self._server: WSGIServer
        self._server, _ = start_http_server(port, host, registry)
        self.port = self._server.server_port

    def forget(self, pid: int) -> None:
        """Take the gauges of a process that has ended out; what it counted stays counted."""
        mark_process_dead(pid, str(self.directory))  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
