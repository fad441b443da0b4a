"""Lookup, as an agency calls it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from padan_client import Client, PermissionDenied, RequestIdReused
from padan_server.domain.agreement import PartnerKind
from padan_server.embedded.documented import documented_people
from tests.support.padan import Padan

PEOPLE = {person.key: person for person in documented_people()}
WOMAN = PEOPLE["ordinary-woman"]


@pytest.fixture(scope="module")
def agency(running: Padan) -> Iterator[Client]:
    credentials = running.partner(
        "dinas-e2e",
        kind=PartnerKind.GOVERNMENT,
        purposes=frozenset({"PUBLIC_SERVICE"}),
        methods=frozenset({"VERIFY", "LOOKUP"}),
        lookup_elements=frozenset({"full_name", "birth_date", "village_code", "sex"}),
    )
    with running.client(credentials) as client:
        yield client


def test_lookup_gives_the_elements_asked_for_and_no_others(agency: Client) -> None:
    found = agency.lookup(WOMAN.nik, ["full_name", "sex"], purpose="PUBLIC_SERVICE")
    assert WOMAN.row is not None
    assert found.person.elements() == {"full_name": WOMAN.row.full_name, "sex": "FEMALE"}
    assert found.billable


def test_element_that_is_not_granted_is_refused_by_name(running: Padan, agency: Client) -> None:
    with pytest.raises(PermissionDenied) as refused:
        agency.lookup(WOMAN.nik, ["full_name", "religion", "address"], purpose="PUBLIC_SERVICE")
    assert refused.value.reason == "ELEMENT_NOT_GRANTED"
    assert set(refused.value.elements) == {"address", "religion"}
    running.entries_until("dinas-e2e", 1, kind="REFUSAL", reason="ELEMENT_NOT_GRANTED")


def test_purpose_that_is_not_granted_is_refused(agency: Client) -> None:
    with pytest.raises(PermissionDenied) as refused:
        agency.lookup(WOMAN.nik, ["full_name"], purpose="LAW_ENFORCEMENT")
    assert refused.value.reason == "PURPOSE_NOT_GRANTED"


def test_bank_cannot_look_up(bank: Client) -> None:
    with pytest.raises(PermissionDenied) as refused:
        bank.lookup(WOMAN.nik, ["full_name"], purpose="ACCOUNT_OPENING")
    assert refused.value.reason == "METHOD_NOT_GRANTED"


def test_replayed_lookup_reads_the_values_anew_uncharged(agency: Client) -> None:
    request_id = agency.new_request_id()
    first, second = [
        agency.lookup(WOMAN.nik, ["full_name"], purpose="PUBLIC_SERVICE", request_id=request_id)
        for _ in range(2)
    ]
    assert (second.replayed, second.billable) == (True, False)
    assert second.person == first.person
    assert second.entry == first.entry


def test_replayed_lookup_of_a_record_that_has_changed_is_refused(
    running: Padan, agency: Client
) -> None:
    person = PEOPLE["centenarian"]
    ask: dict[str, Any] = {
        "purpose": "PUBLIC_SERVICE",
        "request_id": agency.new_request_id(),
        "max_staleness": timedelta(seconds=1),
    }
    agency.lookup(person.nik, ["full_name"], **ask)
    with psycopg.connect(running.installation.servers.registry_url) as registry:
        registry.execute("UPDATE person SET address = 'JL. BARU' WHERE nik = %s", [person.nik])
    time.sleep(2)  # every worker reads anew what is older than the second that is asked for
    with pytest.raises(RequestIdReused):
        agency.lookup(person.nik, ["full_name"], **ask)


def test_duplicate_record_gives_no_values(agency: Client) -> None:
    found = agency.lookup(PEOPLE["duplicate"].nik, ["full_name"], purpose="PUBLIC_SERVICE")
    assert found.outcome == "DUPLICATE"
    assert found.person.elements() == {}


def test_entry_of_a_lookup_names_elements_and_holds_no_value(
    running: Padan, agency: Client
) -> None:
    found = agency.lookup(WOMAN.nik, ["full_name"], purpose="PUBLIC_SERVICE")
    assert found.entry is not None
    (entry,) = [e for e in running.entries("dinas-e2e") if e["index"] == found.entry.index]
    assert entry["ask"]["elements"] == ["full_name"]
    assert "CONTOH" not in str(entry)
