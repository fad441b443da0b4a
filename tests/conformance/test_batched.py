"""Batches: one query for what is asked at once, one flight for each NIK."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from padan_server.adapters.registry_batched import BATCH_MAX, BatchedRegistry
from padan_server.adapters.replicas import Replicas
from padan_server.domain.nik import Nik
from padan_server.domain.person import Finding, Record
from padan_server.domain.refusal import Reason, Refusal
from tests.conformance.registry_servers import RegistryServers
from tests.conformance.stand import (
    MOVER,
    TWIN,
    WOMAN,
    Counted,
    people,
)
from tests.support.builders import ListedRegistry


async def test_a_thousand_who_ask_for_one_nik_at_once_make_one_query(
    servers: RegistryServers, replica: Replicas
) -> None:
    counted = Counted(replica)
    batched = BatchedRegistry(counted)
    answers = await asyncio.gather(*(batched.find([WOMAN], not_before=0.0) for _ in range(1000)))
    assert counted.asked == [((WOMAN,), 0.0)]
    assert {finding.record and finding.record.nik for (finding,) in answers} == {WOMAN}


async def test_a_thousand_who_ask_for_different_niks_make_a_few_queries() -> None:
    listed = people(1000)
    inner = ListedRegistry(*listed)
    batched = BatchedRegistry(inner)
    answers = await asyncio.gather(
        *(batched.find([Nik(one.nik)], not_before=0.0) for one in listed)
    )
    assert [finding.record and finding.record.nik for (finding,) in answers] == [
        one.nik for one in listed
    ]
    assert len(inner.asked) <= 3
    assert all(len(niks) <= BATCH_MAX for niks, _ in inner.asked)
    assert sum(len(niks) for niks, _ in inner.asked) == 1000


async def test_a_batch_is_read_as_fresh_as_the_most_demanding_wants_it() -> None:
    inner = ListedRegistry(*people(1))
    batched = BatchedRegistry(inner)
    await asyncio.gather(*(batched.find([WOMAN], not_before=moment) for moment in (3.0, 9.0, 1.0)))
    assert inner.asked == [((WOMAN,), 9.0)]
    await batched.find([WOMAN], not_before=1.0)
    assert inner.asked[-1] == ((WOMAN,), 1.0)


@pytest.mark.parametrize("before", [0, 1, BATCH_MAX - 1, BATCH_MAX])
async def test_who_asks_when_a_batch_is_full_still_gets_what_is_fresh_enough(before: int) -> None:
    listed = people(before)
    inner = ListedRegistry(*listed)
    batched = BatchedRegistry(inner)
    await asyncio.gather(
        *(batched.find([Nik(one.nik)], not_before=0.0) for one in listed),
        batched.find([WOMAN, MOVER], not_before=9.0),
    )
    for nik in (WOMAN, MOVER):
        (not_before,) = (moment for niks, moment in inner.asked if nik in niks)
        assert not_before >= 9.0


class Gate(ListedRegistry):
    """A registry copy whose answers wait until a test opens the gate."""

    def __init__(self, *records: Record) -> None:
        super().__init__(*records)
        self.open = asyncio.Event()

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        found = await super().find(niks, not_before=not_before)
        await self.open.wait()
        return found


def asking(batched: BatchedRegistry, nik: Nik, moment: float = 0.0) -> asyncio.Task[list[Finding]]:
    return asyncio.create_task(batched.find([nik], not_before=moment))


async def test_what_is_asked_while_a_query_runs_goes_together_in_the_next() -> None:
    inner = Gate()
    batched = BatchedRegistry(inner)
    asked = [asking(batched, WOMAN)]
    while not inner.asked:
        await asyncio.sleep(0)
    asked += [asking(batched, nik) for nik in (MOVER, TWIN, MOVER)]
    await asyncio.sleep(0)
    inner.open.set()
    await asyncio.gather(*asked)
    assert [set(niks) for niks, _ in inner.asked] == [{WOMAN}, {MOVER, TWIN}]


async def test_who_wants_it_fresher_than_the_query_that_runs_gives_waits_for_the_next() -> None:
    inner = Gate()
    inner.as_of = 5.5
    batched = BatchedRegistry(inner)
    asked = [asking(batched, WOMAN, 5.0)]
    while not inner.asked:
        await asyncio.sleep(0)
    asked += [asking(batched, WOMAN, 5.0), asking(batched, WOMAN, 6.0)]
    await asyncio.sleep(0)
    inner.open.set()
    await asyncio.gather(*asked)
    assert inner.asked[-1] == ((WOMAN,), 6.0)


async def test_who_asks_a_moment_later_shares_the_query_that_runs_if_it_is_fresh_enough() -> None:
    """Every call wants it a little fresher than the one before: its clock has gone on."""
    inner = Gate()
    batched = BatchedRegistry(inner)
    asked = [asking(batched, WOMAN, 5.0)]
    while not inner.asked:
        await asyncio.sleep(0)
    asked += [asking(batched, WOMAN, 5.0 + number / 1000) for number in range(1, 100)]
    await asyncio.sleep(0)
    inner.open.set()
    await asyncio.gather(*asked)
    assert inner.asked == [((WOMAN,), 5.0)]


async def test_a_failure_reaches_everyone_in_the_batch_and_no_one_after_it() -> None:
    inner = ListedRegistry(*people(1))
    batched = BatchedRegistry(inner)
    inner.failure = Refusal(Reason.REGISTRY_UNAVAILABLE, "away")
    answers = await asyncio.gather(
        *(batched.find([nik], not_before=0.0) for nik in (WOMAN, MOVER, WOMAN)),
        return_exceptions=True,
    )
    assert answers == [inner.failure] * 3
    inner.failure = None
    assert await batched.find([WOMAN], not_before=0.0) == [Finding(None, inner.as_of, inner.beat)]
