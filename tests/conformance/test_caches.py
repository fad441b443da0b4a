"""What every cache keeps, for how long, and as of when it answers."""

from __future__ import annotations

from padan_server.adapters.replicas import Replicas
from tests.conformance.stand import (
    MOVER,
    TTL,
    TWIN,
    WOMAN,
    Stand,
    nowhere,
)


async def test_a_record_is_read_once_and_then_comes_from_the_cache(cached: Stand) -> None:
    first = await cached.find(WOMAN, MOVER)
    assert await cached.find(MOVER, WOMAN) == first[::-1]
    assert cached.replica.niks == [WOMAN, MOVER]


async def test_a_question_asks_on_for_what_is_missing_alone(cached: Stand) -> None:
    await cached.find(WOMAN)
    found = await cached.find(MOVER, WOMAN, TWIN)
    assert [finding.record and finding.record.nik for finding in found] == [MOVER, WOMAN, TWIN]
    assert set(cached.replica.asked[-1][0]) == {MOVER, TWIN}


async def test_a_finding_is_as_of_its_own_time_until_the_tail_has_looked_further(
    cached: Stand,
) -> None:
    (first,) = await cached.find(WOMAN)
    beat = cached.servers.beat()
    assert await cached.find(WOMAN) == [first]
    await cached.look()
    (later,) = await cached.find(WOMAN)
    assert (later.record, later.as_of) == (first.record, beat)
    assert cached.replica.niks == [WOMAN]


async def test_a_change_that_the_tail_has_seen_is_answered_at_once(cached: Stand) -> None:
    await cached.find(WOMAN, MOVER)
    with cached.servers.changed(WOMAN, full_name="CHANGED CONTOH"):
        await cached.look()
        found = await cached.one(WOMAN)
        assert found is not None
        assert found.full_name == "CHANGED CONTOH"
        assert await cached.one(MOVER) is not None
    assert cached.replica.niks == [WOMAN, MOVER, WOMAN]


async def test_what_was_read_before_the_tail_began_is_not_used(
    cached: Stand, replica: Replicas
) -> None:
    """A worker that starts later knows nothing of changes made before."""
    await cached.find(WOMAN)
    await cached.look()
    cached.freshness.begin(cached.freshness.registry, cached.freshness.beat, cached.clock.now)
    await cached.find(WOMAN)
    assert cached.replica.niks == [WOMAN, WOMAN]


async def test_a_record_is_kept_for_its_time_and_no_longer(cached: Stand) -> None:
    await cached.find(WOMAN)
    cached.clock.now += TTL
    await cached.find(WOMAN)
    assert len(cached.replica.asked) == 1
    cached.clock.now += 0.001
    await cached.find(WOMAN)
    assert len(cached.replica.asked) == 2


async def test_a_record_lives_from_the_time_it_is_as_of_not_from_when_it_was_read(
    cached: Stand,
) -> None:
    cached.clock.now += TTL - 1
    await cached.find(WOMAN)
    cached.clock.now += 2
    await cached.find(WOMAN)
    assert len(cached.replica.asked) == 2


async def test_a_record_read_from_a_copy_older_than_its_time_is_not_kept(cached: Stand) -> None:
    cached.clock.now += TTL + 1
    for _ in range(2):
        assert await cached.one(WOMAN) is not None
    assert len(cached.replica.asked) == 2


async def test_a_finding_exactly_as_old_as_asked_is_taken_from_the_cache(cached: Stand) -> None:
    (first,) = await cached.find(WOMAN)
    await cached.find(WOMAN, not_before=first.as_of)
    assert len(cached.replica.asked) == 1
    await cached.find(WOMAN, not_before=first.as_of + 0.001)
    assert len(cached.replica.asked) == 2
    assert cached.replica.asked[-1][1] == first.as_of + 0.001


async def test_a_newer_reading_replaces_the_kept_one_for_all(cached: Stand) -> None:
    await cached.find(WOMAN)
    with cached.servers.changed(WOMAN, full_name="CHANGED CONTOH") as beat:
        await cached.find(WOMAN, not_before=beat)
        found = await cached.one(WOMAN)
        assert found is not None
        assert found.full_name == "CHANGED CONTOH"
        assert len(cached.replica.asked) == 2


async def test_a_cache_answers_while_the_copy_is_away(cached: Stand) -> None:
    first = await cached.find(WOMAN)
    cached.replica.inner = nowhere()
    assert await cached.find(WOMAN) == first
