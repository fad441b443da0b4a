"""The registry's schema goes down and up again with people in it, and loses none of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from padan_server.embedded.documented import OUTREACH_PENDING, documented_people
from padan_server.embedded.load import load_population
from padan_server.embedded.servers import EmbeddedServers
from padan_server.migrations.registry import downgrade, upgrade

PEOPLE = 1_000
WOMAN = documented_people()[0].nik


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedServers(Path(tmp_path_factory.mktemp("migrated")) / "data") as servers:
        upgrade(servers.registry_url)
        load_population(servers.registry_url, people=PEOPLE, seed=1)
        yield servers.registry_url


def rows(registry: str, query: str, *parameters: object) -> list[Any]:
    with psycopg.connect(registry, autocommit=True) as connection:
        cursor = connection.execute(query.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


def people(registry: str) -> list[Any]:
    return rows(registry, "SELECT nik, full_name, record_version FROM person ORDER BY nik")


def pending(registry: str) -> set[str]:
    query = "SELECT regency_code FROM outreach_batch WHERE applied_at IS NULL"
    return {code for (code,) in rows(registry, query)}


def counted(registry: str) -> tuple[list[Any], list[Any]]:
    """Give the tally, and what a full count says."""
    tally = "SELECT regency_code, channel, records FROM tally ORDER BY 1, 2"
    count = (
        "SELECT left(village_code, 4), channel, count(*) FROM person GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return rows(registry, tally), rows(registry, count)


def test_down_to_the_first_and_up_again_keeps_people_feed_and_outreach(registry: str) -> None:
    before = people(registry)
    assert len(before) == PEOPLE

    downgrade(registry, "0001")
    assert people(registry) == before
    waiting = rows(registry, "SELECT regency_code FROM watermark WHERE outreach_pending")
    assert {code for (code,) in waiting} == set(OUTREACH_PENDING)
    rows(registry, "UPDATE person SET rt = '099' WHERE nik = %s", WOMAN)
    assert rows(registry, "SELECT nik FROM change_feed") == [(WOMAN,)]

    upgrade(registry)
    after = people(registry)
    assert [row[:2] for row in after] == [row[:2] for row in before]
    assert dict((nik, version) for nik, _, version in after)[WOMAN] == 2
    assert rows(registry, "SELECT nik, operation FROM change_feed") == [(WOMAN, "UPDATE")]
    assert pending(registry) == set(OUTREACH_PENDING)
    tally, count = counted(registry)
    assert tally == count


def test_after_an_upgrade_beats_are_numbered_and_changes_told_with_where_they_were(
    registry: str,
) -> None:
    beats = []
    for _ in range(2):
        rows(registry, "UPDATE heartbeat SET beat_at = beat_at")
        ((beat,),) = rows(registry, "SELECT beat FROM heartbeat")
        beats.append(beat)
    assert beats[1] == beats[0] + 1
    ((before,),) = rows(registry, "SELECT left(village_code, 4) FROM person WHERE nik = %s", WOMAN)
    rows(registry, "UPDATE person SET village_code = '3578011001' WHERE nik = %s", WOMAN)
    rows(registry, "DELETE FROM person WHERE nik = %s", WOMAN)
    assert rows(
        registry,
        "SELECT operation, region, previous_region FROM change_feed ORDER BY id DESC LIMIT 2",
    ) == [("DELETE", "3578", "3578"), ("UPDATE", "3578", before)]


def beat_of(registry: str) -> int:
    rows(registry, "UPDATE heartbeat SET beat_at = beat_at")
    ((beat,),) = rows(registry, "SELECT beat FROM heartbeat")
    return int(beat)


def test_a_beat_on_another_timeline_is_above_all_before_it(registry: str) -> None:
    """Also where a timeline's own number begins anew, as with pg_upgrade."""
    before = beat_of(registry)
    rows(registry, "ALTER TABLE heartbeat DISABLE TRIGGER heartbeat_number")
    rows(registry, "UPDATE heartbeat SET timeline = 9")
    rows(registry, "ALTER TABLE heartbeat ENABLE TRIGGER heartbeat_number")
    first = beat_of(registry)
    assert first >> 40 == (before >> 40) + 1
    assert beat_of(registry) == first + 1


def test_a_nik_that_is_corrected_is_told_as_gone_and_as_come(registry: str) -> None:
    ((old,),) = rows(registry, "SELECT nik FROM person ORDER BY nik LIMIT 1")
    new = old[:12] + "9998"
    rows(registry, "UPDATE person SET nik = %s WHERE nik = %s", new, old)
    told = rows(registry, "SELECT nik, operation FROM change_feed ORDER BY id DESC LIMIT 2")
    assert set(told) == {(old, "DELETE"), (new, "INSERT")}


def test_a_truncated_registry_is_refused(registry: str) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="cannot be truncated"):
        rows(registry, "TRUNCATE person")
