"""What a running service tells Prometheus."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.padan import Padan, padan
from tests.support.waiting import until

NIK = "3171015203909001"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Padan]:
    directory = tmp_path_factory.mktemp("metrics")
    with padan(directory, standbys=2, settings={"PADAN_METRICS_PORT": "0"}) as started:
        yield started


def port(log_file: Path) -> int:
    """Read the port that was taken."""
    told = (json.loads(line) for line in log_file.read_text("utf-8").splitlines())
    return int(next(one["port"] for one in told if one.get("event") == "metrics"))


def scraped(running: Padan) -> dict[str, float]:
    url = f"http://127.0.0.1:{port(running.serving.log_file)}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def test_ages_of_data_replicas_and_regions_are_told(measured: Padan) -> None:
    until(lambda: "padan_data_age_seconds" in scraped(measured))
    shown = scraped(measured)
    assert 0 <= shown["padan_data_age_seconds"] < 60
    for replica in "01":
        assert shown[f'padan_replica_healthy{{replica="{replica}"}}'] == 1
        assert 0 <= shown[f'padan_replica_age_seconds{{replica="{replica}"}}'] < 60
    # 514 regencies, but for the six that are not centralised.
    until(lambda: sum(n.startswith("padan_region_age_seconds") for n in scraped(measured)) == 508)


def test_a_replica_that_is_away_is_told(measured: Padan) -> None:
    measured.installation.servers.stop_replica(1)
    try:
        until(lambda: scraped(measured)['padan_replica_healthy{replica="1"}'] == 0)
    finally:
        measured.installation.servers.start_replica(1)
    until(lambda: scraped(measured)['padan_replica_healthy{replica="1"}'] == 1)


def test_calls_are_counted_by_cache_and_nobody_is_named(measured: Padan) -> None:
    with measured.client(measured.partner("bank-metrics")) as client:
        for _ in range(20):
            client.verify(NIK, full_name="X EXAMPLE", purpose="ACCOUNT_OPENING")
    hits = 'padan_cache_lookups_total{cache="memory",result="hit"}'
    until(lambda: scraped(measured).get(hits, 0) > 0)
    assert not any(NIK in name for name in scraped(measured))


def test_gauges_of_a_worker_that_ended_are_forgotten_and_its_counts_kept(measured: Padan) -> None:
    queries = "padan_replica_queries_total"
    until(lambda: scraped(measured).get(queries, 0) > 0)
    before = scraped(measured)[queries]
    supervisor = psutil.Process(measured.serving.process.pid)
    worker = next(child for child in supervisor.children() if "worker" in child.cmdline())
    files = measured.installation.directory / "metrics"
    assert list(files.glob(f"gauge_live*_{worker.pid}.db"))
    worker.kill()
    until(lambda: not list(files.glob(f"gauge_live*_{worker.pid}.db")))
    assert scraped(measured)[queries] >= before
