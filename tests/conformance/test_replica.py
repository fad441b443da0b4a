"""What is read of a replica, beyond what every registry gives."""

from __future__ import annotations

import pytest

from padan_server.adapters.coverage_postgres import read_coverage
from padan_server.adapters.replicas import Replicas
from padan_server.domain.refusal import Reason, Refusal
from padan_server.embedded.documented import NOT_CENTRALISED, OUTREACH_PENDING
from tests.conformance.registry_servers import RegistryServers
from tests.conformance.stand import (
    WOMAN,
)
from tests.support.waiting import comes_to_hold


async def test_a_village_code_that_stops_at_the_regency_is_as_short_as_it_is_known(
    servers: RegistryServers, replica: Replicas
) -> None:
    with servers.changed(WOMAN, village_code="3171"):
        (finding,) = await replica.find([WOMAN], not_before=0.0)
    assert finding.record is not None
    assert finding.record.village_code == "3171"


async def test_what_is_not_on_record_is_an_empty_text(
    servers: RegistryServers, replica: Replicas
) -> None:
    nothing = {"mother_name": None, "father_name": None, "postal_code": None}
    with servers.changed(WOMAN, **nothing):
        (finding,) = await replica.find([WOMAN], not_before=0.0)
    assert finding.record is not None
    found = finding.record
    assert (found.mother_name, found.father_name, found.postal_code) == ("", "", "")


async def test_coverage_tells_what_is_centralised_and_where_outreach_is_still_to_come(
    replica: Replicas,
) -> None:
    coverage = await read_coverage(replica.read)
    assert len(coverage) == 514
    assert coverage[NOT_CENTRALISED[0]].complete_to is None
    assert coverage[OUTREACH_PENDING[0]].outreach_batches
    complete = coverage["3171"]
    assert complete.complete_to is not None
    assert not complete.outreach_batches
    assert sum(complete.records.values()) > 0


async def test_a_replica_that_stops_is_unavailable_until_it_is_back(
    servers: RegistryServers, replica: Replicas
) -> None:
    questions = (
        lambda: replica.find([WOMAN], not_before=0.0),
        lambda: read_coverage(replica.read),
    )
    for ask in questions:
        assert await ask()
    with servers.without_replica():
        for ask in (*questions, *questions):
            with pytest.raises(Refusal) as refused:
                await ask()
            assert refused.value.reason is Reason.REGISTRY_UNAVAILABLE
    await comes_to_hold(lambda: replica.as_of is not None)
    for ask in questions:
        assert await ask()
