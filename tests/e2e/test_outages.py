"""What is down, and what then happens: the rows of docs/failures.md."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psutil
import psycopg
import pytest

from padan_client import BudgetSpent, Client, PadanError, TooStale, Unavailable
from padan_server.adapters import notary_control
from tests.support.padan import Padan, padan

NIK = "3171015203909001"
OTHER_NIK = "3402015512559001"
NEVER_CACHED = {"PADAN_CACHE_TTL_SECONDS": "0.001", "PADAN_WORKERS": "1"}


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Padan]:
    with padan(tmp_path_factory.mktemp("breakable"), settings=NEVER_CACHED) as started:
        yield started


@pytest.fixture(scope="module")
def client(breakable: Padan) -> Iterator[Client]:
    with breakable.client(breakable.partner("bank-outage"), timeout_seconds=3) as client:
        yield client


def charged(breakable: Padan, request_id: str) -> int:
    entries = breakable.entries("bank-outage")
    return sum("charge" in e and e["ask"]["request_id"] == request_id for e in entries)


def wait_for(breakable: Padan, client: Client) -> None:
    """Wait until calls are answered again, without a restart by hand."""
    ends = time.monotonic() + 30
    while True:
        try:
            client.verify(NIK, full_name="X EXAMPLE", purpose="ACCOUNT_OPENING")
        except PadanError:
            assert time.monotonic() < ends, "the service did not recover"
            time.sleep(0.2)
        else:
            return


def test_replica_away_then_back_answers_and_charges_once(breakable: Padan, client: Client) -> None:
    request_id = client.new_request_id()
    ask = {"full_name": "PONIRAH", "purpose": "ACCOUNT_OPENING", "request_id": request_id}
    breakable.installation.servers.stop_replica()
    try:
        with pytest.raises(Unavailable) as refused:
            client.verify(OTHER_NIK, **ask)  # type: ignore[arg-type]
        assert refused.value.reason == "REGISTRY_UNAVAILABLE"
    finally:
        breakable.installation.servers.start_replica()
    wait_for(breakable, client)
    first = client.verify(OTHER_NIK, **ask)  # type: ignore[arg-type]
    again = client.verify(OTHER_NIK, **ask)  # type: ignore[arg-type]
    assert (first.matched, first.billable, first.replayed) == (True, True, False)
    assert (again.matched, again.billable, again.replayed) == (True, False, True)
    assert charged(breakable, request_id) == 1
    breakable.entries_until("bank-outage", 1, kind="FAULT", reason="REGISTRY_UNAVAILABLE")


def test_valkey_away_fails_no_call(breakable: Padan, client: Client) -> None:
    breakable.installation.servers.stop_valkey()
    try:
        for _ in range(20):
            client.verify(OTHER_NIK, full_name="PONIRAH", purpose="ACCOUNT_OPENING")
    finally:
        breakable.installation.servers.start_valkey()
    client.verify(OTHER_NIK, full_name="PONIRAH", purpose="ACCOUNT_OPENING")


def test_ledger_away_answers_nobody(breakable: Padan, client: Client) -> None:
    breakable.installation.servers.stop_primary()
    try:
        with pytest.raises(Unavailable):
            client.verify(NIK, full_name="X EXAMPLE", purpose="ACCOUNT_OPENING")
    finally:
        breakable.installation.servers.start_primary()
    wait_for(breakable, client)
    breakable.check()


def test_age_grows_while_the_replica_stands_still(breakable: Padan, client: Client) -> None:
    """The replica's replay is paused: it answers, and says how old its data is."""
    with psycopg.connect(breakable.installation.servers.replica_url, autocommit=True) as replica:
        replica.execute("SELECT pg_wal_replay_pause()")
        try:
            time.sleep(1.5)
            old = client.verify(NIK, full_name="X EXAMPLE", purpose="ACCOUNT_OPENING")
            assert old.age is not None
            assert old.age > timedelta(seconds=1)
            with pytest.raises(TooStale):
                client.verify(
                    NIK,
                    full_name="X EXAMPLE",
                    purpose="ACCOUNT_OPENING",
                    max_staleness=timedelta(seconds=1),
                )
        finally:
            replica.execute("SELECT pg_wal_replay_resume()")


def test_retry_after_a_restart_of_the_notary_is_answered_although_its_budget_is_spent(
    breakable: Padan,
) -> None:
    with breakable.client(breakable.partner("bank-cold", budget_day=1)) as client:
        ask = {"full_name": "X EXAMPLE", "purpose": "ACCOUNT_OPENING"}
        request_id = client.new_request_id()
        first = client.verify(NIK, **ask, request_id=request_id)  # type: ignore[arg-type]
        supervisor = psutil.Process(breakable.serving.process.pid)
        (notary,) = [child for child in supervisor.children() if "notary" in child.cmdline()]
        notary.kill()
        wait_for_notary(breakable, notary.pid)
        again = client.verify(NIK, **ask, request_id=request_id)  # type: ignore[arg-type]
        assert (again.replayed, again.billable, again.entry) == (True, False, first.entry)
        with pytest.raises(BudgetSpent):
            client.verify(NIK, **ask)  # type: ignore[arg-type]


def wait_for_notary(breakable: Padan, before: int) -> None:
    """Wait until another notary than the one before has taken the log over."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        try:
            notary_control.policy(str(breakable.installation.notary_socket))
        except notary_control.NotaryUnreachable:
            time.sleep(0.1)
        else:
            breakable.settle()
            return
    raise AssertionError(f"no notary followed {before}")


def test_calls_under_way_at_sigterm_are_recorded_and_answered_before_it_ends(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The notary is held up, so that the calls are surely under way when the signal comes."""
    calls = 20
    with padan(tmp_path_factory.mktemp("drained")) as started:
        with (
            started.client(started.partner("bank-drained"), max_attempts=1) as client,
            ThreadPoolExecutor(calls) as callers,
        ):
            client.verify(NIK, full_name="X EXAMPLE", purpose="ACCOUNT_OPENING")
            supervisor = psutil.Process(started.serving.process.pid)
            (notary,) = [child for child in supervisor.children() if "notary" in child.cmdline()]
            notary.suspend()
            answers = [
                callers.submit(client.verify, NIK, full_name="X", purpose="ACCOUNT_OPENING")
                for _ in range(calls)
            ]
            time.sleep(0.5)
            assert not any(answer.done() for answer in answers)
            started.serving.process.terminate()
            time.sleep(0.5)
            notary.resume()
            given = {answer.result(timeout=20).entry for answer in answers}
        assert started.serving.process.wait(timeout=40) == 0
        indexes = {e["index"] for e in started.entries("bank-drained") if e["kind"] == "ANSWER"}
        assert len(given) == calls
        assert {entry.index for entry in given if entry} < indexes
