"""One suite for the registry port, on every implementation and on all of them stacked."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from padan_server.domain.nik import parse
from padan_server.domain.person import Record
from padan_server.domain.refusal import Reason, Refusal
from tests.conformance.stand import (
    ABSENT,
    MOVER,
    PEOPLE,
    TWIN,
    WOMAN,
    Stand,
    nowhere,
    values_of,
)

COLUMNS = {"version": "record_version", "committed_at": "changed_at"}


async def test_findings_stand_in_the_order_of_the_question(stand: Stand) -> None:
    for niks in ((WOMAN, MOVER, TWIN), (TWIN, WOMAN, MOVER)):
        found = await stand.find(*niks)
        assert [finding.record and finding.record.nik for finding in found] == list(niks)


async def test_the_same_nik_twice_in_one_question_is_found_twice(stand: Stand) -> None:
    for _ in range(2):
        found = await stand.find(WOMAN, ABSENT, WOMAN, MOVER, ABSENT)
        niks = [finding.record and finding.record.nik for finding in found]
        assert niks == [WOMAN, None, WOMAN, MOVER, None]


async def test_a_nik_that_no_record_has_is_found_to_be_absent_as_of_the_copys_time(
    stand: Stand,
) -> None:
    (finding,) = await stand.find(ABSENT)
    assert (finding.record, finding.as_of) == (None, stand.clock.now)


async def test_nothing_asked_is_nothing_found(stand: Stand) -> None:
    assert await stand.find() == []


async def test_a_finding_is_as_of_the_heartbeat_that_the_copy_shows(stand: Stand) -> None:
    for finding in await stand.find(WOMAN, ABSENT):
        assert finding.as_of == stand.clock.now


async def test_a_record_is_what_stands_in_postgresql(stand: Stand) -> None:
    columns = [COLUMNS.get(name, name) for name in Record.__struct_fields__]
    rows = stand.servers.read(f"SELECT {', '.join(columns)} FROM person ORDER BY nik LIMIT 500")
    documented = stand.servers.read(
        f"SELECT {', '.join(columns)} FROM person WHERE nik = ANY(%s)", list(PEOPLE.values())
    )
    rows = [*rows, *documented]
    niks = [parse(row["nik"]) for row in rows]
    for _ in range(2):  # read, then from whatever cache there is
        for row, finding in zip(rows, await stand.find(*niks), strict=True):
            assert finding.record is not None
            assert values_of(finding.record) == [on_record(row[name]) for name in columns]


def on_record(value: object) -> object:
    """Give a column's value as a record has it."""
    if isinstance(value, datetime):
        return pytest.approx(value.timestamp(), abs=1e-6)
    return "" if value is None else value


async def test_many_niks_at_once_are_all_found(stand: Stand) -> None:
    niks = [parse(row["nik"]) for row in stand.servers.read("SELECT nik FROM person")]
    found = await stand.find(*niks)
    assert [finding.record and finding.record.nik for finding in found] == niks


async def test_concurrent_questions_get_their_own_answers(stand: Stand) -> None:
    asked = [(WOMAN,), (MOVER, ABSENT), (ABSENT,), (TWIN, WOMAN)]
    answers = await asyncio.gather(*(stand.find(*niks) for niks in asked))
    for niks, found in zip(asked, answers, strict=True):
        here = [finding.record.nik if finding.record else ABSENT for finding in found]
        assert here == list(niks)


async def test_a_question_that_is_cancelled_disturbs_no_other(stand: Stand) -> None:
    gone = asyncio.create_task(stand.find(WOMAN))
    stays = asyncio.create_task(stand.one(WOMAN))
    await asyncio.sleep(0)
    gone.cancel()
    found = await stays
    assert found is not None
    assert found.nik == WOMAN


async def test_what_is_newer_than_a_moment_is_not_taken_from_a_cache(stand: Stand) -> None:
    before = await stand.one(WOMAN)
    assert before is not None
    with stand.servers.changed(WOMAN, full_name="CHANGED CONTOH") as beat:
        (finding,) = await stand.find(WOMAN, not_before=beat)
        assert finding.record is not None
        assert finding.record.full_name == "CHANGED CONTOH"
        assert finding.record.version == before.version + 1
        assert finding.as_of == beat


async def test_a_copy_older_than_a_moment_still_answers_with_its_own_time(stand: Stand) -> None:
    """Whether that is too old is the caller's to judge."""
    (finding,) = await stand.find(ABSENT, not_before=stand.clock.now + 1e6)
    assert (finding.record, finding.as_of) == (None, stand.clock.now)


async def test_a_copy_that_is_away_is_refused_as_unavailable_and_found_again(
    stand: Stand,
) -> None:
    here, stand.replica.inner = stand.replica.inner, nowhere()
    with pytest.raises(Refusal) as refused:
        await stand.find(TWIN)
    assert refused.value.reason is Reason.REGISTRY_UNAVAILABLE
    assert refused.value.retry_after_seconds
    stand.replica.inner = here
    assert await stand.one(TWIN) is not None
