"""Age under trouble: standbys that stand still or die, Valkey gone, a large batch come late."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from padan_client import Channel, Client, Outcome, PadanError, PartnerKey, TooStale, Verification
from padan_server.domain.agreement import PartnerKind
from padan_server.domain.claims import LOOKUP_ELEMENTS
from padan_server.transport.health import ask
from tests.support.padan import Padan, padan
from tests.support.waiting import until

STALENESS_SECONDS_MAX = 3.0
WAIT_SECONDS_MAX = 30.0
BATCH = 10_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Padan]:
    settings = {"PADAN_STALENESS_MAX_SECONDS": str(STALENESS_SECONDS_MAX)}
    directory = tmp_path_factory.mktemp("freshness")
    with padan(directory, people=22_000, standbys=2, settings=settings) as started:
        yield started


@pytest.fixture(scope="module")
def key(running: Padan) -> PartnerKey:
    return running.partner(
        "agency-fresh",
        kind=PartnerKind.GOVERNMENT,
        purposes=frozenset({"PUBLIC_SERVICE"}),
        methods=frozenset({"VERIFY", "LOOKUP"}),
        lookup_elements=frozenset(LOOKUP_ELEMENTS),
    )


@pytest.fixture
def agency(running: Padan, key: PartnerKey) -> Iterator[Client]:
    with running.client(key) as client:
        yield client


def status(running: Padan, service: str) -> str:
    return ask(running.serving.target, service=service, certificate_file=None)


def age(answer: Verification) -> timedelta:
    assert answer.age is not None
    return answer.age


def people_of(running: Padan, count: int, *, skip: int = 0) -> list[str]:
    """Give people whom no other test here asks about."""
    with psycopg.connect(running.installation.servers.registry_url) as registry:
        rows = registry.execute(
            "SELECT nik FROM person WHERE life_status = 1 AND record_status = 1 "
            "AND family_card_number NOT LIKE '%%9001' ORDER BY nik OFFSET %s LIMIT %s",
            [skip, count],
        ).fetchall()
    assert len(rows) == count
    return [nik for (nik,) in rows]


@dataclass
class Load:
    """Calls at a steady rate, each tried once; what became of them."""

    running: Padan
    key: PartnerKey
    niks: list[str]
    per_second: int = 200
    callers: int = 8
    answered: int = 0
    failed: list[PadanError] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, number: int) -> None:
        niks = self.niks[number :: self.callers]
        with self.running.client(self.key, max_attempts=1, timeout_seconds=10) as client:
            for at in range(10**6):
                if self._stop.wait(self.callers / self.per_second):
                    return
                self.one(client, niks[at % len(niks)])

    def one(self, client: Client, nik: str) -> None:
        try:
            client.verify(nik, full_name="X EXAMPLE", purpose="PUBLIC_SERVICE")
        except PadanError as error:
            self.failed.append(error)
        else:
            with self._lock:
                self.answered += 1

    @contextmanager
    def under_way(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.call, args=(n,)) for n in range(self.callers)]
        for thread in threads:
            thread.start()
        try:
            self.wait_for(50)
            yield
            self.wait_for(200)
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def wait_for(self, more: int) -> None:
        """Wait until so many more calls were answered."""
        before = self.answered
        until(lambda: self.answered >= before + more)


def test_standbys_that_stand_still_are_told_then_refused_then_not_serving_then_forgotten(
    running: Padan, agency: Client
) -> None:
    servers = running.installation.servers
    nik = people_of(running, 1)[0]
    verify: dict[str, Any] = {"full_name": "X EXAMPLE", "purpose": "PUBLIC_SERVICE"}
    log = running.serving.log_file.read_text("utf-8").count('"started"')
    assert agency.verify(nik, **verify, max_staleness=timedelta(seconds=2)).as_of is not None
    for number in range(2):
        servers.pause_replay(number)
    try:
        until(lambda: age(agency.verify(nik, **verify)) > timedelta(seconds=0.5))
        first, later = (agency.verify(nik, **verify) for _ in range(2))
        assert first.as_of == later.as_of
        assert age(later) > age(first)

        def too_stale(**more: Any) -> bool:
            try:
                agency.verify(nik, **verify, **more)
            except TooStale:
                return True
            return False

        until(lambda: too_stale(max_staleness=timedelta(seconds=1)))
        assert not too_stale()
        until(too_stale)
        until(lambda: status(running, "padan.v1.VerificationService") == "NOT_SERVING")
        assert status(running, "padan.v1.RegistryService") == "SERVING"
        assert status(running, "") == "SERVING"
        assert agency.get_region("31").region.coverage is not None
    finally:
        for number in range(2):
            servers.resume_replay(number)
    until(lambda: status(running, "padan.v1.VerificationService") == "SERVING")
    assert not too_stale(max_staleness=timedelta(seconds=2))
    assert running.serving.log_file.read_text("utf-8").count('"started"') == log


def test_a_standby_that_is_killed_under_load_fails_no_call(running: Padan, key: PartnerKey) -> None:
    load = Load(running, key, people_of(running, 4000, skip=1000))
    with load.under_way():
        running.installation.servers.kill_replica(0)
    assert load.failed == []
    running.installation.servers.start_replica(0)


def test_valkey_that_is_killed_under_load_fails_no_call(running: Padan, key: PartnerKey) -> None:
    load = Load(running, key, people_of(running, 4000, skip=6000))
    with load.under_way():
        running.installation.servers.kill_valkey()
        load.wait_for(100)
        running.installation.servers.start_valkey()
    assert load.failed == []


def test_an_outreach_batch_of_days_ago_is_answered_while_calls_run(
    running: Padan, key: PartnerKey, agency: Client
) -> None:
    recorded = people_of(running, BATCH, skip=10_000)
    sample = recorded[:: BATCH // 20]
    newcomer = "3171015203909991"
    made = datetime.now(UTC) - timedelta(days=5)

    def look_up(nik: str) -> Any:
        return agency.lookup(
            nik, ["channel", "happened_at", "committed_at", "rt"], purpose="PUBLIC_SERVICE"
        )

    before = datetime.now(UTC)
    for nik in sample:
        assert look_up(nik).person.happened_at < made
    assert look_up(newcomer).outcome is Outcome.NOT_FOUND
    load = Load(running, key, people_of(running, 4000, skip=1000))
    with load.under_way():
        apply(running, recorded, newcomer, made)
        load.wait_for(50)
        for nik in (*sample, newcomer):
            until(lambda nik=nik: look_up(nik).person.channel is Channel.OUTREACH)  # type: ignore[misc]
    assert load.failed == []
    for nik in (*sample, newcomer):
        person = look_up(nik).person
        assert person.rt == "042"
        assert person.happened_at == made
        assert person.committed_at > before


def apply(running: Padan, recorded: list[str], newcomer: str, made: datetime) -> None:
    """Apply a batch in one transaction, as the central registry does."""
    with psycopg.connect(running.installation.servers.registry_url) as registry:
        registry.execute(
            "UPDATE person SET channel = 'OUTREACH', happened_at = %s, rt = '042' "
            "WHERE nik = ANY(%s)",
            [made, recorded],
        )
        registry.execute(
            "INSERT INTO person SELECT (jsonb_populate_record(person, jsonb_build_object("
            "'nik', %s::text, 'channel', 'OUTREACH', 'happened_at', %s::timestamptz, "
            "'rt', '042'))).* FROM person WHERE nik = %s",
            [newcomer, made, recorded[0]],
        )
