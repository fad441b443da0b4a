"""Metrics: what workers publish is what a scrape shows, summed or the worst of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from padan_server.adapters.metrics_prometheus import (
    DIRECTORY_VARIABLE,
    Lookups,
    MetricsServer,
    Reading,
)

READING = Reading(
    data_age=1.5,
    replica_ages=[0.5, None],
    replicas_healthy=[True, False],
    region_ages={"3171": 2.0},
    lookups={"memory": Lookups(7, 3)},
    cache_bytes=1000,
    cache_records=2,
    replica_queries=5,
)

WORKER = """
import json, os, sys, msgspec
from padan_server.adapters.metrics_prometheus import Metrics, Reading
metrics = Metrics()
for reading in json.loads(sys.argv[1]):
    metrics.publish(msgspec.convert(reading, Reading))
print(os.getpid())
"""


def published_by_a_worker(directory: Path, *readings: Reading) -> int:
    """Publish from a process of its own, as a worker does; give its pid."""
    given = json.dumps([msgspec.to_builtins(reading) for reading in readings])
    done = subprocess.run(
        [sys.executable, "-c", WORKER, given],
        env=os.environ | {DIRECTORY_VARIABLE: str(directory)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return int(done.stdout)


def scraped(server: MetricsServer) -> dict[str, float]:
    url = f"http://127.0.0.1:{server.port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def changed(**changes: Any) -> Reading:
    return msgspec.structs.replace(READING, **changes)


def test_scrape_shows_the_sum_of_workers_or_the_worst_of_them(tmp_path: Path) -> None:
    server = MetricsServer(tmp_path / "metrics", host="127.0.0.1", port=0)
    try:
        published_by_a_worker(server.directory, READING)
        second = published_by_a_worker(
            server.directory,
            READING,
            changed(data_age=9.0, replicas_healthy=[True, True], lookups={"memory": Lookups(9, 3)}),
        )
        shown = scraped(server)
        assert shown["padan_data_age_seconds"] == 9.0
        assert shown['padan_replica_age_seconds{replica="0"}'] == 0.5
        assert 'padan_replica_age_seconds{replica="1"}' not in shown
        assert shown['padan_replica_healthy{replica="1"}'] == 0.0
        assert shown['padan_region_age_seconds{regency="3171"}'] == 2.0
        assert shown['padan_cache_lookups_total{cache="memory",result="hit"}'] == 16.0
        assert shown['padan_cache_lookups_total{cache="memory",result="miss"}'] == 6.0
        assert shown["padan_cache_bytes"] == 2000.0
        assert shown["padan_cache_records"] == 4.0
        assert shown["padan_replica_queries_total"] == 10.0
        server.forget(second)
        shown = scraped(server)
        assert shown["padan_data_age_seconds"] == 1.5
        assert shown["padan_cache_bytes"] == 1000.0
        assert shown['padan_cache_lookups_total{cache="memory",result="hit"}'] == 16.0
    finally:
        server.close()


def test_what_earlier_processes_counted_is_not_ours(tmp_path: Path) -> None:
    directory = tmp_path / "metrics"
    directory.mkdir()
    published_by_a_worker(directory, READING)
    server = MetricsServer(directory, host="127.0.0.1", port=0)
    try:
        assert scraped(server) == {}
    finally:
        server.close()
