"""Personal data is nowhere: not in logs, entries, side tables or the head, nor in Valkey."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import redis

from padan_client import Client, PadanError
from padan_server.embedded.documented import DocumentedPerson, documented_people
from tests.support.padan import Padan, padan

PEOPLE = {person.key: person for person in documented_people()}
PERSON = PEOPLE["mover"]
UNREAD = PEOPLE["old-spelling"]
CLAIMED = "WULANDARI SECRETIA"
OPERATOR = "operator-secretia"
CASE = "case-secretia"


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Padan]:
    """Give a Padan that has answered, refused and failed calls about one person."""
    with padan(tmp_path_factory.mktemp("observed")) as started:
        with started.client(started.partner("bank-secret"), timeout_seconds=2) as client:
            _call_in_every_way(started, client)
        yield started


def _call_in_every_way(started: Padan, client: Client) -> None:
    assert PERSON.row is not None
    ask = {"purpose": "ACCOUNT_OPENING", "operator": OPERATOR, "case_reference": CASE}
    claims = {"full_name": PERSON.row.full_name, "mother_name": CLAIMED}
    client.verify(PERSON.nik, claims, **ask)  # type: ignore[arg-type]
    client.verify(PERSON.nik, claims, **ask)  # type: ignore[arg-type]
    servers = started.installation.servers
    with pytest.raises(PadanError):
        client.verify(PERSON.nik, {**claims, "rt": CLAIMED}, **ask)  # type: ignore[arg-type]
    with pytest.raises(PadanError):
        client.verify(PERSON.nik, claims, purpose="LAW_ENFORCEMENT")
    with pytest.raises(PadanError):
        client.lookup(PERSON.nik, ["full_name"], purpose="ACCOUNT_OPENING")
    for stop, start in (
        (servers.stop_replica, servers.start_replica),
        (servers.stop_valkey, servers.start_valkey),
        (servers.stop_primary, servers.start_primary),
    ):
        stop()
        with suppress(PadanError):
            client.verify(PERSON.nik, claims, **ask)  # type: ignore[arg-type]
        start()
    _force_errors_with_the_nik(servers.registry_url, servers.replica_url)
    started.serving.wait_until_ready()
    started.entries_until("bank-secret", 1, kind="REFUSAL", reason="METHOD_NOT_GRANTED")


def _force_errors_with_the_nik(*urls: str) -> None:
    """Have PostgreSQL fail on statements whose parameters are personal data."""
    for url in urls:
        with psycopg.connect(url, autocommit=True) as database:
            for statement in (
                "SELECT 1 / (length(%s::text) - length(%s::text))",
                "SELECT count(*) FROM person WHERE nik = %s AND full_name = %s::int::text",
            ):
                with suppress(psycopg.Error):
                    database.execute(statement, [PERSON.nik, PERSON.nik], prepare=True)


def traces(person: DocumentedPerson = PERSON) -> list[bytes]:
    """Everything that must not be found, as text, as hex, and in other case."""
    row = person.row
    assert row is not None
    texts = [person.nik, row.full_name, row.mother_name or "", CLAIMED, OPERATOR, CASE]
    plain = [text.encode() for text in texts]
    return [*plain, *(text.lower() for text in plain), *(text.hex().encode() for text in plain)]


def test_logs_of_all_processes_hold_no_personal_data(observed: Padan) -> None:
    logs = [observed.serving.log_file, *observed.installation.servers.logs]
    for log in logs:
        content = log.read_bytes()
        assert content, f"{log.name} is empty: it shows nothing"
        assert [trace for trace in traces() if trace in content] == []


def test_entries_hold_no_personal_data(observed: Padan) -> None:
    entries = observed.entries("bank-secret")
    assert {"ANSWER", "REFUSAL"} <= {entry["kind"] for entry in entries}
    content = str(entries).encode()
    assert [trace for trace in traces() if trace in content] == []


def test_no_table_of_the_ledger_holds_personal_data(observed: Padan) -> None:
    with psycopg.connect(observed.installation.servers.ledger_url) as ledger:
        tables = ledger.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        assert ("personal",) in tables
        for (table,) in tables:
            with ledger.cursor().copy(f"COPY (SELECT * FROM {table}) TO STDOUT") as rows:
                content = b"".join(bytes(row) for row in rows)
            assert [trace for trace in traces() if trace in content] == [], table


def test_valkey_holds_records_and_none_in_the_clear(observed: Padan) -> None:
    """Asks for someone whom no worker has in memory, and waits until Valkey has the record."""
    with observed.client(observed.partner("bank-cache")) as client:
        client.verify(UNREAD.nik, full_name=CLAIMED, purpose="ACCOUNT_OPENING")
    with redis.Redis.from_url(observed.installation.servers.valkey_url) as valkey:
        ends = time.monotonic() + 10
        while not (names := list(valkey.scan_iter())):
            assert time.monotonic() < ends, "Valkey holds nothing: it shows nothing"
            time.sleep(0.05)
        content = b"".join(name + (valkey.get(name) or b"") for name in names)
    assert [trace for trace in traces(UNREAD) if trace in content] == []


def test_files_beside_the_database_hold_no_personal_data(observed: Padan) -> None:
    """The anchor, the keys' directory, and the names of all files."""
    for directory, folders, files in os.walk(observed.installation.directory):
        folders[:] = [name for name in folders if name not in ("primary", "standby")]
        for name in files:
            path = Path(directory, name)
            content = str(path).encode() + (path.read_bytes() if path.is_file() else b"")
            assert [trace for trace in traces() if trace in content] == [], name
