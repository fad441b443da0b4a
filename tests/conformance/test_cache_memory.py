"""The cache in memory: what it keeps within its bytes, and what it forgets."""

from __future__ import annotations

from padan_server.domain.freshness import Freshness
from padan_server.domain.nik import Nik
from padan_server.domain.person import Finding
from tests.conformance.stand import (
    in_memory,
    people,
)
from tests.support.builders import Clock, ListedRegistry


async def test_memory_keeps_the_latest_used_within_its_bytes() -> None:
    listed = people(100)
    niks = [Nik(one.nik) for one in listed]
    inner = ListedRegistry(*listed)
    cache = in_memory(inner, Clock(), bytes_max=20_000)
    for nik in niks:
        await cache.find([nik, niks[0]], not_before=0.0)
    held = cache.records_held
    assert 10 < held < 100
    assert 15_000 < cache.bytes_held <= 20_000
    inner.asked.clear()
    await cache.find([niks[0], *niks[-held + 1 :]], not_before=0.0)
    assert inner.asked == []
    await cache.find([niks[-held]], not_before=0.0)
    assert inner.asked == [((niks[-held],), 0.0)]


async def test_memory_stays_within_its_bound_in_one_large_question() -> None:
    listed = people(100)
    niks = [Nik(one.nik) for one in listed]
    inner = ListedRegistry(*listed)
    cache = in_memory(inner, Clock(), bytes_max=20_000)
    found = await cache.find(niks, not_before=0.0)
    assert [finding.record and finding.record.nik for finding in found] == niks
    assert cache.bytes_held <= 20_000
    inner.asked.clear()
    await cache.find(niks[-cache.records_held :], not_before=0.0)
    assert inner.asked == []


async def test_memory_keeps_that_a_nik_has_no_record_until_it_has_one() -> None:
    (one,) = people(1)
    nik, inner = Nik(one.nik), ListedRegistry()
    inner.beat = 1
    freshness = Freshness(changes_max=1)
    freshness.begin("", 0, 0.0)
    cache = in_memory(inner, Clock(), freshness)
    for _ in range(2):
        (finding,) = await cache.find([nik], not_before=0.0)
        assert finding.record is None
    assert len(inner.asked) == 1
    inner.records[nik], inner.beat = one, 2
    freshness.change(nik, 1)
    (finding,) = await cache.find([nik], not_before=0.0)
    assert finding.record == one
    assert await cache.find([nik], not_before=0.0) == [finding]
    assert len(inner.asked) == 2


async def test_who_asks_for_what_does_not_exist_displaces_nobody() -> None:
    listed = people(10)
    niks = [Nik(one.nik) for one in listed]
    inner = ListedRegistry(*listed)
    cache = in_memory(inner, Clock(), bytes_max=20_000)
    await cache.find(niks, not_before=0.0)
    for number in range(1000):
        await cache.find([Nik(f"317101520391{number:04d}")], not_before=0.0)
    assert cache.bytes_held <= 20_000
    inner.asked.clear()
    await cache.find(niks, not_before=0.0)
    assert inner.asked == []


async def test_memory_forgets_a_person_whose_record_went() -> None:
    (one,) = people(1)
    nik, inner = Nik(one.nik), ListedRegistry(one)
    cache = in_memory(inner, Clock())
    await cache.find([nik], not_before=0.0)
    inner.records.clear()
    inner.as_of, inner.beat = inner.as_of + 1, 2
    gone = Finding(None, inner.as_of, inner.beat)
    assert await cache.find([nik], not_before=inner.as_of) == [gone]
    assert await cache.find([nik], not_before=0.0) == [gone]
    assert cache.records_held == 0


async def test_memory_is_not_set_back_by_a_reading_that_comes_late() -> None:
    (one,) = people(1)
    nik, inner = Nik(one.nik), ListedRegistry(one)
    inner.beat = 2
    cache = in_memory(inner, Clock())
    await cache.find([nik], not_before=0.0)
    inner.as_of, inner.beat = inner.as_of - 10, 1
    await cache.find([nik], not_before=inner.as_of + 20)
    inner.asked.clear()
    await cache.find([nik], not_before=inner.as_of + 10)
    assert inner.asked == []
